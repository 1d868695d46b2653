# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of a gate: a table of series and their verdicts, and what holds for every series."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import (
    DEGRADED,
    NO_DATA,
    NOT_JUDGED,
    OK,
    UNSTABLE,
    judge,
    of_signs,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import ABSENT

Value = float | str | None
# The error rate's threshold in most tests; consecutive is 3.
LIMIT: dict[str, Any] = {"max": 0.1, "unit": "%"}


def sample(value: Value, host: str = "app1", metric: str = "rate", at: float | None = None) -> dict[str, Any]:
    """Return a sample; a text in place of a value is the code of the reason why there is none."""
    made: dict[str, Any] = {"metric": metric, "host": host, "value": value, "at": at}
    return {**made, "value": None, "code": value, "error": value} if isinstance(value, str) or value is None else made


def tries(*values: Value, step: float = 10, **more: Any) -> list[dict[str, Any]]:
    return [
        {"try": number, "seconds": (number - 1) * step, "samples": [sample(value, at=1000 + number * step, **more)]}
        for number, value in enumerate(values, 1)
    ]


def gate(given: list[dict[str, Any]], window: int = 30, delay: float = 0, **threshold: Any) -> dict[str, Any]:
    return judge(given, {"rate": threshold_from("rate", {**LIMIT, **threshold})}, window, delay)


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        ("", NO_DATA),
        ("g", OK),
        ("gggg", OK),
        ("b", UNSTABLE),
        ("gb", UNSTABLE),
        ("ggbb", UNSTABLE),
        ("gbbb", DEGRADED),
        ("bbbg", UNSTABLE),
        ("bbbgg", UNSTABLE),
        ("bbbggg", OK),
        ("ggbggg", OK),
        # Twice away and back within the window.
        ("gbgbggg", UNSTABLE),
        ("gbggggggbggg", UNSTABLE),
        ("gngnggg", UNSTABLE),
        ("gnggg", OK),
        # A single value beyond critical decides alone, as long as nothing better follows.
        ("gggc", DEGRADED),
        ("cgg", UNSTABLE),
        ("cggg", OK),
        ("bbc", DEGRADED),
        ("n", NO_DATA),
        ("nn", NO_DATA),
        ("gnn", OK),
        ("gnnn", NO_DATA),
        ("nng", OK),
        # Silence is not an improvement, and does not interrupt a series of bad ones.
        ("bbbnnn", DEGRADED),
        ("gcnnn", DEGRADED),
        ("bnbnb", DEGRADED),
        ("bbnnn", NO_DATA),
        ("bbnn", UNSTABLE),
    ],
)
def test_signs(signs: str, verdict: str) -> None:
    assert of_signs(signs, 3) == verdict


@pytest.mark.parametrize(
    ("signs", "verdict"), [("b", DEGRADED), ("n", NO_DATA), ("g", OK), ("bg", OK), ("gn", NO_DATA)]
)
def test_one_is_enough_where_one_decides(signs: str, verdict: str) -> None:
    assert of_signs(signs, 1) == verdict


SIGNS = st.text("gbcn", max_size=40)


@given(SIGNS, st.integers(1, 6))
def test_what_holds_for_every_series(signs: str, consecutive: int) -> None:
    verdict = of_signs(signs, consecutive)
    # N bad ones in a row never pass, and neither does silence for as long.
    assert of_signs(signs + "b" * consecutive, consecutive) == DEGRADED
    assert of_signs(signs + "n" * consecutive, consecutive) in (NO_DATA, DEGRADED)
    assert of_signs(signs + "c", consecutive) == DEGRADED
    # Silence never makes it better.
    if verdict == DEGRADED:
        assert of_signs(signs + "n", consecutive) == DEGRADED
    # N good ones end every degradation.
    assert of_signs(signs + "g" * consecutive, consecutive) in (OK, UNSTABLE)
    if verdict == OK:
        assert "g" in signs
        assert not set(signs[-consecutive:]) & {"b", "c"}


@given(st.lists(st.sampled_from([0.01, 0.1, 0.2, None]), min_size=1, max_size=20), st.randoms())
def test_the_order_of_the_tries_is_their_number_whatever_clocks_say(values: list[Value], random: Any) -> None:
    given = tries(*values)
    expected = gate(given)
    for one in given:
        one["samples"][0]["at"] = random.uniform(-1e9, 1e9)
    random.shuffle(given)
    assert gate(given) == expected


def test_limits_themselves_are_good_and_min_is_the_other_side() -> None:
    assert gate(tries(0.1, 0.1, 0.1))["settled"]
    assert gate(tries(99.0), max=None, min=99.0)["verdict"] == OK
    found = gate(tries(98.9, 98.9, 98.9), max=None, min=99.0)
    assert found["verdict"] == DEGRADED
    assert found["metrics"][0]["value"] == 98.9


def test_settled_takes_so_many_in_a_row() -> None:
    assert [gate(tries(*[0.0] * count))["settled"] for count in (1, 2, 3, 4)] == [False, False, True, True]
    assert not gate(tries(0.0, 0.0, 0.0, None))["settled"]


def test_a_metric_that_may_be_silent_and_falls_silent_keeps_nothing_from_being_settled() -> None:
    """At night nobody moves a card: one good figure, and none after it."""
    quiet = [gate(tries(0.0, *["idle"] * count), no_data="ignore") for count in range(4)]
    assert [(one["verdict"], one["settled"]) for one in quiet] == [(OK, False), (OK, False), (OK, True), (OK, True)]
    # What was bad last stays bad: silence is not an improvement.
    silences: list[list[Value]] = [[9.0, "idle", "idle", "idle"], [9.0, 0.0, "idle", "idle", "idle"]]
    for values in silences:
        found = gate(tries(*values), no_data="ignore")
        assert (found["verdict"], found["settled"]) == (UNSTABLE, False)
    assert not gate(tries(0.0, "idle", 9.0), no_data="ignore")["settled"]
    # Silence does not settle a metric that must not be silent.
    assert not gate(tries(0.0, None, None, None))["settled"]


def test_only_the_window_counts() -> None:
    flapping = tries(0, 1, 0, 1, 0, 0, 0, 0)
    assert gate(flapping)["verdict"] == UNSTABLE
    assert gate(flapping, window=4)["verdict"] == OK


def test_the_initial_delay_forgives_what_is_bad_and_counts_what_is_good() -> None:
    # Seconds 0, 10, 20, 30, ...
    assert gate(tries(9, 9, None, 0, 0, 0), delay=30)["verdict"] == OK
    assert gate(tries(9, 9, None, 0, 0, 0), delay=30)["metrics"][0]["hosts"][0]["signs"] == "ggg"
    assert gate(tries(0, 0, 0), delay=30)["settled"]
    assert gate(tries(9, 9, 9, 9), delay=30)["verdict"] == UNSTABLE
    assert gate(tries(9, 9, 9, 9), delay=20)["verdict"] == UNSTABLE
    assert gate(tries(9, 9, 9, 9), delay=10)["verdict"] == DEGRADED
    # Nothing has counted yet, which is not a pass.
    assert gate(tries(9, 9), delay=30)["verdict"] == NO_DATA


@pytest.mark.parametrize(
    ("policy", "values", "verdict"),
    [
        ("no_data", [None, None, None], NO_DATA),
        ("degraded", [None, None, None], DEGRADED),
        ("degraded", [0, "refused"], UNSTABLE),
        ("ignore", [0, "idle", "idle", "idle"], OK),
        # A gate in which nobody says anything is not a pass, whatever the policy.
        ("ignore", ["idle", "idle", "idle"], NO_DATA),
        # A dead source is not an idle one.
        *[("ignore", [0, code, code, code], NO_DATA) for code in ("status", "refused", "timeout", "not_json", None)],
        ("ignore", [0, "status", "status", "idle"], OK),
    ],
)
def test_policies_for_no_data(policy: str, values: list[Value], verdict: str) -> None:
    assert gate(tries(*values), no_data=policy)["verdict"] == verdict


def beside_a_good_one(*codes: str) -> dict[str, Any]:
    """Judge a metric that may be silent, and is so for these reasons, beside one that is good."""
    silent = tries(*codes, metric="dnd")
    for one in silent:
        one["samples"].append(sample(0.0))
    limits = {"rate": threshold_from("rate", LIMIT), "dnd": threshold_from("dnd", {"max": 500, "no_data": "ignore"})}
    return judge(silent, limits, 30)


@pytest.mark.parametrize("code", ABSENT)
def test_ignore_forgives_a_figure_that_a_source_which_answers_does_not_have(code: str) -> None:
    found = beside_a_good_one(code, code, code)
    assert (found["verdict"], found["settled"], found["metrics"][0]["ignored"]) == (OK, True, True)


@pytest.mark.parametrize(
    "code", ["status", "refused", "timeout", "not_json", "unreachable", "not_asked", "absent", "no_result", "fault"]
)
def test_ignore_forgives_no_source_that_does_not_answer(code: str) -> None:
    for number in (1, 3, 30):
        found = beside_a_good_one(*[code] * number)
        assert (found["verdict"], found["settled"], found["metrics"][0]["ignored"]) == (NO_DATA, False, False)
    # It answers again, and nobody works: after that many tries the failure is forgotten, but not after one.
    assert beside_a_good_one(code, "idle")["verdict"] == NO_DATA
    assert beside_a_good_one(code, "idle", "idle", "idle")["metrics"][0]["ignored"]


def test_the_first_of_two_scrapes_is_no_sign_and_no_pass() -> None:
    assert gate(tries("first_scrape"))["verdict"] == NO_DATA
    found = gate(tries("first_scrape", 0, 0, 0))
    assert (found["verdict"], found["metrics"][0]["hosts"][0]["missing"]) == (OK, 0)


def test_the_worst_host_decides_and_a_silent_one_is_no_pass() -> None:
    given = tries(0, 0, 0)
    for one in given:
        one["samples"].append(sample("unreachable", "app2"))
    found = gate(given)
    assert (found["verdict"], found["settled"]) == (NO_DATA, False)
    hosts = {host["host"]: host["verdict"] for host in found["metrics"][0]["hosts"]}
    assert hosts == {"app1": OK, "app2": NO_DATA}
    for one in given:
        one["samples"][1] = sample(5.0, "app2")
    assert (gate(given)["verdict"], gate(given)["metrics"][0]["value"]) == (DEGRADED, 5.0)


def test_a_host_that_vanishes_from_the_samples_counts_as_silent() -> None:
    given = tries(0, 0, 0, 0)
    given[0]["samples"].append(sample(0.0, "app2"))
    found = gate(given)
    assert found["verdict"] == NO_DATA
    assert found["metrics"][0]["hosts"][1]["code"] == "absent"


def test_a_metric_that_nobody_samples_is_no_pass_and_one_without_a_threshold_does_not_count() -> None:
    found = judge(tries(0, 0, 0, metric="other"), {"rate": threshold_from("rate", LIMIT)}, 30)
    assert found["verdict"] == NO_DATA
    assert {one["name"]: one["verdict"] for one in found["metrics"]} == {"other": NOT_JUDGED, "rate": NO_DATA}
    assert judge(tries(0, 0, 0), {}, 30)["verdict"] == NO_DATA
    assert judge([], {}, 30) == {"verdict": NO_DATA, "settled": False, "metrics": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"max": None},
        {"max": "much"},
        {"max": True},
        {"max": float("nan")},
        {"maximum": 3},
        {"consecutive": 0},
        {"no_data": "pass"},
        {"growth": "fast"},
        {"critical": 0.05},
        {"min": 0, "critical": 0.5},
    ],
)
def test_a_threshold_that_would_be_a_guess_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        threshold_from("rate", {**LIMIT, **wrong})
    assert caught.value.code == "bad_threshold"


def test_a_threshold_that_is_no_map_is_refused() -> None:
    with pytest.raises(BadInput):
        threshold_from("rate", 0.1)


def test_numbers_may_come_as_text_for_a_template_makes_them_so() -> None:
    made = threshold_from("rate", {"max": "0.1", "critical": "0.5", "consecutive": "2"})
    assert (made.max, made.critical, made.consecutive) == (0.1, 0.5, 2)
    assert [made.is_critical(value) for value in (0.5, 0.51)] == [False, True]
