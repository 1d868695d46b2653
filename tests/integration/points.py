# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A board with an incident, a fence and a dump, writes past that fence, and their measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration.fences import TABLES, board
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT, ready

DUMPED = ("Tags", "Tickets", "TicketTags")
# Tags 4 and 5 belong to nobody; a repair deletes them, and what refers to them.
ORPHANS: dict[str, Any] = {
    "name": "orphan_tags",
    "kind": "orphan",
    "table": "Tags",
    "column": "companyId",
    "references": {"table": "Companies", "column": "id"},
}
LANES: dict[str, Any] = {
    "name": "invalid_lanes",
    "kind": "invalid_reference",
    "table": "Tickets",
    "column": "kanbanLane",
    "tenant": "companyId",
    "references": {"table": "Lanes", "column": "id"},
}
MORE = (
    'CREATE TABLE "Lanes" (id integer PRIMARY KEY, "companyId" integer DEFAULT 1)',
    'INSERT INTO "Lanes" SELECT g FROM generate_series(1, 5) AS g',
    'ALTER TABLE "Tags" ADD "companyId" integer DEFAULT 1, ADD loud text GENERATED ALWAYS AS (upper(name)) STORED',
    'UPDATE "Tags" SET "companyId" = 9 WHERE id > 3',
    """UPDATE "Tags" SET name = E'tab\\tline\\nback\\\\slash \\\\N "quoted" {x}, Olá' WHERE id = 1""",
    'UPDATE "Tickets" SET "kanbanLane" = 8 WHERE id IN (3, 4)',
    'INSERT INTO "TicketTags" SELECT g, 4 FROM generate_series(1, 7) AS g',
    'INSERT INTO "TicketTags" VALUES (1, 1), (1, 1), (NULL, 1)',
)


def begin(db: Database, directory: Path, *more: str, tables: list[Any] | None = None) -> tuple[Modules, Modules]:
    """Make a board, fence and dump it; return modules that repair it and modules that measure it."""
    board(db, *MORE, *more)
    modules = ready(db, TABLES if tables is None else tables)
    return modules, dump(db, directory / "dump").having(tables=TABLES if tables is None else tables)


def dump(db: Database, dest: Path, names: Sequence[str] = DUMPED, incident: str = INCIDENT) -> Modules:
    """Dump tables; return modules that measure against that dump."""
    modules = db.modules(incident_id=incident)
    modules.ok("pg_dump", tables=list(names), dest=str(dest), min_free="10M", deadline=60)
    return modules.having(dump=str(dest), tables=TABLES)


def look(measuring: Modules, **options: Any) -> Result:
    """Measure; must succeed and change nothing."""
    result = measuring.ok("recovery_point_info", **options)
    assert not result["changed"]
    point = result["recovery_point"]
    # A point that is not measured has no number, and says why.
    assert (point["writes"] is None) == (not point["measured"]) == bool(point["why"]), point
    return result


def table(result: Result, name: str) -> dict[str, Any]:
    (found,) = [one for one in result["tables"] if one["name"] == f"public.{name}"]
    assert isinstance(found, dict)
    return found


def past(db: Database, *statements: str) -> None:
    """Write past the fence, as a superuser who disables its triggers."""
    with db.connect() as session, session.cursor() as cursor:
        for relation in ("Tags", "Tickets", "TicketTags"):
            cursor.execute(f'ALTER TABLE "{relation}" DISABLE TRIGGER USER')
        for statement in statements:
            cursor.execute(statement)
        for relation in ("Tags", "Tickets", "TicketTags"):
            for (name,) in db.rows(
                f"""SELECT tgname FROM pg_trigger WHERE tgrelid = '"{relation}"'::regclass AND NOT tgisinternal"""
            ):
                cursor.execute(f'ALTER TABLE "{relation}" ENABLE ALWAYS TRIGGER "{name}"')


def writes(result: Result) -> Any:
    return result["recovery_point"]["writes"]


def of_both(result: Result, figure: str) -> list[Any]:
    return [table(result, name)[figure] for name in ("Tags", "TicketTags")]
