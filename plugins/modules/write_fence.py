#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: write_fence
short_description: Refuse writes to some tables inside PostgreSQL while an incident lasts, and prove it
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Refuses chosen writes by triggers, for applications that do not honour the Redis write block. It stops superusers,
    cascades of foreign keys, C(COPY), writes straight into a partition, and sessions in replica role. Writes that are
    not named pass, so a fence on two columns of a table lets every other write to that table go on.
  - A refused write gets SQLSTATE C(KB001) and a message that names the incident, the operation and the table.
  - A fence that is installed ahead of time (O(state=dormant)) is raised in one transaction that takes no table lock and
    needs no ownership. What is not installed is created on demand by a role that owns the tables.
  - A transaction that was writing when the fence was raised may go on writing by the old rules until it ends. Until all
    of those have ended, the fence is C(draining), with their pids, and never C(proven).
options:
  state:
    description:
      - V(present) raises the fence. V(absent) lowers it. A fence that was created on demand is then dropped; a dormant
        one stays installed and lets everything pass. V(dormant) installs it without raising it.
    type: str
    choices: [present, absent, dormant]
    default: present
  tables:
    description:
      - What to refuse. Each entry is a table's name (all operations) or a map. Required unless O(state=absent); if
        omitted there, every fence of the database is meant. Names are looked up exactly first, then in lower case.
      - A map has C(name); C(operations), some of V(INSERT), V(UPDATE), V(DELETE), V(TRUNCATE) (default all);
        C(columns), to refuse UPDATE only of these; and C(when_changed).
      - UPDATE of columns is refused if a statement names one of them, whether or not it changes it. With
        C(when_changed=true), a row trigger refuses it only if one of them takes another value, for applications that
        save all columns of a row.
      - Partitions and inheritance children are included. Partitions on foreign servers are not.
    type: list
    elements: raw
  incident_id:
    description:
      - Incident that the fence belongs to. It appears in the message of every refused write, and only the same incident
        (or one of its aliases in the ledger) lowers the fence. Another incident that asks for a fence that is already
        raised joins it, and the fence is lowered with the last of them. Required unless O(state=dormant) or
        O(force=true).
    type: str
  deadline:
    description:
      - Seconds within which everything must be raised or lowered, retries included. What is not by then is reported per
        table and fails the module; what could be raised is raised.
    type: float
    default: 20
  drain:
    description:
      - Seconds to wait for transactions that were writing when the fence was raised. The default is what is left of
        O(deadline); V(0) looks once. Transactions that remain do not fail the module; RV(status) is then V(draining),
        and running the same task again goes on with the drain.
    type: float
  on_blocked:
    description:
      - What to do about sessions that hold a table that the fence needs, or that are still writing half a second after
        the raise. V(report) names them, V(terminate) also ends them (needs membership in C(pg_signal_backend)).
        Prepared transactions are named, never ended.
    type: str
    choices: [report, terminate]
    default: report
  on_replica:
    description:
      - What to do on a server in recovery. V(fail) fails, V(skip) returns what the server shows.
    type: str
    choices: [fail, skip]
    default: fail
  force:
    description:
      - With O(state=absent), lower also what another incident raised. This is an override, to be given with a reason.
    type: bool
    default: false
  purge:
    description: With O(state=absent), remove also the dormant fence with all its functions, so that no trace is left.
    type: bool
    default: false
  grant_to:
    description:
      - With O(state=dormant), exactly the roles that may raise and lower the fence, and whose sessions pass it with
        C(SET LOCAL kanban_rollback.passage = '<incident>'). If omitted, the role that installs it.
    type: list
    elements: str
    default: []
  run_id:
    description: Id of this run of a playbook. Events are chained per incident and run. If omitted, an id is generated.
    type: str
  operator:
    description: Who acts, for the record and for the message of refused writes.
    type: str
  environment:
    description:
      - Name of the environment, for instance V(production). A ledger that is marked with another one is refused before
        anything is changed.
    type: str
  answer:
    description:
      - RV(chatia.kanban_rollback.feature_flag#module:fence) of the kill just before, for O(state=present). If that
        fence is proven, nothing runs on the host and it is returned unchanged. Otherwise the module continues from
        there, and also reports who was ended for it, and when it was raised.
      - An answer says how things were then. Give it to the task that comes next, and to no later one.
    type: dict
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Tells what would be raised, created, lowered or removed, and what this role may not do. Locks no table.
    details: Who would be waited for, and whether a canary would be refused, is known only after a raise.
  diff_mode:
    support: full
    description: In check mode, shows per table what stands now and what would stand.
notes:
  - Creating a trigger takes SHARE ROW EXCLUSIVE on one relation at a time and waits at most 0.25 seconds per try,
    because writers queue behind it; 2 seconds if only the server's own processes, such as autovacuum, hold it.
    Dropping one takes ACCESS EXCLUSIVE, by the same rule.
  - A statement trigger fires even if no row is found, so a cascade that would delete nothing is refused, too.
  - Apply workers of logical replication fire no statement triggers. A table that an enabled subscription writes is
    reported as V(not_fenced) and fails the module; its fence is raised for everybody else.
  - A row trigger of the application may change a column that the statement does not name. The fence does not see that,
    and the module warns if there are such triggers.
  - DDL is not refused, for instance C(ALTER TABLE) and C(DROP TABLE).
  - The functions of the dormant fence belong to the role that installs it and run with its rights. They take an
    incident and a choice of the installed fences, never code. By hand, each as a transaction of its own,
    C(SELECT kanban_rollback.fence_raise(jsonb_build_object('incident', 'INC-1'))) raises all that is installed, and
    C(SELECT kanban_rollback.fence_lower(jsonb_build_object('force', true))) lowers it.
seealso:
  - module: chatia.kanban_rollback.write_fence_info
  - module: chatia.kanban_rollback.feature_flag
"""

EXAMPLES = r"""
- name: Install the fence ahead of time
  chatia.kanban_rollback.write_fence:
    login_db: chatia_db
    state: dormant
    tables: &tables
      - TicketTags
      - Tags
      - name: Tickets
        operations: [UPDATE, DELETE, TRUNCATE]
        columns: [kanbanLane, kanbanOrder]
    grant_to: [kanban_rollback]

- name: Refuse Kanban writes; inbound messages go on
  chatia.kanban_rollback.write_fence:
    login_db: chatia_db
    tables: *tables
    incident_id: INC-20261125-042

- name: Let people work again
  chatia.kanban_rollback.write_fence:
    login_db: chatia_db
    state: absent
    incident_id: INC-20261125-042

- name: Remove every trace
  chatia.kanban_rollback.write_fence:
    login_db: chatia_db
    state: absent
    purge: true
    force: true
"""

RETURN = r"""
status:
  description:
    - V(proven) when every operation is refused and nobody can still write; V(draining) when transactions from before
      are open; V(unproven) when it is raised and could not be tried; V(not_fenced) when some of what was asked is not
      refused. V(lowered) when it was raised and now lets everything pass, V(dormant) when it is installed and was not
      raised, V(absent) when there is no fence.
    - The worst of the tables counts. V(not_fenced) and V(unproven) fail the module.
  returned: success
  type: str
  sample: proven
incident_id:
  description: The incident of the fence; null when it is not raised.
  returned: success
  type: str
  sample: INC-20261125-042
kind:
  description: V(dormant), V(on_demand) or V(mixed); null if there is no fence.
  returned: success
  type: str
tables:
  description: State of the fence on each table.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The table as it was asked for.
      type: str
    table:
      description: Schema and name; null if it does not exist.
      type: str
    relations:
      description: The table itself, its partitions and inheritance children.
      type: list
      elements: str
    operations:
      description: Operations that are refused.
      type: list
      elements: str
    columns:
      description: The columns of which UPDATE is refused; empty means all.
      type: list
      elements: str
    when_changed:
      description: Whether UPDATE is refused only if one of them takes another value.
      type: bool
    status:
      description: As RV(status), of this table; also V(not_refused), when a canary got through.
      type: str
    reason:
      description: Why it is not as asked; null when it is.
      type: str
    refuses_more:
      description: What the installed fence refuses beyond what is asked, in words.
      type: list
      elements: str
    refused:
      description: Operations for which a canary, a statement that meets no row, was refused on every relation.
      type: list
      elements: str
    proof:
      description:
        - Per operation V(canary) or V(catalog). TRUNCATE would lock the table, a row trigger needs a row, and a
          statement trigger of the application that fires before ours would run with our rights. For those, the triggers
          and the function's body are compared with what they should be.
      type: dict
    kind:
      description: As RV(kind), of this table.
      type: str
    incident_id:
      description: The incident of its fence.
      type: str
draining:
  description: Up to 100 transactions that were writing at the raise and are still open.
  returned: success
  type: list
  elements: dict
  contains:
    pid:
      description: The backend; 0 for a prepared transaction.
      type: int
    gid:
      description: Name of a prepared transaction.
      type: str
    application_name:
      description: The name that the session gave itself.
      type: str
    user:
      description: Its role.
      type: str
    state:
      description: As in C(pg_stat_activity), or C(prepared).
      type: str
    transaction_age:
      description: Seconds since it began; null if that is hidden from this role.
      type: float
    tables:
      description: The fenced relations that it has locked for writing.
      type: list
      elements: str
    to_end_it:
      description:
        - The statement that ends it. For a prepared transaction both that may, because only its transaction manager
          knows whether it told anybody that the transaction is committed.
      type: str
blocked:
  description:
    - Who still held a table (C(table)) when the last try for it was over, as in M(chatia.kanban_rollback.feature_flag).
  returned: success
  type: list
  elements: dict
terminated:
  description: Sessions that were ended under O(on_blocked=terminate).
  returned: success
  type: list
  elements: dict
raised_at:
  description: When it was raised, by the server's clock, UTC; the latest, if tables differ. Null if it is not raised.
  returned: success
  type: str
  sample: "2026-11-25T03:04:05.123456Z"
raised_ms:
  description:
    - Milliseconds from the first statement of the raise to its last commit; null if it was raised before.
  returned: when O(state=present)
  type: int
drained_at:
  description:
    - When the drain was seen to be over, UTC. The recovery point counts from there. The fence keeps it, so a later run
      returns the same.
  returned: success
  type: str
lsn:
  description: WAL insert position at that moment.
  returned: success
  type: str
  sample: 0/1A2B3C8
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
  description:
    - Per table, its rows C(inserted), C(updated) and C(deleted) since the statistics began, at that moment. Sessions
      report theirs with a delay, up to 10 seconds if they are idle.
  returned: success
  type: dict
  sample: {"public.TicketTags": {"inserted": 41820, "updated": 0, "deleted": 3211}}
stats_reset:
  description: When the database's statistics were last reset. Counters before and after cannot be compared.
  returned: success
  type: str
left_behind:
  description: Triggers and functions that could not be removed, with the reason. They let everything pass.
  returned: success
  type: list
  elements: str
skipped:
  description: Whether the server is a replica on which nothing was done.
  returned: on a replica
  type: bool
database:
  description: Which database this was, by name, address, cluster, role and version; whether a pooler is in between.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines, for instance C(missing_privilege), C(lock_timeout), C(missing_table),
          C(logical_replication), C(not_refused), C(not_proven), C(other_incident); C(not_fenced) when tables differ.
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

import uuid

from ansible.module_utils.basic import AnsibleModule

# pylint: disable-next=unused-import
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _compileonce  # noqa: F401
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import set_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FenceRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import asked_tables, check_incident

NAMES = (
    "state",
    "operator",
    "environment",
    "deadline",
    "drain",
    "on_blocked",
    "on_replica",
    "force",
    "purge",
    "grant_to",
)


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "state": {"type": "str", "choices": ["present", "absent", "dormant"], "default": "present"},
            "tables": {"type": "list", "elements": "raw"},
            "incident_id": {"type": "str"},
            "deadline": {"type": "float", "default": 20},
            "drain": {"type": "float"},
            "on_blocked": {"type": "str", "choices": ["report", "terminate"], "default": "report"},
            "on_replica": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "force": {"type": "bool", "default": False},
            "purge": {"type": "bool", "default": False},
            "grant_to": {"type": "list", "elements": "str", "default": []},
            "run_id": {"type": "str"},
            "operator": {"type": "str"},
            "environment": {"type": "str"},
            # Consumed by the action plugin of this name; a value that gets here is not an answer.
            "answer": {"type": "dict"},
        },
        required_if=[("state", "present", ("tables",)), ("state", "dormant", ("tables",))],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        check_seconds("drain", params["drain"] or 0, 0)
        request = FenceRequest(
            tables=None if params["tables"] is None else asked_tables(params["tables"]),
            incident_id=check_incident(params["incident_id"], params["state"], params["force"]),
            run_id=params["run_id"] or uuid.uuid4().hex,
            **{name: params[name] for name in NAMES},
        )
        return set_fence(login_from(params), request, module.check_mode)

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
