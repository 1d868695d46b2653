# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to facts: what is missing stays missing, and nobody counts twice."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagefacts import (
    affected_facts,
    gate_facts,
    health_facts,
    triage_records,
)
from tests.unit.answers import REFUSED, UNREACHABLE, database

Answer = dict[str, Any]
TIMED_OUT: Answer = {"failed": True, "msg": "Timed out after 13 second(s).", "timedout": {"period": 13}}
# Replicas are skipped by the module, and hosts that an earlier step did not reach by Ansible.
REPLICA: Answer = {"skipped": True, "msg": "A replica: its primary ranks."}


def ranked(cluster: str = "7/1", affected: int = 3, on: int = 10, *, writable: bool = True, **more: Any) -> Answer:
    """Return what affected_tenants_info answers."""
    place = database(cluster, writable)
    return {"measured": True, "database": place, "affected_on_count": affected, "on_count": on, "users_count": 5,
            "tenants": [{"tenant": cluster}], **more}  # fmt: skip


def test_independent_databases_are_summed_up_and_a_replica_counts_once() -> None:
    facts = affected_facts(["db1", "db3"], [ranked("7/1"), ranked("8/1", 5, 30)])
    assert (facts["known"], facts["applies"], facts["affected_on"], facts["on"]) == (True, True, 8, 40)
    assert (facts["share"], facts["users"], len(facts["tenants"]), facts["why"]) == (0.2, 10, 2, "")
    replica = ranked("7/1", 1, 9, writable=False)
    for answers in ([ranked(), replica], [replica, ranked()]):
        assert affected_facts(["db1", "db2"], answers)["affected_on"] == 3
    assert affected_facts(["db1", "db2"], [ranked(), REPLICA])["known"] is True


@pytest.mark.parametrize("silent", [UNREACHABLE, REFUSED, TIMED_OUT, {}, None, {"skipped": True, "skip_reason": "x"}])
def test_who_gave_no_answer_makes_the_share_unknown_and_is_named(silent: Any) -> None:
    facts = affected_facts(["db1", "db3"], [ranked(), silent])
    assert (facts["known"], facts["applies"]) == (False, True)
    assert facts["why"].startswith("db3: ")
    assert "\n" not in facts["why"]
    assert affected_facts(["db3"], [silent])["applies"] is True


def test_a_log_of_errors_that_is_not_there_is_nothing_to_ask_and_no_good_news() -> None:
    lacking = {"measured": False, "why_not": "there is no table ErrorLogs"}
    facts = affected_facts(["db1"], [lacking])
    assert (facts["known"], facts["applies"]) == (False, False)
    assert facts["why"] == "db1: there is no table ErrorLogs"
    # If some have it, those that do not are a doubt.
    facts = affected_facts(["db1", "db3"], [ranked(), lacking])
    assert (facts["known"], facts["applies"]) == (False, True)


def test_without_a_database_or_a_primary_nothing_is_known() -> None:
    assert affected_facts([], [])["why"] == "no host is in the group of databases"
    facts = affected_facts(["db2"], [REPLICA])
    assert (facts["known"], facts["why"]) == (False, "no primary answered")


def test_beside_a_frozen_list_the_figures_of_now_count() -> None:
    frozen = ranked(frozen=True, now={"affected_on_count": 7, "on_count": 8, "users_count": 2, "note": None})
    facts = affected_facts(["db1"], [frozen])
    assert (facts["known"], facts["affected_on"], facts["on"], facts["users"]) == (True, 7, 8, 2)
    assert facts["tenants"] == [{"tenant": "7/1"}]
    facts = affected_facts(["db1", "db3"], [ranked(frozen=True, now=None), ranked("8/1", 5, 30)])
    assert (facts["known"], facts["affected_on"], len(facts["tenants"])) == (False, 5, 2)
    assert facts["why"] == "db1: the list is frozen, and who is affected now could not be counted"


def test_a_count_that_cannot_be_relied_on_is_not_known_and_a_note_is_kept() -> None:
    facts = affected_facts(["db1", "db3"], [ranked(doubt="a clock\nis behind"), ranked("8/1")])
    assert (facts["known"], facts["why"]) == (False, "db1: a clock is behind")
    facts = affected_facts(["db1"], [ranked(affected=0, note="No error was found.")])
    assert (facts["known"], facts["note"]) == (True, "db1: No error was found.")


def test_nobody_on_has_no_share_and_users_that_one_does_not_know_have_no_sum() -> None:
    assert affected_facts(["db1"], [ranked(affected=0, on=0)])["share"] is None
    assert affected_facts(["db1", "db3"], [ranked(), ranked("8/1", users_count=None)])["users"] is None
    assert affected_facts(["db1"], [UNREACHABLE])["users"] is None


def test_a_gate_tells_each_judged_metric_with_its_threshold() -> None:
    metric = {"name": "dnd", "value": 812.0, "verdict": "degraded"}
    gate = {
        "verdict": "degraded",
        "metrics": [
            {**metric, "threshold": {"max": 500, "unit": "ms", "consecutive": 3, "no_data": "ignore"}},
            {"name": "seen", "value": 1, "verdict": "not_judged", "threshold": None},
        ],
        "silent": {"app2": "dnd:\nHTTP 503"},
    }
    assert gate_facts(gate) == {
        "verdict": "degraded",
        "metrics": {"dnd": {"value": 812.0, "threshold": {"max": 500}, "unit": "ms", "verdict": "degraded"}},
        "why": "app2: dnd: HTTP 503",
        "beside": [],
    }


@pytest.mark.parametrize("nothing", [None, {}, {"metrics": []}])
def test_a_gate_that_was_not_watched_has_no_data(nothing: Any) -> None:
    assert gate_facts(nothing) == {"verdict": "no_data", "metrics": {}, "why": "nothing was measured"}


def health(passed: bool | None = True, why: str | None = None, code: str | None = None) -> Answer:
    """Return what smoke_test answers about health."""
    return {"passed": passed, "steps": [{"name": "health", "passed": passed, "why": why, "code": code}]}


BAD = health(False, "it answered 503, not 200")


def look(*answers: Any, tries: int = 3, outside: dict[str, Any] | None = None, gate: Any = None) -> Answer:
    names = [f"app{number}" for number in range(1, len(answers) + 1)]
    outside = outside or {}
    return health_facts(names, answers, [tries] * len(names), list(outside), list(outside.values()), gate)


@pytest.mark.parametrize(
    ("answer", "kind", "named"),
    [
        (health(), "healthy", "app2"),
        (BAD, "unhealthy", "app2: it answered 503, not 200"),
        (UNREACHABLE, "unreachable", "app2"),
        (TIMED_OUT, "unreachable", "app2"),
        ({"failed": True, "msg": "no python"}, "silent", "app2: no python"),
        (health(False, "refused", "refused"), "unhealthy", "app2: refused"),
        (health(False, "no such name", "unresolved"), "silent", "app2: no such name"),
        (health(None), "unhealthy", "app2: no reason given"),
        ({"passed": True, "steps": []}, "silent", "app2: no reason given"),
        ({}, "silent", "app2: it was not asked, because an earlier step got no answer here"),
        (None, "silent", "app2: it was not asked, because an earlier step got no answer here"),
    ],
)
def test_each_host_is_one_thing_and_is_named(answer: Any, kind: str, named: str) -> None:
    facts = look(health(), answer)
    kinds = {name: facts[name] for name in ("healthy", "unhealthy", "unreachable", "silent")}
    expected: dict[str, list[str]] = {"healthy": ["app1"], "unhealthy": [], "unreachable": [], "silent": []}
    expected[kind] = [*expected[kind], named]
    assert kinds == expected
    assert facts["hosts"] == ["app1", "app2"]


def test_a_host_that_is_not_healthy_was_asked_as_often_as_the_one_that_was_asked_least() -> None:
    assert health_facts(["a", "b", "c"], [BAD, UNREACHABLE, health()], [3, 2, 1], [], [], None)["tries"] == 2
    assert health_facts(["a", "b"], [health(), health()], [1, 2], [], [], None)["tries"] == 2
    assert health_facts(["a", "b"], [BAD, None], [3], [], [], None)["tries"] == 0  # type: ignore[list-item]
    assert health_facts([], [], [], [], [], None)["tries"] == 0


def test_the_controller_is_one_place_however_it_asks() -> None:
    assert look(UNREACHABLE)["places"] == 1
    assert look(UNREACHABLE, outside={"localhost": BAD})["places"] == 1
    assert look(UNREACHABLE, outside={"localhost": BAD, "db1": BAD})["places"] == 2
    assert look(UNREACHABLE, outside={"db1": BAD, "db2": health()})["places"] == 3
    # A host that could not ask is not a place.
    for silent in (UNREACHABLE, TIMED_OUT, {}, None, {"failed": True, "msg": "no python"}):
        assert look(UNREACHABLE, outside={"db1": silent})["places"] == 1


@pytest.mark.parametrize("code", ["unresolved", "tls", "unreachable"])
def test_who_can_resolve_trust_or_route_nothing_is_no_place_and_no_sign_that_users_are_served(code: str) -> None:
    blind = health(False, "it saw nothing", code)
    facts = look(UNREACHABLE, outside={"localhost": BAD, "db1": blind})
    assert facts["places"] == 1
    assert facts["users"]["why"] == ["localhost: it answered 503, not 200", "db1: it saw nothing"]
    # A certificate that nobody trusts keeps users out, too: only what was seen to be good is good.
    facts = look(health(), outside={"db1": blind})
    assert facts["users"] == {"asked": True, "served": False, "why": ["db1: it saw nothing"]}
    assert look(health(), outside={"db1": blind, "db2": health()})["users"]["served"] is True
    for code_of_one_that_is_down in ("refused", "timeout", "closed", None):
        down = health(False, "it is down", code_of_one_that_is_down)
        assert look(UNREACHABLE, outside={"db1": down})["places"] == 2


def test_the_address_of_users_is_told_and_one_who_is_served_is_enough() -> None:
    assert look(health())["users"] == {"asked": False, "served": False, "why": []}
    assert look(health(), outside={"db1": UNREACHABLE})["users"]["asked"] is False
    users = look(health(), outside={"localhost": health(), "db1": BAD})["users"]
    assert users == {"asked": True, "served": True, "why": ["db1: it answered 503, not 200"]}
    assert look(health(), outside={"db1": BAD})["users"]["served"] is False
    long = look(health(False, "x" * 500))["unhealthy"][0]
    assert len(long) < 100


def sample(host: str, value: float | None = None, code: str = "", metric: str = "socket_latency") -> Answer:
    return {"metric": metric, "host": host, "value": value, "code": code}


def watch(*tries: list[Answer]) -> Answer:
    return {"series": [{"try": number, "samples": samples} for number, samples in enumerate(tries, 1)]}


def test_sockets_are_those_of_the_last_try() -> None:
    gate = watch(
        [sample("app1", None, "refused"), sample("app2", 8.0)],
        [sample("app1", 12.0), sample("app2", None, "timeout"), sample("app2", 3.0, metric="error_rate")],
    )
    sockets = look(health(), health(), gate=gate)["sockets"]
    assert sockets == {"asked": 2, "connected": 1, "refused": 0, "unclear": 0, "unreachable": 1, "tries": 0}


def test_sockets_that_are_refused_have_the_tries_in_a_row_in_which_all_were() -> None:
    refused = [sample("app1", None, "status"), sample("app2", None, "refused")]
    partly = [sample("app1", None, "status"), sample("app2", 3.0)]
    sockets = look(health(), health(), gate=watch(refused, partly, refused, refused))["sockets"]
    assert sockets == {"asked": 2, "connected": 0, "refused": 2, "unclear": 0, "unreachable": 0, "tries": 2}
    assert look(health(), health(), gate=watch(refused, [], refused))["sockets"]["tries"] == 1
    assert look(health(), health(), gate=watch(refused, partly))["sockets"]["tries"] == 0


def test_sockets_of_a_host_that_was_not_asked_are_not_known() -> None:
    gate = watch([sample("app1", None, "refused")])
    sockets = look(health(), UNREACHABLE, gate=gate)["sockets"]
    assert sockets == {"asked": 2, "connected": 0, "refused": 1, "unclear": 0, "unreachable": 1, "tries": 1}
    # Sockets that are asked from the controller belong to no host.
    central = look(health(), health(), gate=watch([sample("localhost", 5.0)]))["sockets"]
    assert (central["asked"], central["unreachable"]) == (1, 0)
    for nothing in (None, {}, watch(), watch([])):
        assert look(health(), gate=nothing)["sockets"]["asked"] == 0


def test_where_it_was_recorded_is_said() -> None:
    made = {"incident_id": "INC-1", "opened_now": True}
    records = triage_records(
        ["db1", "db2", "db3"], [made, {}, {**made, "opened_now": False}], needed=True, arguments=["-i", "prod"]
    )
    close = "ansible-playbook chatia.kanban_rollback.report -i prod -e kanban_close=true -e kanban_incident_id="
    assert records["lines"] == [
        "Recorded on db1 in incident INC-1, opened for it",
        "Recorded on db3 in incident INC-1",
        "Incident INC-1 is the P2's own; when it is over, close it:",
        f"{close}INC-1",
    ]
    assert (records["incidents"], records["bad"]) == (["INC-1"], [])
    # The same command again names it, too; an incident of something else is closed with that.
    for scenario, odd, lines in (("p2", "it's over", 3), ("scenario2", "INC-2", 1)):
        row = {"incident_id": odd, "scenario": scenario}
        again = triage_records(["db1"], [{**made, "incident_id": odd, "opened_now": False, "open_before": [row]}], True)
        assert len(again["lines"]) == lines, again
    assert "'<the id of the incident>'" in triage_records(["db1"], [{**made, "incident_id": "$(x)"}], True)["lines"][-1]
    assert len(triage_records(["db1"], [made])["lines"]) == 1


def test_what_had_to_be_recorded_and_was_not_is_bad() -> None:
    assert triage_records(["db1"], [{}]) == {"lines": [], "incidents": [], "bad": []}
    assert triage_records(["db1"], [{}], needed=True)["bad"] == ["it was not recorded, for no primary answered"]
    failed = triage_records(["db1"], [{"failed": True, "msg": "no\nroom"}], needed=True)
    assert failed["lines"] == failed["bad"] == ["Not recorded on db1: no room"]
    for gone in (UNREACHABLE, {"incident_id": "INC-1", "opened_now": True, "failed": True, "msg": "lost"}):
        records = triage_records(["db1"], [gone], needed=True)
        assert len(records["bad"]) == len(records["lines"]) == 1
        assert records["incidents"] == []
    # If the decision needs no record, it is only reported.
    assert triage_records(["db1"], [{"failed": True, "msg": "no room"}])["bad"] == []
    skipped = {"skipped": True, "skip_reason": "Conditional result was False"}
    assert triage_records(["db2"], [skipped])["lines"] == []


@pytest.mark.parametrize("code", ["not_allowed", "not_socketio"])
def test_a_stranger_who_is_not_let_in_is_no_refusal(code: str) -> None:
    strangers = [sample("app1", None, code), sample("app2", None, code)]
    sockets = look(health(), health(), gate=watch(strangers, strangers, strangers))["sockets"]
    assert sockets == {"asked": 2, "connected": 0, "refused": 0, "unclear": 2, "unreachable": 0, "tries": 0}
