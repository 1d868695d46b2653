# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ledger`` does: makes the ledger, grants it and the flag to roles, or removes every trace."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgerclosing as closing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._grants import (
    Reads,
    find_reads,
    grant_entry,
    grant_ledger,
    grant_reads,
    refuse_administrators,
    revoke_entry,
    revoke_reads,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    Facts,
    look_at_ledger,
    refuse_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import latch_holders, lower_latches
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchinstall import install_latch
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchshut import shut_latches
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import owner_warning, refuse_foreign
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Cursor,
    Login,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import lacking_sequences
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._quarantinepurge import purge_ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import (
    Mends,
    find_mends,
    grant_mends,
    revoke_mends,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import files, privileges, progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import find_target


@dataclass(frozen=True)
class LedgerRequest:
    """What is asked of the ledger; the fields are the options of ``ledger``."""

    state: str
    environment: str | None
    grant_to: Sequence[str]
    flag: Flag | None
    latch: bool = False
    force: bool = False
    reads: Sequence[Mapping[str, Any]] = ()
    queries: Sequence[str] = ()
    repairs: Sequence[Mapping[str, Any]] = ()
    retention_days: float = 0.0
    keep: Sequence[str] = ()


def set_ledger(login: Login, request: LedgerRequest, check_mode: bool) -> dict[str, Any]:
    """Make the ledger and grant it to roles, or remove every trace of it; raises KanbanError."""
    session = Session(login, APPLICATION)
    try:
        facts = look_at_ledger(session, request.environment)
        refuse_replica(facts.server)
        work = {"present": _make, "absent": _remove, "purged": _purge}[request.state]
        done = work(session, facts, request, check_mode)
        return {"granted": [], "left_out": [], "purged": [], "purged_files": [], **done, **facts.as_result()}
    finally:
        session.close()


def _make(session: Session, facts: Facts, request: LedgerRequest, check_mode: bool) -> dict[str, Any]:
    refuse_foreign(facts.state)
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        refuse_administrators(cursor, request.grant_to)
    if check_mode:
        unmarked = request.environment is not None and facts.state.environment is None
        _tell_owner(facts)
        return {"changed": not facts.state.usable or unmarked}
    granted: list[str] = []
    with session.transaction(READ_SECONDS, 2.0) as cursor:
        changed = ledger.make_ledger(cursor, request.environment)
        if cursor.row(progress.LACKS_ROOM, {})[0]:
            cursor.run(progress.MAKE_ROOM, {})  # The ledger is from before it kept a repair's progress.
            changed = True
        if not cursor.row(files.STATE, {})[0]:
            cursor.run(files.CREATE, {})  # It is from before it kept files.
            changed = True
        target = find_target(cursor, request.flag) if request.flag else None
        reads, mends = _rights(cursor, request)
        # Rehearsed rows are events; only the application's own rows are put into quarantine.
        repairs = any(not repair.get("rehearse") for repair in request.repairs)
        for role in request.grant_to:
            changed = grant_ledger(cursor, role, repairs) or changed
            changed = (target is not None and _grant_flag(cursor, role, target)) or changed
            to_mend, left_out = grant_mends(cursor, role, mends)
            # After those, so that a column that its table's grant covers is not granted again.
            granted += grant_entry(cursor, role) + to_mend + grant_reads(cursor, role, reads)
            reads.left_out += left_out
        if request.latch and target:
            changed = install_latch(cursor, target, request.grant_to) or changed
        # Also those of flags that are configured no longer. Last, because a stop that raises one waits for it.
        changed = shut_latches(cursor) or changed
        facts.state = ledger.ledger_state(cursor)
    _tell_owner(facts)
    return {"changed": changed or bool(granted), "granted": granted, "left_out": reads.left_out}


def _tell_owner(facts: Facts) -> None:
    warning = owner_warning(facts.state)
    if warning:
        facts.warnings.append(f"{warning} Let a superuser own it and its tables (ALTER, with OWNER TO).")


def _rights(cursor: Cursor, request: LedgerRequest, ever: bool = False) -> tuple[Reads, Mends]:
    """Return what roles get; ``ever``: also what they may have got while the schema was different."""
    if not request.grant_to:
        return Reads(), Mends()
    wanted, to_mend = request.reads, request.repairs
    if ever:
        wanted, to_mend = ([{**one, "unless": None} for one in listed] for listed in (wanted, to_mend))
    reads, mends = find_reads(cursor, wanted, request.queries), find_mends(cursor, to_mend)
    for table, columns in mends.parents(cursor):
        reads.add(table, columns)
    return reads, mends


def _grant_flag(cursor: Cursor, role: str, target: Target) -> bool:
    values = {"role": role, "table": target.table.oid, "column": target.column.name, "rows": target.owners is not None}
    # Rows that are made may take their id from a sequence.
    drawn = lacking_sequences(cursor, target.table.oid, role) if target.owners else []
    for grant in drawn:
        cursor.run(sql.SQL(grant.replace("%", "%%")), {})
    if cursor.row(queries.IS_FLAG_GRANTED, values)[0]:
        return bool(drawn)
    names = {**_names(role, target), "column": identifier(target.column.name)}
    cursor.run(sql.SQL(queries.GRANT_FLAG).format(**names), {})
    if target.owners:
        cursor.run(sql.SQL(queries.GRANT_ROWS).format(**names), {})
    return True


def _revoke_sequences(cursor: Cursor, role: str, target: Target) -> None:
    for name in cursor.rows(privileges.GRANTED_SEQUENCES, {"table": target.table.oid, "role": role}):
        names = {"sequence": identifier(*name), "role": identifier(role)}
        cursor.run(sql.SQL(privileges.REVOKE_SEQUENCE).format(**names), {})


def _names(role: str, target: Target) -> dict[str, sql.Composable]:
    owners = target.owners or target.table
    return {
        "owners": identifier(owners.schema, owners.name),
        "owners_schema": identifier(owners.schema),
        "role": identifier(role),
        "schema": identifier(target.table.schema),
        "table": identifier(target.table.schema, target.table.name),
    }


def _remove(session: Session, facts: Facts, request: LedgerRequest, check_mode: bool) -> dict[str, Any]:
    if not request.force:
        refuse_foreign(facts.state)  # It may be somebody's own schema, and nobody can see what is open in it.
    changed = facts.state.present
    check = _refuse_open if facts.state.usable and not request.force else None
    if check:
        with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            check(cursor)
    if check_mode:
        return {"changed": changed}
    if changed:
        left = lower_latches(session, purge=True, check=check)
        if left:
            raise BadInput(
                "latch_in_the_way",
                f"A latch could not be taken away: {'; '.join(left)}",
                "It lets everything pass now, but its function is in the ledger's schema, which therefore stays.",
                "Run it again when the table is free, as the table's owner.",
            )
        _drop(session, check)
    with session.transaction(READ_SECONDS, 2.0) as cursor:
        target = find_target(cursor, request.flag) if request.flag else None
        reads, mends = _rights(cursor, request, ever=True)
        for role in request.grant_to:
            if not cursor.row(queries.ROLE_EXISTS, {"role": role})[0]:
                continue
            revoke_reads(cursor, role, reads)
            revoke_mends(cursor, role, mends)
            revoke_entry(cursor, role)
            if target:
                cursor.run(sql.SQL(queries.REVOKE_FLAG).format(**_names(role, target)), {})
                if target.owners:
                    cursor.run(sql.SQL(queries.REVOKE_ROWS).format(**_names(role, target)), {})
                    _revoke_sequences(cursor, role, target)
        facts.state = ledger.ledger_state(cursor)
    return {"changed": changed}


def _purge(session: Session, facts: Facts, request: LedgerRequest, check_mode: bool) -> dict[str, Any]:
    if not facts.state.usable:
        return {"changed": False}
    purged = purge_ledger(session, request.retention_days, request.keep, check_mode)
    return {"changed": any(purged.values()), **purged}


def _drop(session: Session, check: Callable[[Cursor], None] | None) -> None:
    """Drop the schema as soon as nobody uses it, without blocking anybody; raises KanbanError."""
    give_up_at = time.monotonic() + closing.TRY_SECONDS
    while True:
        try:
            with session.transaction(READ_SECONDS, 2.0, settings=closing.SETTINGS) as cursor:
                # Who opens an incident has committed by then, or waits for this and finds no ledger.
                cursor.run(queries.LOCK, {})
                tables = [identifier(queries.SCHEMA, name) for (name,) in cursor.rows(queries.TABLES, {})]
                if tables:
                    cursor.run(sql.SQL(queries.LOCK_TABLES).format(tables=sql.SQL(", ").join(tables)), {})
                if check:
                    check(cursor)
                cursor.run(queries.DROP, {})
                return
        except Timeout as error:
            if time.monotonic() > give_up_at:
                raise KanbanError(
                    "busy",
                    f"The ledger is as before: somebody uses it, and has for {closing.TRY_SECONDS:g} s. {error.what}",
                    "A stop, a repair or a dump may be under way.",
                    "Run the same command again once that has ended.",
                ) from error
            time.sleep(closing.PAUSE_SECONDS)


def _refuse_open(cursor: Cursor) -> None:
    """Refuse while an open incident needs the ledger; raises BadInput."""
    if not ledger.ledger_state(cursor).usable:
        return  # Somebody else has removed it meanwhile.
    names = [row["incident_id"] for row in ledger.list_incidents(cursor, only_open=True)]
    forced = "say force (-e '{kanban_break_glass: {what: [ledger], reason: ...}}')."
    if names:
        raise BadInput(
            "open_incidents",
            f"Incidents are open in this ledger: {', '.join(names[:10])}.",
            "With the ledger goes the knowledge of who had the flag; nobody could undo them. The ledger is as before.",
            f"Undo and close them first, or {forced}",
        )
    up = latch_holders(cursor)
    if up:
        raise BadInput(
            "open_incidents",
            f"A latch is up in this ledger, though its incident is closed: {', '.join(up[:10])}.",
            "A stop may be under way, and its latch keeps tenants off. The ledger is as before.",
            f"See who is at work and run it again once that has ended, or {forced}",
        )
