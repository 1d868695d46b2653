# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom an incident affected: what the stop cured still counts as impact, and nobody is counted twice."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyplan import about_of
from tests.unit.chronicles import INCIDENT, OBJECTIVES, ON, Story

HERE = {"database": "7/1", "writable": True}
SICK = {"total": 400, "on_count": 120, "affected_count": 14, "users_count": 2100, "errors_total": 900}
CURED = {"total": 400, "on_count": 106, "affected_count": 0, "users_count": 0, "errors_total": 0}
LIST = {"total": 14, "enabled_before": 14, "enabled_after": 0, "changed_count": 14}


def summed(*stories: Story) -> dict[str, Any]:
    return summary_of(INCIDENT, [story.record for story in stories], OBJECTIVES)


def look(story: Story, when: float, figures: dict[str, Any]) -> Story:
    return story.task(when, "affected_tenants_info", figures, HERE, role="selective")


def kill(story: Story, when: float, before: int, changed: int, **more: Any) -> Story:
    figures = {"total": 400, "enabled_before": before, "enabled_after": 0, "changed_count": changed}
    return story.task(when, "feature_flag", {**figures, **more}, HERE)


def selective() -> Story:
    """Return a scenario 2 up to the sweep, in which one company of the list had been written back."""
    story = look(Story("scenario2"), 1, SICK).task(2, "feature_flag", LIST, HERE)
    again = {**LIST, "enabled_before": 0, "changed_count": 1}
    return story.task(4, "feature_flag", again, {**HERE, "sweep": {"settled": True, "switched_again": 1}})


def about(story: Story) -> dict[str, Any]:
    return about_of(summed(story), "scenario2", "contained", "")


def test_the_impact_is_that_of_before_the_stop_and_what_is_normal_that_of_after() -> None:
    told = summed(look(selective(), 310, CURED))
    assert (told["errors"]["affected_companies"], told["users"]["affected"]) == (14, 2100)
    assert (told["errors"]["by_tenants"], told["errors"]["affected_after"]) == (900, 0)
    assert (told["companies"]["on_before"], told["companies"]["switched_off"]) == (120, 14)
    after = about(look(selective(), 310, {**CURED, "affected_count": 3}))
    assert (after["affected"], after["normalised"]) == (14, 0.975)
    # Nobody has looked since, or somebody only read the frozen list again, which tells what was.
    assert about(selective())["normalised"] is None
    assert about(look(selective(), 310, {**SICK, "frozen": True}))["normalised"] is None
    # A look between two stops is not a look after the last one.
    assert about(kill(look(selective(), 310, CURED), 320, 106, 106))["normalised"] is None


def test_users_are_those_of_the_companies_that_were_switched_off() -> None:
    counted = selective().task(5, "incident_info", {"users_count": 2140}, HERE, role="communicate")
    assert summed(look(counted, 310, CURED))["users"] == {"affected": 2140}
    # Then everybody was switched off: their users are not known until they are counted.
    everybody = kill(counted, 400, 106, 106)
    assert summed(everybody)["users"] == {"affected": None}
    everybody.task(410, "incident_info", {"users_count": 9000}, HERE, role="communicate")
    assert summed(kill(everybody, 420, 0, 0))["users"] == {"affected": 9000}
    # A look after the stop tells nothing about an impact that nobody measured before it.
    late = look(kill(Story("scenario1"), 1, 120, 120), 400, {**CURED, "on_count": 0})
    told = summed(late)
    assert (told["users"]["affected"], told["errors"]["affected_companies"]) == (None, None)
    assert told["companies"]["on_before"] == 120


@pytest.mark.parametrize(
    ("stops", "off"),
    [
        # The sweep switched those off again that had been written back, and so did the same command typed again.
        (((120, 120), (0, 3), (3, 3)), 120),
        # Those that were held at first are new.
        (((120, 117), (3, 3)), 120),
        (((120, 117),), 117),
    ],
)
def test_who_is_switched_again_is_not_one_more(stops: tuple[tuple[int, int], ...], off: int) -> None:
    story = Story("scenario3")
    for number, (before, changed) in enumerate(stops):
        kill(story, number + 1, before, changed)
    told = summed(story)["companies"]
    assert (told["switched_off"], told["on_before"], told["share"]) == (off, stops[0][0], round(off / stops[0][0], 4))


@pytest.mark.parametrize(("lists", "off"), [(("a", "b"), 28), (("a", "a"), 14), (("", ""), 14)])
def test_two_lists_of_one_size_are_two(lists: tuple[str, str], off: int) -> None:
    """A frozen list expires after a day, and the next one may name as many."""
    story = look(Story("scenario2"), 1, SICK)
    for number, name in enumerate(lists, 2):
        story.task(number, "feature_flag", LIST, {**HERE, **({"list": name * 16} if name else {})})
    assert summed(story)["companies"]["switched_off"] == off


def test_two_names_of_one_database_at_once_switch_a_part_each() -> None:
    first = kill(Story("scenario3"), 2, 90, 70, enabled_after=20)
    other = {"total": 400, "enabled_before": 50, "enabled_after": 0, "changed_count": 50}
    told = summed(first.task(2.5, "feature_flag", other, HERE, host="db2"))["companies"]
    assert (told["on_before"], told["switched_off"], told["on_after"], told["share"]) == (120, 120, 0, 1.0)


def test_a_list_and_then_everybody_and_several_primaries() -> None:
    told = summed(kill(selective(), 400, 108, 108))["companies"]
    assert (told["switched_off"], told["share"]) == (120, 1.0)
    other = selective().task(3, "feature_flag", ON, {"database": "8/1", "writable": True}, host="db2")
    replica = other.task(
        3.5, "feature_flag", {**ON, "changed_count": 0}, {"database": "8/1", "writable": False}, host="db3"
    )
    told = summed(replica)["companies"]
    assert (told["on_before"], told["switched_off"]) == (240, 134)
