# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""break-glass.sql, whole, with the real psql: it switches off what the module does, and its undo is exact."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.integration.crowd import ON, on, population
from tests.integration.flags import KEY, Case, column, documents
from tests.integration.place import Database


@dataclass(frozen=True)
class Told:
    """The exit status of psql, and its output."""

    rc: int
    text: str


def script_of(db: Database, directory: Path, **options: Any) -> Path:
    """Write the script that preflight_info returns, and check that its trial found nothing wrong."""
    told = db.modules().ok("preflight_info", **options)
    tried = {check["name"]: check for check in told["checks"]}["break_glass"]
    assert tried["ok"] is True, tried
    path = directory / "break-glass.sql"
    path.write_text(told["break_glass"], encoding="utf-8")
    return path


def psql(db: Database, script: Path, *options: str, role: str | None = None) -> Told:
    """Run the whole script as a person would."""
    server = db.server
    command = [str(server.programs / "psql"), "-X", "-h", server.host, "-p", str(server.port)]
    password = db.roles[role] if role else server.password
    environment = {"PATH": os.defpath, "PGPASSWORD": password, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*command, "-U", role or server.user, "-d", db.name, *options, "-f", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Told(done.returncode, done.stdout + done.stderr)


def off_and_back(db: Database, case: Case, directory: Path, ledger: bool) -> None:
    """Check that the script's off is the module's off, and that its undo gives back every row exactly."""
    modules = case.make(db)
    before = case.snapshot(db)
    others = [name for name in case.rows if name not in case.on]
    # What the module does, on the same rows; then back.
    modules.disable("INC-module")
    by_module = case.flags(db)
    modules.restore("INC-module")
    assert case.snapshot(db).texts == before.texts
    db.modules().ok("incident", incident_id="INC-module", state="closed")
    if not ledger:
        db.rows("DROP SCHEMA kanban_rollback CASCADE")
    before = case.snapshot(db)
    script = script_of(db, directory, **case.options)
    assert case.snapshot(db) == before, "a preflight wrote"

    done = psql(db, script)
    assert done.rc == 0, done.text
    assert "ERROR" not in done.text
    assert case.flags(db) == by_module
    assert case.snapshot(db).of(*others) == before.of(*others), "a tenant that was off was rewritten"
    after = case.snapshot(db)
    again = psql(db, script)
    assert again.rc == 0, again.text
    assert case.snapshot(db) == after

    undone = psql(db, script, "-v", "undo=1")
    assert undone.rc == 0, undone.text
    assert "ERROR" not in undone.text
    assert case.snapshot(db).texts == before.texts
    assert psql(db, script, "-v", "undo=1").rc == 0
    assert case.snapshot(db).texts == before.texts


CASES = {
    "jsonb": lambda: documents("jsonb", quoted=True, uuids=False),
    "jsonb, absent means on": lambda: documents("jsonb", quoted=False, uuids=True, absent_means="on"),
    "json": lambda: documents("json", quoted=True, uuids=False),
    "text": lambda: documents("text", quoted=False, uuids=True),
    "text, absent means on": lambda: documents("text", quoted=True, uuids=False, absent_means="on"),
    "column": lambda: column(
        "text", {"enabled": True, "disabled": False, "": True, None: False}, "enabled", "disabled"
    ),
    "boolean": lambda: column("boolean", {"true": True, "false": False, None: False}, True, False),
}


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "no ledger"])
@pytest.mark.parametrize("name", CASES)
def test_off_as_the_module_does_and_back_to_the_letter(db: Database, directory: Path, name: str, ledger: bool) -> None:
    off_and_back(db, CASES[name](), directory, ledger)


def test_a_held_row_keeps_nobody_else_on_and_its_holder_is_named(db: Database, directory: Path) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    script = script_of(db, directory, **modules.options)
    with db.transaction("SELECT FROM companies WHERE id = 7 FOR UPDATE") as held:
        pid = held.info.backend_pid
        done = psql(db, script)
        assert on(db) == [7]
        assert done.rc == 3
        assert "STILL ON" in done.text
        assert f"SELECT pg_terminate_backend({pid});" in done.text
        assert "whaticket-api" in done.text
    done = psql(db, script)
    assert (done.rc, on(db)) == (0, [])
    assert psql(db, script, "-v", "undo=1").rc == 0
    assert db.snapshot("companies").texts == before.texts


def test_a_held_table_ends_in_time_and_names_who_holds_it(db: Database, directory: Path) -> None:
    modules = population(db)
    script = script_of(db, directory, **modules.options)
    with db.transaction("LOCK TABLE companies") as held:
        done = psql(db, script)
        assert done.rc == 3
        assert f"SELECT pg_terminate_backend({held.info.backend_pid});" in done.text
    assert len(on(db)) == 50


def test_a_row_that_the_database_refuses_stops_no_other(db: Database, directory: Path) -> None:
    modules = population(db)
    script = script_of(db, directory, **modules.options)
    db.rows("""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'""")
    db.rows("""CREATE TRIGGER refuse BEFORE UPDATE ON companies FOR EACH ROW WHEN (NEW.id = 7)
        EXECUTE FUNCTION refuse()""")  # fmt: skip
    done = psql(db, script)
    assert (done.rc, on(db)) == (3, [7])


def test_what_the_script_kept_in_the_ledger_the_module_puts_back(db: Database, directory: Path) -> None:
    """Also if an incident was half done before Ansible broke."""
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable("INC-half", tenants=[1, 2, 3])
    script = script_of(db, directory, **modules.options)
    assert psql(db, script).rc == 0
    assert on(db) == []
    undone = modules.restore("INC-half")
    assert (undone["changed_count"], undone["changed_since"]) == (50, [])
    assert db.snapshot("companies").texts == before.texts


def test_what_the_script_kept_beside_the_flag_can_be_handed_to_the_ledger(db: Database, directory: Path) -> None:
    modules = population(db, kind="json")
    before = db.snapshot("companies")
    script = script_of(db, directory, **modules.options)
    assert psql(db, script).rc == 0
    assert not db.has_ledger()
    db.modules().ok("ledger")
    lines = [line[2:].strip() for line in script.read_text(encoding="utf-8").splitlines() if line.startswith("--   ")]
    db.rows(" ".join(lines).replace("(the table named above)", "public.kanban_rollback_break_glass"))
    undone = modules.restore("BREAK-GLASS")
    assert undone["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_settings_saved_since_keep_what_was_saved_and_lose_only_the_flag(db: Database, directory: Path) -> None:
    modules = population(db)
    script = script_of(db, directory, **modules.options)
    assert psql(db, script).rc == 0
    db.rows("""UPDATE companies SET settings = settings || '{"theme": "dark"}' WHERE id = 1""")
    db.rows("""UPDATE companies SET settings = settings || '{"kanbanV2Enabled": "again"}' WHERE id = 2""")
    undone = psql(db, script, "-v", "undo=1")
    assert undone.rc == 3
    assert "NOT ALL BACK" in undone.text
    assert "{2}" in undone.text
    rows = dict(db.rows("SELECT id, settings FROM companies WHERE id < 4"))
    assert rows[1] == {**json.loads(ON), "theme": "dark"}
    assert rows[2][KEY] == "again"
    assert rows[3] == json.loads(ON)


def test_it_holds_no_password_and_is_the_same_the_next_day(db: Database, directory: Path) -> None:
    modules = population(db)
    options = {
        **modules.options,
        "write_block_key": "kanban:x; rm -rf /",
        "redis_hosts": [{"login_host": "r1", "login_port": 6380}],
    }
    first = script_of(db, directory, **options).read_text(encoding="utf-8")
    assert script_of(db, directory, **options).read_text(encoding="utf-8") == first
    assert db.server.password not in first
    assert "redis-cli -h r1 -p 6380 SET 'kanban:x; rm -rf /' true" in first


def test_the_fence_that_is_installed_is_raised_and_by_the_undo_lowered(db: Database, directory: Path) -> None:
    modules = population(db)
    role = db.role("rollback", "SELECT ON companies", "UPDATE (settings) ON companies")
    db.modules().ok("ledger", grant_to=[role])
    db.modules().ok("write_fence", state="dormant", tables=["tickets"], grant_to=[role])
    script = script_of(db, directory, **modules.options)
    write = 'INSERT INTO tickets ("companyId") VALUES (1)'
    db.rows(write)
    # As the playbooks' role, which owns nothing.
    done = psql(db, script, role=role)
    assert (done.rc, on(db)) == (0, []), done.text
    with pytest.raises(psycopg2.Error, match="kanban is write-protected: incident BREAK-GLASS-"):
        db.rows(write)
    undone = psql(db, script, "-v", "undo=1", role=role)
    assert undone.rc == 0, undone.text
    assert len(on(db)) == 50
    db.rows(write)
    # On request it is left as it is.
    assert psql(db, script, "-v", "no_fence=1", role=role).rc == 0
    db.rows(write)
