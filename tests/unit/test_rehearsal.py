# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rehearsal may begin, and what an earlier one left."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsal import (
    SCENARIOS,
    left_over,
    rehearsal_decision,
    rehearsal_place,
)
from tests.unit.answers import UNREACHABLE, Answer, database

NOW = "2026-11-27T03:04:05.123456Z"
OPEN: Answer = {"incident_id": "INC-1", "aliases": ["A"], "scenario": "scenario3", "opened_at": "2026-11-27T03:00:00Z"}
LEFT: Answer = {**OPEN, "scenario": "rehearsal of scenario3"}
DEAD: Answer = {"database": {"now": NOW}, "events": [{"at": "2026-11-27T03:02:04.000000Z"}]}
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
CALLED = dict.fromkeys(("localhost", "db1", "redis1", "app1"), "staging")


def decide(wanted: str = "scenario3", names: Any = None, patterns: Any = None, **other: Any) -> dict[str, Any]:
    called, silent = {**CALLED, **other.pop("called", {})}, other.pop("silent", 0)
    answers = {name: [other.get(name, answer)] for name, answer in GOOD.items()}
    answers.update({name: value for name, value in other.items() if isinstance(value, list)})
    return rehearsal_decision(
        names or NAMES, answers, wanted=wanted, patterns=patterns or ALL, environments=called, silent_seconds=silent
    )


def info(**more: Any) -> Answer:
    return {**GOOD["info"], **more}


@pytest.mark.parametrize(
    "environment", ["PRODUCTION", " Prod ", "Produção", "live", "prod-br", "eu_production", "BR1PRD2"]
)
def test_production_is_refused_before_anybody_is_asked(environment: str) -> None:
    (why,) = rehearsal_place(environment, "scenario3")
    assert "rehearsal hosts only" in why


@pytest.mark.parametrize("environment", ["staging", "homologacao", "preprod", "delivery", "qa", "demo"])
def test_a_place_that_is_called_something_else_is_not_refused_for_its_name(environment: str) -> None:
    assert rehearsal_place(environment, "scenario3") == []


def test_a_place_that_nobody_names_could_be_production() -> None:
    assert "could be production" in rehearsal_place("", "scenario3")[0]
    assert "'scenario4'" in rehearsal_place("staging", "scenario4")[0]
    assert "Leave it out" in rehearsal_place("staging", "scenario3", "surgical")[0]
    assert [rehearsal_place("staging", one) for one in ("scenario1", "put_back")] == [[], []]


def test_what_only_the_inventory_asks_for_is_refused_because_another_playbook_would_run() -> None:
    assert rehearsal_place("staging", "scenario1", typed="scenario1") == []
    (why,) = rehearsal_place("staging", "scenario1", typed="scenario3")
    assert why.endswith("scenario3 would be run and recorded as scenario1. Give it on the command line: "
                        "-e kanban_rehearse=scenario1")  # fmt: skip


def test_it_begins_where_every_host_says_yes() -> None:
    found = decide()
    assert (found["goes"], found["puts_back"], found["refused"]) == (True, False, [])
    assert decide(flag={"enabled": 0, "total": 9, "tenants_lacking": [4, None]})["goes"]
    # An inventory without Redis and application hosts says so.
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
        ({"flag": {"enabled": 0, "total": 9, "tenants_lacking": []}}, "kanban_rehearse_share switches nobody on"),
        # A row without a tenant cannot be switched on by name.
        ({"flag": {"enabled": 0, "total": 1, "tenants_lacking": [None]}}, "kanban_rehearse_share switches nobody on"),
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


@pytest.mark.parametrize("wanted", SCENARIOS)
@pytest.mark.parametrize("host", ["db1", "redis1", "app1"])
def test_a_host_whose_own_variables_call_it_otherwise_stops_all(wanted: str, host: str) -> None:
    # No ledger contradicts.
    new = info(ledger={"present": False, "usable": False})
    for environment, why in (
        ("production", f"{host}: This is 'production'"),
        ("eu_PRD1", f"{host}: This is 'eu_PRD1'"),
        ("", f"{host}: Neither the command nor the ledger says which environment this is."),
        ("qa", f"{host}: its kanban_environment is 'qa', but the run's is 'staging'"),
    ):
        found = decide(wanted, info=new, called={host: environment})
        assert (found["goes"], len(found["refused"])) == (False, 1)
        assert found["refused"][0].startswith(why)
        # What an earlier one left is put back whatever the host is called by now.
        assert decide(wanted, info=info(open=[LEFT]), events=DEAD, called={host: environment})["puts_back"]


@pytest.mark.parametrize("wanted", SCENARIOS)
@pytest.mark.parametrize("code", ["production", "no_environment"])
def test_where_nothing_may_be_planted_nothing_is_switched_on(wanted: str, code: str) -> None:
    error = {"code": code, "what": "Not here.", "todo": "Go elsewhere."}
    found = decide(wanted, data={"failed": True, "msg": "x", "error": error})
    assert (found["goes"], found["refused"]) == (False, ["db1: Not here. Go elsewhere."])
    # Scenario 1 plants nothing, so it needs no right to.
    other = {"failed": True, "msg": "x", "error": {**error, "code": "no_right"}}
    assert decide(wanted, data=other)["goes"] == (wanted == "scenario1")


def test_a_replica_is_left_alone_and_two_ways_to_one_database_are_not() -> None:
    replica = info(database={**database("7001/5", writable=False), "now": NOW})
    both: dict[str, Any] = {"names": {**NAMES, "db": ["db1", "db2"]}, "flag": [GOOD["flag"], {}], "events": [{}, {}]}
    assert decide(**both, info=[GOOD["info"], replica])["goes"]
    alone = decide(**both, info=[info(database={**database("9/9"), "now": NOW}), replica])
    assert "whose primary did not answer" in alone["refused"][0]
    refused = decide(**both, info=[{"failed": True, "msg": "It lacks SELECT."}, replica])["refused"]
    assert any("db2: a replica whose primary may be db1, which answered with an error" in why for why in refused)
    twins = decide(**{**both, "flag": [GOOD["flag"]] * 2}, info=[GOOD["info"]] * 2)
    assert any("lead to one database" in line for line in twins["refused"])


def test_scenario_2_needs_errors_and_scenario_3_stops_without_corruption() -> None:
    nothing = {"planted": [{"kind": "errors", "table": "ErrorLogs", "rows": 0, "why": "it has no table"}], "rows": 0}
    assert "would find nobody" in decide("scenario2", data=nothing)["refused"][0]
    assert decide("scenario3", data=nothing)["goes"]
    assert decide("scenario1", data={})["goes"]


def test_what_an_earlier_one_left_comes_first() -> None:
    alive = {"database": {"now": NOW}, "events": [{"at": "2026-11-27T03:03:04.000000Z"}]}
    # The block and the fence that it left do not speak against it.
    other: dict[str, Any] = {
        "info": info(open=[LEFT]),
        "fence": {"status": "proven"},
        "block": {"held": True, "value": "true"},
    }
    found = decide(events=DEAD, **other)
    assert (found["goes"], found["puts_back"], found["refused"], found["left"]) == (False, True, [], {"db1": "INC-1"})
    # If somebody is still at work on it, it is not put back, unless a person says so.
    found = decide(events=alive, **other)
    assert (found["goes"], found["puts_back"]) == (False, False)
    assert "its last line 61 s ago" in found["refused"][0]
    assert decide("put_back", events=alive, **other)["puts_back"]
    # A dump writes nothing into the ledger meanwhile.
    found = decide(events=DEAD, silent=1800, **other)
    assert (found["goes"], found["puts_back"]) == (False, False)
    assert "Wait until it ends or 1920 s are over" in found["refused"][0]
    assert decide(events=DEAD, silent=1, **other)["puts_back"]
    assert decide("put_back") == {**decide("put_back"), "goes": False, "puts_back": False, "refused": []}


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (UNREACHABLE, "could not be reached"),
        ({"failed": True, "msg": "Timed out after 25 s."}, "Timed out after 25 s. Two"),
        ({}, "it was not asked"),
        ({**DEAD, "events": []}, "its ledger tells of no moment"),
        ({**DEAD, "events": [{"at": "lately"}]}, "its ledger tells of no moment"),
        ({"events": DEAD["events"]}, "its ledger tells of no moment"),
    ],
)
def test_one_that_gave_no_answer_is_not_dead(events: Answer, why: str) -> None:
    found = decide(info=info(open=[LEFT]), events=events)
    assert (found["goes"], found["puts_back"], found["left"]) == (False, False, {"db1": "INC-1"})
    (said,) = found["refused"]
    assert said.startswith(f"db1: a rehearsal is open, and whether it is at work still is NOT KNOWN: {why}"), said
    assert "-e kanban_rehearse=put_back" in said
    # A database that has none open did not have to be asked.
    both: dict[str, Any] = {"names": {**NAMES, "db": ["db1", "db2"]}, "info": [info(open=[LEFT]), GOOD["info"]]}
    assert decide(**both, events=[DEAD, events])["puts_back"]
    # A person may know that nobody is at work.
    assert decide("put_back", info=info(open=[LEFT]), events=events)["puts_back"]


def test_a_replica_shows_what_its_primary_has_open_and_nothing_is_put_back_there() -> None:
    replica = info(database={**database("7001/5", writable=False), "now": NOW}, open=[LEFT])
    names = {**NAMES, "db": ["db1", "db2"]}
    found = decide("put_back", names=names, info=[info(open=[LEFT]), replica])
    assert (found["puts_back"], found["left"]) == (True, {"db1": "INC-1"})
    # Just after its primary has closed it, the replica may still show it.
    both: dict[str, Any] = {"flag": [GOOD["flag"], {}], "events": [{}, {}]}
    late = decide(names=names, **both, info=[GOOD["info"], replica])
    assert (late["goes"], late["left"], left_over(replica)) == (True, {}, {})


@pytest.mark.parametrize(
    ("infos", "said"),
    [
        ([GOOD["info"], UNREACHABLE], "db2: could not be reached"),
        ([GOOD["info"], {}], "db2: it was not asked"),
        ([GOOD["info"], {"failed": True, "msg": "wrong password"}], "db2: wrong password"),
        (
            [GOOD["info"], info(ledger={"present": True, "usable": False})],
            "db2: its ledger cannot be used",
        ),
        ([GOOD["info"], info(database=database("9/9", writable=False))], "db2: a replica whose primary did not answer"),
    ],
)
def test_a_ledger_that_did_not_answer_may_have_one_open(infos: list[Answer], said: str) -> None:
    names = {**NAMES, "db": ["db1", "db2"]}
    found = decide("put_back", names=names, info=infos)
    assert (found["puts_back"], found["refused"], found["left"]) == (False, [], {})
    assert [line[: len(said)] for line in found["unknown"]] == [said]
    # What the others have open is put back all the same.
    first = {**infos[0], "open": [LEFT]}
    for wanted in ("put_back", "scenario3"):
        found = decide(wanted, names=names, info=[first, infos[1]], events=[DEAD, {}])
        assert (found["puts_back"], found["left"], len(found["unknown"])) == (True, {"db1": "INC-1"}, 1)


def test_whether_one_is_open_is_known_where_every_ledger_has_said_so() -> None:
    replica = info(database={**database("7001/5", writable=False), "now": NOW})
    names = {**NAMES, "db": ["db1", "db2"]}
    assert decide("put_back", names=names, info=[GOOD["info"], replica])["unknown"] == []
    # A database without a ledger was never rehearsed on.
    assert decide("put_back", info=info(ledger={"present": False, "usable": False}))["unknown"] == []
    assert decide("put_back", names={**NAMES, "db": []}, info=[])["unknown"] == [
        "db has no hosts, so no ledger was asked. Mend the name."
    ]
