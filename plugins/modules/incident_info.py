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
  - Reads only. Works without a ledger too, and then lists the files that stood in for it on this host.
options:
  incident_id:
    description: One incident, by its id or an alias, with its events. Left out, the newest 100 are listed.
    type: str
  events:
    description: How many events to return at most.
    type: int
    default: 1000
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  state_dir:
    description: Further directory to look for prior files in.
    type: path
  users_table:
    description: Table of the users. With it, or O(users_query), and O(incident_id) those are counted whom it affects.
    type: str
  users_column:
    description: The column in it that says whose a user is.
    type: str
    default: companyId
  users_query:
    description:
      - A query of your own that counts them, with C(%(tenants)s) where their ids go, a C(text[]).
    type: str
  users_seconds:
    description: Seconds that counting may take; a count that takes longer is given up.
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
- name: What is open
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
        - The id that was asked for when it was opened. It is another than RV(incidents[].incident_id) where a closed
          incident had that one, so that the ledger gave it a number (C(INC-7-2)); the write block keeps the one that
          was asked for. Once that means a newer incident (C(INC-7-3)) it is that one's, and this has its own id here.
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
open:
  description: Those that are open, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    switched_off:
      description:
        - How many tenants it has switched off so far, one as often as it was. It never goes down; for
          O(chatia.kanban_rollback.incident#module:switched_off). Null where this role may not read what was changed.
      type: int
known_as:
  description: The id under which the ledger has O(incident_id); null where it has none.
  returned: success
  type: str
events:
  description: Events of the incident, oldest first.
  returned: when O(incident_id) is given and known
  type: list
  elements: dict
chain_broken_at:
  description: Where the events' hash chain is broken; empty when it holds.
  returned: when O(incident_id) is given and known
  type: list
  elements: str
latched_writes:
  description: How many writes the latch turned back.
  returned: when O(incident_id) is given and known
  type: int
latched_tenants:
  description: Of how many tenants.
  returned: when O(incident_id) is given and known
  type: int
kills:
  description:
    - How many kills this ledger has recorded, over all incidents; null where there is no ledger that can be used.
    - Each M(chatia.kanban_rollback.feature_flag) that switches off counts, also one that found nothing to switch; a
      sweep (with O(chatia.kanban_rollback.feature_flag#module:settle)) counts only when it switched something. A figure
      that has grown means that somebody stopped it meanwhile.
  returned: success
  type: int
stages:
  description:
    - What became of the return of O(incident_id) in stages, oldest first, each with C(event) (C(begun), C(passed) or
      C(failed)), C(at) and the figures of that moment. What was before the last kill of this ledger is left out, for it
      counts no more; the newest 200 are returned.
  returned: success
  type: list
  elements: dict
validation:
  description:
    - The newest validation of the data of O(incident_id), or where that is left out of the incident that is open alone,
      C(passed) or not, with C(at) and C(data), its figures. Null where there is none, or where somebody has switched
      off, repaired, restored or undone that since.
  returned: success
  type: dict
failovers:
  description:
    - What runs of O(incident_id), or where that is left out of the incident that is open alone, found when another
      server had taken over since the kill, oldest first, each with C(at) and the fields of
      RV(chatia.kanban_rollback.feature_flag#module:failover).
  returned: success
  type: list
  elements: dict
taken_over:
  description:
    - Where another server has taken over since that incident did something last, which no run has looked into yet;
      else null. What the ledger has of the incident is whole then, for a log is lost from one point on.
  returned: success
  type: dict
  contains:
    from_timeline:
      description: The timeline of the log then.
      type: str
    to_timeline:
      description: The timeline by now.
      type: str
    forked_at:
      description: Where this server left the old log; null where it does not tell.
      type: str
    last_commit_at:
      description: When the last transaction that came from there was committed, UTC; null where it does not tell.
      type: str
    returned:
      description: Whether anybody was given the feature back since the last kill.
      type: bool
users_count:
  description:
    - How many users the tenants have that the incident switched off. Null where it was not counted.
  returned: with O(users_table) or O(users_query), where the ledger can be read
  type: int
users_note:
  description: Why they were not counted; empty where they were.
  returned: with O(users_table) or O(users_query), where the ledger can be read
  type: str
lease:
  description: Who holds the recovery lease; null when nobody does.
  returned: success
  type: dict
prior_files:
  description: Files of prior values on this host that no ledger has taken over yet.
  returned: success
  type: list
  elements: str
ledger:
  description: Whether the ledger is there and can be read, its version and environment.
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import read_incidents


def main() -> None:
    """Read the options, do the work, end."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "incident_id": {"type": "str"},
            "events": {"type": "int", "default": 1000},
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
        names = ("incident_id", "environment", "events", "state_dir")
        asked = [params[f"users_{name}"] for name in ("table", "column", "query", "seconds")]
        users = UsersRequest(*asked) if params["users_table"] or params["users_query"] else None
        return read_incidents(login_from(params), **{name: params[name] for name in names}, users=users), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
