# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told what at which point of a run, once."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyplan import (
    about_of,
    ending_of,
    incidents_to_tell,
    messages_planned,
    stop_state,
)

# 2026-11-26, seconds since 1970.
LATER = 1795651200.0
ROUTES: dict[str, dict[str, list[str]]] = {
    "scenario2": {"announce": ["slack:#kanban-v2-rollout"]},
    "scenario3": {
        "announce": ["slack:#incidents"],
        "initial_oncall": ["slack:incident", "pagerduty", "pagerduty"],
        "user_notice": ["status_page"],
        "resolved": ["slack:#incidents", "pagerduty"],
        "user_resolved": ["status_page"],
    },
    "return": {"return": ["slack:#kanban-v2-rollout"]},
}


def run(playbook: str, plan: bool = False) -> dict[str, Any]:
    return {"playbook": playbook, "plan": plan}


def summary(*runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    moments = {"began": "2026-11-25T23:58:59.000000Z", "released": "2026-11-26T00:58:59.000000Z"}
    companies = {"total": 200, "on_before": 50, "switched_off": 49}
    return {"scenario": "scenario3", "moments": moments, "companies": companies, "runs": list(runs), **more}


def planned(given: dict[str, Any], scenario: str, point: Any, **more: Any) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in messages_planned(given, ROUTES, scenario, point, **more)}


def test_the_beginning_of_scenario_3_calls_everybody_once_and_in_one_channel() -> None:
    found = planned(summary(run("scenario3")), "scenario3", "begin", channel=True, channels={"#incidents": "#ops"})
    assert list(found) == [f"scenario3-{kind}" for kind in (
        "announce", "initial-oncall", "initial-stakeholders", "user-notice")]  # fmt: skip
    announce, oncall = found["scenario3-announce"], found["scenario3-initial-oncall"]
    assert (announce["routes"], announce["mention"], announce["severity"]) == (
        ["slack:#ops"],
        "slack:#ops",
        "P0 critical",
    )
    assert oncall["routes"] == ["slack:#incident-20261125-2358", "pagerduty"]
    assert (oncall["mention"], oncall["pager"]) == ("", "trigger")
    assert announce["about"]["channel"] == "#incident-20261125-2358"
    assert found["scenario3-user-notice"]["component_status"] == "under_maintenance"
    assert found["scenario3-initial-stakeholders"]["routes"] == []
    # No other scenario calls everybody, and without a channel of the incident's own nothing is said in one.
    assert planned(summary(), "scenario2", "begin")["scenario2-announce"]["mention"] == ""
    assert planned(summary(), "scenario3", "begin")["scenario3-initial-oncall"]["routes"] == ["pagerduty"]


def test_the_end_is_the_plans_own_text_and_ends_pager_and_page() -> None:
    found = planned(summary(run("scenario3"), run("release")), "", "resolved")
    end = found["scenario3-scenario3"]
    assert (end["kind"], end["pager"], end["mention"]) == ("scenario3", "resolve", "")
    assert found["scenario3-user-resolved"]["resolves"]
    assert (end["about"]["affected"], end["about"]["affected_seconds"]) == (50, 3600.0)


def test_off_is_told_of_a_whole_stop_and_of_one_whose_flags_are_known_to_be_off() -> None:
    for verdict, off, said in (("contained", False, True), ("degraded", True, True), ("degraded", False, False)):
        found = planned(summary(), "scenario3", "begin", verdict=verdict, all_off=off)
        assert {(one["about"]["off"], one["about"]["verdict"]) for one in found.values()} == {(said, verdict)}


def kept(*keys: str, at: str = "2026-11-25T00:00:00.000000Z") -> list[dict[str, str]]:
    return [{"message": key, "at": at} for key in keys]


def test_a_key_is_told_once_and_another_stop_is_another() -> None:
    one = planned(summary(run("scenario3")), "scenario3", "begin")
    again = planned(summary(run("scenario3"), run("reenable")), "scenario3", "begin", kept=kept(*one), started=LATER)
    assert list(again) == list(one)
    another = planned(summary(), "scenario3", "begin", kept=kept(*one), started=LATER, changed=True)
    assert next(iter(another)) == "scenario3-announce-2"
    # The end of the same run finds what its beginning was called.
    so_far = [*kept(*one), *kept(*another, at="2026-11-27T00:00:00.000000Z")]
    assert list(planned(summary(), "scenario3", "begin", kept=so_far, started=LATER, changed=True)) == list(another)
    assert (
        next(iter(planned(summary(), "scenario3", "resolved", kept=so_far, started=LATER + 1e6)))
        == "scenario3-scenario3-2"
    )
    # Pausing a roll-out was not a stop.
    paused = kept("scenario2-update-paused")
    assert "scenario2-announce" in planned(summary(), "scenario2", "begin", kept=paused, started=LATER, changed=True)


def test_writes_that_are_refused_again_after_the_end_are_another_stop() -> None:
    begun = kept("scenario3-announce", "scenario3-update-contained")
    ended = [*begun, *kept("scenario3-scenario3", "scenario3-user-resolved")]
    for told, refused, first in (
        (begun, True, "scenario3-announce"),
        (ended, False, "scenario3-announce"),
        (ended, True, "scenario3-announce-2"),
        ([*ended, *kept("scenario3-announce-2")], True, "scenario3-announce-2"),
        ([*ended, *kept("scenario3-announce-2", "scenario3-scenario3-2-again2")], True, "scenario3-announce-3"),
    ):
        found = planned(summary(), "scenario3", "begin", kept=told, started=LATER, refused=refused)
        assert next(iter(found)) == first, told
    # Scenario 1 is over with its end, without a release, because it refuses no writes.
    over = kept("scenario1-announce", "scenario1-scenario1")
    assert next(iter(planned(summary(), "scenario1", "begin", kept=over, started=LATER))) == "scenario1-announce"


def test_what_is_repaired_and_validated_is_news_though_everybody_was_off_before() -> None:
    def keys(verdict: str, validated: bool, *told: str, records: list[dict[str, Any]] | None = None) -> str:
        moments = {"data_validated": "2026-11-26T00:00:00.000000Z" if validated else None}
        given = {**summary(records=records or []), "moments": moments}
        return next(iter(planned(given, "scenario3", "update", verdict=verdict, kept=kept(*told), started=LATER)))

    told = ["scenario3-update-contained"]
    rows = [{"table": "Tags", "repaired": 2}]
    assert keys("contained", False, *told) == told[0]
    assert keys("contained", True, *told) == "scenario3-update-validated"
    assert keys("contained", True, *told, records=rows) == "scenario3-update-recovered"
    assert keys("contained_not_well", True, *told, records=rows) == "scenario3-update-recovered-not-well"
    assert keys("undone", False, *told, "scenario3-update-recovered") == "scenario3-update-undone"
    # If V2 is not stopped, that is what people hear.
    assert keys("degraded", True, *told) == "scenario3-update-degraded"
    # Repaired once more after the undo.
    again = keys("contained", True, *told, "scenario3-update-recovered", "scenario3-update-undone", records=rows)
    assert again == "scenario3-update-recovered-again2"


def test_an_incident_keeps_the_channel_that_it_has() -> None:
    told = [{**row, "routes": ["slack:#incidents", "slack:#incident-20261124-1200"]} for row in kept("return-all-x")]
    found = planned(summary(), "scenario3", "begin", channel=True, kept=[*kept("a"), *told])
    assert found["scenario3-initial-oncall"]["routes"] == ["slack:#incident-20261124-1200", "pagerduty"]
    assert found["scenario3-announce"]["about"]["channel"] == "#incident-20261124-1200"
    assert "slack:#incident-20261124-1200" not in str(planned(summary(), "scenario3", "begin", kept=told))


def test_who_heard_that_scenario_2_began_hears_what_came_of_it() -> None:
    heard = kept("scenario2-announce", "scenario2-initial-oncall")
    found = planned(summary(), "scenario3", ["begin", "update", "resolved"], kept=heard, started=LATER, changed=True)
    told = {key: one["routes"] for key, one in found.items() if "slack:#kanban-v2-rollout" in one["routes"]}
    assert told == {
        "scenario3-announce-2": ["slack:#incidents", "slack:#kanban-v2-rollout"],
        "scenario3-scenario3-2": ["slack:#incidents", "pagerduty", "slack:#kanban-v2-rollout"],
    }
    assert found["scenario3-announce-2"]["mention"] == "slack:#incidents"


def test_whatever_holds_another_time_is_told_another_time() -> None:
    told: list[str] = []
    for verdict in ("contained", "degraded", "degraded", "contained", "contained", "degraded"):
        (key,) = [
            key
            for key, message in planned(
                summary(), "scenario3", "update", verdict=verdict, kept=kept(*told), started=LATER
            ).items()
            if message["kind"] == "update"
        ]
        told += [key] if key not in told else []
    assert told == [
        "scenario3-update-contained",
        "scenario3-update-degraded",
        "scenario3-update-contained-again2",
        "scenario3-update-degraded-again2",
    ]
    assert "scenario3-announce-degraded" in planned(summary(), "scenario3", "begin", verdict="degraded")
    # A stage that was taken back is not a success of that stage, and what comes after it is told.
    stages = [
        next(
            iter(planned(summary(), "", "return", step="stage 50", verdict=verdict, kept=kept(*before), started=LATER))
        )
        for verdict, before in (("withdrawn", ()), ("reenabled", ("return-stage-50-withdrawn",)))
    ]
    assert stages == ["return-stage-50-withdrawn", "return-stage-50-reenabled"]


def test_a_return_of_everybody_is_the_end_where_nobody_was_told_of_one() -> None:
    stages = [{"host": "db1", "on_after": 50, "had_it": 50}]
    given = summary(run("scenario3"), run("reenable"), stages=stages)
    found = planned(given, "", "return", verdict="restored", step="all")
    assert list(found) == ["return-all-restored", "scenario3-scenario3", "scenario3-user-resolved"]
    assert found["scenario3-scenario3"]["routes"] == ["slack:#incidents", "pagerduty"]
    assert (found["scenario3-scenario3"]["pager"], found["scenario3-user-resolved"]["resolves"]) == ("resolve", True)
    assert found["scenario3-user-resolved"]["about"]["verdict"] == "restored"
    # The last stage is the end; an earlier one is not, and neither is one that did not go well or followed no stop.
    assert "scenario3-user-resolved" in planned(given, "", "return", verdict="reenabled", step="stage 100 %")
    some = summary(run("scenario3"), stages=[{"host": "db1", "on_after": 10, "had_it": 50}])
    for one, verdict in ((some, "reenabled"), (given, "degraded"), ({**given, "scenario": ""}, "restored")):
        assert list(planned(one, "", "return", verdict=verdict, step="stage")) == [f"return-stage-{verdict}"]


def test_the_end_tells_the_beginning_as_it_began() -> None:
    found = planned(summary(), "scenario3", ["begin", "update"], verdict="degraded", began="contained")
    assert next(iter(found)) == "scenario3-announce"
    assert found["scenario3-announce"]["about"]["verdict"] == "contained"
    assert list(found)[-2:] == ["scenario3-update-degraded", "scenario3-user-update-degraded"]
    assert "scenario3-announce" in planned(summary(), "scenario3", ["begin", "update"], verdict="recovered")
    # Users have no notice of scenario 2 that could be followed by more.
    assert list(planned(summary(), "scenario2", "update")) == ["scenario2-update-contained"]


def test_what_ends_degraded_is_not_over() -> None:
    well, late = {"failed": False, "validated": True}, {"failed": True, "validated": True}
    assert ending_of(well, "contain", "scenario1") == ending_of(well, "contain", "scenario2") == "resolved"
    assert ending_of(late, "contain", "scenario1") == ending_of(well, "contain", "scenario1", True, True) == "update"
    assert ending_of(well, "contain", "scenario3") == ending_of({"failed": False}, "contain", "scenario1") == "update"
    assert (ending_of(well, "restore", "scenario3"), ending_of(well, "contain", "scenario2", False)) == ("return", "")


def test_what_holds_of_a_stop_is_every_primarys_answer() -> None:
    off = {"enabled_after": 0, "database": {"writable": True}}
    replica = {"skipped": True, "database": {"writable": False}}
    assert stop_state([off, replica, off]) == "contained"
    assert stop_state([off, {**off, "enabled_after": 1}]) == "degraded"
    assert stop_state([off, {}]) == stop_state([off, {**off, "failed": True}]) == "degraded"
    assert stop_state([{"unreachable": True}]) == stop_state([replica]) == stop_state([]) == "failed"


def test_figures_that_only_messages_have_and_none_that_was_not_measured() -> None:
    rows = [{"table": "Tags", "deleted": 2, "restored": 3}, {"table": "Tickets", "repaired": 4}]
    given = summary(errors={"affected_companies": 1, "affected_after": 2}, records=rows)
    about = planned(given, "scenario2", "begin")["scenario2-announce"]["about"]
    assert (about["affected"], about["normalised"], about["rows"], about["recovered_from"]) == (1, 0.96, 9, "both")
    # A count from before the stop says nothing about what the stop made good.
    early = summary(errors={"affected_companies": 0, "affected_after": None})
    assert planned(early, "scenario2", "begin")["scenario2-announce"]["about"]["normalised"] is None
    # Each stage counts only its own tenants; of each database the last stage counts.
    rows = [
        {"host": "db1", "on_after": 2, "before": 0, "had_it": 20},
        {"host": "db1", "on_after": 18, "before": 2, "had_it": 20},
    ]
    back = [*rows, {"host": "db2", "on_after": 5, "before": 1, "had_it": 9}]
    for stages, counts in (
        (rows, (20, 20)),
        (back, (26, 29)),
        ([{"host": "db1", "on_after": 49}], (49, 50)),
        ([], (None, 50)),
    ):
        about = about_of(summary(stages=stages), "scenario3", "restored", "")
        assert (about["on_now"], about["of"]) == counts
    sound = summary(integrity={"before": 0}, records=[])
    assert planned(sound, "scenario3", "resolved")["scenario3-scenario3"]["about"]["rows"] == 0
    nothing = planned({}, "scenario1", "begin")["scenario1-announce"]["about"]
    names = ("affected", "affected_seconds", "normalised", "rows")
    assert [nothing[name] for name in names] == [None] * 4
    alone = planned({}, "", "begin", channel=True)
    assert alone["scenario3-initial-oncall"]["routes"] == ["pagerduty"]
    assert alone["scenario3-announce"]["about"]["channel"] == ""


def test_who_is_worth_telling_still() -> None:
    closed = {"incident_id": "B", "closed_at": "2026-11-25T00:00:00Z"}
    answers: list[dict[str, Any]] = [
        {"open": [{"incident_id": "A", "closed_at": None}], "incidents": [closed]},
        {"msg": "unreachable"},
    ]
    at = 1795654800.0  # 2026-11-26 01:00 UTC
    assert incidents_to_tell(answers, at) == ["A"]
    assert incidents_to_tell(answers, at - 7200) == ["A", "B"]
