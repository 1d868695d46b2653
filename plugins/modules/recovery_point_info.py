#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_point_info
short_description: Measure what was written since the fence, and tell what became of every row of the dump
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Compares tables with a dump of M(chatia.kanban_rollback.pg_dump), row by row, and subtracts what repairs of
    M(chatia.kanban_rollback.integrity_repair) did. What is left was done by others.
  - For a table that is fenced whole, it compares all columns, counts rows that a transaction from after the end of the
    fence's drain has left, and counts deletions by the server's counters. For a table that is fenced in part, it
    compares the fenced columns, and whether each row is there. New rows are writes only if INSERT is refused.
  - If the figure cannot be determined, the result says so and why, and never says 0. That is the case if the fence was
    lowered, or raised after the dump, if its drain was not recorded, if counters were reset, or if a replica was
    promoted since.
  - Changes nothing. The dump's rows go through a temporary table, in one transaction that is rolled back.
options:
  incident_id:
    description: The incident whose fence, dump and repairs these are, by its id or an alias.
    type: str
    required: true
  dump:
    description: Directory of the dump, on the host that runs the module. Each of its files is checked first.
    type: path
    required: true
  tables:
    description:
      - What is fenced, as in M(chatia.kanban_rollback.write_fence). Tables of the dump that are not among these are
        accounted for as well.
    type: list
    elements: raw
    required: true
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  deadline:
    description: Seconds for all of it.
    type: float
    default: 600
  limit_samples:
    description: How many of the rows that differ to return for each table, at most 1000.
    type: int
    default: 10
  bin_dir:
    description: Directory of C(pg_restore). By default it is looked for as in M(chatia.kanban_rollback.pg_dump).
    type: path
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - The role needs SELECT on the tables, must see all their rows, and needs TEMPORARY on the database. For a table that
    is fenced whole it needs SELECT on all of it, because the column C(xmin) is read.
  - While a table is compared, C(application_name) in C(pg_stat_activity) shows its name.
  - Run it on the primary. The server needs temporary space for twice the compared columns of the largest table.
  - Only the counters show a deletion between the end of the drain and the dump. If they show one, the fence's function
    and triggers tell whether anybody has touched them since; if so, the recovery point is not measured.
requirements:
  - pg_restore, not older than the server, on the host that runs the module
seealso:
  - module: chatia.kanban_rollback.pg_dump
  - module: chatia.kanban_rollback.write_fence
  - module: chatia.kanban_rollback.integrity_repair
"""

EXAMPLES = r"""
- name: Measure the recovery point
  chatia.kanban_rollback.recovery_point_info:
    login_db: chatia_db
    incident_id: INC-20261125-042
    dump: /var/lib/kanban_rollback/dumps/INC-20261125-042
    tables:
      - TicketTags
      - Tags
      - name: Tickets
        operations: [UPDATE, DELETE, TRUNCATE]
        columns: [kanbanLane, kanbanOrder]
  register: point

- name: Say what it came to
  ansible.builtin.debug:
    msg: "writes since the fence: {{ point.recovery_point.writes if point.recovery_point.measured else 'not known' }}"
"""

RETURN = r"""
recovery_point:
  description: What was accepted in spite of the fence, over all tables.
  returned: success
  type: dict
  contains:
    measured:
      description: Whether it is known for every fenced table.
      type: bool
    writes:
      description: How many rows were written, or differ, in spite of the fence; null if that is not known.
      type: int
      sample: 0
    why:
      description: Why it is not known; empty if it is.
      type: str
    lsn:
      description: Position in the write-ahead log up to which it was measured.
      type: str
      sample: 3/7F0A1C28
    at:
      description: The moment up to which it was measured, UTC.
      type: str
accounted:
  description: Whether every row of the dump, in all of its tables, is there or in quarantine.
  returned: success
  type: bool
tables:
  description: >-
    What became of each table of the dump, and of fenced ones that are not in it. RV(tables[].rows_now) is
    RV(tables[].rows_then) minus RV(tables[].quarantined) and RV(tables[].gone), plus RV(tables[].new), plus rows of
    repairs that are older than the dump and were undone since.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name with its schema.
      type: str
    fenced:
      description: V(whole), V(part) or V(none).
      type: str
    compared_by:
      description:
        - V(key) is by the primary key or another unique one; V(row) by whole rows and how often each is there; V(count)
          by how many there are, if it has no key and other columns may change. Null if it was not compared.
      type: str
    rows_then:
      description: Rows in the dump; null if the table is not in it.
      type: int
    rows_now:
      description: Rows that are there now; null if they were not counted.
      type: int
    quarantined:
      description: Rows that repairs removed since the dump and that were not brought back.
      type: int
    restored:
      description: Rows that were brought back since the dump by undoing repairs.
      type: int
    new:
      description: Rows that were not in the dump.
      type: int
    gone:
      description: Rows of the dump that are neither there nor in quarantine.
      type: int
    changed:
      description: Rows of the dump in which a fenced column has a value that is neither from the dump nor from a
        repair.
      type: int
    accounted:
      description: Whether none is gone and the figures add up.
      type: bool
    measured:
      description: Whether it is known what was written in spite of the fence.
      type: bool
    writes:
      description: How many rows that is; null if it is not known, or nothing is fenced.
      type: int
    reported_late:
      description:
        - Deletions that only the server's counters show, while nobody has touched the fence since the end of its drain.
          Idle sessions report what they did before the fence up to ten seconds late. What was rolled back counts as
          well, and so does what a role that the fence lets pass deleted by hand before the dump.
      type: int
    why:
      description: Why it is not known, or was not compared.
      type: str
    samples:
      description:
        - Some of the rows that are C(changed), C(gone) or, if INSERT is refused, C(new), as C(what) says. Each has its
          C(key), and what differs as C(then) and C(now); values are cut to 100 characters.
      type: list
      elements: dict
      sample: [{"what": "changed", "key": {"id": "4711"}, "then": {"kanbanLane": "3"}, "now": {"kanbanLane": "9"}}]
dump:
  description: The dump that it was compared with, by C(path), C(ended_at) and the C(sha256) of its manifest.
  returned: success
  type: dict
incident_id:
  description: The incident, by the ledger's id of it.
  returned: success
  type: str
ledger:
  description: Whether the ledger is there and can be read, its version and environment.
  returned: success
  type: dict
database:
  description: Which database this was.
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
    check_seconds,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import asked_tables
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoveryentry import PointRequest, measure

MOST_SAMPLES = 1000


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "incident_id": {"type": "str", "required": True},
            "dump": {"type": "path", "required": True},
            "tables": {"type": "list", "elements": "raw", "required": True},
            "environment": {"type": "str"},
            "deadline": {"type": "float", "default": 600},
            "limit_samples": {"type": "int", "default": 10},
            "bin_dir": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1.0)
        request = PointRequest(
            incident_id=params["incident_id"].strip(),
            dump=params["dump"],
            tables=asked_tables(params["tables"]),
            environment=params["environment"],
            deadline=params["deadline"],
            limit_samples=max(0, min(params["limit_samples"], MOST_SAMPLES)),
            bin_dir=params["bin_dir"],
        )
        return measure(login_from(params), request), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
