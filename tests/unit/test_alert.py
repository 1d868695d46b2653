# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an alert may start: what is named, what does not hold already, and what people have not decided since."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._alert import alert_decision, moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from tests.unit.chronicles import INCIDENT, OBJECTIVES, at, stopped

BEGAN = "2026-11-27T03:12:00.123456789Z"
BEFORE, SOON, AFTER = "2026-11-27T02:00:00Z", "2026-11-27T03:13:00Z", "2026-11-27T03:30:00.500000Z"
NOW = datetime(2026, 11, 27, 4, tzinfo=UTC).timestamp()
Answer = dict[str, Any]


def event(phase: str, name: str, at: str = AFTER) -> Answer:
    return {"incident_id": "INC-1", "phase": phase, "event": name, "at": at}


def database(*events: Answer, on: Any = 0, fence: str = "proven", is_open: bool = True, closed: str = "") -> Answer:
    """Return what one database answers."""
    row = {"incident_id": "INC-1", "opened_at": BEFORE, "closed_at": closed or None}
    return {
        "incidents": {"incidents": [row], "open": [row] if is_open and not closed else [], "done": list(events)},
        "flag": {"enabled": on, "unreadable_count": 0},
        "fence": {"status": fence},
    }


def decided(*databases: Answer, asked: str = "scenario1", **more: Any) -> Answer:
    given = {
        "name": "KanbanDown",
        "began_at": BEGAN,
        "environment": "production",
        "own_environment": "production",
        "allowed": ["scenario1", "scenario3"],
        "now": NOW,
        **more,
    }
    return alert_decision(databases, asked=asked, **given)


def test_nothing_is_contained_by_itself_unless_it_is_named() -> None:
    assert decided(allowed=[])["acts"] == "triage"
    for asked, other in (("scenario1", "scenario3"), ("scenario3", "scenario1")):
        assert decided(asked=asked, allowed=[other])["acts"] == "triage"
        found = decided(asked=asked, allowed=[asked])
        assert (found["acts"], found["reason"]) == (asked, "Alert KanbanDown, firing since 2026-11-27T03:12:00Z")


def test_an_alert_of_the_future_stops_nobody_who_was_let_go_today() -> None:
    # A Prometheus whose clock is an hour ahead sends it again and again after people went back.
    ahead = {"began_at": "2026-11-27T05:00:00Z"}
    back = database(event("re-enable", "restored"), on=5)
    found = decided(back, **ahead)
    assert (found["acts"], "a clock is wrong" in " ".join(found["lines"])) == ("triage", True)
    assert decided(database(closed=AFTER, on=5), **ahead)["acts"] == "triage"
    # What people did a day before does not matter, and if they did nothing, V2 is stopped.
    yesterday = database(event("re-enable", "restored", "2026-11-26T03:59:00Z"), on=5)
    for one in (database(on=5), yesterday, database(closed="2026-11-26T03:50:00Z", on=5)):
        assert decided(one, **ahead)["acts"] == "scenario1"
    # The clocks of two machines differ a little.
    assert "a clock is wrong" not in " ".join(decided(back, began_at="2026-11-27T04:01:59Z")["lines"])


def test_a_moment_that_yaml_has_read_is_the_same_moment() -> None:
    # As AWX passes on the answers of its survey.
    for zone in (UTC, None):
        began = datetime(2026, 11, 27, 3, 12, 0, 123456, zone)
        assert decided(began_at=began) == decided()
    assert decided(began_at="2026-11-27 03:12:00+00:00")["refused"]


@pytest.mark.parametrize(
    "silent",
    [{}, {"incidents": {"failed": True}}, {"incidents": {"open": "?"}, "flag": None}, {**database(), "flag": {}}],
)
def test_what_is_not_known_stops_nothing_from_being_stopped(silent: Answer) -> None:
    assert decided(database(), silent)["acts"] == "scenario1"
    assert decided()["acts"] == "scenario1"


def test_what_holds_already_is_not_done_again() -> None:
    found = decided(database())
    assert found["acts"] == ""
    assert "INC-1 is open and all that scenario1 stops is stopped" in found["lines"][1]
    # Off, but no incident is open: no ledger says who had it.
    assert decided(database(is_open=False))["acts"] == "scenario1"
    for unknown in (3, None):
        assert decided(database(), database(on=unknown))["acts"] == "scenario1"
    held = database()
    held["flag"]["unreadable_count"] = 1
    assert decided(held)["acts"] == "scenario1"
    held["flag"] = {"enabled": 0, "global_default": "on"}
    assert decided(held)["acts"] == "scenario1"


@pytest.mark.parametrize(
    ("fence", "blocks", "fenced", "acts"),
    [
        ("proven", [{"held": True}], True, ""),
        ("draining", [{"held": True}], True, ""),
        ("dormant", [{"held": True}], True, "scenario3"),
        ("absent", [{"held": True}], False, ""),
        ("proven", [{"held": True}, {"held": False}], True, "scenario3"),
        ("proven", [{"held": True}, {}], True, "scenario3"),
        ("proven", [], True, ""),
    ],
)
def test_scenario_3_holds_where_each_part_does(fence: str, blocks: list[Answer], fenced: bool, acts: str) -> None:
    # A run that was killed after the flag is continued.
    found = decided(database(fence=fence), asked="scenario3", blocks=blocks, fenced=fenced)
    assert found["acts"] == acts
    assert decided(database(fence=fence), blocks=blocks, fenced=fenced)["acts"] == ""


def test_what_people_decided_after_it_began_is_theirs() -> None:
    back = database(event("re-enable", "restored"), on=3)
    found = decided(back)
    assert found["acts"] == "triage"
    assert "People were let work again at 03:30:00Z, after it began: a person decides." in found["lines"][1]
    # A stage that was withdrawn has let nobody work.
    withdrawn = database(event("re-enable", "withdrawn"), event("re-enable", "stage failed"), on=3)
    assert decided(withdrawn)["acts"] == "scenario1"
    released = database(event("release", "released"), fence="dormant")
    assert decided(released, asked="scenario3", blocks=[{"held": False}])["acts"] == "triage"
    closed = decided(database(on=3, closed="2026-11-27T04:00:00Z"))
    assert closed["acts"] == "triage"
    assert "INC-1 was closed at 04:00:00Z" in closed["lines"][1]


def test_a_release_that_is_under_way_is_not_stopped_by_what_it_knew_of() -> None:
    def found(*events: Answer, **more: Any) -> str:
        history = (event("contain", "fence_raised", BEFORE), *events)
        blocks = [{"held": False}]
        return str(decided(database(*history, fence="dormant"), asked="scenario3", blocks=blocks, **more)["acts"])

    # A release lowers the fence, then tests, and only then records `released`.
    lowered = event("contain", "fence_lowered")
    assert found(lowered) == "triage"
    # If it failed its test or was stopped since, writes are refused again, and nobody has decided that it may go on.
    later, last = "2026-11-27T03:40:00Z", "2026-11-27T03:50:00Z"
    for phase, name in (("contain", "fence_raised"), ("release", "raised again"), ("contain", "disabled")):
        assert found(lowered, event(phase, name, later)) == "scenario3"
    assert found(lowered, event("contain", "fence_raised", later), event("contain", "fence_lowered", last)) == "triage"
    # If the release was killed there, a later alert stops writes again, and so does one that it may not have known of.
    for began in ("2026-11-27T03:30:01Z", "2026-11-27T03:28:30Z"):
        assert found(lowered, began_at=began) == "scenario3"
    # The other database has not lowered its fence yet.
    both = (database(lowered, fence="dormant"), database(event("contain", "fence_raised", BEFORE)))
    assert decided(*both, asked="scenario3")["acts"] == "triage"
    # Lowering the fence is not a look at what fires.
    for asked in ("triage", "scenario3"):
        assert decided(database(lowered), asked=asked, allowed=[])["acts"] == "triage"


def test_what_was_decided_in_any_open_incident_counts() -> None:
    # Somebody has recorded another incident since, under an id of their own.
    both = database(event("re-enable", "restored"), on=3)
    both["incidents"]["open"].insert(0, {"incident_id": "JIRA-77", "opened_at": SOON, "closed_at": None})
    assert decided(both)["acts"] == "triage"


def test_what_began_after_that_is_contained_anew() -> None:
    for earlier in (
        database(event("re-enable", "restored", BEFORE), on=3),
        database(on=3, closed=BEFORE),
        # A minute is within what clocks may differ by.
        database(event("re-enable", "enabled", SOON), on=3),
        database(on=3, closed=SOON),
    ):
        assert decided(earlier)["acts"] == "scenario1"


def test_triage_is_made_once_for_what_an_open_incident_has_seen() -> None:
    for seen in (event("contain", "disabled"), event("assess", "triage")):
        found = decided(database(seen, on=3), asked="triage")
        assert found["acts"] == ""
        assert "INC-1 is open, and was worked on at 03:30:00Z" in found["lines"][1]
        assert decided(database(seen, on=3), allowed=[])["acts"] == ""
    for unseen in (
        database(),
        database(event("contain", "disabled", BEFORE)),
        database(event("report", "told")),
        # Looked at before the return, which the alert may be about.
        database(event("contain", "disabled", SOON), event("re-enable", "restored")),
        {},
    ):
        assert decided(unseen, asked="triage")["acts"] == "triage"


def test_that_the_service_was_stopped_is_no_look_at_corrupt_data() -> None:
    for stop in (event("contain", "disabled"), event("contain", "paused"), event("contain", "fence_drained")):
        assert decided(database(stop), asked="scenario3", allowed=["scenario1"])["acts"] == "triage"
    for seen in (event("contain", "fence_raised"), event("assess", "triage")):
        assert decided(database(seen), asked="scenario3", allowed=["scenario1"])["acts"] == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"asked": "scenario2"},
        {"asked": "{{ 1 }}"},
        {"name": "{{ lookup('pipe', 'id') }}"},
        {"name": "Kanban\n"},
        {"name": ""},
        {"name": 5},
        {"name": "K" * 65},
        {"began_at": "yesterday"},
        {"began_at": "2026-11-27T03:12:00Z\n"},
        {"began_at": "2026-13-27T03:12:00Z"},
        {"began_at": None},
        {"environment": "staging"},
        {"environment": "", "own_environment": ""},
    ],
)
def test_what_is_no_alert_of_here_is_refused_and_not_repeated(wrong: Answer) -> None:
    found = decided(database(on=3), **wrong)
    assert (found["acts"], found["refused"]) == ("", True)
    assert found["lines"][0].startswith("REFUSED: ")
    assert "lookup" not in found["lines"][0]


def test_moments_are_read_as_alertmanager_and_the_ledger_write_them() -> None:
    assert moment(BEGAN) == moment("2026-11-27T03:12:00Z") == moment("2026-11-27T00:12:00-03:00")
    for odd in ("2026-11-27", "0001-01-01T00:00:00Z", "2026-11-27T03:12:00", 5, None):
        assert moment(odd) is None


@pytest.mark.parametrize("scenario", ["scenario1", "scenario3"])
def test_the_record_has_a_stop_that_an_alert_set_off_as_that_scenario_noticed_then(scenario: str) -> None:
    story = stopped("alert", writes=scenario == "scenario3").end(9, "contained")
    told = summary_of(INCIDENT, [story.record], OBJECTIVES)
    assert (told["scenario"], told["moments"]["detected"]) == (scenario, at(0))
    assert told["moments"]["contained"] == at(2 if scenario == "scenario3" else 1)
