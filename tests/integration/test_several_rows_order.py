# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants with several rows: each value goes back into the row that it came from, whoever switches and who undoes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_key_value import make, settings, values
from tests.integration.test_preflight_breakglass import psql, script_of

# Letters that JSON may show in two ways: beyond ASCII, beyond 16 bits, quotes, and characters without a shape.
WORDS = ["sim", "talv\u00e9z \U0001f600", 'a"b\\c/d', "tab\tline\nbell\x07 delete\x7f"]


MODULES, SCRIPT = "the modules", "break-glass"
WAYS = [(MODULES, MODULES), (MODULES, SCRIPT), (SCRIPT, MODULES), (SCRIPT, SCRIPT)]
by_everybody = pytest.mark.parametrize(("off_by", "undo_by"), WAYS)
# A person's session may have a time zone of its own.
ELSEWHERE = ("-c", "SET TimeZone = 'Asia/Tokyo'")

TOUCH = """CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN NEW."updatedAt" = clock_timestamp(); RETURN NEW; END$$"""
TRIGGER = 'CREATE TRIGGER touch BEFORE UPDATE ON "Flags" FOR EACH ROW EXECUTE FUNCTION touch()'
SAVE = """UPDATE "Flags" SET "updatedAt" = now() WHERE environment = 'prod'"""


class Stop:
    """A switch and its undo, each by the modules or by break-glass.sql."""

    def __init__(self, db: Database, modules: Modules, directory: Path) -> None:
        self._db, self._modules = db, modules
        db.modules().ok("ledger")
        self._script = script_of(db, directory, **modules.options)

    def off(self, by: str) -> None:
        if by == MODULES:
            self._modules.disable("INC-1")
            return
        done = psql(self._db, self._script, *ELSEWHERE, "-v", "incident=INC-1")
        assert done.rc == 0, done.text

    def back(self, by: str) -> bool:
        """Undo; return whether everything is said to be back."""
        if by == MODULES:
            undone = self._modules.restore("INC-1")
            return not undone["changed_since"] and not undone["blocked"]
        done = psql(self._db, self._script, "-v", "undo=1")
        assert done.rc == 0 or "NOT ALL BACK" in done.text, done.text
        return done.rc == 0


def flags(db: Database, columns: str, *rows: str) -> Modules:
    """Make a table of a flag per tenant and environment."""
    db.rows(f'CREATE TABLE "Flags" ("companyId" integer, environment text, kanban text, {columns})')
    for row in rows:
        db.rows(f'INSERT INTO "Flags" VALUES (1, {row})')
    words: dict[str, Any] = {"enabled_value": "enabled", "disabled_value": "disabled"}
    return db.modules(store="column", table="Flags", tenant_column="companyId", column="kanban", **words)


def by_environment(db: Database) -> dict[str, str]:
    return dict(db.rows('SELECT environment, kanban FROM "Flags"'))


@by_everybody
def test_any_letters(db: Database, directory: Path, off_by: str, undo_by: str) -> None:
    rows = [("kanbanV2", word, tenant) for word in WORDS for tenant in (1, 2)]
    modules = make(db, rows=rows, enabled_value="sim", disabled_value="não")
    before = settings(db)
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    assert {value for _tenant, value in values(db)} == {"não"}
    assert stop.back(undo_by)
    assert settings(db).texts == before.texts


@pytest.mark.parametrize("how", ["trigger", "application", "computed"])
@by_everybody
def test_a_column_that_changes_along(db: Database, directory: Path, off_by: str, undo_by: str, how: str) -> None:
    columns = '"updatedAt" timestamptz'
    if how == "computed":
        columns += ", is_on boolean GENERATED ALWAYS AS (kanban = 'enabled') STORED"
    modules = flags(db, columns, "'prod', 'enabled', '2024-01-01'", "'test', 'disabled', '2024-02-01'")
    if how == "trigger":
        db.rows(TOUCH)
        db.rows(TRIGGER)
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    if how == "application":
        db.rows(SAVE)
    assert stop.back(undo_by)
    assert by_environment(db) == {"prod": "enabled", "test": "disabled"}


@by_everybody
def test_anything_may_change_beside_a_primary_key(db: Database, directory: Path, off_by: str, undo_by: str) -> None:
    columns = "note text, identifier integer PRIMARY KEY"
    modules = flags(db, columns, "'prod', 'enabled', 'a', 1", "'test', 'sim', 'b', 2")
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    db.rows("""UPDATE "Flags" SET note = 'z' WHERE identifier = 1""")
    assert stop.back(undo_by)
    assert by_environment(db) == {"prod": "enabled", "test": "sim"}


@pytest.mark.parametrize("touched", [True, False], ids=["touched", "not touched"])
@by_everybody
def test_rows_that_only_times_tell_apart(
    db: Database, directory: Path, off_by: str, undo_by: str, touched: bool
) -> None:
    columns = '"updatedAt" timestamptz'
    modules = flags(db, columns, "'prod', 'enabled', '2024-01-01 23:30+00'", "'prod', 'sim', '2024-01-02 00:30+00'")
    before = db.snapshot('"Flags"', '"companyId"')
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    if touched:
        db.rows("""UPDATE "Flags" SET "updatedAt" = now() WHERE "updatedAt" = '2024-01-01 23:30+00'""")
    assert stop.back(undo_by) is not touched
    if touched:
        # Nobody knows any more which was which.
        assert db.rows('SELECT DISTINCT kanban FROM "Flags"') == [("disabled",)]
    else:
        assert db.snapshot('"Flags"', '"companyId"').texts == before.texts


@by_everybody
def test_values_that_are_alike_go_back_whatever_was_touched(
    db: Database, directory: Path, off_by: str, undo_by: str
) -> None:
    modules = flags(db, '"updatedAt" timestamptz', *["'prod', 'sim', '2024-01-01'"] * 2)
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    db.rows("""UPDATE "Flags" SET "updatedAt" = now(), environment = 'test' WHERE ctid = '(0,3)'""")
    assert stop.back(undo_by)
    assert by_environment(db) == {"prod": "sim", "test": "sim"}


@by_everybody
def test_a_row_more_that_was_switched_as_well_gets_no_value(
    db: Database, directory: Path, off_by: str, undo_by: str
) -> None:
    modules = make(db, rows=[("kanbanV2", "enabled", 1), ("kanbanV2", "sim", 1)])
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    db.rows("""INSERT INTO "Settings" VALUES ('kanbanV2', 'enabled', 1, now(), now())""")
    stop.off(off_by)
    assert not stop.back(undo_by)
    assert values(db) == [(1, "disabled")] * 3


@pytest.mark.parametrize("kind", ["text", "jsonb", "json"])
@by_everybody
def test_a_second_row_does_not_get_the_value_of_the_first(
    db: Database, directory: Path, off_by: str, undo_by: str, kind: str
) -> None:
    on, sim = ("enabled", "sim") if kind == "text" else ('"enabled"', '"sim"')
    modules = make(db, value_type=kind, rows=[("kanbanV2", on, 1), ("kanbanV2", on, 2)])
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    db.rows("""INSERT INTO "Settings" VALUES ('kanbanV2', %s, 1, now(), now())""", (sim,))
    stop.off(off_by)
    assert not stop.back(undo_by)
    off = on.replace("enabled", "disabled")
    assert values(db) == [(1, off), (1, off), (2, on)]


@by_everybody
def test_a_row_beside_one_that_was_made_is_not_deleted(
    db: Database, directory: Path, off_by: str, undo_by: str
) -> None:
    modules = make(db, rows=[("kanbanV2", "enabled", 1)], tenants_table="Companies", absent_means="on")
    stop = Stop(db, modules, directory)
    stop.off(off_by)
    db.rows("""INSERT INTO "Settings" VALUES ('kanbanV2', 'sim', 4, now(), now())""")
    stop.off(off_by)
    assert not stop.back(undo_by)
    assert values(db) == [(1, "enabled"), (4, "disabled"), (4, "disabled")]
