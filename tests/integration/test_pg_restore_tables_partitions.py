# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions that the backup has and that are gone by now: their rows are neither read nor taken for the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import FORMATS, backup, compare, figures, make, ready

LOGS = (
    "CREATE TABLE logs (id integer NOT NULL, at date NOT NULL) PARTITION BY RANGE (at)",
    """CREATE TABLE "logs 2026" PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
       PARTITION BY RANGE (at)""",
    """CREATE TABLE logs_05 PARTITION OF "logs 2026" FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')""",
    """CREATE TABLE "logs 06" PARTITION OF "logs 2026" FOR VALUES FROM ('2026-06-01') TO ('2026-07-01')""",
    "INSERT INTO logs SELECT g, '2026-05-01'::date + g % 60 FROM generate_series(1, 120) AS g",
)
DETACH = 'ALTER TABLE "logs 2026" DETACH PARTITION logs_05'


@pytest.mark.parametrize("change", ["DROP TABLE logs_05", DETACH], ids=["dropped", "detached"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_partition_that_is_gone_is_refused_from_every_format(
    db: Database, directory: Path, kind: str, change: str
) -> None:
    make(db, *LOGS)
    source = backup(db, directory, kind, *(["logs"] if kind == "dump" else []))
    modules = ready(db)
    same = compare(modules, source, "logs")
    assert (figures(same, "logs"), [text for text in same["warnings"] if "partitions" in text]) == ({}, [])
    make(db, change)
    before = whole(db)
    given: dict[str, Any] = {"source": source, "tables": ["logs"]}
    found = modules.fails("partitions_gone", "pg_restore_tables", **given)
    assert "partitions of public.logs that are gone by now: public.logs_05." in found["error"]["what"]
    assert whole(db) == before


def test_rows_alone_do_not_tell_which_partitions_there_were(db: Database, directory: Path) -> None:
    make(db, *LOGS)
    source = backup(db, directory, "custom", arguments=["--data-only"])
    modules = ready(db)
    make(db, "DROP TABLE logs_05")
    found = compare(modules, source, "logs")
    assert [text for text in found["warnings"] if "does not say which partitions public.logs had then" in text]
