# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusing to read what a role may not, with the line that grants it: half an answer would look like a whole one."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import privileges as queries


def refuse_unreadable(cursor: Cursor, table: Table, columns: Sequence[str], why: str, rows: bool = True) -> None:
    """Refuse columns that this role may not read, and, with ``rows``, policies that hide rows; raises ServerError.

    :param why: why it matters.
    """
    values = {"table": table.oid, "schema": table.schema, "name": table.name, "columns": list(dict.fromkeys(columns))}
    missing, hidden, grant = cursor.row(queries.READABLE, values)
    if missing:
        raise ServerError(
            "missing_privilege",
            f"This role lacks SELECT ({', '.join(missing)}) on {table}.",
            why,
            f"Grant it: {grant} (bootstrap.yml does), or use another role.",
            missing=missing,
        )
    if hidden and rows:
        raise ServerError(
            "row_level_security",
            f"Row-level security is active for this role on {table}.",
            "It would hide rows, and a hidden one reads as none. Nothing was changed.",
            "Use a role that owns the table or has BYPASSRLS.",
        )


def lacking(
    cursor: Cursor, table: int, words: Sequence[str], columns: Sequence[str] = (), role: str | None = None
) -> tuple[list[str], str]:
    """Return which privileges on a table a role (this one) lacks, and the line that grants them; raises ServerError.

    :param words: privileges on the whole table.
    :param columns: columns that are updated.
    """
    values = {"table": table, "words": list(words), "columns": list(columns), "role": role}
    missing, grant = cursor.row(queries.LACKING_TO_MEND, values)
    return list(missing), str(grant)


def refuse_lacking(cursor: Cursor, table: Table, words: Sequence[str], columns: Sequence[str], why: str) -> None:
    """Refuse what needs more rights on a table than this role has; raises ServerError.

    :param words: privileges on the whole table.
    :param columns: columns that are written.
    :param why: why it matters.
    """
    missing, grant = lacking(cursor, table.oid, words, columns)
    if missing:
        raise ServerError(
            "missing_privilege",
            f"This role lacks {' and '.join(missing)} on {table}.",
            why,
            f"Grant it: {grant} (bootstrap.yml does), or use another role.",
            missing=missing,
        )


def lacking_sequences(cursor: Cursor, table: int, role: str | None = None) -> list[str]:
    """Return the lines that let a role (this one) insert rows whose columns are filled from sequences."""
    rows = cursor.rows(queries.SEQUENCES, {"tables": [table], "words": ["USAGE"], "role": role})
    return [grant for _schema, _name, missing, grant in rows if missing]


def refuse_lacking_in_ledger(cursor: Cursor, name: str, words: Sequence[str], why: str) -> None:
    """Refuse the same for one of the ledger's own tables, which must exist; raises ServerError."""
    oid = cursor.row(queries.OF_THE_LEDGER, {"name": name})[0]
    refuse_lacking(cursor, Table(oid, "kanban_rollback", name, None), words, [], why)


def refuse_unreachable(cursor: Cursor, wanted: str, why: str) -> None:
    """Raise ServerError if a table that was not found does exist: then it is not absent."""
    schema, _dot, name = wanted.rpartition(".")
    there = cursor.rows(queries.ELSEWHERE, {"name": name, "schema": schema})
    if there and there[0][1]:
        raise ServerError("no_table", f"{there[0][0]} is no table.", why, "Name its table.")
    if there:
        raise ServerError(
            "missing_privilege",
            f"{there[0][0]} is in a schema that this role may not use.",
            why,
            f"Grant it: {there[0][2]} (bootstrap.yml does), or use another role.",
        )
