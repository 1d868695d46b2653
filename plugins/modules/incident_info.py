#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_info
short_description: Read incidents, their events and the recovery lease from the ledger
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads only. Also works without a ledger, and then lists the files that stood in for it on this host.
options:
  incident_id:
    description: One incident to return with its events, by its id or an alias. If omitted, the newest are listed.
    type: str
  incidents:
    description: How many incidents to list at most, 10000 at the most.
    type: int
    default: 100
  events:
    description: How many events to return at most.
    type: int
    default: 1000
  done:
    description: Whether to return RV(done), too, for a decision by what was done in the open incidents.
    type: bool
    default: false
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  state_dir:
    description: Further directory in which to look for files of prior values.
    type: path
  users_table:
    description:
      - Table of the users. With it or O(users_query), and O(incident_id), the module counts the users it affects.
    type: str
  users_column:
    description: Column of this table with the tenant of a user.
    type: str
    default: companyId
  users_query:
    description:
      - A query of your own that counts them. C(%(tenants)s) stands for the tenants' ids, a C(text[]).
    type: str
  users_seconds:
    description: Seconds that the count may take. A count that takes longer is given up.
    type: float
    default: 5
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.incident
"""

EXAMPLES = r"""
- name: See what is open
  chatia.kanban_rollback.incident_info:
    login_db: chatia_db
  register: incidents
"""

RETURN = r"""
incidents:
  description: Incidents, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    incident_id:
      description: The id.
      type: str
    aliases:
      description: Other ids that mean it.
      type: list
    opened_as:
      description:
        - The id that was asked for when it was opened. It differs from RV(incidents[].incident_id) if a closed incident
          already had that id, so that the ledger added a number (C(INC-7-2)). The write block keeps the id that was
          asked for. Once that id means a newer incident (C(INC-7-3)), it belongs to that one, and this field has the
          incident's own id.
      type: str
    opened_at:
      description: UTC.
      type: str
    closed_at:
      description: UTC; null while it is open.
      type: str
    age_seconds:
      description: Seconds since it was opened.
      type: int
more_incidents:
  description: Whether the ledger has more incidents than O(incidents), so that older ones are not listed.
  returned: success
  type: bool
open:
  description: Incidents that are open, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    switched_off:
      description:
        - How many tenants it has switched off so far. A tenant counts as often as it was switched off, and the number
          never goes down. For O(chatia.kanban_rollback.incident#module:switched_off). Null if this role may not read
          what was changed.
      type: int
left_off:
  description:
    - Which of O(incidents) were closed with tenants switched off, newest first. Read only where no incident is open and
      O(incident_id) is not given.
  returned: success
  type: list
  elements: dict
  contains:
    incident_id:
      description: The id.
      type: str
    tenants:
      description: How many it switched off that nobody put back.
      type: int
known_as:
  description: The id under which the ledger has O(incident_id); null if it has none.
  returned: success
  type: str
events:
  description: Events of the incident, oldest first.
  returned: when O(incident_id) is given and known
  type: list
  elements: dict
done:
  description:
    - What was done in the open incidents, oldest first, each with C(incident_id), C(at), C(phase) and C(event). Only
      events of the phases C(assess), C(contain), C(release) and C(re-enable), without their data. The newest 1000 are
      returned.
  returned: with O(done), if the ledger can be read
  type: list
  elements: dict
chain_broken_at:
  description: Where the hash chain of the events is broken; empty if it is intact.
  returned: when O(incident_id) is given and known
  type: list
  elements: str
latched_writes:
  description: How many writes the latch turned back.
  returned: when O(incident_id) is given and known
  type: int
latched_tenants:
  description: Of how many tenants it turned back writes.
  returned: when O(incident_id) is given and known
  type: int
latched_passed:
  description: How many writes passed the latch, because they are no JSON or could not be changed.
  returned: when O(incident_id) is given and known
  type: int
kills:
  description:
    - How many kills this ledger has recorded, over all incidents; null if there is no usable ledger.
    - Each run of M(chatia.kanban_rollback.feature_flag) that switches off counts, even if it found nothing to switch. A
      sweep (with O(chatia.kanban_rollback.feature_flag#module:settle)) counts only if it switched something. If the
      number has grown, the feature was stopped meanwhile.
  returned: success
  type: int
stages:
  description:
    - What became of the return of O(incident_id) in stages, oldest first, each with C(event) (C(begun), C(passed) or
      C(failed)), C(at) and the figures of that moment. Events before the last kill of this ledger are left out, because
      they no longer count. The newest 200 are returned.
  returned: success
  type: list
  elements: dict
validation:
  description:
    - The newest validation of the data of O(incident_id) or, if that is omitted, of the only open incident, with
      whether it C(passed), C(at), and C(data), its figures. Null if there is none, or if a run has since switched off,
      repaired or restored, or undone a repair or a restore.
  returned: success
  type: dict
failovers:
  description:
    - What runs of O(incident_id) or, if that is omitted, of the only open incident found when another server had taken
      over since the kill, oldest first, each with C(at) and the fields of
      RV(chatia.kanban_rollback.feature_flag#module:failover).
  returned: success
  type: list
  elements: dict
taken_over:
  description:
    - What is known if another server has taken over since that incident last did something, and no run has looked into
      it yet; otherwise null. What the ledger has of the incident then has no gaps, because a log is lost from one point
      on.
  returned: success
  type: dict
  contains:
    from_timeline:
      description: The timeline of the log then.
      type: str
    to_timeline:
      description: The timeline now.
      type: str
    forked_at:
      description: Where this server left the old log; null if it does not report it.
      type: str
    last_commit_at:
      description: When the last transaction from there was committed, UTC; null if the server does not report it.
      type: str
    returned:
      description: Whether anybody was given the feature back since the last kill.
      type: bool
users_count:
  description:
    - How many users the tenants have that the incident switched off. Null if they were not counted.
  returned: with O(users_table) or O(users_query), if the ledger can be read
  type: int
users_note:
  description: Why they were not counted; empty if they were.
  returned: with O(users_table) or O(users_query), if the ledger can be read
  type: str
lease:
  description: The holder of the recovery lease; null if there is none.
  returned: success
  type: dict
prior_files:
  description: Files of prior values on this host that no ledger has taken over yet.
  returned: success
  type: list
  elements: str
ledger:
  description: Whether the ledger exists and can be read, its version and its environment.
  returned: success
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._affectedusers import UsersRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidentread import read_incidents


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "incident_id": {"type": "str"},
            "incidents": {"type": "int", "default": 100},
            "events": {"type": "int", "default": 1000},
            "done": {"type": "bool", "default": False},
            "environment": {"type": "str"},
            "state_dir": {"type": "path"},
            "users_table": {"type": "str"},
            "users_column": {"type": "str", "default": "companyId"},
            "users_query": {"type": "str"},
            "users_seconds": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        names = ("incident_id", "incidents", "environment", "events", "state_dir", "done")
        asked = [params[f"users_{name}"] for name in ("table", "column", "query", "seconds")]
        users = UsersRequest(*asked) if params["users_table"] or params["users_query"] else None
        return read_incidents(login_from(params), **{name: params[name] for name in names}, users=users), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
