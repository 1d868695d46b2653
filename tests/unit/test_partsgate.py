# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate in words, and as roles and last screens see it."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import figure, progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsgate import (
    gate_metrics,
    gate_part,
    gate_pick,
    gate_samples,
    gate_settled,
    gate_silent,
    gate_steady,
    gate_unmeasured,
)

METRICS: dict[str, Any] = {
    "error_rate": {"url": "http://127.0.0.1/metrics", "path": "errorRate"},
    "public": {"where": "controller", "url": "https://app.example/health"},
    "errors": {"where": "db", "source": "sql", "query": "SELECT 1"},
    "dnd_p95": {},
}
LIMITS = {
    "error_rate": threshold_from("error_rate", {"max": 0.1, "unit": "%"}),
    "socket_latency": threshold_from("socket_latency", {"max": 1000, "unit": "ms"}),
}


def result(*values: tuple[float | str, float | str], **more: Any) -> dict[str, Any]:
    """Return a watch of two metrics on app1; a text in place of a value is the reason why there is none."""
    tries = [
        {
            "try": number,
            "seconds": number * 10.0,
            "samples": [
                {"metric": name, "host": "app1", "value": None, "code": "refused", "error": value}
                if isinstance(value, str)
                else {"metric": name, "host": "app1", "value": value}
                for name, value in zip(LIMITS, row, strict=True)
            ],
        }
        for number, row in enumerate(values, 1)
    ]
    made = judge(tries, LIMITS, 30)
    facts = {"gate": "scenario1", "try": len(values), "watched_seconds": len(values) * 10.0, "ledger_kept": True}
    passed = made["verdict"] == "ok" and made["settled"]
    return {**made, **facts, "seconds": 300, "interval": 10, "passed": passed, "resumed": False, **more}


def test_figures_are_read_by_people() -> None:
    shown = {0.02: "0.02", 41.0: "41", 0.0: "0", 1234567.0: "1,234,567", 0.00001: "1.0e-05", -3.5: "-3.5", 100.0: "100"}
    assert {value: figure(value) for value in shown} == shown
    assert (figure(0.1, "%"), figure(None, "%")) == ("0.1 %", "no value")


def test_one_line_per_try() -> None:
    line = progress(result((0.02, 41), (0.02, 41)), 300, 10)
    assert line == "try 2 of 31, 00:20 of 05:00: error rate 0.02 % ok, socket latency 41 ms ok"
    line = progress(result((3, "refused"), (3, "refused"), (3, "refused"), ledger_kept=False), 300, 10)
    assert line == (
        "try 3 of 31, 00:30 of 05:00: error rate 3 % DEGRADED (at most 0.1 %; app1), "
        "socket latency NO DATA (app1: refused) (not in the ledger: another run could not go on with this)"
    )
    assert "unstable" in progress(result((0, 41), (3, 41)), 300, 10)


def test_who_is_asked_what() -> None:
    assert [one["name"] for one in gate_metrics(METRICS, ["app"])] == ["error_rate"]
    assert gate_metrics(METRICS, ["db", "controller"], ["errors"]) == [
        {"name": "errors", "source": "sql", "query": "SELECT 1"}
    ]
    assert gate_unmeasured(METRICS, {"error_rate": {}, "dnd_p95": {}, "tags": {}}) == ["dnd_p95", "tags"]
    assert gate_unmeasured(METRICS, {"dnd_p95": {}}, ["error_rate", "query"]) == ["query"]
    # If ``where`` is none of the three words, nobody is asked for the metric.
    odd = {"error_rate": {"url": "u", "where": "apps"}}
    assert gate_metrics(odd, ["app", "db", "controller"]) == []
    assert gate_unmeasured(odd, {"error_rate": {}}) == ["error_rate"]


def test_who_gives_no_sample_has_one_without_a_value_and_a_replica_has_none() -> None:
    groups = {"app": ["app1", "app2", "app3", "app4", "app5"], "db": ["db1", "db2"], "controller": ["localhost"]}
    answers: dict[str, Any] = {
        "app1": {"samples": [{"metric": "error_rate", "host": "app1", "value": 1.0}]},
        "app2": {"unreachable": True, "msg": "Failed to connect"},
        "app3": {"failed": True, "msg": "No python"},
        "app4": {},
        "db1": {"samples": [], "replica": True},
        "db2": {"unreachable": True, "msg": "down"},
        "localhost": {"samples": [{"metric": "public", "host": "localhost", "value": 9.0}]},
    }
    found = gate_samples(groups, answers, METRICS)
    assert [(one["metric"], one["host"], one["value"], one.get("code")) for one in found] == [
        ("error_rate", "app1", 1.0, None),
        ("error_rate", "app2", None, "unreachable"),
        ("error_rate", "app3", None, "failed"),
        ("error_rate", "app4", None, "failed"),
        # --limit leaves it out, or it has left the play.
        ("error_rate", "app5", None, "not_asked"),
        ("errors", "db2", None, "unreachable"),
        ("public", "localhost", 9.0, None),
    ]
    assert "Failed to connect" in found[1]["error"]


def test_the_judgement_that_the_ledger_keeps_counts() -> None:
    alone, kept = {"verdict": "ok", "ledger_kept": False}, {"verdict": "degraded", "ledger_kept": True}
    assert gate_pick([{}, {"skipped": True}, alone, kept]) == kept
    assert gate_pick([{"failed": True, "verdict": "ok"}, alone]) == alone
    assert gate_pick([{"unreachable": True}]) == {}


def test_a_part_of_the_last_screen() -> None:
    good = gate_part(result((0, 41), (0, 41), (0, 41), resumed=True, unmeasured=["tags_p95"]))
    assert (good["kind"], good["holds"], good["good"]) == ("validate", True, "the 2 metrics of scenario1 are good")
    assert good["lines"] == [
        "scenario1: watched 00:30 of 05:00, 3 tries, gone on with after an earlier run",
        "scenario1: error rate 0 % ok, socket latency 41 ms ok",
        "scenario1: NOT MEASURED, for no source is given: tags_p95",
    ]
    bad = gate_part(result((0, 41), (0, "refused"), (0, "refused"), (0, "refused"), ledger_kept=False))
    assert bad["bad"] == ["the metrics of scenario1 are no data: socket latency NO DATA (app1: refused)"]
    assert bad["lines"][1:3] == ["scenario1: socket latency NO DATA (app1: refused)", "scenario1: error rate 0 % ok"]
    assert bad["lines"][-1] == "scenario1: the series is not in the ledger"
    first = gate_part(result((0, 41), (0, 41), (0, 41), end="first_ok"))
    assert first["lines"][0] == "scenario1: good after 00:30, 3 tries; up to 05:00 were given"
    short = gate_part(result((0, 41)))
    assert not short["holds"]
    assert short["bad"] == [
        "the metrics of scenario1 are not long enough to be sure: error rate 0 % ok, socket latency 41 ms ok"
    ]
    for nothing in (None, {}, {"failed": True}):
        assert gate_part(nothing)["bad"] == ["the metrics were not watched"]
    told = gate_part({"problem": "no threshold\nis given"})
    assert (told["holds"], told["lines"]) == (False, ["The metrics were not watched: no threshold is given"])
    plan = gate_part(result((5, 41)), plan=True)
    assert plan["holds"]
    assert "would be watched for 05:00, every 10 s" in plan["lines"][0]


def test_what_may_be_silent_and_is_does_not_count_as_good() -> None:
    limits = {**LIMITS, "memory": threshold_from("memory", {"max": 20, "no_data": "ignore"})}
    sample = {"metric": "error_rate", "host": "app1", "value": 0.0}
    silent = {"metric": "memory", "host": "app1", "value": None, "code": "no_key", "error": "has no memoryMb"}
    latency = {"metric": "socket_latency", "host": "app1", "value": 41.0}
    tries = [{"try": one, "seconds": one * 10.0, "samples": [sample, latency, silent]} for one in (1, 2, 3)]
    part = gate_part({**result((0, 41), (0, 41), (0, 41)), **judge(tries, limits, 30)})
    assert (part["holds"], part["good"]) == (True, "the 2 metrics of scenario1 are good")
    assert "scenario1: without a figure, which is no fault: memory" in part["lines"]


def test_growth_that_takes_longer_is_named_as_not_judged_yet() -> None:
    limits = {"memory": threshold_from("memory", {"max": 20, "growth": "percent", "no_data": "ignore"}), **LIMITS}
    tries = []
    for one in range(1, 4):
        figures = {"error_rate": 0.0, "socket_latency": 41.0, "memory": 100 * 1.5**one}
        samples = [{"metric": name, "host": "app1", "value": value, "at": one} for name, value in figures.items()]
        tries.append({"try": one, "seconds": one * 2.0, "samples": samples})
    part = gate_part({**result((0, 41), (0, 41), (0, 41)), **judge(tries, limits, 30)})
    assert (part["holds"], part["good"]) == (True, "the 2 metrics of scenario1 are good")
    assert "scenario1: not judged yet, which takes longer: memory growth" in part["lines"]


def test_a_watch_that_was_unstable_says_so_and_passes_only_if_it_was_steady_at_its_end() -> None:
    early = [{"verdict": "unstable", "from": 10.0, "to": 90.0}, {"verdict": "no_data", "from": 95.0, "to": 99.0}]
    whole = result((0, 41), (0, 41), (0, 41), end="whole", spells=early)
    assert gate_steady(whole, 300)
    part = gate_part({**whole, "steady": True})
    assert (part["holds"], part["lines"][-1]) == (
        True,
        "scenario1: was unstable from 00:10 to 01:30, without data from 01:35 to 01:39",
    )
    late = [{"verdict": "unstable", "from": 10.0, "to": 290.0}]
    assert not gate_steady({**whole, "spells": late}, 300)
    part = gate_part({**whole, "spells": late, "steady": False, "passed": False})
    assert part["bad"] == ["the metrics of scenario1 are not steady: good in the end, but unstable from 00:10 to 04:50"]
    # A watch that waits for the first ok begins with what was bad.
    assert not any("was unstable" in line for line in gate_part({**whole, "end": "first_ok"})["lines"])


def test_hosts_that_are_not_asked_are_not_waited_for_and_never_good() -> None:
    skipped = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
    metrics = {"error_rate": METRICS["error_rate"]}
    limits = {"error_rate": threshold_from("error_rate", {"max": 0.1, "consecutive": 2})}

    def after(*values: float, second: dict[str, Any]) -> dict[str, Any]:
        tries = []
        for number, value in enumerate(values, 1):
            answers = {"app1": {"samples": [{"metric": "error_rate", "host": "app1", "value": value}]}, "app2": second}
            samples = gate_samples({"app": ["app1", "app2"]}, answers, metrics)
            tries.append({"try": number, "seconds": number * 2.0, "samples": samples})
        return judge(tries, limits, 30)

    assert not gate_settled(after(0, second=skipped))
    assert gate_settled(after(0, 0, second=skipped))
    assert after(0, 0, second=skipped)["verdict"] == "no_data"
    assert not gate_settled(after(0, 3, second=skipped))
    # A host that could not be reached just now may be back at the next try.
    assert not gate_settled(after(0, 0, second={"unreachable": True, "msg": "no route"}))
    samples = gate_samples({"app": ["app1"]}, {"app1": skipped}, metrics)
    everybody = judge([{"try": 1, "seconds": 0.0, "samples": samples}], limits, 30)
    assert (everybody["verdict"], gate_settled(everybody)) == ("no_data", True)
    assert gate_settled(result((0, 41), (0, 41), (0, 41)))
    assert not gate_settled(result((0, 41)))


def test_a_metric_that_there_is_nobody_to_ask_for_is_not_waited_for_and_never_good() -> None:
    here: dict[str, Any] = {"error_rate": METRICS["error_rate"], "loop_lag": {"where": "app"}}
    limits = {name: threshold_from(name, {"max": 0.1, "consecutive": 2}) for name in here}

    def after(*values: float) -> dict[str, Any]:
        told = [[{"metric": "error_rate", "host": "db1", "value": value}] for value in values]
        return judge([{"try": n, "seconds": n * 2.0, "samples": one} for n, one in enumerate(told, 1)], limits, 30)

    there = ["error_rate"]
    assert not gate_settled(after(0), there)
    assert (gate_settled(after(0, 0), there), after(0, 0)["verdict"]) == (True, "no_data")
    assert not gate_settled(after(0, 3), there)
    # All databases may be waiting to be promoted: then there is somebody to ask, but without a figure now.
    assert not gate_settled(after(0, 0), ["error_rate", "loop_lag"])
    assert not gate_settled(after(0, 0))
    nobody = judge([{"try": 1, "seconds": 0.0, "samples": []}], limits, 30)
    assert (gate_settled(nobody, []), gate_settled(nobody, there), nobody["verdict"]) == (True, False, "no_data")
    # Without a threshold nothing is judged, and nothing is good.
    assert not gate_settled(judge([], {}, 30), [])


def test_who_may_have_no_figure_is_waited_for_until_somebody_had_one() -> None:
    limits = {
        "loop_lag": threshold_from("loop_lag", {"max": 0.1}),
        "queue": threshold_from("queue", {"max": 5, "no_data": "ignore", "consecutive": 2}),
    }

    def after(*values: float | None) -> dict[str, Any]:
        told = [[{"metric": "queue", "host": "localhost", "value": value, "code": "no_series"}] for value in values]
        return judge([{"try": n, "seconds": n * 2.0, "samples": one} for n, one in enumerate(told, 1)], limits, 30)

    assert not gate_settled(after(None), ["queue"])
    assert not gate_settled(after(None, None, None), ["queue"])
    assert gate_settled(after(1, 1), ["queue"])
    # Good twice at the end, but not reliable.
    flapping = after(9, 1, 9, 1, 9, 1, 1)
    assert [metric["verdict"] for metric in flapping["metrics"]] == ["no_data", "unstable"]
    assert not gate_settled(flapping, ["queue"])


def test_silent_hosts_are_named_with_why() -> None:
    assert gate_silent(result((0, 41), (0, "refused"))) == {"app1": "socket_latency: refused"}
    assert gate_silent(result((0, 41))) == {}
    assert gate_silent({"metrics": [{"name": "dnd", "hosts": [{"host": "a", "value": None, "ignored": True}]}]}) == {}
