# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rehearsal may begin, what it leaves to be put back, and what its last screen says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsal import (
    rehearsal_decision,
    rehearsal_place,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import (
    PLANTED,
    REMOVED,
    Planted,
    asked,
    still_planted,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsalscreen import (
    grown,
    rehearsal_back,
    rehearsal_notes,
    rehearsal_screen,
    rehearsal_verified,
)
from tests.unit.answers import UNREACHABLE, Answer, database

NOW = "2026-11-27T03:04:05.123456Z"
OPEN: Answer = {"incident_id": "INC-1", "aliases": ["A"], "scenario": "scenario3", "opened_at": "2026-11-27T03:00:00Z"}
LEFT: Answer = {**OPEN, "scenario": "rehearsal of scenario3"}
GOOD: dict[str, Answer] = {
    "info": {"database": {**database("7001/5"), "now": NOW}, "open": [], "ledger": {"present": True, "usable": True}},
    "events": {},
    "flag": {"enabled": 3, "total": 10, "unreadable_count": 0},
    "fence": {"status": "dormant"},
    "checks": {"complete": True, "counts": {}},
    "data": {"planted": [{"kind": "orphan", "table": "public.Tags", "rows": 5, "why": ""}], "rows": 5},
    "block": {"held": False, "value": None},
    "health": {"passed": True},
}
NAMES = {"db": ["db1"], "redis": ["redis1"], "app": ["app1"]}
ALL = {"db": "db", "redis": "redis", "app": "app"}


def decide(wanted: str = "scenario3", names: Any = None, patterns: Any = None, **other: Any) -> dict[str, Any]:
    answers = {name: [other.get(name, answer)] for name, answer in GOOD.items()}
    answers.update({name: value for name, value in other.items() if isinstance(value, list)})
    return rehearsal_decision(names or NAMES, answers, wanted=wanted, patterns=patterns or ALL)


def info(**more: Any) -> Answer:
    return {**GOOD["info"], **more}


@pytest.mark.parametrize("environment", ["production", "PRODUCTION", " Prod ", "Produção", "live"])
def test_production_is_refused_before_anybody_is_asked(environment: str) -> None:
    (why,) = rehearsal_place(environment, "scenario3")
    assert "rehearsal hosts only" in why


def test_a_place_that_nobody_names_could_be_production() -> None:
    assert "could be production" in rehearsal_place("", "scenario3")[0]
    assert "'scenario4'" in rehearsal_place("staging", "scenario4")[0]
    assert "Leave it out" in rehearsal_place("staging", "scenario3", "surgical")[0]
    assert [rehearsal_place("staging", one) for one in ("scenario1", "put_back")] == [[], []]


def test_it_begins_where_every_host_says_yes() -> None:
    found = decide()
    assert (found["goes"], found["puts_back"], found["refused"]) == (True, False, [])
    # Who has no Redis and no application host says so.
    assert decide(names={**NAMES, "redis": [], "app": []}, patterns={"db": "db", "redis": "none", "app": "none"})[
        "goes"
    ]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"info": UNREACHABLE}, "before every host has said yes"),
        ({"info": {"failed": True, "msg": "wrong password"}}, "wrong password"),
        ({"info": info(open=[OPEN])}, "incident INC-1 is open since"),
        ({"info": info(ledger={"present": True, "usable": False})}, "cannot be used by this role"),
        ({"info": info(database={**database("7001/5"), "ledger_environment": "Production"})}, "rehearsal hosts only"),
        ({"flag": {"failed": True, "msg": "no table"}}, "its flag cannot be read: no table"),
        ({"flag": {"enabled": 0, "total": 0}}, "there is no tenant"),
        ({"flag": {"enabled": 0, "total": 9, "unreadable_count": 2}}, "text that is no JSON"),
        ({"fence": {"status": "proven"}}, "a fence is up"),
        ({"fence": UNREACHABLE}, "its fence cannot be read"),
        ({"checks": {"complete": False, "not_known": ["orphan_tags"]}}, "(orphan_tags)"),
        (
            {"data": {"failed": True, "msg": "x", "error": {"what": "It lacks INSERT.", "todo": "Grant it: G;"}}},
            "Grant it: G;",
        ),
        ({"block": {"held": True, "value": "true", "owner": "INC-9"}}, "a write block is there, of INC-9"),
        ({"block": {"held": False, "value": "yes", "owner": None}}, "a write block is there"),
        ({"block": UNREACHABLE}, "its write block cannot be read"),
        ({"health": {"failed": True, "msg": "500"}}, "app1: not healthy before anything was broken: 500"),
        ({"names": {**NAMES, "redis": []}}, "kanban_redis_hosts=none"),
        ({"names": {**NAMES, "db": []}}, "needs a database"),
    ],
)
def test_one_that_does_not_say_yes_stops_all(other: dict[str, Any], why: str) -> None:
    found = decide(**other)
    assert (found["goes"], found["puts_back"]) == (False, False)
    assert any(why in line for line in found["refused"]), found["refused"]


def test_a_replica_is_left_alone_and_two_ways_to_one_database_are_not() -> None:
    replica = info(database={**database("7001/5", writable=False), "now": NOW})
    both: dict[str, Any] = {"names": {**NAMES, "db": ["db1", "db2"]}, "flag": [GOOD["flag"], {}], "events": [{}, {}]}
    assert decide(**both, info=[GOOD["info"], replica])["goes"]
    alone = decide(**both, info=[info(database={**database("9/9"), "now": NOW}), replica])
    assert "whose primary did not answer" in alone["refused"][0]
    twins = decide(**{**both, "flag": [GOOD["flag"]] * 2}, info=[GOOD["info"]] * 2)
    assert any("lead to one database" in line for line in twins["refused"])


def test_scenario_2_needs_errors_and_scenario_3_stops_without_corruption() -> None:
    nothing = {"planted": [{"kind": "errors", "table": "ErrorLogs", "rows": 0, "why": "it has no table"}], "rows": 0}
    assert "would find nobody" in decide("scenario2", data=nothing)["refused"][0]
    assert decide("scenario3", data=nothing)["goes"]
    assert decide("scenario1", data={})["goes"]


def test_what_an_earlier_one_left_comes_first() -> None:
    dead = {"database": {"now": NOW}, "events": [{"at": "2026-11-27T03:02:04.000000Z"}]}
    alive = {"database": {"now": NOW}, "events": [{"at": "2026-11-27T03:03:04.000000Z"}]}
    # The block and the fence that it left are no reason against it.
    other: dict[str, Any] = {
        "info": info(open=[LEFT]),
        "fence": {"status": "proven"},
        "block": {"held": True, "value": "true"},
    }
    found = decide(events=dead, **other)
    assert (found["goes"], found["puts_back"], found["refused"], found["left"]) == (False, True, [], {"db1": "INC-1"})
    # Somebody who is at work is not put back, unless a person says so.
    found = decide(events=alive, **other)
    assert (found["goes"], found["puts_back"]) == (False, False)
    assert "its last line 61 s ago" in found["refused"][0]
    assert decide("put_back", events=alive, **other)["puts_back"]
    assert decide("put_back") == {**decide("put_back"), "goes": False, "puts_back": False, "refused": []}


CHECKS: list[Answer] = [
    {"name": "orphans", "kind": "orphan", "table": "Tags", "column": "companyId"},
    {"name": "others", "kind": "orphan", "table": "Tags", "column": "nextLaneId"},
    {"name": "lanes", "kind": "invalid_reference", "table": "Tickets"},
    {"name": "hours", "kind": "timeline", "table": "Tags"},
]
KINDS: list[Answer] = [{"kind": "orphan", "table": "Tags", "column": "companyId"}]
DATA: Answer = {"planted": [{"rows": 5}]}


def counted(**counts: int) -> Answer:
    return {"complete": True, "counts": {"orphans": 2, "others": 0, "lanes": 1, "hours": 0, **counts}}


@pytest.mark.parametrize(
    ("after", "bad"),
    [
        (counted(orphans=7), []),
        (counted(orphans=7, hours=3), []),
        # A copy of a row that another check names is named by it too.
        (counted(orphans=7, others=5), []),
        (counted(orphans=7, others=6), ["others counts 6 more than before, and 0 were planted"]),
        (counted(orphans=6), ["orphans counts 4 more than before, and 5 were planted"]),
        (counted(orphans=8), ["orphans counts 6 more than before, and 5 were planted"]),
        (counted(orphans=7, lanes=2), ["lanes counts 1 more than before, and 0 were planted"]),
        (counted(orphans=7, lanes=0), ["lanes counts -1 more than before, and 0 were planted"]),
        ({"complete": False, "msg": "late"}, ["its data could not be counted after the scenario: late"]),
    ],
)
def test_the_checks_count_what_was_planted_and_nothing_else(after: Answer, bad: list[str]) -> None:
    assert grown(counted(), after, CHECKS, KINDS, DATA) == bad


def verified(**other: Any) -> list[str]:
    answers: dict[str, Any] = {
        "flag": {"enabled": 0},
        "before": counted(),
        "after": counted(orphans=7),
        "kinds": KINDS,
        "data": DATA,
    }
    answers.update({"health": {"passed": True}, "walk": {"passed": True}, **other})
    seen = {name: [answer] for name, answer in answers.items()}
    return rehearsal_verified(["db1"], seen, checks=CHECKS, applications=["app1"], walks=True)


def test_flag_data_and_application_are_looked_at_again() -> None:
    assert verified() == []
    assert verified(flag={"enabled": 3}) == ["db1: the flag is not off: 3 tenants still have it"]
    assert "could not be reached" in verified(flag=UNREACHABLE)[0]
    assert verified(health={"failed": True, "msg": "502"}) == ["app1: not healthy: 502"]
    assert verified(walk={"passed": False, "msg": "version 2"}) == ["app1: V1 is not served: version 2"]


def back(**other: Any) -> list[str]:
    answers: dict[str, Any] = {
        "flag": {"enabled_after": 3},
        "data": {"removed": 5, "left": 0},
        "block": GOOD["block"],
        **other,
    }
    failures = answers.pop("failures", {})
    return rehearsal_back(["db1"], {name: [answer] for name, answer in answers.items()}, ["redis1"], failures)


def test_what_is_not_as_before_is_named() -> None:
    assert back() == []
    assert "the flag was not put back" in back(flag=UNREACHABLE)[0]
    assert "2 planted rows stay" in back(data={"removed": 3, "left": 2})[0]
    assert "were not taken away" in back(data={})[0]
    assert back(block={"held": True, "value": "true"}) == ["redis1: the write block is not released: it is there"]
    assert back(failures={"db1": "held by\npid 7"}, flag={}) == ["db1: held by pid 7"]


GOES: Answer = {"goes": True, "puts_back": False, "refused": [], "left": {}, "lines": []}
VERDICT: Answer = {
    "final": True,
    "failed": False,
    "met": True,
    "seconds": 2.0,
    "objective": 120,
    "headline": "CONTAINED",
}
SECONDS = {"disable": 2.04, "verify": 20.0, "total": 22.04}


def screen(decision: Answer = GOES, **other: Any) -> tuple[str, bool, str]:
    options = {"wanted": "scenario3", "verdict": VERDICT, "seconds": SECONDS, **other}
    shown = rehearsal_screen(decision, arguments=["-i", "x"], **options)
    return shown["verdict"], shown["failed"], "\n".join(shown["lines"])


def test_a_green_rehearsal_shows_the_plans_three_timings() -> None:
    word, failed, text = screen(notes=rehearsal_notes(["db1"], [{"changed_count": 4}], [GOOD["data"]]))
    assert (word, failed) == ("rehearsed", False)
    assert "Time to disable feature flag: 2.0 s\nTime to verify: 20.0 s\nTotal rollback time: 22.0 s" in text
    assert "db1: 4 tenants switched on for it; 5 of orphan in public.Tags" in text
    assert "ansible-playbook chatia.kanban_rollback.rehearse -i x" in text


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"verified": ["db1: x"]}, "NOT GREEN: scenario3, and all is as before.\nNOT VERIFIED: db1: x"),
        ({"back": ["db1: y"]}, "and NOT all is as before.\nNOT AS BEFORE: db1: y"),
        ({"not_set_up": ["db1: z"], "verdict": {}}, "NOT SET UP: db1: z\nTime"),
        ({"verdict": {}}, "THE SCENARIO did not come to"),
        ({"verdict": {**VERDICT, "final": False}}, "THE SCENARIO did not come to"),
        ({"verdict": {**VERDICT, "failed": True}}, "THE SCENARIO: CONTAINED\nTime"),
        ({"verdict": {**VERDICT, "seconds": 121.0}}, "OBJECTIVE: 121.0 s, and it is 120 s."),
    ],
)
def test_one_thing_that_is_not_well_is_not_green(other: dict[str, Any], said: str) -> None:
    word, failed, text = screen(**other)
    assert (word, failed) == ("failed", True)
    assert said in text


def test_what_is_not_measured_is_said_to_be_so() -> None:
    assert "Time to verify: not measured" in screen(seconds={"disable": 1.0, "verify": None, "total": None})[2]


def test_who_was_changed_meanwhile_is_named() -> None:
    told = rehearsal_notes(["db1"], [{}], [{}], [{"changed_since": ["7"], "missing": ["9"]}])
    assert told == ["db1: left alone, for somebody changed them meanwhile: 7, 9"]
    assert rehearsal_notes(["db1"], [{}], [{}]) == []


def test_other_ends() -> None:
    assert screen({**GOES, "goes": False, "refused": ["db1: no"]})[:2] == ("refused", True)
    left = {**GOES, "goes": False, "puts_back": True, "left": {"db1": "INC-1"}}
    assert screen(left)[:2] == ("put_back", False)
    assert screen(left, back=["db1: y"])[:2] == ("failed", True)
    assert "PUT BACK IN PART" in screen(left, back=["db1: y"])[2]
    assert (
        screen({**GOES, "goes": False}, wanted="put_back")[2] == "NOTHING TO PUT BACK: no ledger has a rehearsal open."
    )
    assert screen(check_mode=True)[:2] == ("planned", False)
    assert screen(left, check_mode=True)[:2] == ("planned", False)


def test_what_is_asked_for_is_whole_and_bounded() -> None:
    kinds = [{"kind": "errors", "table": "E", "column": "c", "tenants": ["1", "2"], "text": None, "columns": []}]
    (found,) = asked(kinds, 25)
    assert (found.rows, found.each, found.tenants) == (25, 12, ("1", "2"))
    assert asked([{**kinds[0], "rows": 1}], 25)[0].each == 1
    for bad, rows in (
        (kinds, 0),
        (kinds, 10_001),
        ([{**kinds[0], "rows": 10_001}], 5),
        ([{"kind": "orphan", "table": "T"}], 5),
    ):
        with pytest.raises(BadInput):
            asked(bad, rows)


def test_what_is_on_record_is_what_no_removal_finished() -> None:
    one = Planted("orphan", "public", "Tags", 2, ("id",), (("1", "2"),))
    keyless = Planted("duplicate", "public", "T", 3, texts=("(1)", "(2)"), counts=(2, 1), before=(0, 1))
    told = [(PLANTED, json.dumps(row.as_data())) for row in (one, keyless)]
    part, whole = ((REMOVED, json.dumps({"left": left})) for left in (1, 0))
    assert still_planted(told) == [one, keyless]
    assert still_planted([*told, part]) == [one, keyless]
    assert still_planted([*told, part, whole]) == []
    assert still_planted([*told, whole, told[0]]) == [one]
