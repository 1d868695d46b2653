#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: status_info
short_description: Read who has a feature, what is stopped, and which incidents are open, in one look
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads what C(status.yml) shows of one database. Writes nothing, takes no row locks, and works on replicas as well.
  - What cannot be read, for instance without a right, is listed in RV(unknown); the rest is still returned. The module
    fails only if the server cannot be asked at all.
options:
  version:
    description: Version whose last green rehearsal to look for. If empty, the module looks for none.
    type: str
    default: ""
  environment:
    description: Do not read the ledger if it is marked with another environment.
    type: str
  state_dir:
    description: Further directory in which to look for files of prior values.
    type: path
  deadline:
    description: Seconds that all of it may take, at least 1. What is not read by then is in RV(unknown).
    type: float
    default: 3
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.flag
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - The option O(tenants) is ignored; all tenants are counted.
seealso:
  - module: chatia.kanban_rollback.feature_flag_info
  - module: chatia.kanban_rollback.write_fence_info
  - module: chatia.kanban_rollback.write_block_info
  - module: chatia.kanban_rollback.incident_info
"""

EXAMPLES = r"""
- name: See who has Kanban V2, and whether anything is stopped
  chatia.kanban_rollback.status_info:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
  register: status
"""

RETURN = r"""
features:
  description: The feature that the options name; empty if its table or column was not found.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The flag's name in the ledger.
      type: str
    enabled:
      description: How many tenants have it; null if they could not be counted.
      type: int
      sample: 385
    total:
      description: How many tenants there are; null if they could not be counted.
      type: int
      sample: 1284
    unreadable_count:
      description: How many tenants have settings that are not JSON; null if they could not be counted.
      type: int
    global_default:
      description: C(on), C(off) or C(absent), for the row without tenant of a key/value store; null for other stores.
      type: str
    guard:
      description:
        - The trigger that keeps the flag off during an incident (the option C(latch) of
          M(chatia.kanban_rollback.feature_flag)). C(status) is C(up), C(not_firing) (an incident has raised it, but no
          trigger of it fires on the table), C(dormant) or C(absent); C(incident_id) is the incident that raised it.
      type: dict
    unrecorded:
      description:
        - Stops that no ledger has recorded, by their files of prior values on this host, each with C(incident_id),
          C(path) and C(age_seconds).
      type: list
      elements: dict
fence:
  description: The fence over all tables that have one; null if it could not be read. No canary is sent.
  returned: success
  type: dict
  contains:
    status:
      description:
        - C(up), C(dormant) (installed, and lets writes pass) or C(absent). Whether it refuses writes was not tried.
      type: str
      sample: up
    incident_id:
      description: The incident that raised it; null if it is not raised.
      type: str
    raised_at:
      description: When it was raised, UTC.
      type: str
    drained:
      description: Whether every transaction from before had been seen to end; null when it is not raised.
      type: bool
    tables:
      description: How many tables have a fence.
      type: int
    tables_raised:
      description: On how many of them it is raised.
      type: int
incidents:
  description: Open incidents, newest first, as in RV(chatia.kanban_rollback.incident_info#module:open).
  returned: success
  type: list
  elements: dict
leases:
  description:
    - Active leases, each with C(name) (C(recovery) is a run's, C(recovery work) that of one of its modules),
      C(incident_id), C(holder), C(run_id), C(acquired_at), C(heartbeat_seconds_ago) and C(expires_in_seconds). Expired
      leases are left out.
  returned: success
  type: list
  elements: dict
last_rehearsal:
  description:
    - The last green rehearsal of O(version) in this ledger, with C(incident_id), C(began), C(scenario), C(environment),
      C(version) and C(green); null if there is none.
  returned: success
  type: dict
unknown:
  description:
    - What could not be read. C(part) is C(feature), C(guard), C(ledger), C(rehearsal) or C(fence). C(code), C(what),
      C(why), C(todo) and C(page) say why, as RV(error) does.
  returned: success
  type: list
  elements: dict
ledger:
  description: Whether the ledger exists and can be read, its version and its environment.
  returned: success
  type: dict
database:
  description: Which database this was, by name, address, cluster, role and version; whether a pooler is in between.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

# pylint: disable-next=unused-import
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _compileonce  # noqa: F401
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    flag_from,
    flag_spec,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statusread import StatusRequest, read_status


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **flag_spec(),
            "version": {"type": "str", "default": ""},
            "environment": {"type": "str"},
            "state_dir": {"type": "path"},
            "deadline": {"type": "float", "default": 3},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        names = ("version", "environment", "state_dir", "deadline")
        request = StatusRequest(flag_from(params), **{name: params[name] for name in names})
        return read_status(login_from(params), request), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
