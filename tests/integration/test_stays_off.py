# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flag stays off: what the application writes back after the kill is swept (settle) or turned back (latch)."""

from __future__ import annotations

import time

import pytest

from tests.integration.crowd import on, population, wait_for
from tests.integration.flags import KEY, at
from tests.integration.module import Modules
from tests.integration.place import Database

# An ORM saves the whole of what it read before the kill, with one more setting changed.
STALE = f'{{"{KEY}": true, "timezone": "Asia/Tokyo"}}'
SAVE = f"UPDATE companies SET settings = '{STALE}' WHERE id = 3"
READ = "SELECT settings FROM companies WHERE id = 3"


def triggers(db: Database) -> list[str]:
    rows = db.rows("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE '%latch%'")
    return [row[0] for row in rows]


def latched(db: Database) -> list[tuple[str, str, str, str]]:
    return db.rows("SELECT tenant, refused, session_name, incident_id FROM kanban_rollback.latched ORDER BY id")


def app(db: Database) -> str:
    """Return an application's role: no superuser, nothing granted on the ledger."""
    return db.role("app", "SELECT, INSERT, UPDATE ON companies")


def test_whoever_was_held_at_the_kill_is_not_said_to_be_written_back(db: Database) -> None:
    modules = population(db)
    with (
        db.transaction("SELECT FROM companies WHERE id = 3 FOR UPDATE") as holder,
        modules.start("feature_flag", incident_id="INC-1", deadline=3, settle=20) as running,
    ):
        wait_for(lambda: on(db) == [3], "the kill of all others")
        # Until the kill has given it up, and waits for what was open.
        wait_for(lambda: running.seconds > 6 or not running.runs, "the sweep", 20)
        holder.rollback()
        done = running.result()
    assert (done["sweep"]["settled"], done["sweep"]["switched_again"]) == (True, 0)
    assert (done["enabled_after"], done["changed_count"], on(db)) == (0, 50, [])


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_settle_sweeps_a_stale_write(db: Database, kind: str) -> None:
    modules = population(db, kind=kind)
    before = db.snapshot("companies")
    with db.transaction(READ) as stale:
        with modules.start("feature_flag", incident_id="INC-1", settle=15) as running:
            wait_for(lambda: on(db) == [], "the kill")
            time.sleep(0.3)
            assert running.runs, "it did not wait for a transaction that was open before"
            with stale.cursor() as cursor:
                cursor.execute(SAVE)
            stale.commit()
            done = running.result()
        assert running.seconds < 14
    assert not done.get("failed"), done
    assert (done["sweep"]["settled"], done["sweep"]["switched_again"]) == (True, 1)
    assert (done["enabled_after"], done["changed_count"]) == (0, 51)
    assert on(db) == []
    assert at("timezone")(db.value("SELECT settings::text FROM companies WHERE id = 3")) == "Asia/Tokyo"
    undone = modules.restore()
    assert (undone["changed_since"], undone["enabled_after"]) == ([], 50)
    after = db.snapshot("companies")
    assert [row.text for row in after.without("3")] == [row.text for row in before.without("3")]
    assert on(db) == list(range(1, 51))


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_the_undo_of_a_swept_tenant_keeps_its_save(db: Database, kind: str) -> None:
    modules = population(db, kind=kind)
    modules.disable()
    db.rows(SAVE)
    modules.disable()
    modules.restore()
    saved = db.value("SELECT settings::text FROM companies WHERE id = 3")
    assert (at(KEY)(saved), at("timezone")(saved)) == (True, "Asia/Tokyo")


def test_a_sweep_that_could_not_count_does_not_say_that_all_are_off(db: Database) -> None:
    modules = population(db)
    with db.transaction("SELECT * FROM tickets") as open_before, db.connect() as migration:
        with modules.start("feature_flag", incident_id="INC-1", settle=30) as running:
            wait_for(lambda: on(db) == [], "the kill")
            time.sleep(0.5)
            assert running.runs, "it did not wait for a transaction that was open before"
            with migration.cursor() as cursor:
                cursor.execute("BEGIN; LOCK TABLE companies IN ACCESS EXCLUSIVE MODE")
            open_before.commit()
            told = running.result()
        migration.rollback()
    assert told["error"]["code"] == "table_held", told
    assert [row["tenant"] for row in told["blocked"]] == [None]
    assert told["changed_count"] == 50


def test_settle_that_runs_out_says_who_is_still_open(db: Database) -> None:
    modules = population(db)
    with db.transaction(READ) as stale:
        done = modules.disable(settle=1)
        assert done["sweep"]["settled"] is False
        (waiting,) = done["sweep"]["waiting_for"]
        assert (waiting["pid"], waiting["application_name"]) == (stale.info.backend_pid, "whaticket-api")


def test_settle_of_a_role_that_sees_no_states_waits_for_transactions_alone(db: Database) -> None:
    population(db)
    role = db.role("ops", "SELECT, UPDATE ON companies")
    db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {role}")
    modules = db.modules(role, table="companies", column="settings", path=["kanbanV2Enabled"])
    with db.connect("idle"):
        with db.transaction(READ) as stale, db.transaction(READ) as other:
            done = modules.disable(settle=1)
            waiting = sorted(row["pid"] for row in done["sweep"]["waiting_for"])
            assert waiting == sorted([stale.info.backend_pid, other.info.backend_pid])
            with stale.cursor() as cursor:
                cursor.execute("PREPARE TRANSACTION 'order'")
            done = modules.disable(settle=1)
            assert sorted(row["pid"] for row in done["sweep"]["waiting_for"]) == [0, other.info.backend_pid]
            db.rows("ROLLBACK PREPARED 'order'")
        done = modules.disable(settle=10)
    assert done["sweep"] == {"settled": True, "switched_again": 0, "waiting_for": []}
    assert done["elapsed_ms"] < 8000


def test_settle_does_not_wait_for_what_began_after_the_kill(db: Database) -> None:
    modules = population(db)
    modules.disable()
    with db.connect("newcomer") as session, session.cursor() as cursor:
        cursor.execute("SELECT 1")
        done = modules.disable(settle=10)
    assert done["sweep"] == {"settled": True, "switched_again": 0, "waiting_for": []}
    assert done["elapsed_ms"] < 8000


def test_the_latch_turns_back_a_stale_write_and_lets_the_save_through(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    role = app(db)
    done = modules.disable(latch=True)
    assert done["latch"] == {"raised": True, "reason": None}
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute(SAVE)
        assert cursor.rowcount == 1
        cursor.execute("INSERT INTO companies VALUES (99, %s)", (STALE,))
    assert on(db) == []
    for tenant in (3, 99):
        saved = db.value("SELECT settings::text FROM companies WHERE id = %s", (tenant,))
        assert (at(KEY)(saved), at("timezone")(saved)) == (False, "Asia/Tokyo")
    assert latched(db) == [("3", "true", role, "INC-1"), ("99", "true", role, "INC-1")]
    told = db.modules().ok("incident_info", incident_id="INC-1")
    assert (told["latched_writes"], told["latched_tenants"]) == (2, 2)

    undone = modules.restore()
    assert (undone["changed_since"], undone["latch_left"]) == ([], [])
    assert triggers(db) == []
    assert on(db) == list(range(1, 51))
    after = db.snapshot("companies")
    assert [r.text for r in after.without("3", "99")] == [r.text for r in before.without("3", "99")]
    assert at("timezone")(db.value("SELECT settings::text FROM companies WHERE id = 3")) == "Asia/Tokyo"
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute("UPDATE companies SET settings = %s WHERE id = 99", (STALE,))
    assert 99 in on(db)


def test_the_latch_leaves_all_other_writes_alone(db: Database) -> None:
    modules = population(db)
    modules.disable(latch=True)
    with db.as_role(app(db)) as session, session.cursor() as cursor:
        cursor.execute("""UPDATE companies SET settings = settings || '{"a": 1}' WHERE id = 1""")
        cursor.execute("UPDATE companies SET settings = '[]' WHERE id = 2")
        cursor.execute("UPDATE companies SET settings = NULL WHERE id = 4")
        cursor.execute("INSERT INTO companies VALUES (200, '{}')")
        cursor.execute("UPDATE companies SET id = 201 WHERE id = 200")
    assert at("a")(db.value("SELECT settings::text FROM companies WHERE id = 1")) == 1
    assert db.value("SELECT settings::text FROM companies WHERE id = 2") == "[]"
    assert db.value("SELECT settings IS NULL FROM companies WHERE id = 4")
    assert latched(db) == []


def test_only_members_of_its_owner_pass_the_latch(db: Database) -> None:
    modules = population(db)
    modules.disable(latch=True)
    passage = "SET LOCAL kanban_rollback.passage = 'INC-1'"
    with db.as_role(app(db)) as session, session.cursor() as cursor:
        session.autocommit = False
        cursor.execute(passage)
        cursor.execute(SAVE)
        session.commit()
    assert on(db) == []
    assert len(latched(db)) == 1


@pytest.mark.parametrize("kind", ["json", "text"])
def test_the_latch_on_documents(db: Database, kind: str) -> None:
    modules = population(db, kind=kind)
    assert modules.disable(latch=True)["latch"]["raised"]
    with db.as_role(app(db)) as session, session.cursor() as cursor:
        cursor.execute(SAVE)
        cursor.execute("UPDATE companies SET settings = %s WHERE id = 4", ('{"a": "\\u0000"}',))
        if kind == "text":
            cursor.execute("UPDATE companies SET settings = 'no json' WHERE id = 5")
    saved = db.value("SELECT settings::text FROM companies WHERE id = 3")
    assert (at(KEY)(saved), at("timezone")(saved)) == (False, "Asia/Tokyo")
    assert db.value("SELECT settings::text FROM companies WHERE id = 4") == '{"a": "\\u0000"}'
    told = [(row[0], row[1].startswith("passed: ")) for row in latched(db)]
    assert told == [("3", False), *([("5", True)] if kind == "text" else [])]


def test_the_latch_on_a_key_value_store(db: Database) -> None:
    db.rows("CREATE TABLE settings (key text, value text, company uuid)")
    tenant = "00000000-0000-4000-8000-000000000001"
    db.rows("INSERT INTO settings VALUES ('kanban', 'enabled', %s), ('other', 'enabled', %s)", (tenant, tenant))
    modules = db.modules(
        store="key_value", table="settings", tenant_column="company", key_column="key", key="kanban", column="value",
        enabled_value="enabled", disabled_value="disabled",
    )  # fmt: skip
    assert modules.disable(latch=True)["latch"]["raised"]
    role = db.role("app", "SELECT, INSERT, UPDATE ON settings")
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute("UPDATE settings SET value = 'enabled'")
        cursor.execute("INSERT INTO settings VALUES ('kanban', 'enabled', gen_random_uuid())")
    assert db.rows("SELECT key, value FROM settings ORDER BY 1, 2") == [
        ("kanban", "disabled"),
        ("kanban", "disabled"),
        ("other", "enabled"),
    ]
    modules.restore()
    assert db.value("SELECT value FROM settings WHERE key = 'kanban' AND company = %s", (tenant,)) == "enabled"
    assert triggers(db) == []


def test_the_latch_waits_for_nobody(db: Database) -> None:
    """CREATE TRIGGER queues behind every writer: it gives up, because the kill is what counts."""
    modules = population(db)
    with db.transaction("INSERT INTO companies VALUES (77, NULL)", application_name="import"):
        done = modules.disable(latch=True)
    assert done["enabled_after"] == 0
    assert done["latch"]["raised"] is False
    assert any("latch" in warning for warning in done["warnings"])


def test_switching_on_again_passes_the_latch(db: Database) -> None:
    modules = population(db)
    modules.disable(latch=True)
    done = modules.enable(tenants=["3", "4"])
    assert done["enabled_after"] == 2
    assert on(db) == [3, 4]
    # The application saves the settings of a tenant that was switched on again: that is not a step from off to on.
    with db.as_role(app(db)) as session, session.cursor() as cursor:
        cursor.execute(SAVE)
    assert on(db) == [3, 4]


def test_closing_the_incident_takes_the_latch_away(db: Database) -> None:
    modules = population(db)
    modules.disable(latch=True)
    assert len(triggers(db)) == 2
    closed = db.modules().ok("incident", incident_id="INC-1", state="closed")
    assert closed["latch_left"] == []
    assert triggers(db) == []
    db.rows(SAVE)
    assert on(db) == [3]


def without_trigger_privilege(db: Database) -> Modules:
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    db.modules().ok("ledger", grant_to=[role])
    return db.modules(role, table="companies", column="settings", path=[KEY])


def test_without_the_privilege_the_latch_is_a_warning(db: Database) -> None:
    population(db)
    done = without_trigger_privilege(db).disable(latch=True)
    assert (done["enabled_after"], done["latch"]["raised"]) == (0, False)
    assert "permission denied" in done["latch"]["reason"]
    assert any("latch" in warning for warning in done["warnings"])


def test_without_a_ledger_the_latch_is_a_warning(db: Database, directory: object) -> None:
    population(db)
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    modules = db.modules(role, table="companies", column="settings", path=[KEY], state_dir=str(directory))
    done = modules.disable(latch=True)
    assert done["enabled_after"] == 0
    assert done["latch"]["raised"] is False
    assert any("latch" in warning for warning in done["warnings"])
