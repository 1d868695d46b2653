# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""break-glass.sql, whole, on unusual rows: several of a tenant or none, texts that jsonb refuses, any names."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.crowd import population, wait_for
from tests.integration.flags import Case, at
from tests.integration.place import Database
from tests.integration.test_key_value import DOUBLED, make, settings, values
from tests.integration.test_names import quoted
from tests.integration.test_preflight_breakglass import off_and_back, psql, script_of

# SQL text that would end a comment, a literal or a name if it were taken for anything but a name.
NASTY = "Com\"pa'nies\n; DROP TABLE x; -- :keep :'x' %s {} \\q"


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "no ledger"])
@pytest.mark.parametrize("value_type", ["text", "jsonb", "json"])
def test_a_key_value_store_with_doubled_rows_and_its_default(
    db: Database, directory: Path, value_type: str, ledger: bool
) -> None:
    def word(value: str | None) -> str | None:
        return value if value is None or value_type == "text" else json.dumps(value)

    rows = [(key, word(value), tenant) for key, value, tenant in DOUBLED]
    modules = make(db, value_type, rows)
    before = settings(db)
    modules.disable("INC-module", global_default=True)
    by_module = values(db)
    modules.restore("INC-module")
    db.modules().ok("incident", incident_id="INC-module", state="closed")
    if not ledger:
        db.rows("DROP SCHEMA kanban_rollback CASCADE")
    script = script_of(db, directory, **{**modules.options, "global_default": True})
    done = psql(db, script)
    assert done.rc == 0, done.text
    assert "ERROR" not in done.text
    assert values(db) == by_module
    kept = "kanban_rollback.flag_changes" if ledger else "kanban_rollback_break_glass"
    assert "default of all" in db.value(
        f"SELECT flag FROM {kept} WHERE incident_id <> 'INC-module' ORDER BY seq LIMIT 1"
    )
    undone = psql(db, script, "-v", "undo=1")
    assert undone.rc == 0, undone.text
    assert settings(db).texts == before.texts


def test_a_tenant_of_whom_one_row_is_held_is_left_whole(db: Database, directory: Path) -> None:
    modules = make(db, rows=DOUBLED)
    before = settings(db)
    script = script_of(db, directory, **modules.options)
    with db.transaction("""SELECT FROM "Settings" WHERE key = 'kanbanV2' AND value = 'sim' FOR UPDATE"""):
        done = psql(db, script)
        assert done.rc == 3
        assert [value for tenant, value in values(db) if tenant == 3] == ["enabled", "sim"]
        assert [value for tenant, value in values(db) if tenant == 1] == ["disabled"]
    assert psql(db, script).rc == 0
    assert [value for tenant, value in values(db) if tenant == 3] == ["disabled", "disabled"]
    assert psql(db, script, "-v", "undo=1").rc == 0
    assert settings(db).texts == before.texts


@pytest.mark.parametrize("kind", ["json", "text", "varchar(70)"])
def test_texts_that_jsonb_refuses_and_texts_that_would_not_fit(db: Database, directory: Path, kind: str) -> None:
    texts = [
        '{"kanbanV2Enabled": true, "a": "\\u0000 \\ud83d \\\\u0000"}',
        '{"kanbanV2Enabled": true, "k": "012345678901234567890123456"}',
        "no json" if kind == "text" else "{}",
    ]
    modules = population(db, 0, kind=kind)
    for number, text in enumerate(texts, 1):
        db.rows("INSERT INTO companies VALUES (%s, %s)", (number, text))
    before = db.snapshot("companies")
    done = psql(db, script_of(db, directory, **modules.options))
    found = dict(db.rows("SELECT id, settings::text FROM companies"))
    left = {"json": [], "text": [3], "varchar(70)": [1, 2]}[kind]
    assert done.rc == (3 if left else 0), done.text
    for number, text in enumerate(texts[:2], 1):
        assert found[number] == (text if number in left else text[:-1] + ', "kanbanV2Enabled": false}')
    assert found[3] == texts[2]
    assert psql(db, directory / "break-glass.sql", "-v", "undo=1").rc == 0
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("off", ["disabled", None])
def test_tenants_without_a_row_get_one_where_absent_means_on_and_lose_it_again(
    db: Database, directory: Path, off: str | None
) -> None:
    modules = make(db, absent_means="on", tenants_table="Companies").having(disabled_value=off)
    before = settings(db)
    modules.disable("INC-module")
    by_module = values(db)
    modules.restore("INC-module")
    db.modules().ok("incident", incident_id="INC-module", state="closed")
    script = script_of(db, directory, **modules.options)
    done = psql(db, script)
    assert done.rc == 0, done.text
    assert values(db) == by_module
    undone = psql(db, script, "-v", "undo=1")
    assert undone.rc == 0, undone.text
    assert settings(db).texts == before.texts


def _without_rows(db: Database, directory: Path, tenants: int) -> Path:
    """Write the script for a store in which only tenant 1 has a row, and all others are on without one."""
    modules = make(db, rows=[("kanbanV2", "enabled", 1)], absent_means="on", tenants_table="Companies")
    db.rows('INSERT INTO "Companies" SELECT generate_series(6, %s)', (tenants,))
    db.rows('CREATE UNIQUE INDEX ON "Settings" ("companyId", key)')
    return script_of(db, directory, **modules.options)


REFUSALS = {
    "a constraint": ["""ALTER TABLE "Settings" ADD CHECK ("companyId" NOT IN (4, 11990))"""],
    "a trigger": [
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'""",
        """CREATE TRIGGER refuse BEFORE INSERT ON "Settings" FOR EACH ROW WHEN (NEW."companyId" IN (4, 11990))
        EXECUTE FUNCTION refuse()""",
    ],
}


@pytest.mark.parametrize("by", REFUSALS)
def test_a_row_that_cannot_be_made_keeps_nobody_else_on(db: Database, directory: Path, by: str) -> None:
    script = _without_rows(db, directory, 12_000)
    before = settings(db)
    for statement in REFUSALS[by]:
        db.rows(statement)
    done = psql(db, script)
    assert done.rc == 3
    still_on = done.text[done.text.index("What holds") :]
    assert [line.split("|")[0].strip() for line in still_on.splitlines() if "(no row:" in line] == ["11990", "4"]
    off = [tenant for tenant, value in values(db) if value == "disabled"]
    assert off == [tenant for tenant in range(1, 12_001) if tenant not in (4, 11990)]
    assert psql(db, script, "-v", "undo=1").rc == 0
    assert settings(db).texts == before.texts


def test_a_row_that_somebody_is_making_keeps_nobody_else_on(db: Database, directory: Path) -> None:
    script = _without_rows(db, directory, 6_000)
    before = settings(db)
    with db.transaction("""INSERT INTO "Settings" VALUES ('kanbanV2', 'enabled', 4, now(), now())""") as making:
        done = psql(db, script)
        assert done.rc == 3
        assert f"SELECT pg_terminate_backend({making.info.backend_pid});" in done.text
        assert len(values(db)) == 5_999
        assert {value for _tenant, value in values(db)} == {"disabled"}
    assert psql(db, script).rc == 0
    assert len(values(db)) == 6_000
    assert psql(db, script, "-v", "undo=1").rc == 0
    assert settings(db).texts == before.texts


def test_a_table_that_is_held_at_the_beginning_keeps_nobody_on_without_a_row(db: Database, directory: Path) -> None:
    script = _without_rows(db, directory, 1_000)

    def prepares() -> bool:
        return bool(db.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'PREPARE kanban_make_1 %'"))

    with ThreadPoolExecutor() as pool:
        with db.transaction('LOCK TABLE "Settings"'):
            running = pool.submit(psql, db, script)
            wait_for(prepares, "the statement that cannot be prepared")
            wait_for(lambda: not prepares(), "it to be given up")
        done = running.result()
    assert (done.rc, len(values(db))) == (0, 1_000), done.text


@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_names_that_would_be_something_else_in_sql_or_psql(db: Database, directory: Path, kind: str) -> None:
    here = quoted(db, NASTY)
    contents = [json.dumps({NASTY: {"x'y\"z": value}}) for value in (True, NASTY, False)]
    case = Case(
        ddl=[f"CREATE TABLE {here} (id text PRIMARY KEY, {here} {kind})"],
        rows=dict(zip([NASTY, ":keep", ""], contents, strict=True)),
        on=frozenset([NASTY, ":keep"]),
        options={"table": NASTY, "column": NASTY, "path": [NASTY, "x'y\"z"]},
        table=here,
        column=here,
        read=at(NASTY, "x'y\"z"),
    )
    off_and_back(db, case, directory, ledger=True)
