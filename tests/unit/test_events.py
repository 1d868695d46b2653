# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash chain of an incident's events: any later change shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import Event, broken_links

Link = tuple[Event, str]


def chain(length: int, run: str = "run-1", data: Any = None) -> list[Link]:
    """Return a whole chain, each event with the hash that is stored for it."""
    links: list[Link] = []
    for seq in range(1, length + 1):
        event = Event(
            "INC-20261125-001",
            run,
            seq,
            f"2026-11-25T03:00:{seq:02d}.000001Z",
            "contain",
            "feature_flag",
            "disabled",
            {"total": seq} if data is None else data,
            links[-1][1] if links else "",
        )
        links.append((event, event.hash))
    return links


def test_a_whole_chain_holds_in_any_order() -> None:
    links = chain(5)
    assert broken_links([]) == []
    assert broken_links(links) == []
    assert broken_links(links[::-1]) == []


def test_runs_have_chains_of_their_own() -> None:
    one, two = chain(3, "run-1"), chain(4, "run-2")
    assert broken_links([*two, *one]) == []
    assert broken_links([*one, *two[:1], *two[2:]]) == ["run-2/2: missing"]


CHANGES: list[dict[str, Any]] = [
    {"incident_id": "INC-20261125-002"},
    {"at": "2026-11-25T02:00:00.000001Z"},
    {"phase": "recover"},
    {"source": "write_fence"},
    {"event": "enabled"},
    {"data": {"total": 99}},
    {"data": {}},
    {"data": {"total": "2"}},
    {"previous": "0" * 64},
]


@pytest.mark.parametrize("place", [0, 1, 4])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_change_anywhere_breaks_the_chain(place: int, change: dict[str, Any]) -> None:
    links = chain(5)
    event = replace(links[place][0], **change)
    if event == links[place][0]:
        pytest.fail("the change changes nothing")
    links[place] = (event, links[place][1])
    assert broken_links(links) == [f"run-1/{place + 1}: changed"]


@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize("change", CHANGES[:-1], ids=lambda change: next(iter(change)))
def test_a_change_with_its_hash_made_anew_breaks_the_next_link(place: int, change: dict[str, Any]) -> None:
    links = chain(5)
    event = replace(links[place][0], **change)
    links[place] = (event, event.hash)
    assert broken_links(links) == [f"run-1/{place + 2}: changed"]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_event_that_is_missing_shows(place: int) -> None:
    links = chain(5)
    del links[place]
    assert broken_links(links) == [f"run-1/{place + 1}: missing"]


def test_an_event_that_is_there_twice_shows() -> None:
    links = chain(3)
    assert broken_links([*links, links[1]]) == ["run-1/3: missing"]


def test_two_events_that_changed_places_show() -> None:
    links = chain(3)
    first, second = links[0][0], links[1][0]
    links[:2] = [(replace(first, seq=2), links[0][1]), (replace(second, seq=1), links[1][1])]
    assert broken_links(links) == ["run-1/1: changed"]


def test_an_event_moved_to_another_run_shows_in_both() -> None:
    one, two = chain(2, "run-1"), chain(2, "run-2")
    moved = (replace(one[1][0], run_id="run-2", seq=3), one[1][1])
    assert broken_links([one[0], *two, moved]) == ["run-2/3: changed"]


def test_the_hash_is_of_the_meaning_and_not_of_the_spelling() -> None:
    one = chain(1, data={"a": 1, "b": {"c": [None, True]}})
    two = chain(1, data={"b": {"c": [None, True]}, "a": 1})
    assert one[0][1] == two[0][1]
    assert len(one[0][1]) == 64


_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
_data = st.dictionaries(st.text(max_size=3), _values, max_size=3)


@given(_data, _data, st.integers(0, 2))
def test_any_other_data_is_another_hash(data: dict[str, Any], other: dict[str, Any], place: int) -> None:
    links = chain(3, data=data)
    assert broken_links(links) == []
    event = replace(links[place][0], data=other)
    links[place] = (event, links[place][1])
    # 1, 1.0 and True are equal in Python, but three different things in JSON.
    assert (broken_links(links) == []) == (repr(_sorted(data)) == repr(_sorted(other)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@given(st.lists(st.text(max_size=4), min_size=7, max_size=7), st.data())
def test_no_field_can_lend_letters_to_its_neighbour(fields: list[str], data: st.DataObject) -> None:
    def made(values: list[str]) -> Event:
        incident, run, at, phase, source, event, previous = values
        return Event(incident, run, 1, at, phase, source, event, {}, previous)

    place = data.draw(st.integers(0, 5))
    moved = list(fields)
    moved[place], moved[place + 1] = moved[place] + moved[place + 1], ""
    if moved != fields:
        assert made(moved).hash != made(fields).hash
