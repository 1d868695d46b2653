# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is changed that is not kept, whoever changes it, and what comes back is what was there."""

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
