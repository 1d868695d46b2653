#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearsal_data
short_description: Plant rows that are wrong on purpose, and remove exactly those again
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - For rehearsals on a team's own hosts. Puts duplicates, orphans and errors into the application's tables, so that a
    scenario has something to find.
  - Planting only inserts. Each row is recorded in the ledger in the same transaction, by its key or, in a table without
    one, by all its values. Only those rows are removed again, except those that a repair has already removed.
  - Refuses to run in production, as named by O(environment) or the ledger's mark, and if neither names an environment.
options:
  state:
    description:
      - V(present) plants what O(kinds) says, once per incident. V(absent) removes what is recorded as planted under
        O(incident_id). A row that rows of others refer to stays, and is counted in RV(left).
    type: str
    choices: [present, absent]
    default: present
  kinds:
    description:
      - What to plant. What the schema does not accept (a unique index, a foreign key, a trigger that changes rows
        elsewhere) is left out, and RV(planted) says why.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description:
          - V(duplicate) copies rows, V(orphan) copies rows without their owner, V(errors) creates errors of tenants.
        type: str
        choices: [duplicate, orphan, errors]
        required: true
      table:
        description: The table, as C(name) or C(schema.name).
        type: str
        required: true
      columns:
        description: Required for V(duplicate). The columns whose values are then there twice.
        type: list
        elements: str
        default: []
      column:
        description: Required for V(orphan) and V(errors). The column that says whom a row belongs to.
        type: str
      references:
        description: Required for V(orphan). The C(table) and C(column) that O(kinds[].column) refers to.
        type: dict
      time:
        description:
          - The column with the time when a row was created, which is set to now. If the table has no such column,
            nothing is set.
        type: str
      text_column:
        description: For V(errors), the column that says what an error is about.
        type: str
      text:
        description: The value for O(kinds[].text_column).
        type: str
        default: ''
      tenants:
        description: Required for V(errors). The tenants whose errors they are; each gets the same number.
        type: list
        elements: str
        default: []
      rows:
        description: How many rows; by default O(rows).
        type: int
  rows:
    description:
      - How many rows of each kind, from 1 to 10000. For V(errors), how many for all tenants together, with at least one
        each.
    type: int
    default: 50
  naive_timezone:
    description: The time zone of time columns that have none.
    type: str
    default: UTC
  deadline:
    description: Seconds that each statement may take. What is not finished by then is rolled back.
    type: float
    default: 60
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.incident
attributes:
  check_mode:
    support: partial
    description: Changes nothing, and reports how many rows would be planted or removed.
    details: Rows that only the server's own checks would refuse are found only by a real run.
  diff_mode:
    support: none
    description: Rows are counted, never shown.
seealso:
  - module: chatia.kanban_rollback.integrity_info
"""

EXAMPLES = r"""
- name: Plant duplicates and orphans
  chatia.kanban_rollback.rehearsal_data:
    login_db: chatia_db
    incident_id: INC-20261125-042
    environment: staging
    rows: 20
    kinds:
      - {kind: duplicate, table: TicketTags, columns: [ticketId, tagId], time: createdAt}
      - {kind: orphan, table: Tags, column: companyId, references: {table: Companies, column: id}, time: createdAt}

- name: Take them away again
  chatia.kanban_rollback.rehearsal_data:
    login_db: chatia_db
    incident_id: INC-20261125-042
    state: absent
"""

RETURN = r"""
planted:
  description:
    - What is, would be or was planted, table by table, with C(kind), C(table), C(rows), and C(why) there are none.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "duplicate", "table": "public.TicketTags", "rows": 50, "why": ""}]
rows:
  description: How many rows these are in total.
  returned: success
  type: int
removed:
  description: How many were, or would be, removed now.
  returned: success
  type: int
gone:
  description: How many were already removed, by a repair for instance.
  returned: success
  type: int
left:
  description: How many are still there, because rows of others refer to them.
  returned: success
  type: int
ledger:
  description: Whether the ledger is there and can be used by this role, its version and environment.
  returned: success
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
error:
  description:
    - On failure, what is wrong, why it matters and what to do, with a short C(code) and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    login_from,
    postgres_spec,
    who_from,
    who_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import NEEDS, asked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldataentry import (
    Request,
    set_rehearsal_data,
)

KIND = {
    "kind": {"type": "str", "choices": list(NEEDS), "required": True},
    "table": {"type": "str", "required": True},
    "columns": {"type": "list", "elements": "str", "default": []},
    "column": {"type": "str"},
    "references": {"type": "dict"},
    "time": {"type": "str"},
    "text_column": {"type": "str"},
    "text": {"type": "str", "default": ""},
    "tenants": {"type": "list", "elements": "str", "default": []},
    "rows": {"type": "int"},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **who_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kinds": {"type": "list", "elements": "dict", "default": [], "options": KIND},
            "rows": {"type": "int", "default": 50},
            "naive_timezone": {"type": "str", "default": "UTC"},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        request = Request(
            who=who_from(params),
            state=params["state"],
            kinds=asked(params["kinds"], params["rows"]),
            deadline=params["deadline"],
            zone=params["naive_timezone"],
        )
        return set_rehearsal_data(login_from(params), request, module.check_mode), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
