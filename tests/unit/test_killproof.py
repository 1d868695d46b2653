# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When looks at application processes are a proof: V1 twice from all that live at the end, and nothing else since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killproof import (
    CONFIRM_SECONDS,
    SAME_LOOKS,
    Apart,
    Look,
    Shared,
    outcome,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import UNKNOWN, V1, V2, Said


def look(at: float, serves: str, pid: int | None = 1, question: str | None = None) -> Look:
    return Look(at, at + 0.01, Said(serves, pid, None if serves == V1 else f"it says {serves}"), question)


def alone(watched: Apart, number: int = 0, pid: int = 1) -> None:
    """Let one process answer often enough to be the only one at its URL, before it turns."""
    for _time in range(SAME_LOOKS):
        watched.see(number, look(0, V2, pid))


def judged(watched: Apart | Shared, now: float) -> dict[str, Any]:
    return outcome(watched, watched.done(now))


def test_one_look_is_no_proof_and_the_second_counts_from_the_first() -> None:
    watched = Apart(["a"], [None])
    alone(watched)
    assert not judged(watched, 0)["proven"]
    watched.see(0, look(1, V1))
    first = judged(watched, 1)
    assert (first["proven"], first["processes"][0]["serves"]) == (False, "unknown")
    watched.see(0, look(1.2, V1))
    assert not judged(watched, 1.2)["proven"], "that was too soon"
    watched.see(0, look(1.01 + CONFIRM_SECONDS, V1))
    done = judged(watched, 2)
    assert done["proven"]
    assert done["max_seconds"] == done["p50_seconds"] == 1.01


def test_the_first_to_turn_is_looked_at_again_when_the_last_has() -> None:
    watched = Apart(["a", "b"], [None])
    alone(watched, 0, 1)
    alone(watched, 1, 2)
    for moment in (0, 1, 2):
        watched.see(0, look(moment, V1, 1))
        watched.see(1, look(moment, V2, 2))
    watched.see(1, look(9, V1, 2))
    watched.see(1, look(10, V1, 2))
    assert not judged(watched, 10)["proven"], "nobody knows what the first serves by now"
    watched.see(0, look(10, V1, 1))
    done = judged(watched, 10)
    assert (done["proven"], done["max_seconds"], done["p50_seconds"]) == (True, 9.01, 4.51)


@pytest.mark.parametrize("between", [look(2, V2), look(2, UNKNOWN, None), look(2, V1, 77)])
def test_what_comes_between_begins_it_anew(between: Look) -> None:
    watched = Apart(["a"], [None])
    watched.see(0, look(1, V1))
    watched.see(0, between)
    last = between.said.pid or 1
    for number in range(SAME_LOOKS):
        watched.see(0, look(3 + number / 100, V1, last))
    watched.see(0, look(4, V1, last))
    done = judged(watched, 4)
    assert done["proven"]
    assert done["max_seconds"] == (2.01 if between.said.pid == 77 else 3.01)


def test_silence_ends_what_was_known_about_every_tenant() -> None:
    watched = Apart(["a"], ["7", "9"])
    alone(watched)
    for moment, serves, question in ((1, V1, "7"), (1, V1, "9"), (2, UNKNOWN, "7"), (3, V1, "7"), (4, V1, "7")):
        watched.see(0, look(moment, serves, None if serves == UNKNOWN else 1, question))
    assert not judged(watched, 4)["proven"], "it may be another process by now, and it was not asked about 9"
    for moment, question in ((5, "9"), (6, "9"), (6, "7")):
        watched.see(0, look(moment, V1, 1, question))
    done = judged(watched, 6)
    assert (done["proven"], done["max_seconds"]) == (True, 5.01)


def test_a_url_behind_which_process_ids_take_turns_is_no_proof() -> None:
    watched = Apart(["a"], [None])
    for moment in range(10):
        watched.see(0, look(moment, V1, 1 + moment % 2))
    (row,) = judged(watched, 10)["unproven"]
    assert "its process id changed 9 times: behind one URL there are several processes" in row["error"]


@pytest.mark.parametrize("pids", [[1] * SAME_LOOKS, [2] + [1] * SAME_LOOKS, [1, 2] + [1] * SAME_LOOKS * 2])
def test_one_process_must_answer_often_at_its_own_url_and_none_may_come_back(pids: list[int]) -> None:
    watched = Apart(["a"], [None])
    for number, pid in enumerate(pids):
        assert not judged(watched, 9)["proven"], "by luck the same of several may have answered"
        watched.see(0, look(number, V1, pid))
        if len(set(pids[:number])) < len(set(pids)):
            assert watched.at_once(0)
    assert judged(watched, 99)["proven"] is (2 not in pids[1:]), "a process that was restarted never comes back"
    assert not watched.at_once(0)


def test_two_urls_with_one_process_id_are_said() -> None:
    watched = Apart(["a", "b"], [None])
    for number in (0, 1):
        alone(watched, number, 5)
        watched.see(number, look(0, V1, 5))
        watched.see(number, look(1, V1, 5))
    done = judged(watched, 2)
    assert done["warnings"] == ["Several URLs answered with the process id 5: they may lead to one process."]


_events = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from([V1, V1, V1, V2, UNKNOWN]), st.integers(1, 3)), max_size=25
)


@given(_events)
def test_proven_means_v1_twice_by_who_answered_last_and_nothing_else_since(events: list[Any]) -> None:
    watched = Apart(["a", "b"], [None])
    seen: dict[int, list[tuple[str, int | None]]] = {0: [], 1: []}
    for number, looks in seen.items():
        alone(watched, number, 1)
        looks.extend([(V2, 1)] * SAME_LOOKS)
    for moment, (number, serves, pid) in enumerate(events):
        known = None if serves == UNKNOWN else pid
        watched.see(number, look(moment, serves, known))
        seen[number].append((serves, known))
    done = judged(watched, len(events))
    if done["proven"]:
        for looks in seen.values():
            assert looks[-2:] == [(V1, looks[-1][1])] * 2
    for row, looks in zip(done["processes"], seen.values(), strict=True):
        assert row["tries"] == len(looks)
        assert (row["serves"] == V1) is (row["error"] is None) is (row["seconds_from_commit"] is not None)
        assert row["understood"] or row["serves"] == UNKNOWN
    assert done["proven_count"] + len(done["unproven"]) == len(done["processes"]) == 2


def shared(events: Sequence[tuple[float, str, int | None]], count: int | None, alive: tuple[int, ...] = ()) -> Any:
    watched = Shared("u", [None], count, alive)
    for moment, serves, pid in events:
        watched.see(0, look(moment, serves, pid))
    return judged(watched, events[-1][0] if events else 0)


def rounds(until: int, *pids: int, serves: str = V1) -> list[tuple[float, str, int | None]]:
    return [(moment / 10, serves, pid) for moment in range(until) for pid in pids]


def test_behind_a_shared_port_as_many_as_there_are_must_be_proven() -> None:
    assert shared(rounds(10, 1, 2), 2)["proven"]
    few = shared(rounds(10, 1, 2), 3)
    assert (few["proven"], len(few["processes"]), few["unproven"][0]["pid"]) == (False, 3, None)
    assert shared([], 2)["proven_count"] == 0
    assert len(shared([], 2)["unproven"]) == 2
    other = shared([*rounds(10, 1), *[(1 + moment / 10, V2, 2) for moment in range(5)]], 2)
    assert (other["proven"], other["serving_v2"]) == (False, 1)


def test_one_more_than_there_should_be_counts_as_well() -> None:
    watched = Shared("u", [None], 2)
    for moment, serves, pid in [*rounds(10, 1, 2), (1, V2, 3)]:
        watched.see(0, look(moment, serves, pid))
    assert not watched.done(1), "it is there, whatever was said about how many there are, and is asked on"
    extra = judged(watched, 1)
    assert not extra["proven"]
    assert extra["warnings"] == ["1 more processes answered than there should be."]


def test_one_that_has_gone_is_not_waited_for_unless_it_is_known_to_live() -> None:
    events = [(0, V2, 3), *[(0.1 + moment / 10, V1, pid) for moment in range(30) for pid in (1, 2)]]
    assert shared(events, 2)["proven"]
    (row,) = shared(events, 2, alive=(3,))["unproven"]
    assert (row["pid"], row["error"]) == (3, "it says v2")
    # It may just be slow: after so short a time it does not count as gone.
    soon = [(0, V2, 3), *[(0.1 + moment / 100, V1, pid) for moment in range(60) for pid in (1, 2)]]
    assert not shared(soon, 2)["proven"]


def test_answers_without_a_process_id_are_told_where_one_is_missing() -> None:
    done = shared([*rounds(10, 1), (1, UNKNOWN, None)], 2)
    assert done["unproven"][0]["error"].endswith("the last that gave no process id: it says unknown")


def test_how_many_there_are_is_never_guessed() -> None:
    done = shared(rounds(40, 1, 2), None)
    assert (done["proven"], done["proven_count"]) == (False, 2)
    assert done["unproven"][0]["error"] == "2 answered, and how many there are is not known"


def test_each_tenant_counts_at_each_process() -> None:
    watched = Shared("u", ["7", "9"], 2, ())
    for moment in range(5):
        for pid in (1, 2):
            watched.see(0, look(moment, V1, pid, "7"))
            if pid == 1:
                watched.see(0, look(moment, V1, pid, "9"))
    assert not judged(watched, 5)["proven"]
    for moment in (5, 6):
        watched.see(0, look(moment, V1, 2, "9"))
        watched.see(0, look(moment, V1, 2, "7"))
        watched.see(0, look(moment, V1, 1, "9"))
        watched.see(0, look(moment, V1, 1, "7"))
    assert judged(watched, 7)["proven"]
