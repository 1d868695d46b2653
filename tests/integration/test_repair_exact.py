# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is changed without being kept, whoever changes it, and what comes back is what was there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import plan, ready, repair, undo, whole

# Tags of a company that is not there go, or are given to one that is.
ORPHANS: dict[str, Any] = {
    "name": "orphans",
    "kind": "orphan",
    "table": "tags",
    "column": "company",
    "references": {"table": "companies", "column": "id"},
}
GIVEN = {**ORPHANS, "repair": {"action": "set_value", "value": "1"}}


@pytest.fixture
def tags(db: Database) -> None:
    """Make ten tags, of which 1 and 2 lead to no company."""
    db.rows("CREATE TABLE companies (id integer PRIMARY KEY)")
    db.rows("INSERT INTO companies VALUES (1)")
    db.rows("CREATE TABLE tags (id integer PRIMARY KEY, company integer, stamp text DEFAULT 'old', note text)")
    db.rows(
        "INSERT INTO tags SELECT g, CASE WHEN g > 2 THEN 1 ELSE 9 END, 'old', 'n' || g FROM generate_series(1, 10) g"
    )


def trigger(db: Database, when: str, body: str, name: str = "act") -> None:
    """Make a trigger of the application on tags; ``body`` is PL/pgSQL."""
    db.rows(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$")
    db.rows(f"CREATE TRIGGER {name} {when} ON tags FOR EACH ROW EXECUTE FUNCTION {name}()")


@pytest.mark.usefixtures("tags")
@pytest.mark.parametrize("effect", ["CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION"])
def test_rows_that_would_follow_an_update_are_refused(db: Database, effect: str) -> None:
    db.rows("ALTER TABLE tags ADD UNIQUE (id, company)")
    db.rows(f"""CREATE TABLE links (tag integer, company integer,
                FOREIGN KEY (tag, company) REFERENCES tags (id, company) ON UPDATE {effect})""")
    db.rows("INSERT INTO links VALUES (5, 1), (6, 1)")
    modules = ready(db, ["tags"])
    # Nobody refers to what is changed.
    assert plan(modules, [GIVEN])["plan"]["refused"] == []
    db.rows("INSERT INTO links VALUES (1, 9), (1, 9)")
    before = whole(db)
    planned = plan(modules, [GIVEN])
    if effect == "NO ACTION":
        assert planned["plan"]["refused"] == []
        assert modules.run("integrity_repair", checks=[GIVEN], plan_hash=planned["plan_hash"])["failed"]
    else:
        (reason,) = planned["plan"]["refused"]
        assert (reason["code"], reason["table"], reason["rows"]) == ("follows_update", "public.links", 2)
        assert effect in reason["what"]
        modules.fails("follows_update", "integrity_repair", checks=[GIVEN], plan_hash=planned["plan_hash"])
    assert whole(db) == before


@pytest.mark.usefixtures("tags")
@pytest.mark.parametrize(
    ("body", "checks"),
    [
        ("UPDATE other SET a = 0 WHERE a = 1; RETURN NULL;", [GIVEN]),
        ("DELETE FROM other WHERE a = 1; RETURN NULL;", [ORPHANS]),
        ("UPDATE tags SET note = 'x' WHERE id = 10 AND note <> 'x'; RETURN NULL;", [ORPHANS]),
    ],
    ids=["changes another table", "deletes there", "changes another row"],
)
def test_a_trigger_that_changes_what_is_not_planned_ends_it_all(
    db: Database, body: str, checks: list[dict[str, Any]]
) -> None:
    db.rows("CREATE TABLE other AS SELECT 1 AS a")
    trigger(db, "AFTER UPDATE OR DELETE", body)
    modules = ready(db, ["tags"])
    before = whole(db)
    planned = plan(modules, checks)
    result = modules.fails("not_planned", "integrity_repair", checks=checks, plan_hash=planned["plan_hash"])
    assert ("public.tags" if "UPDATE tags" in body else "public.other") in result["error"]["what"]
    assert whole(db) == before
    assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") == 0


@pytest.mark.usefixtures("tags")
def test_a_trigger_that_marks_rows_as_deleted_instead_ends_it_all(db: Database) -> None:
    trigger(db, "BEFORE DELETE", "UPDATE tags SET company = 1, stamp = 'deleted' WHERE id = OLD.id; RETURN NULL;")
    modules = ready(db, ["tags"])
    before = whole(db)
    planned = plan(modules, [ORPHANS])
    result = modules.fails("not_as_planned", "integrity_repair", checks=[ORPHANS], plan_hash=planned["plan_hash"])
    assert "Of 2 rows of public.tags only 0 were deleted" in result["error"]["what"]
    assert whole(db) == before
    assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") == 0


@pytest.mark.usefixtures("tags")
def test_a_table_that_a_trigger_writes_down_into_is_told_and_no_hindrance(db: Database) -> None:
    db.rows("CREATE TABLE audit (id integer, at timestamptz)")
    trigger(db, "AFTER UPDATE OR DELETE OR INSERT", "INSERT INTO audit VALUES (OLD.id, now()); RETURN NULL;")
    modules = ready(db, ["tags"])
    before = whole(db, "tags")
    done = repair(modules, [ORPHANS])
    assert db.value("SELECT count(*) FROM audit") == 2
    assert [text for text in done["warnings"] if "2 rows into public.audit" in text], done["warnings"]
    back = undo(modules)
    assert [text for text in back["warnings"] if "2 rows into public.audit" in text], back["warnings"]
    assert whole(db, "tags") == before


@pytest.mark.usefixtures("tags")
def test_where_the_server_does_not_count_it_is_said(db: Database) -> None:
    db.rows(f"ALTER DATABASE {db.name} SET track_counts = off")
    modules = ready(db, ["tags"])
    done = repair(modules, [GIVEN])
    assert [text for text in done["warnings"] if "track_counts" in text], done["warnings"]


@pytest.mark.usefixtures("tags")
@pytest.mark.parametrize("checks", [[GIVEN], [ORPHANS]], ids=["changed", "deleted"])
def test_what_a_trigger_changed_along_with_a_row_comes_back_too(db: Database, checks: list[dict[str, Any]]) -> None:
    trigger(db, "BEFORE INSERT OR UPDATE", "NEW.stamp := clock_timestamp(); NEW.note := NULL; RETURN NEW;")
    modules = ready(db, ["tags"])
    before = whole(db)
    repair(modules, checks)
    assert db.value("SELECT count(*) FROM tags WHERE stamp = 'old'") == 8
    looked = undo(modules, check=True)
    assert (looked["changed"], looked["conflicts_count"]) == (True, 0)
    back = undo(modules)
    assert whole(db) == before
    assert [text for text in back["warnings"] if "left aside" in text], back["warnings"]


@pytest.mark.usefixtures("tags")
def test_what_was_written_anew_stays_though_a_trigger_had_changed_it(db: Database) -> None:
    trigger(db, "BEFORE UPDATE", "IF NEW.stamp = OLD.stamp THEN NEW.stamp := 'new'; END IF; RETURN NEW;")
    modules = ready(db, ["tags"])
    repair(modules, [GIVEN])
    with db.transaction("SET LOCAL kanban_rollback.passage = 'INC-1'") as session, session.cursor() as cursor:
        cursor.execute("UPDATE tags SET stamp = 'newer' WHERE id = 1")
        session.commit()
    undo(modules)
    assert db.rows("SELECT id, company, left(stamp, 3) FROM tags WHERE id < 3 ORDER BY 1") == [
        (1, 9, "new"), (2, 9, "old")
    ]  # fmt: skip


@pytest.mark.usefixtures("tags")
def test_without_the_right_to_leave_triggers_aside_it_does_not_come_back_half(db: Database) -> None:
    trigger(db, "BEFORE UPDATE", "NEW.stamp := clock_timestamp(); RETURN NEW;")
    role = db.role("ops", "SELECT, UPDATE ON tags", "SELECT ON companies")
    modules = ready(db, ["tags"])
    db.modules().ok("ledger", grant_to=[role], repairs=[{"table": "tags"}])
    modules.ok("write_fence", state="absent")
    repair(modules, [GIVEN], allow_unfenced=True)
    before = whole(db)
    result = db.modules(role, incident_id="INC-1").fails(
        "not_exact", "integrity_repair", state="undone", allow_unfenced=True
    )
    assert "session_replication_role" in result["error"]["todo"]
    assert whole(db) == before
    undo(modules, allow_unfenced=True)
    assert db.value("SELECT count(*) FROM tags WHERE stamp = 'old' AND company = 9") == 2


@pytest.mark.usefixtures("tags")
@pytest.mark.parametrize("checks", [[GIVEN], [ORPHANS]], ids=["changed", "deleted"])
def test_what_could_not_come_back_past_a_check_is_refused(db: Database, checks: list[dict[str, Any]]) -> None:
    # A column whose name the plan uses too, and a character that means something to the driver.
    db.rows("ALTER TABLE tags ADD level integer DEFAULT 1, ADD CHECK (level % 2 = 1 OR note LIKE '%z') NOT VALID")
    modules = ready(db, ["tags"])
    assert plan(modules, checks)["plan"]["refused"] == []
    db.rows("ALTER TABLE tags ADD CONSTRAINT known CHECK (company < 5) NOT VALID")
    before = whole(db)
    planned = plan(modules, checks)
    (reason,) = planned["plan"]["refused"]
    assert (reason["code"], reason["check"], reason["rows"]) == ("check_not_valid", "known", 2)
    modules.fails("check_not_valid", "integrity_repair", checks=checks, plan_hash=planned["plan_hash"])
    assert whole(db) == before
