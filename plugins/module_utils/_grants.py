# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Granting roles what the modules need in the ledger and read from the application's tables: only those columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table, has_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import PLACE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table, resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranksql import given_query
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import files, ledger, quarantine
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as integrity_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import privileges as queries

_LETTERS = 60  # Of a query, enough for a person to recognize it.


@dataclass
class Reads:
    """Tables and columns that are read, by the tables' oids, and which of them this database does not have."""

    tables: dict[int, tuple[Table, dict[str, None]]] = field(default_factory=dict)
    left_out: list[dict[str, str]] = field(default_factory=list)

    def add(self, table: Table, columns: Sequence[str]) -> None:
        """Add columns of a table."""
        self.tables.setdefault(table.oid, (table, {}))[1].update(dict.fromkeys(columns))

    def leave(self, name: str, why: str) -> None:
        """Note once that something is left out."""
        row = {"name": name, "why": why}
        if row not in self.left_out:
            self.left_out.append(row)


def refuse_administrators(cursor: Cursor, roles: Sequence[str]) -> None:
    """Refuse a role that exists and may administer the server; raises BadInput with what to do."""
    for role, attributes, statement in cursor.rows(queries.ADMINISTRATORS, {"roles": list(roles)}):
        raise BadInput(
            "role_administers",
            f"Role {role} is there already, and is {attributes}.",
            "It is to have the least rights, and nothing is taken away here from a role that others may be using. "
            "Nothing was changed in the database.",
            f"If it is nobody else's, type as a superuser: {statement} Otherwise name another role (kanban_role).",
        )


def find_reads(cursor: Cursor, reads: Sequence[Mapping[str, Any]], statements: Sequence[str]) -> Reads:
    """Return what is read: the tables and columns that are named, and what queries need; raises ServerError."""
    found = Reads()
    for read in reads:
        if read.get("unless") and has_table(cursor, read["unless"]):
            continue
        try:
            table, columns = find_table(cursor, read["table"])
        except BadInput as error:
            if not read.get("optional"):
                found.leave(read["table"], error.what)
            continue
        for wanted in read.get("columns") or []:
            try:
                found.add(table, [resolve_column(wanted, columns, str(table)).name])
            except BadInput as error:
                if not read.get("optional"):
                    found.leave(f"{read['table']}.{wanted}", error.what)
        if read.get("key"):
            key = [row[0] for row in cursor.rows(integrity_queries.PRIMARY_KEY, {"table": table.oid})]
            found.add(table, key or PLACE)
    for statement in statements:
        _of_query(cursor, statement, found)
    return found


def _of_query(cursor: Cursor, statement: str, found: Reads) -> None:
    cursor.run("SAVEPOINT kanban_query", {})
    try:
        cursor.run(sql.SQL(queries.VIEW) + given_query(statement), {"tenants": ["0"]})
        for oid, schema, name, columns in cursor.rows(queries.READS, {}):
            found.add(Table(oid, schema, name, None), columns)
    except ServerError as error:
        if cursor.is_lost:
            raise
        found.leave(" ".join(statement.split())[:_LETTERS], error.what)
    finally:
        if not cursor.is_lost:
            cursor.run("ROLLBACK TO SAVEPOINT kanban_query; RELEASE SAVEPOINT kanban_query", {})


def grant_reads(cursor: Cursor, role: str, reads: Reads) -> list[str]:
    """Grant a role the reads that it lacks; return the grants as text. What may not be granted is noted as left out."""
    granted = []
    for table, columns in reads.tables.values():
        lacking, may_enter = _lacking(cursor, role, table, list(columns))
        names = _names(role, table)
        try:
            with cursor.savepoint():
                if not may_enter:
                    cursor.run(sql.SQL(queries.GRANT_SCHEMA).format(**names), {})
                if lacking:
                    each = sql.SQL(", ").join([identifier(name) for name in lacking])
                    cursor.run(sql.SQL(queries.GRANT_READ).format(columns=each, **names), {})
        except ServerError as error:
            if cursor.is_lost:
                raise
            reads.leave(str(table), error.what)
            continue
        # A role that may grant nothing at all on the table gets only a warning from the server.
        left, _may_enter = _lacking(cursor, role, table, list(columns))
        if left:
            reads.leave(str(table), f"SELECT ({', '.join(left)}) on it could not be granted: that takes its owner.")
        done = [name for name in lacking if name not in left]
        granted += [f"SELECT ({', '.join(done)}) ON {table} TO {role}"] if done else []
    return granted


def revoke_reads(cursor: Cursor, role: str, reads: Reads) -> None:
    """Revoke the reads again; raises ServerError."""
    for table, _columns in reads.tables.values():
        cursor.run(sql.SQL(queries.REVOKE_READ).format(**_names(role, table)), {})


def _lacking(cursor: Cursor, role: str, table: Table, columns: Sequence[str]) -> tuple[list[str], bool]:
    values = {"role": role, "table": table.oid, "schema": table.schema, "columns": list(columns)}
    lacking, may_enter = cursor.row(queries.LACKING, values)
    return lacking, may_enter


def _names(role: str, table: Table) -> dict[str, sql.Composable]:
    return {
        "role": identifier(role),
        "schema": identifier(table.schema),
        "table": identifier(table.schema, table.name),
    }


def grant_entry(cursor: Cursor, role: str) -> list[str]:
    """Let a role into this database, if not everybody may enter; return the grant as text. Raises ServerError."""
    grants = [row[0] for row in cursor.rows(queries.LACKING_ON_DATABASE, {"role": role, "word": "CONNECT"})]
    for grant in grants:
        cursor.run(sql.SQL(grant.replace("%", "%%")), {})
    return grants


def revoke_entry(cursor: Cursor, role: str) -> None:
    """Revoke what a role was granted on the database itself; raises ServerError."""
    for database, word in cursor.rows(queries.ON_DATABASE, {"role": role}):
        named = {"database": identifier(database), "role": identifier(role), "word": sql.SQL(word)}
        cursor.run(sql.SQL(queries.REVOKE_ON_DATABASE).format(**named), {})


def grant_ledger(cursor: Cursor, role: str, repairs: bool) -> bool:
    """Grant a role only what the modules need on the ledger; tell whether anything changed. Raises ServerError.

    :param repairs: whether the role also repairs or restores.
    """
    if not cursor.row(quarantine.STATE, {})[0]:
        cursor.run(quarantine.CREATE, {})  # A ledger from before there was one.
    if not cursor.row(files.STATE, {})[0]:
        cursor.run(files.CREATE, {})
    if cursor.row(quarantine.REFUSES_NOTHING_BEFORE, {})[0]:
        cursor.run(quarantine.TAKE_NOTHING_BEFORE, {})
    changed = False
    for table, rights in (ledger.RIGHTS_TO_REPAIR if repairs else ledger.RIGHTS).items():
        if not cursor.row(ledger.IS_GRANTED, {"role": role, "table": table, "rights": rights})[0]:
            names = {"role": identifier(role), "table": identifier(ledger.SCHEMA, table)}
            grant = f"{ledger.ENTER}; {ledger.GRANT}"
            cursor.run(sql.SQL(grant).format(rights=sql.SQL(rights), **names), {})
            changed = True
    return changed
