#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integrity_repair
short_description: Repair corrupt rows in an application's tables, reversibly and as approved
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Repairs what the checks of M(chatia.kanban_rollback.integrity_info) find, in one transaction. Every row that is
    deleted or changed, including rows that go along by foreign keys, is kept in the ledger's quarantine first. Then the
    checks count again. The transaction commits only if each repaired check counts no more than it tolerates and no
    other check counts more than before; otherwise everything is rolled back.
  - In check mode it makes the plan, with figures, samples and RV(plan_hash). To apply the plan, give that value as
    O(plan_hash). The hash stays the same as long as the checks and the rows do. It covers the whole of each row that
    would be deleted; of each row that would be changed, it covers the key and the old and new values of the columns
    that change. It is valid once, for one incident in one database.
  - The transaction is REPEATABLE READ. A row that another session changes meanwhile is an error and is never
    overwritten. It is also an error if a cascade would take along a row that the plan did not see.
  - O(state=undone) brings back the rows that repairs of the incident removed, newest first, if nothing conflicts with
    them. That includes restores of M(chatia.kanban_rollback.pg_restore_tables); the rows that those put there are
    deleted again. If the incident has had no repair, the repairs of its namesakes are undone. An id whose incident was
    closed stands for a new incident (C(X-2) for C(X)), and what was repaired under C(X) can then still be brought back.
options:
  state:
    description:
      - V(repaired) repairs. V(undone) brings back what the incident's repairs deleted and changed; sequences stay as
        they are.
    type: str
    choices: [repaired, undone]
    default: repaired
  checks:
    description:
      - The checks whose findings are repaired, in the order given, each on what the ones before leave. Required for
        O(state=repaired).
    required: false
  plan_hash:
    description: Hash of the plan that was reviewed and approved. Without it, or with another one, nothing is changed.
    type: str
  approved_by:
    description: Who approved the plan, for the record.
    type: str
  max_rows:
    description: A plan that touches more rows than this, including rows that go along, is not applied.
    type: int
    default: 100000
  max_fraction:
    description: A plan that touches more than this share of any table is not applied.
    type: float
    default: 0.5
  allow_unfenced:
    description:
      - Repair, or undo, even if the fence (M(chatia.kanban_rollback.write_fence)) does not stand on the tables of the
        checks. Others may then write meanwhile and corrupt again what was repaired. This is an override to be given
        with a reason; it is recorded.
    type: bool
    default: false
  lease_by_force:
    description: Take the recovery lease from its holder. This is an override to be given with a reason.
    type: bool
    default: false
  lease_wait:
    description:
      - Seconds to wait for the lease if another run has it; after that, it is an error. They do not count against
        O(deadline). If a module of the same run works on the same database, this module waits until that one has ended.
    type: float
    default: 0
  deadline:
    description: Seconds that the module may take; what is not done by then is rolled back.
    type: float
    default: 600
  limit_samples:
    description: How many keys of rows to return for each check, at most 1000.
    type: int
    default: 10
extends_documentation_fragment:
  - chatia.kanban_rollback.integrity_checks
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.incident
attributes:
  check_mode:
    support: full
    description: Makes the plan, or reports what would come back. Takes no row locks.
    details: Several repairs of one incident are undone in sequence; check mode examines each of them by itself.
  diff_mode:
    support: full
    description: Shows what each check counts before and after.
notes:
  - The role needs SELECT and DELETE, or UPDATE of the columns, on the tables and on those that go along by foreign
    keys. It also needs TEMPORARY on the database, and membership in a role that may pass the fence. For O(state=undone)
    it needs INSERT instead of DELETE. C(bootstrap.yml) grants the collection's role all of that, unless
    C(kanban_role_repairs) is false.
  - Which row is the oldest is decided by O(checks[].repair.order_by), then a key of one integer column, then
    O(checks[].time), then any other key, then the place of the row in the table.
  - Foreign keys with CASCADE, SET NULL and SET DEFAULT are followed to their end. If one with NO ACTION or RESTRICT
    forbids the repair, the plan says so and is not applied. The same applies if one with ON UPDATE CASCADE, SET NULL or
    SET DEFAULT would change rows along with a column that the repair sets.
  - A plan is refused if it touches rows that violate a check constraint that is NOT VALID, because the server would not
    let them come back.
  - Triggers of the application fire; RV(plan.triggers) names them. If one changes or deletes rows that the plan does
    not name, everything is rolled back, because no copy of those rows is kept. Rows that one inserts elsewhere, for
    instance an audit, stay there, with a warning. The server's own counters show this; with C(track_counts) off it
    cannot be checked, which is another warning.
  - What a trigger changed along with a changed row (a column "updatedAt") comes back too, unless it was written again
    since. The undo compares what it has written. If a trigger altered that, the undo writes again without triggers and
    warns, or it is rolled back (C(not_exact)).
  - To write without triggers, and to bring back rows that lead to no row under a foreign key that is NOT VALID, the
    session sets C(session_replication_role). That takes a superuser, or a grant on PostgreSQL 15 and newer.
  - Tables that others inherit from are refused; partitioned ones are not.
  - If the module was killed or lost its connection, everything is as before, and the same command can be run again. If
    there is nothing to repair, nothing changes, whatever O(plan_hash) is.
  - While the module works, its progress is in C(kanban_rollback.leases), and M(chatia.kanban_rollback.progress_info)
    reports it. It is written about once a second in a separate session; if that fails, only the progress is unknown.
seealso:
  - module: chatia.kanban_rollback.integrity_info
  - module: chatia.kanban_rollback.pg_restore_tables
  - module: chatia.kanban_rollback.write_fence
  - module: chatia.kanban_rollback.incident
"""

EXAMPLES = r"""
- name: See what would be done
  chatia.kanban_rollback.integrity_repair:
    login_db: chatia_db
    incident_id: INC-20261125-042
    checks: &checks
      - name: duplicate_ticket_tags
        kind: duplicate
        table: TicketTags
        columns: [ticketId, tagId]
        time: createdAt
      - name: invalid_lanes
        kind: invalid_reference
        table: Tickets
        column: kanbanLane
        tenant: companyId
        references: {table: Lanes, column: id}
  check_mode: true
  register: planned

- name: Do just that
  chatia.kanban_rollback.integrity_repair:
    login_db: chatia_db
    incident_id: INC-20261125-042
    checks: *checks
    plan_hash: "{{ planned.plan_hash }}"
    approved_by: ana

- name: Bring it all back
  chatia.kanban_rollback.integrity_repair:
    login_db: chatia_db
    incident_id: INC-20261125-042
    state: undone
"""

RETURN = r"""
plan_hash:
  description: Hash of the present plan.
  returned: when O(state=repaired)
  type: str
plan:
  description: What is planned or was done.
  returned: when O(state=repaired)
  type: dict
  contains:
    checks:
      description: The result of each check, in the order given.
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          type: str
        kind:
          description: Its kind.
          type: str
        action:
          description: How it is repaired; C(none) if it is only judged.
          type: str
        status:
          description: C(ok), C(corrupt), C(not_applicable), C(timeout) or C(failed).
          type: str
        count:
          description: Rows found when its turn came, after the repairs of the checks before it.
          type: int
        remaining:
          description: Rows found after the repair; null if the repair was only planned.
          type: int
        tolerate:
          description: How many rows are tolerated.
          type: int
        why:
          description: Why it did not count, or what is tolerated; empty otherwise.
          type: str
        code:
          description: A short, stable word if it did not count.
          type: str
        samples:
          description: Keys of some of its rows; C(table) and C(ctid) if the table has no primary key.
          type: list
          elements: dict
    parts:
      description:
        - What is done to which table for which check. C(via) is the foreign key by which rows go along, and C(effect)
          its action; both are null for a check's own rows.
      type: list
      elements: dict
      sample: [{"check": "orphan_tags", "table": "public.TicketTags", "action": "delete", "rows": 103,
                "via": "TicketTags_tagId_fkey", "effect": "CASCADE"}]
    cascades:
      description: Those parts that go along by foreign keys.
      type: list
      elements: dict
    tables:
      description: Rows of each touched table, how many are touched, and which share that is.
      type: list
      elements: dict
      sample: [{"table": "public.TicketTags", "rows": 4000000, "touched": 4000, "fraction": 0.001}]
    total_rows:
      description: Total number of rows that are deleted or changed.
      type: int
    fraction:
      description: The greatest share of a table that is touched.
      type: float
    estimate_seconds:
      description: About how many seconds it takes to apply.
      type: float
    unindexed:
      description:
        - Foreign keys without an index on their columns; for each row that is removed, their whole table is read.
      type: list
      elements: dict
    triggers:
      description: Triggers of the application that fire.
      type: list
      elements: str
    refused:
      description:
        - Why the plan could not be applied as it is, each with C(code) and C(what), for instance C(not_fenced),
          C(fence_draining), C(no_passage), C(too_many_rows), C(too_large_fraction), C(restricted),
          C(follows_update), C(circular), C(check_not_valid), C(not_nullable), C(missing_privilege), C(not_known),
          C(no_open_incident).
      type: list
      elements: dict
fenced:
  description: Whether the fence stands on the tables of the checks, and lets this session pass.
  returned: success
  type: bool
repair_id:
  description: Number of the repair in C(kanban_rollback.repairs); null if nothing was done.
  returned: when O(state=repaired)
  type: int
quarantined:
  description: Rows that were put into C(kanban_rollback.quarantined).
  returned: when O(state=repaired)
  type: int
approved_by:
  description: Who approved it, as given in O(approved_by).
  returned: when something was changed
  type: str
undone:
  description: Numbers of the repairs that were, or would be, undone.
  returned: when O(state=undone)
  type: list
  elements: int
tables:
  description:
    - How many C(deleted) and C(changed) rows of which table come back, and how many C(inserted) rows are removed.
  returned: when O(state=undone)
  type: list
  elements: dict
conflicts:
  description:
    - Up to 100 conflicting rows, with C(table), C(why) and the C(key) of the row; if the table has no primary key, the
      place of its copy. Other contents of the row are not shown.
  returned: when O(state=undone)
  type: list
  elements: dict
refused:
  description:
    - Why it could not be undone as it is, in the form of RV(plan.refused). These are reasons that concern the fence.
  returned: when O(state=undone)
  type: list
  elements: dict
conflicts_count:
  description: How many there are.
  returned: when O(state=undone)
  type: int
incident_id:
  description: The id that the ledger knows the incident by; null if the ledger has no open one.
  returned: success
  type: str
ledger:
  description: Whether the ledger existed, its version and environment.
  returned: success
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
lease:
  description: The holder of the lease, if another run has it.
  returned: failure
  type: dict
error:
  description:
    - On failure, what is wrong, why it matters and what to do. If a plan was made, it is in the result as well.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines, for instance C(plan_hash_missing), C(plan_changed), C(lease_held),
          C(row_changed), C(post_condition), C(not_as_planned), C(not_planned), C(conflict),
          C(not_exact), C(schema_changed), C(purged), or a code of
          RV(plan.refused).
      type: str
    what:
      description: What is wrong.
      type: str
    why:
      description: Why it matters now.
      type: str
    todo:
      description: What to do next.
      type: str
    page:
      description: The address of the section of the documentation that says more about C(code).
      type: str
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityspec import checks_spec
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairentry import set_integrity
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Request

MOST_SAMPLES = 1000
NAMES = (
    "state",
    "plan_hash",
    "approved_by",
    "max_rows",
    "max_fraction",
    "allow_unfenced",
    "lease_by_force",
    "lease_wait",
    "deadline",
)


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **who_spec(),
            "checks": {**checks_spec()["checks"], "required": False},
            "state": {"type": "str", "choices": ["repaired", "undone"], "default": "repaired"},
            "plan_hash": {"type": "str"},
            "approved_by": {"type": "str"},
            "max_rows": {"type": "int", "default": 100000},
            "max_fraction": {"type": "float", "default": 0.5},
            "allow_unfenced": {"type": "bool", "default": False},
            "lease_by_force": {"type": "bool", "default": False},
            "lease_wait": {"type": "float", "default": 0},
            "deadline": {"type": "float", "default": 600},
            "limit_samples": {"type": "int", "default": 10},
        },
        required_if=[("state", "repaired", ["checks"])],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        request = Request(
            who=who_from(params),
            checks=params["checks"] or [],
            limit_samples=max(0, min(params["limit_samples"], MOST_SAMPLES)),
            **{name: params[name] for name in NAMES},
        )
        return set_integrity(login_from(params), request, module.check_mode)

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
