# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that existed and no longer do."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import read_manifest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Against, Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    KEY_LETTERS,
    Relation,
    Relations,
    Rows,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries

MOST_IDS = 100_000


def missing_since(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises KanbanError if the schema lacks it, or there is nothing to compare with."""
    rows, against = relations.find(check.needed("table")), check.needed("against")
    given = [name for name in ("ids", "manifest", "rows") if getattr(against, name) is not None]
    if len(given) != 1:
        raise check.wrong("bad_check", "needs one of ids, rows and manifest in the option against")
    if against.ids is not None:
        return _by_key(check, rows, against.ids, relations)
    if against.manifest is not None:
        against = _counted(check, rows, against.manifest)
    relations.values.update(rows=against.rows, at=against.at)
    was_there: sql.Composable = sql.SQL("TRUE")
    # Without the time of each row, rows added since then make up for missing ones.
    dated = bool(check.time and against.at)
    if dated:
        moment = relations.moment(rows.column(check.needed("time")), check)
        was_there = sql.SQL(queries.WAS_THERE).format(moment=moment)
    else:
        relations.key(rows)  # Counting rows takes the right to read at least one column, no matter which.
    bad = sql.SQL(queries.MISSING_ROWS).format(table=rows.name, was_there=was_there)
    return Rows(bad, ["rows_then", "rows_now"], sql.SQL(queries.NOT_KNOWN), exact=dated)


def _by_key(check: Check, rows: Relation, ids: Sequence[str], relations: Relations) -> Rows:
    if len(ids) > MOST_IDS:
        raise check.wrong("bad_check", f"has {len(ids)} ids, and {MOST_IDS} are the most")
    column = rows.column(check.needed("column"))
    relations.values["ids"] = array_text([str(one) for one in ids])
    bad = sql.SQL(queries.MISSING_IDS).format(
        table=rows.name, column=identifier(column.name), letters=sql.Literal(KEY_LETTERS)
    )
    return Rows(bad, [column.name], sql.SQL(queries.NOT_KNOWN))


def _counted(check: Check, rows: Relation, directory: str) -> Against:
    """Return how many rows of the table a dump has; raises KanbanError if it lacks the table, or cannot be trusted."""
    manifest = read_manifest(Path(directory))
    for table in manifest["tables"]:
        if (table.get("schema"), table.get("table")) == (rows.table.schema, rows.table.name):
            return Against(rows=int(table["rows"]), at=str(manifest["snapshot"]["time"]))
    raise check.wrong("not_in_dump", f"is about {rows.table}, which is not in the dump in {directory}")
