# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that repairs, restores and rehearsals need on the application's tables: what is missing, and grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table, has_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table, resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import lacking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repaircascade import read_foreign_keys
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import privileges as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine, undo

# Quarantine takes whole rows, so they are read whole; the undo inserts deleted rows again.
CHANGES, DELETES, BRINGS_BACK = ("SELECT",), ("SELECT", "DELETE"), ("SELECT", "INSERT")
_BOTH = ("SELECT", "INSERT", "DELETE")
# The undo deletes restored rows again, and any column may get its old value.
_RESTORES = ("SELECT", "INSERT", "UPDATE", "DELETE")
# A restore reads and sets sequences; planting rows takes numbers from them, and USAGE also allows reading them.
_SETS, _SETS_DRAWN, _DRAWS = ("SELECT", "UPDATE"), ("UPDATE",), ("USAGE",)
_TODO = "Grant it: {} (bootstrap.yml does, by kanban_role_repairs), or use another role."


@dataclass
class Mends:
    """Tables by oid, with the columns that are set in each, and whether its rows are deleted, or come back.

    In the tables of ``rehearses``, rows are planted and taken away again.
    """

    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    deletes: set[int] = field(default_factory=set)
    columns: dict[int, dict[str, None]] = field(default_factory=dict)
    restores: set[int] = field(default_factory=set)
    rehearses: set[int] = field(default_factory=set)

    def add(self, table: int, name: tuple[str, str], deletes: bool, columns: Sequence[str]) -> None:
        """Add what is done to a table."""
        self.names[table] = name
        self.columns.setdefault(table, {}).update(dict.fromkeys(columns))
        if deletes:
            self.deletes.add(table)

    def lacking(self, cursor: Cursor, role: str | None = None) -> list[tuple[str, list[str], str]]:
        """Return the tables on which a role (default: ours) lacks rights, with the rights and the grant for them."""
        found = []
        for table, columns in self.columns.items():
            both = table in self.deletes or table in self.rehearses
            words = _RESTORES if table in self.restores else _BOTH if both else CHANGES
            # A role that may update every column needs no right on single ones.
            missing, grant = lacking(cursor, table, words, [] if "UPDATE" in words else list(columns), role)
            if missing:
                found.append((".".join(self.names[table]), missing, grant))
        for (schema, name), missing, grant in self._sequences(cursor, role):
            if missing:
                found.append((f"sequence {schema}.{name}", missing, grant))
        return found

    def sequences(self, cursor: Cursor) -> list[tuple[str, str]]:
        """Return the sequences that a restore sets or a rehearsal draws from, each with its schema."""
        return list(dict.fromkeys(name for name, _missing, _grant in self._sequences(cursor, None)))

    def _sequences(self, cursor: Cursor, role: str | None) -> list[tuple[tuple[str, str], list[str], str]]:
        rows = []
        both = self.restores & self.rehearses
        for tables, words in ((self.restores - both, _SETS), (both, _SETS_DRAWN), (self.rehearses, _DRAWS)):
            values = {"tables": sorted(tables), "words": list(words), "role": role}
            rows += cursor.rows(queries.SEQUENCES, values) if tables else []
        return [((schema, name), list(missing), grant) for schema, name, missing, grant in rows]

    def parents(self, cursor: Cursor) -> Iterator[tuple[Table, Sequence[str]]]:
        """Yield what else is read: the tables that restored rows refer to, because the parents have to exist."""
        for table in sorted(self.restores):
            for _key, schema, name, _validated, _columns, parents in cursor.rows(undo.PARENTS, {"table": table}):
                yield find_table(cursor, f"{schema}.{name}")[0], parents
        # A row that refers to a planted row prevents its deletion.
        for key in read_foreign_keys(cursor, sorted(self.rehearses)):
            yield Table(key.child, key.schema, key.table, None), key.columns


def find_mends(cursor: Cursor, repairs: Sequence[Mapping[str, Any]]) -> Mends:
    """Return what repairs do to which tables, including what goes along by foreign keys; raises ServerError.

    A repair deletes and changes such rows itself, so that quarantine has them; the rights of a key's owner do not help
    there. Tables that this schema lacks and checks not meant for it are left out: the checks report that themselves.
    """
    found = Mends()
    for repair in repairs:
        if repair.get("unless") and has_table(cursor, repair["unless"]):
            continue
        try:
            table, columns = find_table(cursor, repair["table"])
            named = [resolve_column(wanted, columns, str(table)).name for wanted in repair.get("columns") or []]
        except BadInput:
            continue
        found.add(table.oid, (table.schema, table.name), bool(repair.get("delete")), named)
        if repair.get("restore"):
            found.restores.add(table.oid)
        if repair.get("rehearse"):
            found.rehearses.add(table.oid)
    level = set(found.deletes)
    while level:
        before = set(found.deletes)
        for key in read_foreign_keys(cursor, sorted(level)):
            if key.effect == "CASCADE":
                found.add(key.child, (key.schema, key.table), True, [])
            elif key.set_columns and not key.impossible:
                found.add(key.child, (key.schema, key.table), False, key.set_columns)
        level = found.deletes - before
    return found


def lacking_to_rehearse(cursor: Cursor, table: int) -> tuple[list[str], list[str]]:
    """Return what this role lacks to plant rows in a table and to take them away, and what grants it."""
    found = Mends(columns={table: {}}, names={table: ("", "")}, rehearses={table})
    rows = found.lacking(cursor)
    return [word for _name, missing, _grant in rows for word in missing], [grant for *_rest, grant in rows]


def lacking_in_quarantine(cursor: Cursor) -> list[tuple[str, list[str], str]]:
    """Return what this role lacks to write to quarantine, as ``Mends.lacking`` does; nothing without a ledger."""
    found = []
    for name, words in quarantine.WRITES.items():
        for (oid,) in cursor.rows(queries.OF_THE_LEDGER, {"name": name}):
            missing, grant = lacking(cursor, oid, words)
            found += [(f"kanban_rollback.{name}", missing, grant)] if missing else []
    return found


def grant_mends(cursor: Cursor, role: str, mends: Mends) -> tuple[list[str], list[dict[str, str]]]:
    """Grant a role what it lacks, including temporary tables; return the grants as text, and what was left out."""
    granted: list[str] = []
    left_out: list[dict[str, str]] = []
    wanted = [grant for _name, _missing, grant in mends.lacking(cursor, role)]
    if mends.names:
        wanted += lacking_temporary(cursor, role)
    for grant in wanted:
        try:
            with cursor.savepoint():
                cursor.run(sql.SQL(grant.replace("%", "%%")), {})
        except ServerError as error:
            if cursor.is_lost:
                raise
            left_out.append({"name": grant, "why": error.what})
            continue
        granted.append(grant)
    # The server only warns a role that has no right to grant on the table; it does not fail.
    still = {grant for _name, _missing, grant in mends.lacking(cursor, role)} & set(granted)
    left_out += [{"name": grant, "why": "That takes the table's owner."} for grant in granted if grant in still]
    return [grant for grant in granted if grant not in still], left_out


def revoke_mends(cursor: Cursor, role: str, mends: Mends) -> None:
    """Revoke from a role what repairs need; raises ServerError."""
    for name in mends.names.values():
        cursor.run(sql.SQL(queries.REVOKE_MEND).format(table=identifier(*name), role=identifier(role)), {})
    for name in mends.sequences(cursor):
        cursor.run(sql.SQL(queries.REVOKE_SEQUENCE).format(sequence=identifier(*name), role=identifier(role)), {})


def may_make_plans(cursor: Cursor) -> None:
    """Refuse to go on if this role may not create the plan's temporary table; raises ServerError."""
    for grant in lacking_temporary(cursor):
        raise ServerError(
            "missing_privilege",
            "This role lacks TEMPORARY on the database.",
            "Which rows are touched is kept in a temporary table. Nothing was changed.",
            _TODO.format(grant),
        )


def may_bring_back(cursor: Cursor, table: int, name: str, words: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse an undo that this role may not do on one table, before anything is done; raises ServerError.

    :param words: privileges on the whole table that it needs.
    """
    missing, grant = lacking(cursor, table, words, columns)
    if missing:
        raise ServerError(
            "missing_privilege",
            f"This role lacks {' and '.join(missing)} on {name}.",
            "What the repair took away could not be brought back. Nothing was changed.",
            _TODO.format(grant),
            missing=missing,
        )


def lacking_temporary(cursor: Cursor, role: str | None = None) -> list[str]:
    """Return the grant that a role (default: ours) needs to create temporary tables, if any; raises ServerError."""
    return [row[0] for row in cursor.rows(queries.LACKING_ON_DATABASE, {"role": role, "word": "TEMPORARY"})]
