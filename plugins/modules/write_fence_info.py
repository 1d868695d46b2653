#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: write_fence_info
short_description: Report which tables have a fence, for which incident, and whether it works
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads the fence of M(chatia.kanban_rollback.write_fence) from the catalog. Changes nothing, takes no table lock
    unless O(prove=true), and works on replicas as well.
options:
  tables:
    description:
      - Tables to look at, as in M(chatia.kanban_rollback.write_fence). If omitted, every table that has a fence. A
        table that does not exist fails the module.
    type: list
    elements: raw
  prove:
    description:
      - Whether to send canaries, statements that meet no row, and check that they are refused. This needs what raising
        the fence needs. Without it, a raised fence is V(unproven), or V(draining). Nothing is sent on a replica.
    type: bool
    default: false
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
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
  - module: chatia.kanban_rollback.write_fence
"""

EXAMPLES = r"""
- name: Check whether the fence works
  chatia.kanban_rollback.write_fence_info:
    login_db: chatia_db
    prove: true
  register: fence
"""

RETURN = r"""
status:
  description:
    - V(proven), V(draining), V(unproven), V(not_fenced), V(dormant) or V(absent), as in
      M(chatia.kanban_rollback.write_fence). The worst of the tables counts. Of O(tables), one that lets writes pass
      while another refuses them is V(not_fenced).
  returned: success
  type: str
  sample: proven
incident_id:
  description: The incident of the fence; null when it is not raised.
  returned: success
  type: str
kind:
  description: V(dormant), V(on_demand) or V(mixed); null if there is no fence.
  returned: success
  type: str
tables:
  description: State of the fence on each table, as in M(chatia.kanban_rollback.write_fence).
  returned: success
  type: list
  elements: dict
draining:
  description: Up to 100 transactions that may still write, as in M(chatia.kanban_rollback.write_fence).
  returned: success
  type: list
  elements: dict
raised_at:
  description: When it was raised, UTC.
  returned: success
  type: str
drained_at:
  description: When the drain was seen to be over, by a run of M(chatia.kanban_rollback.write_fence); null before.
  returned: success
  type: str
lsn:
  description: WAL insert position at that moment.
  returned: success
  type: str
timeline:
  description: >-
    Timeline of the WAL at that moment, null if the server does not report it. A different one later means that a
    replica was promoted since.
  returned: success
  type: str
  sample: "00000001"
xid:
  description: Id that the next transaction would have had at that moment, with its epoch.
  returned: success
  type: str
  sample: "74819"
parts:
  description:
    - For each fence, a digest of its function and triggers as the catalog had them at that moment. A different one
      later means that the fence was changed; M(chatia.kanban_rollback.recovery_point_info) compares them.
  returned: success
  type: dict
counters:
  description: Per table, its rows inserted, updated and deleted, at that moment.
  returned: success
  type: dict
stats_reset:
  description: When the database's statistics were last reset before that moment.
  returned: success
  type: str
blocked:
  description: Always empty.
  returned: success
  type: list
  elements: dict
left_behind:
  description: Always empty.
  returned: success
  type: list
  elements: str
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import read_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FenceRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import asked_tables


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "tables": {"type": "list", "elements": "raw"},
            "prove": {"type": "bool", "default": False},
            "environment": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        request = FenceRequest(
            tables=None if params["tables"] is None else asked_tables(params["tables"]),
            prove=params["prove"],
            environment=params["environment"],
        )
        return read_fence(login_from(params), request), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
