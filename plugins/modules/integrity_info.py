#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integrity_info
short_description: Count what is corrupt in an application's tables
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Runs checks that are given as data. All of them see one snapshot (REPEATABLE READ, READ ONLY). Each check has its
    own savepoint and time limit, so a check that fails or takes too long does not affect the others. Each releases its
    locks as soon as it has counted.
  - Changes nothing, takes no row locks, needs no index, and works on replicas as well; RV(snapshot) tells how old the
    data is on a replica.
  - What could not be counted is never taken as good. A check whose tables or columns do not exist in this database is
    reported by name and has not passed.
options:
  deadline:
    description: Seconds for all checks together. Checks that have not started by then get the status C(timeout).
    type: float
    default: 60
  check_seconds:
    description: Seconds for one check.
    type: float
    default: 30
  limit_samples:
    description: How many keys of corrupt rows to return for each check, at most 1000.
    type: int
    default: 10
  quick:
    description:
      - Stop counting a check at the first O(limit_samples) rows. That shows whether there are any, and bounds the cost
        in a disaster; a check that finds nothing reads as much as without this option.
    type: bool
    default: false
extends_documentation_fragment:
  - chatia.kanban_rollback.integrity_checks
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - The role needs SELECT on the tables, and must see all rows; row-level security makes a check fail.
  - While a check counts, C(application_name) in C(pg_stat_activity) shows its name.
  - Each statement may use 64 MB of C(work_mem) per process and sort or hash on disk beyond that.
seealso:
  - module: chatia.kanban_rollback.integrity_repair
"""

EXAMPLES = r"""
- name: Count what is corrupt
  chatia.kanban_rollback.integrity_info:
    login_db: chatia_db
    checks:
      - name: orphan_tags
        kind: orphan
        table: Tags
        column: companyId
        references: {table: Companies, column: id}
      - name: invalid_lanes
        kind: invalid_reference
        table: Tickets
        column: kanbanLane
        tenant: companyId
        references: {table: Lanes, column: id}
      - name: tickets_without_company
        kind: null_reference
        severity: high
        table: Tickets
        column: companyId
      - name: duplicate_ticket_tags
        kind: duplicate
        table: TicketTags
        columns: [ticketId, tagId]
        column: ticketId
        references: {table: Tickets, column: id, tenant: companyId}
      - name: order_of_lanes
        kind: ordering
        severity: high
        table: Tickets
        position: kanbanOrder
        lane: [kanbanLane]
        tenant: companyId
        time: updatedAt
      - name: tags_of_others
        kind: cross_tenant
        table: TicketTags
        column: ticketId
        references: {table: Tickets, column: id, tenant: companyId}
        other_column: tagId
        other_references: {table: Tags, column: id, tenant: companyId}
      - name: tags_per_hour
        kind: timeline
        severity: low
        table: Tags
        time: createdAt
        time_zone: America/Sao_Paulo
      - name: tags_lost_since_the_dump
        kind: missing_since
        table: Tags
        time: createdAt
        against: {manifest: /var/lib/kanban_rollback/dumps/INC-20261125-042}
      - name: closed_without_a_user
        kind: sql
        query: SELECT id, "companyId" AS tenant FROM "Tickets" WHERE status = 'closed' AND "userId" IS NULL
  register: integrity

- name: Show the result
  ansible.builtin.debug:
    msg: "{{ integrity.status }}: {{ integrity.counts }}; not known: {{ integrity.not_known }}"
"""

RETURN = r"""
status:
  description:
    - C(corrupt) if any check is; C(ok) only if at least one check applies and every check that applies has counted;
      otherwise C(unknown).
  returned: success
  type: str
  sample: corrupt
corrupt:
  description: Whether any check found more than it tolerates.
  returned: success
  type: bool
complete:
  description: Whether every check that applies has counted. V(false) if one ran out of time or failed.
  returned: success
  type: bool
total_count:
  description: Rows that all C(corrupt) checks found together; a row that two checks find counts twice.
  returned: success
  type: int
  sample: 104
counts:
  description: What each check counted, by its name; checks that did not count are left out.
  returned: success
  type: dict
  sample: {"orphan_tags": 12, "duplicate_ticket_tags": 92, "tickets_without_company": 0}
not_applicable:
  description: Names of the checks whose tables or columns this database does not have.
  returned: success
  type: list
  elements: str
  sample: [invalid_lanes]
not_known:
  description: Names of the checks that ran out of time or failed.
  returned: success
  type: list
  elements: str
  sample: []
checks:
  description: The result of each check, in the order given. The checks run in the order of their severity.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: Its kind.
      type: str
    severity:
      description: Its severity.
      type: str
    status:
      description: C(ok), C(corrupt), C(not_applicable), C(timeout) or C(failed).
      type: str
    why:
      description: Why it did not count, or what is tolerated; empty otherwise.
      type: str
      sample: "PostgreSQL gave up waiting: canceling statement due to lock timeout. Held by pid 4711 (migration)."
    code:
      description:
        - A short, stable word for machines if the check did not count; otherwise null. With C(missing_privilege),
          RV(checks[].why) has the line that grants it. C(missing_own_table) means that the table that the check looks
          at does not exist, C(missing_table) that a table that this one leads to does not.
      type: str
    count:
      description: Rows found; null if that is not known.
      type: int
    exact:
      description:
        - Whether RV(checks[].count) is exact. V(false) if O(quick) stopped the count, or if new rows may hide missing
          ones; the count is then a minimum.
      type: bool
    groups:
      description:
        - For C(duplicate), how many values exist more than once; for C(ordering), how many lanes are wrong; for
          C(two_lanes), how many tickets. Null for the other kinds.
      type: int
    first_at:
      description:
        - The earliest time of those rows, by O(checks[].time); for a group, its newest row counts. For C(timeline), the
          hour of departure. In UTC; null if that is not known.
      type: str
      sample: "2026-11-25T09:12:44Z"
    last_at:
      description: The latest such time.
      type: str
    affected_tenants:
      description: How many tenants those rows belong to; null if the check does not say whose a row is.
      type: int
    samples:
      description:
        - Keys of some of the rows, each part cut to 100 characters. A key is the primary key, or C(table) and C(ctid)
          if there is none; for C(duplicate), O(checks[].columns) and how many C(rows) have them; for C(ordering), the
          lane, its C(rows), those C(twice) or C(unplaced) and the numbers C(left_out); for C(two_lanes),
          O(checks[].columns) and how many C(lanes); for C(timeline) and C(mass_delete) the C(hour), its C(rows) and
          what is C(usual); for C(missing_since) C(rows_then) and C(rows_now), or the key.
      type: list
      elements: dict
      sample: [{"id": "4711"}]
    elapsed_ms:
      description: Milliseconds that it took.
      type: int
snapshot:
  description: The moment that all checks saw.
  returned: success
  type: dict
  contains:
    at:
      description: UTC.
      type: str
    lsn:
      description:
        - Position in the write-ahead log at about that moment; on a replica, the position that it had replayed.
      type: str
      sample: 3/7F0A1C28
    replica:
      description: Whether the server is a replica.
      type: bool
    replayed_seconds_ago:
      description:
        - On a replica, the age in seconds of the last transaction that it had replayed; null if it has replayed none
          since it started. Without traffic on the primary, this grows by itself.
      type: float
database:
  description: Which database this was.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
error:
  description:
    - On failure, what is wrong, why it matters and what to do, and the C(page) of the documentation that says more.
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrity import Look, look_at_data
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import checks_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityspec import checks_spec

MOST_SAMPLES = 1000


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **checks_spec(),
            "deadline": {"type": "float", "default": 60},
            "check_seconds": {"type": "float", "default": 30},
            "limit_samples": {"type": "int", "default": 10},
            "quick": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        for name in ("deadline", "check_seconds"):
            check_seconds(name, params[name], 0.1)
        look = Look(
            checks=checks_from(params["checks"]),
            deadline=params["deadline"],
            check_seconds=params["check_seconds"],
            limit_samples=max(0, min(params["limit_samples"], MOST_SAMPLES)),
            quick=params["quick"],
        )
        return look_at_data(login_from(params), look), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
