# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Others hold rows, tables, or the ledger: the kill works around them, names them, and never waits for all."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.integration.crowd import on, population, wait_for
from tests.integration.module import failed
from tests.integration.place import Database

HOLD = "UPDATE companies SET settings = settings || '{\"seen\": 1}' WHERE id = 7"


def test_a_held_row_keeps_no_other_tenant_on_and_is_named(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    with db.transaction(HOLD) as holder:
        pid = holder.info.backend_pid
        with modules.start("feature_flag", incident_id="INC-1", deadline=2) as running:
            wait_for(lambda: on(db) == [7], "all others off")
            assert running.runs, "the others were off only when it was over"
            result = failed(running.result(), "still_on")
            assert running.seconds < 2 + 10
        assert (result["enabled_after"], result["changed_count"], result["total"]) == (1, 49, 50)
        assert result["changed"] is True
        (blocker,) = result["blocked"]
        assert (blocker["tenant"], blocker["pid"], blocker["application_name"]) == ("7", pid, "whaticket-api")
        assert blocker["transaction_age"] > 1
        assert blocker["to_end_it"] == f"SELECT pg_terminate_backend({pid})"
        assert blocker["to_end_it"] in result["error"]["todo"]
        assert result["blocked_count"] == 1
    done = modules.disable()
    assert (done["enabled_before"], done["changed_count"], done["enabled_after"]) == (1, 1, 0)
    assert modules.restore()["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("kind", ["json", "text"])
def test_a_held_row_in_documents(db: Database, kind: str) -> None:
    modules = population(db, kind=kind)
    with db.transaction("UPDATE companies SET id = id WHERE id IN (7, 8)"):
        result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=3)
        assert on(db) == [7, 8]
        assert {row["tenant"] for row in result["blocked"]} == {"7", "8"}
        assert {row["application_name"] for row in result["blocked"]} == {"whaticket-api"}
    assert modules.disable()["changed_count"] == 2


def test_a_row_that_is_released_in_time_is_had(db: Database) -> None:
    modules = population(db)
    with db.transaction(HOLD) as holder, modules.start("feature_flag", incident_id="INC-1", deadline=15) as running:
        wait_for(lambda: on(db) == [7], "all others off")
        assert running.runs
        holder.rollback()
        done = running.result()
    assert not done.get("failed"), done
    assert (done["enabled_after"], done["changed_count"], done["blocked"]) == (0, 50, [])


def test_terminate_ends_whoever_holds_a_row(db: Database) -> None:
    modules = population(db)
    with db.transaction(HOLD) as holder:
        pid = holder.info.backend_pid
        done = modules.disable(deadline=10, on_blocked="terminate")
        assert done["enabled_after"] == 0
        assert [(one["pid"], one["application_name"]) for one in done["terminated"]] == [(pid, "whaticket-api")]
        assert db.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,)) == 0


def test_a_role_that_may_not_terminate_still_names(db: Database) -> None:
    population(db)
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {role}")
    modules = db.modules(role, table="companies", column="settings", path=["kanbanV2Enabled"])
    with db.transaction(HOLD) as holder:
        result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=1.5, on_blocked="terminate")
        assert result["terminated"] == []
        assert [row["pid"] for row in result["blocked"]] == [holder.info.backend_pid]
        assert not holder.closed
        assert on(db) == [7]


@pytest.mark.parametrize("on_blocked", ["report", "terminate"])
def test_a_prepared_transaction_is_named_and_never_ended(db: Database, on_blocked: str) -> None:
    modules = population(db)
    gid = f"{db.name}'s order"
    with db.connect() as session, session.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(HOLD)
        cursor.execute("PREPARE TRANSACTION %s", (gid,))
    result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=1, on_blocked=on_blocked)
    (blocker,) = result["blocked"]
    assert (blocker["tenant"], blocker["pid"], blocker["gid"]) == ("7", 0, gid)
    assert blocker["application_name"] == "prepared transaction"
    assert db.value("SELECT count(*) FROM pg_prepared_xacts WHERE gid = %s", (gid,)) == 1
    assert result["terminated"] == []
    # Either of the two statements ends it.
    db.rows(blocker["to_end_it"].partition(" or ")[0])
    assert modules.disable()["enabled_after"] == 0


@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_looking_takes_no_row_and_waits_for_none(db: Database, kind: str) -> None:
    modules = population(db, kind=kind)
    with db.transaction("SELECT FROM companies FOR UPDATE", 'INSERT INTO tickets ("companyId") VALUES (1)'):
        before = db.snapshot("companies")
        plan = modules.disable(check=True)
        assert plan["changed_count"] == 50
        assert len(plan["diff"]["after"]["tenants_changed"][:-1]) == 20
        assert plan["diff"]["after"]["tenants_changed"][-1] == "and 30 more"
        told = modules.ok("feature_flag_info", names=2)
        assert (told["total"], told["enabled"], len(told["tenants_on"])) == (50, 50, 2)
        assert told["flag_values"] == [{"value": "true", "tenants": 50}]
        assert told["elapsed_ms"] < 5000
        assert db.snapshot("companies") == before


def test_open_ticket_inserts_of_every_tenant_hide_nobody(db: Database) -> None:
    """A foreign key takes KEY SHARE on the tenant; FOR UPDATE SKIP LOCKED would skip all of them."""
    modules = population(db)
    with db.transaction('INSERT INTO tickets ("companyId") SELECT id FROM companies') as holder:
        done = modules.disable(deadline=5)
        assert (done["changed_count"], done["enabled_after"], done["blocked"]) == (50, 0, [])
        assert on(db) == []
        holder.commit()
    assert modules.restore()["enabled_after"] == 50


@pytest.mark.parametrize("seconds", [0.8, 3.0])
def test_a_migration_that_holds_the_table_for_a_while(db: Database, seconds: float) -> None:
    modules = population(db)
    with (
        db.transaction("LOCK TABLE companies IN ACCESS EXCLUSIVE MODE") as holder,
        modules.start("feature_flag", incident_id="INC-1", deadline=15) as running,
    ):
        time.sleep(seconds)
        assert running.runs
        holder.rollback()
        done = running.result()
    assert not done.get("failed"), done
    assert (done["changed_count"], done["enabled_after"]) == (50, 0)


def test_a_migration_that_does_not_end_is_named(db: Database) -> None:
    modules = population(db)
    with db.transaction("LOCK TABLE companies IN ACCESS EXCLUSIVE MODE", application_name="migration 42") as holder:
        with modules.start("feature_flag", incident_id="INC-1", deadline=2) as running:
            result = running.result()
            assert running.seconds < 2 + 10
        assert result["failed"]
        assert "migration 42" in json.dumps(result)
        assert str(holder.info.backend_pid) in json.dumps(result)


def test_a_migration_is_ended_where_that_was_asked_for(db: Database) -> None:
    modules = population(db)
    with db.transaction("LOCK TABLE companies IN ACCESS EXCLUSIVE MODE", application_name="migration 42"):
        done = modules.disable(deadline=10, on_blocked="terminate")
        assert done["enabled_after"] == 0
        assert [one["application_name"] for one in done["terminated"]] == ["migration 42"]


@pytest.mark.parametrize("lock", ["SHARE UPDATE EXCLUSIVE", "SHARE"])
def test_vacuum_and_index_builds(db: Database, lock: str) -> None:
    """The lock of VACUUM is in nobody's way; CREATE INDEX blocks every write and is named."""
    modules = population(db)
    with db.transaction(f"LOCK TABLE companies IN {lock} MODE", application_name="maintenance"):
        if lock == "SHARE UPDATE EXCLUSIVE":
            assert modules.disable(deadline=5)["enabled_after"] == 0
            return
        result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=1.5)
        assert {row["application_name"] for row in result["blocked"]} == {"maintenance"}
        assert result["enabled_after"] == 50


@pytest.mark.parametrize("locked", ["flag_changes", "incidents", "meta"])
def test_a_locked_ledger_does_not_stop_the_kill(db: Database, directory: Path, locked: str) -> None:
    modules = population(db).having(state_dir=str(directory))
    before = db.snapshot("companies")
    db.modules().ok("ledger")
    with db.transaction(f"LOCK TABLE kanban_rollback.{locked} IN ACCESS EXCLUSIVE MODE"):
        with modules.start("feature_flag", incident_id="INC-1", deadline=10) as running:
            done = running.result()
            assert not done.get("failed"), done
            assert running.seconds < 15
        assert on(db) == []
        assert done["priors"]["kept_in"] == "file"
        assert Path(done["priors"]["path"]).parent == directory
        assert done["warnings"]
    assert modules.restore()["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts
