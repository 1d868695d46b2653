# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role observe as a play runs it, on local connections: progress, ends, a lost terminal, hosts that are gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.metrics import HTML, age_samples, application
from tests.integration.place import Database
from tests.integration.watches import INCIDENT, Watch
from tests.support.processes import wait_until

GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture
def watch(db: Database, directory: Path) -> Iterator[Watch]:
    with application(directory / "answers") as app:
        yield Watch(db, app, directory)


@pytest.mark.drill
def test_a_plan_takes_one_sample_and_keeps_nothing(watch: Watch) -> None:
    left = watch.run("--check")
    assert (left["try"], left["ledger_kept"], watch.events) == (1, False, [])
    assert "3 metrics would be watched for 01:00, every 1 s; now: error rate 0.02 % ok" in watch.output


@pytest.mark.parametrize("missing", [pytest.param("server", marks=pytest.mark.drill), "host"])
def test_degraded_ends_a_watch_and_without_a_ledger_it_is_judged_as_well(watch: Watch, missing: str) -> None:
    """By the database's host if its server is gone, and by the controller if the host is."""
    watch.variables.update(observe_end="whole", observe_names=["error_rate"])
    if missing == "server":
        watch.variables["kanban_postgresql_port"] = 1
    else:
        watch.hosts["db"]["db1"] = GONE
    watch.app.says("metrics", {"errorRate": 7})
    left = watch.run()
    assert (left["verdict"], left["passed"], left["try"], left["ledger_kept"]) == ("degraded", False, 2, False)
    assert "the metrics of scenario1 are degraded: error rate 7 % DEGRADED (at most 0.1 %; app1)" in watch.output
    assert "not in the ledger: another run could not go on with this" in watch.output


@pytest.mark.drill
def test_a_whole_watch_takes_its_time_and_no_longer(watch: Watch) -> None:
    watch.variables.update(observe_end="whole", observe_seconds=5, observe_interval=2)
    began = time.monotonic()
    left = watch.run()
    assert 5 <= time.monotonic() - began < 60
    assert (left["verdict"], left["passed"]) == ("ok", True)
    # Two good tries would have been enough for the first ok; a module takes a while on a busy machine.
    assert 5 <= left["watched_seconds"] <= 11
    *_before, (_try, last) = watch.events
    assert last == "ok"


@pytest.mark.drill
def test_the_first_ok_takes_as_many_as_its_thresholds_say(watch: Watch) -> None:
    left = watch.run()
    assert (left["try"], left["passed"], left["resumed"], left["watch"]) == (2, True, False, 1)
    assert [verdict for _try, verdict in watch.events] == ["ok", "ok"]


@pytest.mark.drill
@pytest.mark.parametrize(("names", "tries"), [(["error_rate"], 1), (["error_rate", "errors"], 2)])
def test_what_there_is_nobody_to_ask_for_is_not_waited_for(watch: Watch, names: list[str], tries: int) -> None:
    watch.hosts["app"] = {}
    watch.variables["observe_names"] = names
    left = watch.run()
    assert (left["try"], left["ended"], left["passed"], left["verdict"]) == (tries, True, False, "no_data")
    assert "error rate NO DATA (nobody was asked)" in watch.output


@pytest.mark.drill
def test_the_first_ok_ends_it_and_a_lost_terminal_is_gone_on_with(watch: Watch) -> None:
    watch.app.says("metrics", {"errorRate": 7})
    watch.variables["observe_seconds"] = 600
    lost = watch.start()
    try:
        assert wait_until(lambda: len(watch.events) >= 2, 60), watch.output
    finally:
        lost.kill()
    before = len(watch.events)
    watch.app.says("metrics", {"errorRate": 0.02})
    left = watch.run()
    assert (left["verdict"], left["passed"], left["ended"], left["resumed"]) == ("ok", True, True, True)
    # A module that was running when the terminal was lost may have kept one more.
    assert before + 2 <= left["try"] <= before + 3
    assert [number for number, _verdict in watch.events] == list(range(1, left["try"] + 1))
    assert left["watched_seconds"] > left["series"][1]["seconds"] > 0
    asked = {(metric["name"], host["host"]) for metric in left["metrics"] for host in metric["hosts"]}
    assert asked == {("error_rate", "app1"), ("errors", "db1"), ("public", "localhost")}
    assert (left["unmeasured"], left["silent"], left["ledger_kept"]) == (["dnd_p95"], {}, True)
    assert f"scenario1, try {left['try']} of 601, 00:" in watch.output
    assert "of 10:00: error rate 0.02 % ok, errors 3 ok, public" in watch.output
    assert "the 3 metrics of scenario1 are good" in watch.output
    assert "gone on with after an earlier run" in watch.output
    assert "NOT MEASURED, for no source is given: dnd_p95" in watch.output
    # Sampling changes nothing; the one change on the controller is the test's own file.
    assert re.findall(r"(\S+) : ok=\d+ changed=(\d)", watch.output) == [("app1", "0"), ("db1", "0"), ("localhost", "1")]


@pytest.mark.drill
def test_hosts_that_are_gone_are_no_data_by_name_and_end_nothing(watch: Watch) -> None:
    watch.hosts["app"]["app2"] = watch.hosts["db"]["db2"] = GONE
    watch.variables["observe_seconds"] = 6
    left = watch.run()
    assert (left["verdict"], left["passed"], left["ended"], left["ledger_kept"]) == ("no_data", False, True, True)
    assert sorted(left["silent"]) == ["app2", "db2"]
    assert "could not be reached" in left["silent"]["app2"]
    assert "NO DATA (app2: could not be reached" in watch.output


@pytest.mark.drill
def test_a_metric_that_may_be_silent_may_not_be_dead(watch: Watch) -> None:
    """In the profile, these are drag and drop, and memory growth, which a watch that ends early does not judge."""
    performance = f"{watch.app.url}/performance"
    watch.variables["observe_metrics"].update(
        dnd_p95={"url": performance, "path": "dndP95Ms"}, memory={"url": performance, "path": "memoryMb"}
    )
    watch.variables["observe_thresholds"].update(
        dnd_p95={"max": 500, "consecutive": 2, "no_data": "ignore"},
        memory={"growth": "percent", "max": 20, "no_data": "ignore"},
    )
    # At night nobody drags, but the source answers.
    watch.app.says("performance", {"memoryMb": 180})
    left = watch.run()
    assert (left["verdict"], left["passed"], left["silent"]) == ("ok", True, {})
    assert "without a figure, which is no fault: dnd p95" in watch.output
    assert "not judged yet, which takes longer: memory growth" in watch.output
    watch.variables.update(observe_anew=True, observe_seconds=4)
    watch.app.says("performance", HTML, status=503)
    left = watch.run()
    assert (left["verdict"], left["passed"]) == ("no_data", False)
    assert "dnd p95 NO DATA (app1: HTTP 503), memory growth NO DATA (app1: HTTP 503)" in watch.output


@pytest.mark.drill
@pytest.mark.parametrize(("seconds", "passed"), [(70, True), (52, False)])
def test_a_whole_watch_that_was_unstable_says_so_and_passes_only_if_its_end_was_steady(
    watch: Watch, seconds: int, passed: bool
) -> None:
    """An earlier run made tries of ten seconds each; this one makes the last of them."""
    limits = {"error_rate": {"max": 0.1, "unit": "%"}}
    modules = watch.db.modules(incident_id=INCIDENT, gate="scenario1", thresholds=limits, window=3)
    for value in (0.0, 0.0, 9.0, 0.0, 0.0, 0.0):
        sample = {"metric": "error_rate", "host": "app1", "value": value}
        modules.ok("metric_gate", samples=[sample])
        age_samples(watch.db, 10)
    watch.variables.update(observe_end="whole", observe_seconds=seconds, observe_names=["error_rate"], observe_window=3)
    watch.variables.update(observe_interval=10)
    left = watch.run()
    assert (left["verdict"], left["ended"], left["steady"], left["passed"]) == ("ok", True, passed, passed)
    (spell,) = left["spells"]
    assert (spell["verdict"], 20 <= spell["from"] < 30, 40 <= spell["to"] < 50) == ("unstable", True, True)
    assert "scenario1: was unstable from 00:2" in watch.output
    assert ("are not steady: good in the end, but unstable from" in watch.output) is not passed


@pytest.mark.drill
def test_the_same_command_after_a_watch_that_ended_badly_watches_again(watch: Watch) -> None:
    """One more try would leave the first watch as bad as it was, and be all that was seen of the mended application."""
    watch.app.says("metrics", HTML)
    watch.variables.update(observe_end="whole", observe_seconds=4, observe_names=["error_rate"], observe_renews=True)
    first = watch.run()
    assert (first["ended"], first["passed"], first["verdict"]) == (True, False, "no_data")
    watch.app.says("metrics", {"errorRate": 0.02})
    again = watch.run()
    assert (again["watch"], again["resumed"], again["passed"], again["spells"]) == (2, False, True, [])
    assert again["watched_seconds"] >= 4
    # One that has passed is not watched again.
    same = watch.run()
    assert (same["watch"], same["resumed"], same["passed"], same["try"]) == (2, True, True, again["try"] + 1)


@pytest.mark.drill
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"observe_names": ["dnd_p95"]}, "scenario1 cannot be watched"),
        ({"observe_seconds": 0}, "scenario1 cannot be watched"),
        # Only the module notices this, on every host that judges.
        ({"observe_thresholds": {"error_rate": {"max": "many"}}}, "'error_rate' cannot be used"),
    ],
)
def test_what_cannot_be_watched_is_told_by_the_last_screen(watch: Watch, wrong: dict[str, Any], why: str) -> None:
    watch.variables.update(wrong)
    left = watch.run()
    assert why in left["problem"]
    assert set(left) == {"problem"}
    assert "the metrics were not watched" in watch.output
    assert watch.events == []


@pytest.mark.drill
def test_a_threshold_that_is_dropped_is_not_judged(watch: Watch) -> None:
    watch.variables["observe_thresholds"]["error_rate"] = watch.variables["observe_thresholds"]["dnd_p95"] = None
    watch.app.says("metrics", {"errorRate": 7})
    left = watch.run()
    assert (left["passed"], left["unmeasured"]) == (True, [])
    assert "the 2 metrics of scenario1 are good" in watch.output
