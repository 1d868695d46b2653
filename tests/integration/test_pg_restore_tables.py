# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables compared with a backup, whatever its format: what is missing, changed and newer, for whom."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import FORMATS, backup, compare, figures, make, ready, table

TICKETS = (
    """CREATE TABLE "Tickets" (id serial PRIMARY KEY, "companyId" integer NOT NULL, "lastMessage" text, lane integer,
       "createdAt" timestamptz NOT NULL DEFAULT '2026-01-01')""",
    """INSERT INTO "Tickets" ("companyId", "lastMessage", lane) SELECT 1 + g % 3, 'Olá ' || g, 1
       FROM generate_series(1, 30) AS g""",
)
LOST = (
    'DELETE FROM "Tickets" WHERE id IN (3, 6, 10)',
    'UPDATE "Tickets" SET lane = 2 WHERE id IN (1, 2)',
    """UPDATE "Tickets" SET "lastMessage" = 'x', lane = 2 WHERE id = 4""",
    """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (1, 'novo'), (2, 'novo')""",
)
WITH_TENANT: dict[str, Any] = {"name": "Tickets", "tenant": "companyId"}


@pytest.mark.parametrize("kind", FORMATS)
def test_missing_changed_and_newer_are_told_from_every_format(db: Database, directory: Path, kind: str) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, kind, "Tickets")
    make(db, *LOST)
    modules = ready(db)
    before = whole(db)
    found = compare(modules, source, WITH_TENANT)
    assert found["changed"]
    assert figures(found, "Tickets") == {"missing": 3, "changed": 3, "newer": 2}
    one = table(found, "Tickets")
    assert (one["by"], one["rows_in_backup"], one["rows_now"]) == ("key", 30, 29)
    assert one["columns"] == [{"column": "lane", "rows": 3}, {"column": "lastMessage", "rows": 1}]
    assert {row["tenant"]: row for row in one["tenants"]} == {
        "1": {"tenant": "1", "missing": 2, "newer": 1},
        "2": {"tenant": "2", "missing": 1, "changed": 2, "newer": 1},
        "3": {"tenant": "3", "changed": 1},
    }
    assert one["tenants_count"] == 3
    assert one["samples"]["missing"] == [{"key": {"id": "3"}}, {"key": {"id": "6"}}, {"key": {"id": "10"}}]
    assert one["samples"]["changed"][2] == {"key": {"id": "4"}, "columns": ["lastMessage", "lane"]}
    assert one["samples"]["newer"] == [{"key": {"id": "31"}}, {"key": {"id": "32"}}]
    assert len(compare(modules, source, "Tickets", limit_samples=1)["plan"]["tables"][0]["samples"]["missing"]) == 1
    # What a row holds is nobody's business.
    assert "Olá" not in str(found["plan"])
    assert found["source"]["format"] == {"dump": "directory"}.get(kind, kind)
    assert (found["source"]["taken_at"] is None) == (kind in ("plain", "gzip"))
    assert found["source"].get("zone") == (None if kind in ("plain", "gzip", "dump") else time.strftime("%Z"))
    assert whole(db) == before
