# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate over several tries: the series in the ledger, another run that continues it, and a ledger that is down."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.integration.metrics import age_samples
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.servers import Postgres, workspace

INCIDENT = "INC-20261125-042"
LIMITS = {"error_rate": {"max": 0.1, "unit": "%"}}


@pytest.fixture
def modules(db: Database) -> Modules:
    """Modules on a database in whose ledger an incident is open."""
    made = db.modules(incident_id=INCIDENT)
    made.ok("incident", operator="ana")
    return made


def attempt(modules: Modules, value: Any, host: str = "app1", check: bool = False, **options: Any) -> Result:
    sample = {"metric": "error_rate", "host": host, "value": value}
    if isinstance(value, str):
        sample.update(value=None, code=value, error=f"{value}: nothing listens there")
    given = {"gate": "scenario1", "thresholds": LIMITS, "samples": [sample], **options}
    return modules.ok("metric_gate", check, **given)


def events(modules: Modules) -> list[dict[str, Any]]:
    found = modules.ok("incident_info")
    assert found["chain_broken_at"] == []
    return [event for event in found["events"] if event["source"] == "metric_gate"]


def test_each_try_is_an_event_and_the_next_is_judged_with_it(modules: Modules) -> None:
    done = [attempt(modules, value) for value in (0.02, 3.5, 3.5, "refused", 3.5)]
    assert [one["verdict"] for one in done] == ["ok", "unstable", "unstable", "unstable", "degraded"]
    assert [one["try"] for one in done] == [1, 2, 3, 4, 5]
    assert [one["resumed"] for one in done] == [False, True, True, True, True]
    assert all((one["changed"], one["ledger_kept"], one["incident_id"]) == (True, True, INCIDENT) for one in done)
    (host,) = done[-1]["metrics"][0]["hosts"]
    assert (host["signs"], host["bad"], host["missing"], host["value"]) == ("gbbnb", 3, 1, 3.5)
    kept = events(modules)
    assert [(event["phase"], event["event"], event["data"]["gate"]) for event in kept] == [
        ("validate", "gate sample", "scenario1")
    ] * 5
    assert [event["data"]["verdict"] for event in kept] == [one["verdict"] for one in done]
    assert kept[3]["data"]["samples"] == [
        {
            "metric": "error_rate",
            "host": "app1",
            "value": None,
            "code": "refused",
            "error": "refused: nothing listens there",
        }
    ]


def test_a_run_that_knows_nothing_goes_on_and_gates_do_not_mix(modules: Modules) -> None:
    first = attempt(modules, 0.0)
    second = attempt(modules, 0.0, history=first["series"])
    assert (second["try"], second["resumed"]) == (2, False)
    assert not second["settled"]
    other = attempt(modules, 9.0, gate="scenario2")
    assert (other["try"], other["verdict"]) == (1, "unstable")
    third = attempt(modules, 0.0)
    assert (third["try"], third["resumed"], third["settled"], third["verdict"]) == (3, True, True, "ok")
    assert 0 < third["watched_before"] < third["watched_seconds"] < 30
    assert [one["try"] for one in third["series"]] == [1, 2, 3]


def test_another_stop_has_a_watch_of_its_own_also_where_the_ledger_comes_back_late(
    db: Database, modules: Modules
) -> None:
    """The first stop's watch is finished and good; at the second stop's first try the ledger cannot be reached."""
    for _number in range(4):
        earlier = attempt(modules, 0.0)
    assert (earlier["watch"], earlier["settled"]) == (1, True)
    first = attempt(modules.having(login_port=1), 0.0, anew=True)
    assert (first["try"], first["ledger_kept"]) == (1, False)
    second = attempt(modules, 0.0, anew=True, history=first["series"])
    assert (second["watch"], second["try"], second["settled"], second["resumed"]) == (2, 2, False, False)
    assert (second["ledger_kept"], second["watched_seconds"] < 30) == (True, True)
    third = attempt(modules, 0.0, anew=True, history=second["series"])
    assert (third["watch"], third["try"], third["settled"]) == (2, 3, True)
    # The same command, typed again, continues the newer watch.
    again = attempt(modules, 0.0)
    assert (again["watch"], again["try"], again["resumed"]) == (2, 4, True)
    # So does any other call for the same stop, except that a watch begun without the ledger stays its own.
    alone = attempt(modules.having(login_port=1), 0.0)
    back = attempt(modules, 0.0, history=alone["series"])
    assert (back["watch"], back["try"], back["settled"]) == (3, 2, False)


def test_growth_is_that_of_the_whole_watch_and_another_run_goes_on_with_it(modules: Modules) -> None:
    """A leak of 3 % a minute: 15 % in the window, 33 % in all; its source is dead once in between."""
    limit = {"max": 20, "growth": "percent", "no_data": "ignore"}
    limits: dict[str, Any] = {"thresholds": {"error_rate": limit}, "window": 6}
    for number in range(12):
        sample = {"metric": "error_rate", "host": "app1", "value": 100 + 3 * number, "at": 1000 + number * 60}
        found = attempt(modules, 0.0, samples=[sample], **limits)
        # Each try is another run; one of them has only the caller's history, no ledger.
        if number == 8:
            dead = {**sample, "value": None, "code": "status", "error": "HTTP 503"}
            alone = attempt(modules.having(login_port=1), 0.0, samples=[dead], history=found["series"], **limits)
            assert alone["series"][-1]["samples"][0]["line"]["count"] == 9
    assert [one["try"] for one in found["series"]] == [7, 8, 9, 10, 11, 12]
    assert found["metrics"][0]["value"] == pytest.approx(33)
    assert found["verdict"] == "degraded"


def test_a_watch_remembers_when_it_was_not_ok_and_so_does_another_run(db: Database, modules: Modules) -> None:
    for value in (0.0, 9.0, 0.0, 0.0, 0.0, 0.0):
        found = attempt(modules, value, window=3)
        age_samples(db, 10)
    assert [(spell["verdict"], round(spell["from"], -1), round(spell["to"], -1)) for spell in found["spells"]] == [
        ("unstable", 10, 30)
    ]
    assert found["verdict"] == "ok"


@pytest.mark.parametrize(
    ("values", "duration", "watch"),
    [
        pytest.param([0.0, 9.0, 9.0, 0.0], 30, 2, id="not-steady"),
        pytest.param([0.0, *[None] * 6], 60, 2, id="no-data-in-the-end"),
        # Whoever asks again to act on that waits for no other watch.
        pytest.param([9.0, 9.0, 9.0], 600, 1, id="degraded-before-its-end"),
        pytest.param([0.0, 9.0, 9.0, 0.0], 600, 1, id="interrupted"),
        pytest.param([0.0, 0.0, 0.0, 0.0], 30, 1, id="passed"),
        pytest.param([0.0, 9.0, 9.0, 0.0], 0, 1, id="of-no-known-end"),
    ],
)
def test_a_watch_that_ended_badly_is_not_gone_on_with(
    db: Database, modules: Modules, values: list[float | None], duration: float, watch: int
) -> None:
    history: list[Any] = []
    for value in values:
        found = attempt(modules, value, history=history, duration=duration, window=3)
        history = found["series"]
        age_samples(db, 10)
    # Its own run is in the same watch to the end.
    assert found["watch"] == 1
    again = attempt(modules, 0.0, duration=duration, window=3)
    assert (again["watch"], again["resumed"]) == (watch, watch == 1)


def test_what_is_bad_after_a_watch_that_has_passed_is_watched_and_not_one_try_of_it(
    db: Database, modules: Modules
) -> None:
    history: list[Any] = []
    for _time in range(4):
        history = attempt(modules, 0.0, history=history, duration=30, window=3)["series"]
        age_samples(db, 10)
    again = attempt(modules, 9.0, duration=30, window=3)
    assert (again["watch"], again["try"], again["resumed"]) == (2, 1, False)


def test_two_names_of_one_database_make_one_try_of_one_sample(modules: Modules) -> None:
    history: list[Any] = []
    for number in (1, 2, 3):
        sample = {"metric": "error_rate", "host": "app1", "value": 9.0, "at": 1000.0 + 10 * number}
        given: dict[str, Any] = {"samples": [sample], "history": history, "lease_seconds": 60}
        both = [attempt(modules, 0.0, **given) for _name in ("db1", "alias")]
        for one in both:
            assert (one["watch"], one["try"], one["resumed"], one["ledger_kept"]) == (1, number, False, True)
            assert (one["lease"]["held"], one["kills"]) == (False, 0)
        assert both[0]["series"][-1] == both[1]["series"][-1]
        assert both[0]["verdict"] == ("degraded" if number == 3 else both[1]["verdict"])
        history = both[0]["series"]
    assert [event["data"]["try"] for event in events(modules)] == [1, 2, 3]


def test_a_watch_that_nobody_went_on_with_is_over_and_a_pause_was_not_watched(db: Database, modules: Modules) -> None:
    attempt(modules, 9.0, interval=2)
    age_samples(db, 60)
    later = attempt(modules, 0.0, interval=2)
    assert (later["watch"], later["try"], later["watched_seconds"]) == (1, 2, 6)
    age_samples(db, 3600)
    after = attempt(modules, 0.0, interval=2)
    assert (after["watch"], after["try"], after["watched_seconds"], after["resumed"]) == (2, 1, 0, False)
    assert after["verdict"] == "ok"
    assert [(one["watch"], one["try"]) for one in attempt(modules, 0.0)["series"]] == [(2, 1), (2, 2)]


def test_check_mode_judges_and_keeps_nothing(modules: Modules) -> None:
    attempt(modules, 0.0)
    done = attempt(modules, 3.0, check=True)
    assert (done["changed"], done["ledger_kept"], done["try"], done["verdict"]) == (False, False, 2, "unstable")
    assert len(events(modules)) == 1


def test_numbers_that_a_ledger_writes_in_another_way_leave_the_chain_whole(modules: Modules) -> None:
    numbers = [1e22, 1.5e300, 1e16, 123456789012345678.0, -0.0, 1e-7, 5e-324, 41.0, 0.1 + 0.2]
    for number in numbers:
        attempt(modules, number)
    counters = {"how": "ratio", "count": 1e17, "of": 3e18, "scale": 100.0}
    raw = {"metric": "share", "host": "app1\x00\ud83d", "value": None, "raw": counters}
    attempt(modules, 0.0, samples=[raw])
    found = [event["data"]["samples"][0] for event in events(modules)]
    assert [one["value"] for one in found][:-1] == numbers
    again = {**raw, "raw": {**counters, "count": 1.1e17, "of": 3.5e18}}
    done = attempt(modules, 0.0, samples=[again])
    assert next(one for one in done["samples"] if one["metric"] == "share")["value"] == pytest.approx(2.0)
    assert events(modules)


def test_without_a_ledger_that_can_be_used_history_is_enough_and_it_is_said(db: Database, modules: Modules) -> None:
    unusable = {
        "no such incident": (modules.having(incident_id="INC-9"), "It has no incident"),
        "nothing listens": (modules.having(login_port=1), "refused"),
    }
    for where, text in unusable.values():
        first = attempt(where, 3.0)
        second = attempt(where, 3.0, history=first["series"])
        third = attempt(where, 3.0, history=second["series"])
        assert (third["verdict"], third["try"], third["ledger_kept"], third["changed"]) == ("degraded", 3, False, False)
        assert text in str(third["warnings"])
    # The ledger is down for the second try, and has all three when it is back.
    first = attempt(modules, 3.0)
    second = attempt(modules.having(login_port=1), 3.0, history=first["series"])
    third = attempt(modules, 3.0, history=second["series"])
    assert (third["try"], third["verdict"], third["ledger_kept"]) == (3, "degraded", True)
    db.rows("DROP SCHEMA kanban_rollback CASCADE")
    assert "There is none" in str(attempt(modules, 0.0)["warnings"])
    assert not db.has_ledger()


def test_without_an_incident_no_database_is_asked() -> None:
    done = attempt(Modules({"login_host": "127.0.0.1", "login_port": 1}), 0.0)
    assert (done["verdict"], done["ledger_kept"], done["warnings"]) == ("ok", False, [])


def test_a_ledger_of_another_environment_is_refused(db: Database, modules: Modules) -> None:
    db.modules().ok("ledger", environment="staging")
    options: dict[str, Any] = {"thresholds": LIMITS, "samples": [], "environment": "production"}
    modules.fails("other_environment", "metric_gate", **options)


def test_two_controllers_give_no_two_tries_one_number(modules: Modules) -> None:
    given: dict[str, Any] = {
        "gate": "g",
        "thresholds": LIMITS,
        "samples": [{"metric": "error_rate", "host": "app1", "value": 0}],
    }
    running = [modules.start("metric_gate", **given) for _controller in range(4)]
    try:
        done = [one.result() for one in running]
    finally:
        for one in running:
            one.__exit__(None, None, None)
    assert sorted(one["try"] for one in done) == [1, 2, 3, 4]
    assert all(one["ledger_kept"] for one in done)


def test_a_least_privileged_role_keeps_the_series(db: Database, modules: Modules) -> None:
    role = db.role("ops")
    db.modules().ok("ledger", grant_to=[role])
    assert attempt(db.modules(role, incident_id=INCIDENT), 0.0)["ledger_kept"]


def test_options_that_would_judge_by_chance_are_refused(modules: Modules) -> None:
    for options, code in (
        ({"thresholds": {"error_rate": {"maximum": 1}}}, "bad_threshold"),
        ({"thresholds": LIMITS, "window": 0}, "bad_window"),
        ({"thresholds": LIMITS, "samples": [{"value": 1}]}, "bad_sample"),
        ({"thresholds": LIMITS, "history": [{"try": 1}]}, "bad_history"),
    ):
        modules.fails(code, "metric_gate", **options)


def test_a_replica_leaves_it_to_its_primary(server: Postgres, db: Database, modules: Modules) -> None:
    with workspace() as directory, contextlib.ExitStack() as stack:
        standby = Postgres(directory / "standby", fsync=False)
        stack.callback(standby.stop)
        standby.standby_of(server)
        attempt(modules, 0.0)
        standby.wait_for_replay()
        there = modules.having(login_host=standby.host, login_port=standby.port)
        metrics = [{"name": "errors", "source": "sql", "query": "SELECT 3"}]
        skipped = attempt(there, 0.0, metrics=metrics, on_replica="skip")
        assert (skipped["skipped"], skipped["replica"], skipped["samples"]) == (True, True, [])
        assert "verdict" not in skipped
        read = attempt(there, 0.0, metrics=metrics)
        assert (read["replica"], read["verdict"], read["ledger_kept"]) == (False, "ok", False)
        assert {one["metric"]: one["value"] for one in read["samples"]} == {"errors": 3, "error_rate": 0}
        assert "read-only" in str(read["warnings"])
    assert len(events(modules)) == 1
