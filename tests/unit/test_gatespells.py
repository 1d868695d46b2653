# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a watch was not ok, and whether it was steady at its end."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatespells import (
    MOST_SPELLS,
    added,
    spells_from,
    steady,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import spells_text

LIMITS = {"rate": threshold_from("rate", {"max": 0.1})}


def watched(values: list[float | str], window: int = 30, delay: float = 0.0) -> list[Any]:
    """Return the spells of a watch with a try every 10 s, of which a window is looked at."""
    tries: list[dict[str, Any]] = []
    spells: list[Any] = []
    for number, value in enumerate(values, 1):
        code = value if isinstance(value, str) else None
        sample = {"metric": "rate", "host": "a", "value": None if code else value, "code": code}
        tries.append({"try": number, "seconds": (number - 1) * 10.0, "samples": [sample]})
        spells = added(spells_from(spells), judge(tries, LIMITS, window, delay), tries[-1]["seconds"])
    return spells


def times(spells: list[Any]) -> list[tuple[str, float, float]]:
    return [(spell["verdict"], spell["from"], spell["to"]) for spell in spells]


def test_a_watch_that_flapped_for_25_of_30_minutes_is_not_steady() -> None:
    flapping: list[float | str] = [5.0 if number % 6 < 2 and number < 150 else 0.0 for number in range(181)]
    spells = watched(flapping)
    # Twice bad and back, and then not good again until that has left the window.
    assert times(spells) == [("unstable", 0, 30), ("unstable", 60, 90), ("unstable", 120, 1660)]
    assert not steady(spells, 1800)
    assert spells_text(spells).endswith("unstable from 02:00 to 27:40")
    # Ten minutes of it are long enough ago, but are reported all the same.
    early = watched([*flapping[:60], *[0.0] * 121])
    assert times(early)[-1] == ("unstable", 120, 760)
    assert steady(early, 1800)


def test_one_hiccup_near_the_end_is_said_and_forgiven() -> None:
    values: list[float | str] = [0.0] * 181
    values[170] = 5.0
    spells = watched(values)
    assert times(spells) == [("unstable", 1700, 1720)]
    assert steady(spells, 1800)
    assert steady([], 1800)


@pytest.mark.parametrize(("to", "good"), [(1350, True), (1351, False)])
def test_a_quarter_of_the_last_third_is_a_hiccup(to: float, good: bool) -> None:
    assert steady([{"verdict": "unstable", "from": 0, "to": to}], 1800) is good
    parts = [{"verdict": "no_data", "from": 1300 + 50 * n, "to": 1300 + 50 * n + (to - 1200) / 5} for n in range(5)]
    assert steady(parts, 1800) is good


def test_silence_is_a_spell_and_what_nothing_can_be_said_of_yet_is_none() -> None:
    assert times(watched([0.0, 0.0, *["refused"] * 10, 0.0])) == [("no_data", 40, 110)]
    assert times(watched(["refused", 0.0])) == [("no_data", 0, 0)]
    assert watched(["first_scrape", "first_scrape", 0.0]) == []
    assert watched([5.0, 5.0, 0.0], delay=20) == []
    # Nobody sampled it.
    nothing = judge([{"try": 1, "seconds": 0.0, "samples": []}], LIMITS, 30)
    assert times(added([], nothing, 0.0)) == [("no_data", 0, 0)]


def test_what_follows_at_once_begins_where_the_other_ended() -> None:
    found = watched([0.0, 5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0])
    assert times(found) == [("unstable", 10, 20), ("degraded", 20, 30), ("unstable", 30, 50)]


def test_they_are_bounded_and_the_newest_are_exact() -> None:
    values: list[float | str] = [0.0, 0.0, *[5.0 if number % 40 == 0 else 0.0 for number in range(1200)]]
    found = watched(values, window=5)
    assert len(found) == MOST_SPELLS
    assert times(found)[0][1] == 20
    assert times(found)[-1] == ("unstable", 11620, 11640)
    assert "and 15 times before" in spells_text(found)


def test_what_is_no_spell_is_refused() -> None:
    wrong: list[Any]
    for wrong in (
        [3],
        [{"verdict": "ok"}],
        [{"verdict": "ok", "from": "x", "to": 1}],
        [{"from": float("inf"), "to": 1}],
    ):
        with pytest.raises((TypeError, KeyError, ValueError)):
            spells_from(wrong)
