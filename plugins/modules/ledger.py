#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger
short_description: Make, grant or remove the ledger of incidents in the application's database
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - The ledger is the schema C(kanban_rollback). It holds incidents, the value that each tenant's flag had before it was
    switched, events, and the recovery lease.
  - The other modules make it on demand where their role may; this one makes it ahead of time, for a role that may not.
options:
  state:
    description:
      - V(present) makes it. V(absent) removes it with everything recorded in it, the latches, and what was granted on
        O(flag) to O(grant_to); it refuses while an incident is open.
    type: str
    choices: [present, absent]
    default: present
  environment:
    description:
      - Marks the ledger, for instance V(production). A ledger marked with another environment is refused.
    type: str
  grant_to:
    description: Roles that get what the modules need on it.
    type: list
    elements: str
    default: []
  flag:
    description:
      - Where the flag is kept, by the options of M(chatia.kanban_rollback.feature_flag) of the same names (C(store),
        C(table), C(tenant_column), C(column), C(path), C(key_column), C(key), C(absent_means), C(tenants_table) and so
        on). Given, O(grant_to) also gets what switching it needs, that is reading its table and writing its column.
    type: dict
  latch:
    description:
      - Install the latch of O(flag), dormant. It lets every write pass until M(chatia.kanban_rollback.feature_flag)
        raises it, which O(grant_to) can then do without owning the table and without a lock on it. This role must own
        the table.
    type: bool
    default: false
  force:
    description: Remove the ledger although incidents are open. An override to be given with a reason.
    type: bool
    default: false
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: partial
    description: Changes nothing, and tells whether the ledger would be made or removed.
    details: Grants to roles and the latch are not predicted.
  diff_mode:
    support: none
    description: There is one version of the ledger.
"""

EXAMPLES = r"""
- name: Make the ledger
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    environment: production
    grant_to: [kanban_rollback]

- name: Make it, with a dormant latch for the flag
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    grant_to: [kanban_rollback]
    flag: {table: Companies, column: settings, path: [kanbanV2Enabled]}
    latch: true
"""

RETURN = r"""
ledger:
  description: Whether the ledger is there and can be used by this role, its version and environment.
  returned: success
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    flag_from_dict,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerentry import LedgerRequest, set_ledger


def main() -> None:
    """Read the options, do the work, end."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "environment": {"type": "str"},
            "grant_to": {"type": "list", "elements": "str", "default": []},
            "flag": {"type": "dict"},
            "latch": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
        },
        required_if=[("latch", True, ["flag"])],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        request = LedgerRequest(
            present=params["state"] == "present",
            environment=params["environment"],
            grant_to=params["grant_to"],
            flag=flag_from_dict(params["flag"]) if params["flag"] else None,
            latch=params["latch"],
            force=params["force"],
        )
        return set_ledger(login_from(params), request, module.check_mode), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
