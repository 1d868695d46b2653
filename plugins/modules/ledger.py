#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger
short_description: Create, grant or remove the ledger of incidents in the application's database
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - The ledger is the schema C(kanban_rollback). It contains incidents, the value that each tenant's flag had before it
    was switched, events, and the recovery lease.
  - The other modules create it on demand if their role may. This one creates it ahead of time, for a role that may not.
  - Only ordinary tables of the schema's owner are the ledger. Anything that another role put in their place is refused
    and not read. A warning names the schema's owner if that is neither a superuser, nor the role that acts, nor a role
    that this was made a member of.
options:
  state:
    description:
      - V(present) creates it. V(absent) removes it with everything recorded in it, the latches, and what O(grant_to)
        was granted on O(flag), O(reads), O(repairs) and the tables of O(queries); it refuses while an incident is open
        or a latch is up.
      - V(purged) removes what repairs put into quarantine, and what M(chatia.kanban_rollback.incident_files) keeps, for
        incidents that were closed more than O(retention_days) ago, and nothing else. Such a repair can then no longer
        be undone. Its record stays, and the purge is an event of the incident.
    type: str
    choices: [present, absent, purged]
    default: present
  retention_days:
    description: Days that must have passed since an incident was closed. Required for O(state=purged).
    type: float
  keep:
    description:
      - Ids or aliases of incidents that O(state=purged) leaves alone, for instance those that are open in another
        ledger.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Environment to mark the ledger with, for instance V(production). A ledger marked with another environment is
        refused.
    type: str
  grant_to:
    description:
      - Roles that get the privileges on the ledger that the modules need, and lose any others that they had there. Only
        O(repairs) adds the right to write what a repair or a restore records.
      - A role that is a superuser, or that may create databases or roles, is refused by O(state=present), also in check
        mode; one that does not exist yet passes there.
    type: list
    elements: str
    default: []
  flag:
    description:
      - Where the flag is kept, by the options of M(chatia.kanban_rollback.feature_flag) of the same names (C(store),
        C(table), C(tenant_column), C(column), C(path), C(key_column), C(key), C(absent_means), C(tenants_table) and so
        on). If given, O(grant_to) also gets what switching it needs, that is reading its table and writing its column.
    type: dict
  reads:
    description:
      - What else O(grant_to) may read, table by table and column by column, for instance what
        M(chatia.kanban_rollback.affected_tenants_info) and M(chatia.kanban_rollback.integrity_info) need. A table or
        column that does not exist is left out, and named in RV(left_out).
    type: list
    elements: dict
    default: []
    suboptions:
      table:
        description: The table, as C(name) or C(schema.name).
        type: str
        required: true
      columns:
        description: Its columns.
        type: list
        elements: str
        default: []
      key:
        description:
          - Whether to read also what identifies a row, that is the primary key or, without one, its physical location.
        type: bool
        default: false
      optional:
        description: Whether it is optional. If it does not exist, it is then not named in RV(left_out).
        type: bool
        default: false
      unless:
        description: A table. If it exists, this is not read, and so not granted.
        type: str
  queries:
    description:
      - Queries that O(grant_to) may run. PostgreSQL itself tells what they read (by a temporary view of each, which is
        rolled back), and exactly those columns are granted. C(%(tenants)s) may stand for a list of ids. A query that
        PostgreSQL refuses is named in RV(left_out).
    type: list
    elements: str
    default: []
  repairs:
    description:
      - What O(grant_to) may repair, restore and rehearse with, table by table, by
        M(chatia.kanban_rollback.integrity_repair), M(chatia.kanban_rollback.pg_restore_tables) and
        M(chatia.kanban_rollback.rehearsal_data). What goes along by foreign keys is found from the catalog and granted
        as well, because the repair itself deletes and changes those rows. With any table, the role also gets
        C(TEMPORARY) on the database. A table or column that does not exist is left out.
    type: list
    elements: dict
    default: []
    suboptions:
      table:
        description: The table, as C(name) or C(schema.name).
        type: str
        required: true
      delete:
        description: Whether rows of it are deleted. This grants C(SELECT), C(DELETE) and C(INSERT).
        type: bool
        default: false
      columns:
        description: Columns that are set. This grants C(SELECT), and C(UPDATE) of these.
        type: list
        elements: str
        default: []
      restore:
        description:
          - Whether M(chatia.kanban_rollback.pg_restore_tables) brings rows of it back. This grants C(SELECT),
            C(INSERT), C(UPDATE) and C(DELETE), C(SELECT) and C(UPDATE) on its sequences, and reading the columns that
            its foreign keys lead to. Nothing else goes along.
        type: bool
        default: false
      rehearse:
        description:
          - Whether M(chatia.kanban_rollback.rehearsal_data) plants rows in it and takes them away again. This grants
            C(SELECT), C(INSERT) and C(DELETE), C(USAGE) on its sequences, and reading the columns that lead to it. Not
            for production.
        type: bool
        default: false
      unless:
        description: A table. If it exists, nothing of this is done, and so nothing is granted.
        type: str
  latch:
    description:
      - Install the latch of O(flag), dormant. It lets every write pass until M(chatia.kanban_rollback.feature_flag)
        raises it, which O(grant_to) can then do without owning the table and without a lock on it. This role must own
        the table.
      - Whether or not this is set, O(state=present) revokes from C(PUBLIC) the right to call the functions of any
        flag's latch that this role may change. An older version left it.
    type: bool
    default: false
  force:
    description:
      - Remove the ledger although incidents are open or a latch is up, or although what is in its schema is not the
        ledger. This is an override, to be given with a reason.
    type: bool
    default: false
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: partial
    description: Changes nothing, and tells whether the ledger would be created or removed.
    details: Grants to roles and the latch are not predicted.
  diff_mode:
    support: none
    description: There is one version of the ledger.
seealso:
  - module: chatia.kanban_rollback.incident
  - module: chatia.kanban_rollback.write_fence
"""

EXAMPLES = r"""
- name: Create the ledger
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    environment: production
    grant_to: [kanban_rollback]

- name: Create it with a dormant latch for the flag
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    grant_to: [kanban_rollback]
    flag: {table: Companies, column: settings, path: [kanbanV2Enabled]}
    latch: true

- name: Let the role also rank tenants by their errors
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    grant_to: [kanban_rollback]
    reads:
      - {table: ErrorLogs, columns: [companyId, context, createdAt]}
    queries:
      - SELECT count(*) FROM "Users" WHERE "companyId"::text = ANY(%(tenants)s)

- name: Let the role repair duplicates and lanes
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    grant_to: [kanban_rollback]
    repairs:
      - {table: TicketTags, delete: true}
      - {table: Tickets, columns: [kanbanLane]}

- name: Remove the quarantined rows of incidents that were closed long ago
  chatia.kanban_rollback.ledger:
    login_db: chatia_db
    state: purged
    retention_days: 90
"""

RETURN = r"""
ledger:
  description: Whether the ledger exists and this role can use it, its version and its environment.
  returned: success
  type: dict
granted:
  description: What this call granted to O(grant_to), of O(reads), O(queries) and O(repairs).
  returned: success
  type: list
  elements: str
  sample: ["SELECT (companyId, context, createdAt) ON public.ErrorLogs TO kanban_rollback"]
purged:
  description: What was, or would be, removed from quarantine, by incident.
  returned: success
  type: list
  elements: dict
  sample: [{"incident_id": "INC-20261125-042", "days": 91, "rows": 103}]
purged_files:
  description: How many files were, or would be, removed, by incident.
  returned: success
  type: list
  elements: dict
  sample: [{"incident_id": "INC-20261125-042", "days": 91, "files": 7}]
left_out:
  description: What of O(reads), O(queries) and O(repairs) was left out, with C(name) and C(why).
  returned: success
  type: list
  elements: dict
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    flag_from_dict,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerentry import LedgerRequest, set_ledger

READ = {
    "table": {"type": "str", "required": True},
    "columns": {"type": "list", "elements": "str", "default": []},
    "key": {"type": "bool", "default": False},
    "optional": {"type": "bool", "default": False},
    "unless": {"type": "str"},
}
MEND = {
    "table": {"type": "str", "required": True},
    "delete": {"type": "bool", "default": False},
    "columns": {"type": "list", "elements": "str", "default": []},
    "restore": {"type": "bool", "default": False},
    "rehearse": {"type": "bool", "default": False},
    "unless": {"type": "str"},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "state": {"type": "str", "choices": ["present", "absent", "purged"], "default": "present"},
            "retention_days": {"type": "float"},
            "keep": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "str"},
            "grant_to": {"type": "list", "elements": "str", "default": []},
            "flag": {"type": "dict"},
            "reads": {"type": "list", "elements": "dict", "default": [], "options": READ},
            "queries": {"type": "list", "elements": "str", "default": []},
            "repairs": {"type": "list", "elements": "dict", "default": [], "options": MEND},
            "latch": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
        },
        required_if=[("latch", True, ["flag"]), ("state", "purged", ["retention_days"])],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        request = LedgerRequest(
            state=params["state"],
            environment=params["environment"],
            grant_to=params["grant_to"],
            flag=flag_from_dict(params["flag"]) if params["flag"] else None,
            latch=params["latch"],
            force=params["force"],
            reads=params["reads"],
            queries=params["queries"],
            repairs=params["repairs"],
            retention_days=params["retention_days"] or 0.0,
            keep=params["keep"],
        )
        return set_ledger(login_from(params), request, module.check_mode), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
