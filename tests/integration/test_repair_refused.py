# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair refuses: each time the data is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.integrity import load
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT, PLAN, counts, plan, ready, repair, undo, whole

LANES = PLAN[1]
DUPLICATES = PLAN[3]


@pytest.fixture
def modules(db: Database) -> Iterator[Modules]:
    """Yield modules on a corrupt board that is ready to be repaired; check that a test left every table as it was."""
    load(db)
    made = ready(db)
    before = whole(db)
    yield made
    assert whole(db) == before


def refuse(modules: Modules, code: str, checks: list[dict[str, Any]] | None = None, **options: Any) -> dict[str, Any]:
    """Apply the present plan, which must be refused; the plan itself says the same, and does not fail."""
    given = PLAN if checks is None else checks
    planned = plan(modules, given, **options)
    assert code in [reason["code"] for reason in planned["plan"]["refused"]], planned["plan"]["refused"]
    result = modules.fails(code, "integrity_repair", checks=given, plan_hash=planned["plan_hash"], **options)
    assert result["plan_hash"] == planned["plan_hash"]
    assert not result["changed"]
    return result


def test_without_the_hash_and_with_another_one(modules: Modules) -> None:
    planned = plan(modules)
    missing = modules.fails("plan_hash_missing", "integrity_repair", checks=PLAN)
    assert missing["plan_hash"] == planned["plan_hash"]
    assert missing["plan"]["total_rows"] == planned["plan"]["total_rows"]
    modules.fails("plan_changed", "integrity_repair", checks=PLAN, plan_hash="0" * 64)


def test_the_hash_is_of_the_rows_and_of_the_checks(db: Database, modules: Modules) -> None:
    first = plan(modules)["plan_hash"]
    assert plan(modules)["plan_hash"] == first
    assert plan(modules, PLAN[:2])["plan_hash"] != first
    assert plan(modules, [*PLAN[:3], {**DUPLICATES, "tolerate": 1}])["plan_hash"] != first
    lanes = plan(modules, [LANES])["plan_hash"]
    with db.transaction() as session, session.cursor() as cursor:
        cursor.execute("SET LOCAL kanban_rollback.passage = 'INC-1'")
        # It does not matter where the rows are stored, or what is in them that a repair does not take away or write.
        cursor.execute('UPDATE "Tickets" SET "lastMessage" = \'Bom dia\'')
        session.commit()
        assert plan(modules, [LANES])["plan_hash"] == lanes
        cursor.execute("SET LOCAL kanban_rollback.passage = 'INC-1'")
        cursor.execute('UPDATE "Tickets" SET "lastMessage" = \'Mensagem \' || id')
        session.commit()


@pytest.mark.parametrize(
    ("checks", "statement"),
    [
        ([LANES], 'UPDATE "Tickets" SET "kanbanLane" = 7 WHERE id = 1'),
        ([PLAN[0]], """UPDATE "Tags" SET name = 'x' WHERE id = 400"""),
        ([PLAN[0]], 'UPDATE "TicketTags" SET "tagId" = 400 WHERE id = 1'),
        ([DUPLICATES], 'INSERT INTO "TicketTags" ("ticketId", "tagId") VALUES (1, 400), (1, 400)'),
    ],
    ids=["the lane of one", "a row that goes", "a row that goes along", "one more"],
)  # fmt: skip
def test_a_row_that_changes_between_plan_and_apply(db: Database, checks: list[dict[str, Any]], statement: str) -> None:
    load(db)
    modules = ready(db)
    planned = plan(modules, checks)
    with db.transaction("SET LOCAL kanban_rollback.passage = 'INC-1'", statement) as session:
        session.commit()
    changed = whole(db)
    result = modules.fails("plan_changed", "integrity_repair", checks=checks, plan_hash=planned["plan_hash"])
    assert result["plan_hash"] != planned["plan_hash"]
    assert whole(db) == changed


def test_more_than_max_rows_and_max_fraction(modules: Modules) -> None:
    total = plan(modules)["plan"]["total_rows"]
    assert refuse(modules, "too_many_rows", max_rows=total - 1)["plan"]["total_rows"] == total
    assert not plan(modules, max_rows=total)["plan"]["refused"]
    fraction = plan(modules)["plan"]["fraction"]
    refuse(modules, "too_large_fraction", max_fraction=fraction * 0.99)
    assert not plan(modules, max_fraction=fraction * 1.01)["plan"]["refused"]


def test_without_an_open_incident(db: Database, modules: Modules) -> None:
    planned = plan(modules)
    other = modules.having(incident_id="INC-2")
    assert "no_open_incident" in [row["code"] for row in plan(other)["plan"]["refused"]]
    other.fails("no_open_incident", "integrity_repair", checks=PLAN, plan_hash=planned["plan_hash"])
    other.fails("no_open_incident", "integrity_repair", state="undone")
    db.modules(incident_id=INCIDENT).ok("incident", state="closed")
    modules.fails("no_open_incident", "integrity_repair", checks=PLAN, plan_hash=planned["plan_hash"])


def test_with_the_lease_of_another(db: Database, modules: Modules) -> None:
    planned = plan(modules)
    db.modules(incident_id=INCIDENT).ok("incident", lease="held", run_id="other", operator="bia")
    result = modules.fails("lease_held", "integrity_repair", checks=PLAN, plan_hash=planned["plan_hash"])
    assert "bia" in result["error"]["what"]
    modules.fails("lease_held", "integrity_repair", state="undone")
    # A plan is not a repair.
    assert plan(modules)["plan_hash"] == planned["plan_hash"]
    done = modules.ok("integrity_repair", checks=PLAN, plan_hash=planned["plan_hash"], lease_by_force=True)
    assert done["changed"]
    undo(modules)


def test_the_lease_is_given_back_unless_it_was_this_runs_before(db: Database, modules: Modules) -> None:
    held = "SELECT run_id FROM kanban_rollback.leases"
    repair(modules)
    assert db.rows(held) == []
    modules.ok("incident", lease="held")
    undo(modules)
    assert db.rows(held) == [("run-1",)]


def test_without_the_fence(db: Database, modules: Modules) -> None:
    modules.ok("write_fence", state="absent")
    refuse(modules, "not_fenced")
    # Only what the checks name has to be fenced, and only what is done there.
    lane = [{"name": "Tickets", "operations": ["UPDATE"], "columns": ["kanbanLane"]}]
    modules.ok("write_fence", tables=lane)
    assert not plan(modules, [LANES])["plan"]["refused"]
    refuse(modules, "not_fenced", [DUPLICATES])
    found = plan(modules, [DUPLICATES], allow_unfenced=True)
    done = modules.ok(
        "integrity_repair", checks=[DUPLICATES], plan_hash=found["plan_hash"], allow_unfenced=True, operator="ana"
    )
    assert (done["changed"], done["fenced"]) == (True, False)
    assert any("Without the fence" in warning for warning in done["warnings"])
    noted = db.rows("SELECT data FROM kanban_rollback.events WHERE event = 'repaired'")[0][0]
    assert (noted["allow_unfenced"], noted["fenced"], noted["operator"]) == (True, False, "ana")
    # What is brought back is written past the fence as well.
    looked = undo(modules, check=True)
    assert [row["code"] for row in looked["refused"]] == ["not_fenced"]
    modules.fails("not_fenced", "integrity_repair", state="undone")
    back = undo(modules, allow_unfenced=True, operator="ana")
    assert (back["changed"], back["fenced"]) == (True, False)
    assert any("Without the fence" in warning for warning in back["warnings"])
    noted = db.rows("SELECT data FROM kanban_rollback.events WHERE event = 'undone'")[0][0]
    assert (noted["allow_unfenced"], noted["fenced"], noted["operator"]) == (True, False, "ana")


def test_the_fence_of_another_incident(db: Database, modules: Modules) -> None:
    modules.ok("write_fence", state="absent")
    db.modules(incident_id="INC-9").ok("write_fence", tables=["TicketTags"])
    refuse(modules, "other_incident", [DUPLICATES])


def test_a_fence_that_still_drains(db: Database, modules: Modules) -> None:
    modules.ok("write_fence", state="absent")
    modules.ok("write_fence", state="dormant", tables=["TicketTags"])
    with db.transaction('LOCK TABLE "TicketTags" IN ROW EXCLUSIVE MODE') as writer:
        assert modules.ok("write_fence", tables=["TicketTags"], drain=0)["status"] == "draining"
        result = refuse(modules, "fence_draining", [DUPLICATES])
        assert result["plan"]["refused"][0]["pids"] == [writer.info.backend_pid]
    # The end of the drain was not noted, but there is nobody left to wait for.
    assert not plan(modules, [DUPLICATES])["plan"]["refused"]


def test_a_column_that_cannot_be_null(db: Database, modules: Modules) -> None:
    db.rows('ALTER TABLE "Tickets" ADD lane integer NOT NULL DEFAULT 0')
    wrong = {**LANES, "column": "lane"}
    refuse(modules, "not_nullable", [wrong], max_fraction=1)
    mended = {**wrong, "repair": {"action": "set_value", "value": "many"}}
    assert plan(modules, [mended])["plan"]["checks"][0]["code"] == "bad_value"
    refuse(modules, "not_known", [mended])
    db.rows('ALTER TABLE "Tickets" DROP lane')


def test_what_does_not_go_together(modules: Modules) -> None:
    for repair_of in ({"action": "renumber"}, {"action": "set_null"}, {"action": "delete", "value": "1"}):
        modules.fails("bad_repair", "integrity_repair", checks=[{**DUPLICATES, "repair": repair_of}])
    modules.fails("bad_repair", "integrity_repair", checks=[{**LANES, "repair": {"action": "set_value"}}])


def test_post_conditions_decide(db: Database, modules: Modules) -> None:
    # The first lane belongs to company 1 alone, so for all others this repairs nothing.
    wrong = {**LANES, "repair": {"action": "set_value", "value": "1"}}
    planned = plan(modules, [wrong])
    result = modules.fails("post_condition", "integrity_repair", checks=[wrong], plan_hash=planned["plan_hash"])
    (check,) = result["plan"]["checks"]
    assert 0 < check["remaining"] <= check["count"]
    # So does what gets worse by it, although it is not mended: lanes that become NULL.
    judge = {"name": "no_lane", "kind": "null_reference", "table": "Tickets", "column": "kanbanLane"}
    planned = plan(modules, [judge, LANES])
    result = modules.fails("post_condition", "integrity_repair", checks=[judge, LANES], plan_hash=planned["plan_hash"])
    assert "no_lane counts" in result["error"]["what"]
    assert db.value("SELECT count(*) FROM kanban_rollback.repairs") == 0


def test_a_check_that_does_not_count(db: Database, modules: Modules) -> None:
    gone = {**DUPLICATES, "name": "gone", "table": "Nothing"}
    assert plan(modules, [gone, LANES])["plan"]["checks"][0]["status"] == "not_applicable"
    assert not plan(modules, [gone, LANES])["plan"]["refused"]
    role = db.role("ops", "SELECT ON ALL TABLES IN SCHEMA public", "USAGE ON SCHEMA kanban_rollback")
    db.rows(f"GRANT SELECT ON ALL TABLES IN SCHEMA kanban_rollback TO {role}")
    reader = db.modules(role, incident_id=INCIDENT)
    codes = {row["code"] for row in plan(reader, [LANES, DUPLICATES])["plan"]["refused"]}
    assert codes == {"missing_privilege", "no_passage"}


def test_what_is_tolerated_stays(modules: Modules) -> None:
    found = {check["name"]: check["count"] for check in plan(modules)["plan"]["checks"]}
    checks = [{**PLAN[0], "tolerate": found["orphan_tags"]}, DUPLICATES]
    done = repair(modules, checks)
    assert counts(done) == {"orphan_tags": found["orphan_tags"], "duplicate_ticket_tags": 0}
    undo(modules)


def test_what_is_tolerated_stays_in_rows_that_another_check_mends(db: Database) -> None:
    db.rows("CREATE TABLE tags (id integer PRIMARY KEY, a integer, b integer)")
    db.rows("INSERT INTO tags VALUES (1, NULL, NULL), (2, NULL, 1), (3, 1, 1), (4, 1, 1), (5, 1, 1)")
    a = {"name": "a", "kind": "null_reference", "table": "tags", "column": "a"}
    checks: list[dict[str, Any]] = [
        {**a, "repair": {"action": "set_value", "value": "2"}},
        {**a, "name": "b", "column": "b", "tolerate": 1, "repair": {"action": "set_value", "value": "2"}},
    ]
    modules = ready(db, ["tags"])
    for given in (checks, checks[::-1]):
        done = repair(modules, given)
        assert counts(done) == {"a": 0, "b": 1}
        assert db.rows("SELECT a, b FROM tags WHERE id < 3 ORDER BY id") == [(2, None), (2, 1)]
        undo(modules)


def test_a_role_with_no_more_rights_than_it_needs(db: Database) -> None:
    load(db)
    role = db.role("ops", 'SELECT, DELETE ON "Tags", "TicketTags"', 'SELECT, UPDATE ("kanbanLane") ON "Tickets"')
    db.rows(f'GRANT SELECT ON "Companies", "Lanes" TO {role}')
    owner = db.modules(incident_id=INCIDENT)
    owner.ok("incident")
    # A ledger from before there was a quarantine, or a column for progress: the owner's next bootstrap makes them,
    # nobody else can.
    db.rows("DROP TABLE kanban_rollback.quarantined, kanban_rollback.repairs")
    db.rows("ALTER TABLE kanban_rollback.leases DROP COLUMN progress")
    db.rows(f"GRANT USAGE ON SCHEMA kanban_rollback TO {role}")
    db.rows(f"GRANT ALL ON ALL TABLES IN SCHEMA kanban_rollback TO {role}")
    owner.ok("write_fence", state="dormant", tables=["Tags", "TicketTags", "Tickets"], grant_to=[role])
    owner.ok("write_fence", tables=["Tags", "TicketTags", "Tickets"])
    modules = db.modules(role, incident_id=INCIDENT)
    before = whole(db)
    approved = plan(modules)
    assert not approved["plan"]["refused"]
    modules.fails("no_quarantine", "integrity_repair", checks=PLAN, plan_hash=approved["plan_hash"])
    assert whole(db) == before
    given: dict[str, Any] = {"grant_to": [role], "repairs": [{"table": "TicketTags"}]}
    assert db.modules().ok("ledger", **given)["changed"]
    assert not db.modules().ok("ledger", **given)["changed"]
    db.rows("SELECT progress FROM kanban_rollback.leases")
    repair(modules, [DUPLICATES, LANES])
    # Rows that lead to no row need more than that to come back, and the error says so.
    modules.fails("missing_privilege", "integrity_repair", state="undone")
    db.rows(f"GRANT SET ON PARAMETER session_replication_role TO {role}")
    db.rows(f'GRANT INSERT ON "TicketTags" TO {role}')
    assert undo(modules)["changed"]
    assert whole(db) == before
    db.rows(f"REVOKE SET ON PARAMETER session_replication_role FROM {role}")


def test_a_ledger_of_before_gets_its_quarantine_at_the_first_need(db: Database) -> None:
    load(db)
    modules = ready(db)
    db.rows("DROP TABLE kanban_rollback.quarantined, kanban_rollback.repairs")
    assert not undo(modules)["changed"]
    before = whole(db)
    repair(modules)
    undo(modules)
    assert whole(db) == before
