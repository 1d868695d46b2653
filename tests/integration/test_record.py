# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: opened once, events in a chain that shows what was touched, a lease for one at a time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.crowd import population, wait_for, waiting_for_locks
from tests.integration.module import Modules
from tests.integration.place import Database

TABLES = ["events", "files", "flag_changes", "incident_aliases", "incidents", "latched", "leases", "meta"]
TABLES += ["quarantined", "repairs"]


def tables(db: Database) -> list[str]:
    rows = db.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'kanban_rollback' ORDER BY 1")
    return [row[0] for row in rows]


def event(number: int) -> dict[str, Any]:
    return {"phase": "assess", "event": f"looked {number}", "data": {"números": [number, 1.5, None], "ok": True}}


def test_the_ledger_is_made_once_and_removed_whole(db: Database) -> None:
    modules = db.modules()
    assert modules.ok("ledger", check=True)["changed"] is True
    assert not db.has_ledger()
    made = modules.ok("ledger", environment="production")
    assert (made["changed"], made["ledger"]["usable"], made["ledger"]["environment"]) == (True, True, "production")
    assert tables(db) == TABLES
    assert modules.ok("ledger", environment="production")["changed"] is False
    assert modules.ok("ledger", state="absent", check=True)["changed"] is True
    assert db.has_ledger()
    assert modules.ok("ledger", state="absent")["changed"] is True
    assert not db.has_ledger()
    assert modules.ok("ledger", state="absent")["changed"] is False


def test_a_role_works_with_what_the_ledger_grants_it(db: Database) -> None:
    population(db)
    role = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies", "pg_read_all_stats")
    assert db.modules().ok("ledger", grant_to=[role])["changed"] is True
    assert db.modules().ok("ledger", grant_to=[role])["changed"] is False
    before = db.snapshot("companies")
    modules = db.modules(role, table="companies", column="settings", path=["kanbanV2Enabled"])
    done = modules.disable(environment="staging")
    assert (done["priors"]["kept_in"], done["warnings"]) == ("ledger", [])
    own = db.modules(role)
    own.ok("incident", incident_id="INC-1", event=event(1), aliases=["CHG-7"])
    own.ok("incident", incident_id="INC-1", lease="held", run_id="r")
    own.ok("incident", incident_id="INC-1", lease="released", run_id="r")
    assert modules.restore("CHG-7")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts
    assert own.ok("incident_info", incident_id="INC-1")["chain_broken_at"] == []
    own.ok("incident", incident_id="INC-1", state="closed")


def test_opened_found_again_and_closed(db: Database) -> None:
    modules = db.modules().having(incident_id="INC-1", operator="ana", reason="erro 500")
    assert modules.ok("incident", check=True)["changed"] is False
    assert not db.has_ledger()
    assert modules.ok("incident")["opened_now"] is True
    again = modules.ok("incident")
    assert (again["changed"], again["opened_now"]) == (False, False)
    (known,) = db.modules().ok("incident_info")["open"]
    assert (known["incident_id"], known["operator"], known["reason"]) == ("INC-1", "ana", "erro 500")
    assert known["age_seconds"] < 60
    assert modules.ok("incident", state="closed")["changed"] is True
    assert modules.ok("incident", state="closed")["changed"] is False
    told = db.modules().ok("incident_info")
    assert told["open"] == []
    assert told["incidents"][0]["closed_at"]


def test_what_was_never_opened_cannot_be_closed(db: Database) -> None:
    db.modules().ok("incident", incident_id="INC-1")
    result = db.modules().fails("unknown_incident", "incident", incident_id="INC-2", state="closed")
    assert result["known_incidents"] == ["INC-1"]


def test_aliases_mean_the_same_incident(db: Database) -> None:
    modules = db.modules()
    modules.ok("incident", incident_id="INC-1", aliases=["INC-7", "PD-99"])
    assert modules.ok("incident", incident_id="INC-1", aliases=["INC-7"])["changed"] is False
    found = modules.ok("incident", incident_id="PD-99", event=event(1))
    assert (found["incident_id"], found["opened_now"]) == ("INC-1", False)
    assert modules.ok("incident_info", incident_id="INC-7")["incidents"][0]["aliases"] == ["INC-7", "PD-99"]


def three_events(modules: Modules) -> None:
    for number in range(3):
        modules.ok("incident", incident_id="INC-1", run_id="run", event=event(number))


def test_events_are_kept_in_order_and_the_chain_holds(db: Database) -> None:
    modules = db.modules()
    three_events(modules)
    modules.ok("incident", incident_id="INC-1", run_id="another", event=event(9))
    told = modules.ok("incident_info", incident_id="INC-1")
    assert told["chain_broken_at"] == []
    assert [(one["run_id"], one["seq"]) for one in told["events"]] == [
        ("run", 1),
        ("run", 2),
        ("run", 3),
        ("another", 1),
    ]
    assert [one["event"] for one in told["events"]] == ["looked 0", "looked 1", "looked 2", "looked 9"]
    assert told["events"][1]["data"] == event(1)["data"]
    few = modules.ok("incident_info", incident_id="INC-1", events=2)
    # What is not returned does not count as removed.
    assert (len(few["events"]), few["chain_broken_at"]) == (2, [])


def test_what_was_done_in_open_incidents_is_read_without_what_a_watch_tries(db: Database) -> None:
    modules = db.modules()
    said = {"INC-1": ("contain", "disabled"), "INC-2": ("re-enable", "restored"), "INC-3": ("release", "released")}
    for incident, (phase, name) in said.items():
        modules.ok("incident", incident_id=incident, run_id="run", event={"phase": phase, "event": name})
        modules.ok("incident", incident_id=incident, run_id="run", event={"phase": "validate", "event": "watched"})
    modules.ok("incident", incident_id="INC-3", state="closed")
    found = modules.ok("incident_info", done=True)["done"]
    assert [(one["incident_id"], one["phase"], one["event"]) for one in found] == [
        ("INC-1", "contain", "disabled"),
        ("INC-2", "re-enable", "restored"),
    ]
    assert all(set(one) == {"incident_id", "at", "phase", "event"} and one["at"].endswith("Z") for one in found)
    assert "done" not in modules.ok("incident_info")


@pytest.mark.parametrize(
    ("tampering", "where"),
    [
        ("""UPDATE kanban_rollback.events SET data = data || '{"ok": false}' WHERE seq = 2""", "run/2: changed"),
        ("UPDATE kanban_rollback.events SET event = 'looked' WHERE seq = 1", "run/1: changed"),
        ("UPDATE kanban_rollback.events SET at = '2026-01-01T00:00:00.000000Z' WHERE seq = 3", "run/3: changed"),
        ("UPDATE kanban_rollback.events SET hash = md5(hash) WHERE seq = 1", "run/1: changed"),
        ("DELETE FROM kanban_rollback.events WHERE seq = 2", "run/2: missing"),
        ("DELETE FROM kanban_rollback.events WHERE seq = 1", "run/1: missing"),
    ],
)
def test_the_chain_shows_what_was_touched(db: Database, tampering: str, where: str) -> None:
    three_events(db.modules())
    db.rows(tampering)
    assert db.modules().ok("incident_info", incident_id="INC-1")["chain_broken_at"] == [where]


def test_a_switch_writes_its_event(db: Database) -> None:
    modules = population(db)
    modules.disable(operator="ana", reason="erro", run_id="r1")
    modules.disable(run_id="r2")
    modules.restore(run_id="r3")
    told = db.modules().ok("incident_info", incident_id="INC-1")
    assert told["chain_broken_at"] == []
    seen = [(one["run_id"], one["phase"], one["event"], one["data"]["changed_count"]) for one in told["events"]]
    # A kill that found nothing to switch counts too: somebody stopped it.
    assert seen == [
        ("r1", "contain", "disabled", 50),
        ("r2", "contain", "disabled", 0),
        ("r3", "re-enable", "restored", 50),
    ]
    assert told["events"][0]["data"]["operator"] == "ana"


def test_the_lease_is_held_by_one_run(db: Database) -> None:
    modules = db.modules()
    modules.ok("incident", incident_id="INC-1", operator="ana", run_id="a", lease="held", lease_seconds=60)
    modules.ok("incident", incident_id="INC-1", operator="ana", run_id="a", lease="held", lease_seconds=60)
    other: dict[str, Any] = {"incident_id": "INC-1", "operator": "bia", "run_id": "b"}
    result = modules.fails("lease_held", "incident", lease="held", **other)
    assert "ana" in result["error"]["what"]
    assert (result["lease"]["holder"], result["lease"]["run_id"]) == ("ana", "a")
    modules.ok("incident", lease="released", **other)
    assert modules.ok("incident_info")["lease"]["holder"] == "ana"
    modules.ok("incident", lease="held", lease_by_force=True, **other)
    assert modules.ok("incident_info")["lease"]["holder"] == "bia"
    assert modules.ok("incident", lease="released", **other)["changed"] is True
    assert modules.ok("incident_info")["lease"] is None


def test_a_lease_without_a_sign_of_life_is_anybodys(db: Database) -> None:
    modules = db.modules()
    modules.ok("incident", incident_id="INC-1", run_id="a", lease="held", lease_seconds=1)
    modules.fails("lease_held", "incident", incident_id="INC-1", run_id="b", lease="held")
    time.sleep(1.1)
    modules.ok("incident", incident_id="INC-1", run_id="b", operator="bia", lease="held")
    assert modules.ok("incident_info")["lease"]["run_id"] == "b"


def test_the_same_person_waits_for_the_lease_of_a_run_that_was_killed_and_for_nobody_elses(db: Database) -> None:
    modules = db.modules()
    modules.ok("incident", incident_id="INC-1", operator="ana", run_id="a", lease="held", lease_seconds=2)
    again: dict[str, Any] = {"incident_id": "INC-1", "lease": "held", "lease_seconds": 60}
    began = time.monotonic()
    modules.fails("lease_held", "incident", operator="bia", run_id="b", lease_wait=20, **again)
    modules.fails("lease_held", "incident", operator="ana", run_id="c", lease_wait=0.1, **again)
    assert time.monotonic() - began < 2
    modules.ok("incident", operator="ana", run_id="c", lease_wait=20, **again)
    assert 1.5 < time.monotonic() - began < 10
    assert modules.ok("incident_info")["lease"]["run_id"] == "c"


def test_info_without_a_ledger(db: Database, directory: Any) -> None:
    told = db.modules().ok("incident_info", incident_id="INC-1", state_dir=str(directory))
    assert (told["incidents"], told["open"], told["lease"], told["ledger"]["present"]) == ([], [], None, False)
    assert not db.has_ledger()


def test_controllers_that_start_at_once_make_one_ledger_and_one_incident(db: Database) -> None:
    modules = db.modules()
    # The first one waits here, and the other behind it; then both go on at once.
    with (
        db.transaction("CREATE SCHEMA kanban_rollback") as gate,
        modules.start("incident", incident_id="INC-1", incident_adopt=True) as one,
        modules.start("incident", incident_id="INC-2", incident_adopt=True) as two,
    ):
        wait_for(lambda: waiting_for_locks(db) == 2, "both stand in line", seconds=3)
        gate.rollback()
        results = [one.result(), two.result()]
    assert not any(result.get("failed") for result in results), results
    assert sorted(result["opened_now"] for result in results) == [False, True]
    (known,) = db.modules().ok("incident_info")["incidents"]
    assert {known["incident_id"], *known["aliases"]} == {"INC-1", "INC-2"}
