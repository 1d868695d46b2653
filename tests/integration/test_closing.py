# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing an incident while somebody stops it again leaves no prior value under one that nobody looks for."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import on, population, wait_for
from tests.integration.journals import Place as Reported
from tests.integration.metrics import application
from tests.integration.module import Modules, failed
from tests.integration.place import Database
from tests.integration.returns import ALL, Return

# A batch of a kill that takes long between its record and its commit.
DAWDLES = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
CREATE TRIGGER zz_dawdle AFTER INSERT ON kanban_rollback.flag_changes FOR EACH ROW
  WHEN (NEW.action = 'disabled') EXECUTE FUNCTION dawdle();
"""
SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
# Nobody may open an incident again.
NOT_REOPENED = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not by you'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON kanban_rollback.incidents FOR EACH ROW
  WHEN (NEW.closed_at IS NULL) EXECUTE FUNCTION refuse();
"""


def undone(db: Database) -> tuple[Modules, dict[str, Any]]:
    """Stop and undo; return modules, and the options that close the incident as the undo does."""
    modules = population(db)
    modules.disable()
    told = modules.restore()
    return modules, {"incident_id": "INC-1", "state": "closed", "switched_off": told["switched_off"]}


def is_open(db: Database) -> bool:
    return [row["incident_id"] for row in db.modules().ok("incident_info")["open"]] == ["INC-1"]


def test_what_was_undone_is_closed_also_with_tenants_that_stay_as_they_are(db: Database) -> None:
    modules = population(db)
    modules.disable()
    db.rows("UPDATE companies SET settings = '{}' WHERE id IN (3, 4)")
    told = modules.restore()
    assert (told["changed_since"], told["switched_off"]) == (["3", "4"], 50)
    assert db.modules().ok("incident_info")["open"][0]["switched_off"] == 50
    assert modules.restore(check=True)["switched_off"] == 50
    for changed in (True, False):
        closed = db.modules().ok("incident", incident_id="INC-1", state="closed", switched_off=50)
        assert (closed["changed"], is_open(db)) == (changed, False)


def test_what_is_open_is_told_also_to_a_role_that_may_not_read_what_was_changed(db: Database) -> None:
    population(db).disable()
    db.rows("INSERT INTO kanban_rollback.incidents (incident_id, opened_at) VALUES ('INC-0', '2026-01-01')")
    role = db.role("reader", "SELECT ON companies")
    db.modules().ok("ledger", environment="staging", grant_to=[role])
    for number, revoke in ((50, "SELECT 1"), (None, f"REVOKE SELECT ON kanban_rollback.flag_changes FROM {role}")):
        db.rows(revoke)
        found = db.modules(role).ok("incident_info")["open"]
        expected = [("INC-1", number), ("INC-0", number and 0)]
        assert [(row["incident_id"], row["switched_off"]) for row in found] == expected


def test_a_stop_since_the_undo_keeps_its_incident_open(db: Database) -> None:
    modules, close = undone(db)
    modules.disable(tenants=[3, 4])
    refused = db.modules().fails("stopped_again", "incident", **close)
    assert "2 tenants" in refused["error"]["what"]
    assert is_open(db)
    assert modules.restore()["switched_off"] == 52
    # A person who means to can still close it, and it is found by its name.
    modules.disable(tenants=[3, 4])
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    assert not is_open(db)
    assert (modules.restore()["changed_count"], len(on(db))) == (2, 50)


@pytest.mark.parametrize("looked", [{}, {"switched_off": 50}], ids=["as a report does", "as the undo does"])
def test_nobody_closes_an_incident_on_which_another_run_is_at_work(db: Database, looked: dict[str, Any]) -> None:
    """What that run records next would open another incident, under the same name."""
    population(db).disable()
    close = {"incident_id": "INC-1", "state": "closed", **looked}
    db.modules().ok("incident", incident_id="INC-1", run_id="a", operator="ana", lease="held", lease_seconds=600)
    refused = db.modules().fails("lease_held", "incident", run_id="b", **close)
    assert "ana is at work on it" in refused["error"]["what"]
    assert is_open(db)
    # A run that has been lost holds nobody up for longer than its lease, and its own end is its own.
    db.rows("UPDATE kanban_rollback.leases SET expires_at = clock_timestamp()")
    assert db.modules().ok("incident", run_id="b", **close)["changed"]
    db.modules().ok("incident", incident_id="INC-1", run_id="a", lease="held", lease_seconds=600)
    db.rows("UPDATE kanban_rollback.incidents SET closed_at = NULL")
    assert db.modules().ok("incident", run_id="a", **close)["changed"]
    # Work on one is no reason to leave another open.
    db.modules().ok("incident", incident_id="INC-2")
    assert db.modules().ok("incident", run_id="b", incident_id="INC-2", state="closed")["changed"]


def test_a_batch_that_is_being_committed_is_waited_for_and_seen(db: Database) -> None:
    modules, close = undone(db)
    db.rows(DAWDLES)
    with modules.start("feature_flag", state="disabled", incident_id="INC-1") as kill:
        wait_for(lambda: db.value(SLEEPS) == 1, "a batch that is not committed yet")
        db.modules().fails("stopped_again", "incident", **close)
        killed = kill.result()
    assert not killed.get("failed"), killed
    assert (killed["priors"]["kept_in"], killed["warnings"], on(db)) == ("ledger", [], [])
    assert is_open(db)


def test_who_writes_under_it_for_long_is_not_waited_for_and_no_kill_waits_meanwhile(db: Database) -> None:
    modules, close = undone(db)
    share = "SELECT FROM kanban_rollback.incidents FOR KEY SHARE"
    with db.transaction(share), db.modules().start("incident", **close) as closing:
        killed = modules.disable(tenants=[3])
        assert (killed["priors"]["kept_in"], killed["warnings"], closing.runs) == ("ledger", [], True)
        assert "somebody writes under it" in failed(closing.result(), "busy")["error"]["what"]
        assert closing.seconds < 5 + 10
    assert is_open(db)


@pytest.mark.parametrize("may", [True, False])
def test_a_kill_whose_incident_is_closed_under_way_opens_it_again(db: Database, may: bool) -> None:
    modules, close = undone(db)
    if not may:
        db.rows(NOT_REOPENED)
    # The adopted id shows that it has joined; then it waits for the table.
    with (
        db.transaction("LOCK TABLE companies IN EXCLUSIVE MODE") as holder,
        modules.start("feature_flag", state="disabled", incident_id="INC-9", incident_adopt=True) as kill,
    ):
        wait_for(lambda: db.value("SELECT count(*) FROM kanban_rollback.incident_aliases") == 1, "the kill has joined")
        db.modules().ok("incident", **close)
        holder.rollback()
        killed = kill.result()
    assert not killed.get("failed"), killed
    assert (killed["changed_count"], killed["priors"]["kept_in"], on(db)) == (50, "ledger", [])
    assert is_open(db) is may
    (warning,) = killed["warnings"]
    assert ("was closed meanwhile; it is open again" if may else "name it to undo this: INC-1") in warning
    assert modules.restore()["changed_count"] == 50


@pytest.fixture
def back(db: Database, directory: Path) -> Iterator[Return]:
    with application(directory / "answers") as app:
        yield Return(db, app, directory)


@contextlib.contextmanager
def a_colleague(directory: Path, kill: Callable[[], Any], moment: str) -> Iterator[str]:
    """Give an operator's name that, evaluated at a moment, first lets a colleague's kill start and finish."""
    go, gone = directory / "go", directory / "gone"
    wait = f"touch {go}; while [ ! -e {gone} ]; do sleep 0.1; done; echo ana"

    def kills() -> None:
        try:
            wait_for(go.exists, "somebody is about to close", seconds=120)
            kill()
        finally:
            gone.touch()

    colleague = threading.Thread(target=kills)
    colleague.start()
    yield f"{{{{ lookup('pipe', '{wait}') if {moment} else 'ana' }}}}"
    colleague.join()


@pytest.mark.timeout(600)
def test_an_undo_says_that_it_closed_nothing_where_somebody_stopped_it_again(back: Return) -> None:
    """The stop comes between its last look and the close."""
    moment = "__reenable_again is defined and __reenable_closing is not defined and __reenable_over | default(false)"
    with a_colleague(back.directory, lambda: back.flag.disable(tenants=[3, 4, 5]), moment) as operator:
        back.variables["kanban_operator"] = operator
        run = back.run(kanban_reenable="all", kanban_close=True)
    assert on(back.db) == [tenant for tenant in ALL if tenant not in (3, 4, 5)], run.output
    assert (run.rc != 0, is_open(back.db)) == (True, True), run.output
    assert "incident NOT CLOSED" in run.screen
    assert "switched 3 tenants off" in run.screen
    assert "Next: ask who stopped it again" in run.screen
    assert "is closed" not in run.screen


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_return_in_stages_closes_nothing_either(back: Return) -> None:
    moment = "__reenable_last is defined and __reenable_ending is not defined"
    with a_colleague(back.directory, lambda: back.flag.disable(tenants=[3, 4, 5]), moment) as operator:
        back.variables.update(kanban_operator=operator, kanban_stages=[100])
        run = back.run(kanban_close=True)
    assert (run.rc != 0, is_open(back.db)) == (True, True), run.output
    assert "switched 3 tenants off" in run.screen
    assert "is closed" not in run.screen


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_report_closes_over_who_is_to_stay_off_and_not_over_a_stop_of_that_moment(
    db: Database, directory: Path
) -> None:
    flag, place = population(db), Reported(db, directory)
    flag.disable(tenants=[1, 2])
    moment = "hostvars['localhost'].__report_close is defined and __report_closed is not defined"
    with a_colleague(directory, lambda: flag.disable(tenants=[3, 4, 5]), moment) as operator:
        run = place.run("report", kanban_close=True, kanban_operator=operator)
    assert (run.rc != 0, is_open(db)) == (True, True), run.output
    assert "INC-1 IS NOT CLOSED EVERYWHERE: Incident INC-1 is not closed: somebody stopped it again" in run.screen
    run = place.run("report", kanban_close=True)
    assert (run.rc, is_open(db)) == (0, False), run.output
    assert "INC-1 is closed" in run.screen


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_name_that_means_another_incident_in_another_ledger_is_closed_in_each(db: Database, directory: Path) -> None:
    place, other = Reported(db, directory), Database(db.server, f"{db.name}b")
    db.server.create_database(other.name)
    try:
        db.modules().ok("incident", incident_id="INC-1", aliases=["INC-2"])
        other.modules().ok("incident", incident_id="INC-2")
        host = {"kanban_postgresql_db": other.name}
        more: dict[str, Any] = {"all": {"children": {"db": {"hosts": {"db2": host}}}}}
        (directory / "more.json").write_text(json.dumps(more), encoding="utf-8")
        run = place.run("report", "-i", "more.json", kanban_close=True, kanban_incident_id="INC-2")
        assert [one.modules().ok("incident_info")["open"] for one in (db, other)] == [[], []], run.output
        assert "INC-1, INC-2 are closed" in run.screen
        # A report was looked for in both: there is nothing that it could show.
        assert [f"NO REPORT: {name}: neither" in run.screen for name in ("INC-1", "INC-2")] == [True, True]
    finally:
        other.drop()


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_what_was_closed_with_tenants_off_is_undone_by_its_name(back: Return) -> None:
    back.db.modules().ok("incident", incident_id="INC-1", state="closed")
    run = back.run(kanban_reenable="all")
    assert (run.rc != 0, on(back.db)) == (True, []), run.output
    assert f"INC-1 was closed with {len(ALL)} tenants off. Name the incident" in run.output
    run = back.run(kanban_reenable="all", kanban_incident_id="INC-1")
    assert (run.rc, on(back.db), is_open(back.db)) == (0, ALL, False), run.output
    assert "Incident INC-1 is closed." in run.screen
