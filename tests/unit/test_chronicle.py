# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of an incident: what its journals say, what they do not say, and what follows from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import read_summary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclelines import MOST_LINES, WORDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from tests.unit.chronicles import INCIDENT, OBJECTIVES, ON, Story, at, lay_down, repaired, stopped


def summed(*stories: Story) -> dict[str, Any]:
    return summary_of(INCIDENT, [story.record for story in stories], OBJECTIVES)


def test_a_stop_and_its_repair_and_the_return() -> None:
    first = stopped()
    checks = {"database": "7/1", "checks": [{"name": "orphan_tags", "status": "corrupt", "count": 5}]}
    first.task(5, "integrity_info", {"total_count": 11, "complete": True}, checks, role="assess")
    first.end(20, "contained")
    release = Story("release", 900, "run-3").task(905, "incident", {}, {"recorded": "released"}, role="release")
    back = Story("reenable", 1000, "run-4")
    back.task(1005, "feature_flag", {**ON, "enabled_before": 0, "enabled_after": 120}, role="reenable")
    told = summed(first, repaired(), release.end(910, "degraded"), back.end(1010, "restored"))
    assert (told["scenario"], told["severity"], told["state"]) == ("scenario3", "P0 critical", "reenabled")
    assert told["moments"] == {
        "began": at(0), "detected": None, "contained": at(2), "decided": None, "validated": None,
        "recovery_began": at(605), "data_validated": at(612), "released": at(905), "reenabled": at(1005),
        "ended": at(1010),
    }  # fmt: skip
    assert told["seconds"] == {"contain": 2.0, "validate": 612.0, "whole": 905.0}
    assert told["objective"] == {"scenario": "scenario3", "seconds": 120.0, "took": 2.0, "met": True}
    assert told["companies"] == {
        "total": 400, "on_before": 120, "on_after": 0, "switched_off": 120, "share": 1.0, "complete": True,
        "silent": 0,
    }  # fmt: skip
    assert told["integrity"]["checks"] == [{"name": "orphan_tags", "status": "ok", "before": 5, "after": 0}]
    assert (told["integrity"]["before"], told["integrity"]["after"]) == (11, 0)
    assert told["recovery_point"] == {"measured": True, "writes_after": 0}
    assert [row["table"] for row in told["records"]] == ["public.Tags", "public.Tickets"]
    assert told["records"][0] == {"table": "public.Tags", "repaired": 0, "deleted": 5, "restored": 0}
    words = [line["what"] for line in told["timeline"]]
    assert words[:3] == ["began", "kill", "fence"]
    assert {"repaired", "data_validated", "released", "returned"} <= set(words) <= set(WORDS)
    assert [run["playbook"] for run in told["runs"]] == ["scenario3", "scenario3", "release", "reenable"]


def test_a_return_is_whole_when_the_last_has_it_again_and_a_run_that_finds_that_does_not_move_it() -> None:
    back = Story("reenable", 1000, "run-2")
    back.task(1005, "feature_flag", {**ON, "enabled_before": 0, "enabled_after": 120}, role="reenable")
    back.task(1060, "incident", {}, {"latch": False}, role="reenable")
    same = Story("reenable", 2000, "run-3")
    same.task(2005, "feature_flag", {**ON, "enabled_before": 120}, role="reenable", changed=False)
    told = summed(stopped().end(9, "contained"), back.end(1090, "restored"), same.end(2010, "restored"))
    assert (told["state"], told["moments"]["reenabled"], told["moments"]["ended"]) == ("reenabled", at(1005), at(2010))


def test_a_return_of_everybody_that_gives_the_writes_back_is_when_they_were_released() -> None:
    back = Story("reenable", 1000, "run-2")
    back.task(1005, "feature_flag", {**ON, "enabled_before": 0, "enabled_after": 120}, role="reenable")
    back.task(1010, "incident", {}, {"latch": False}, role="reenable")
    back.task(1020, "write_fence", {"status": "absent"}, role="reenable")
    back.task(1030, "write_block", {"held": False}, role="reenable", host="redis1")
    validated = stopped().task(90, "incident", {}, {"recorded": "data validated"}, role="validate")
    told = summed(validated.end(100, "contained"), back.end(1090, "restored"))
    assert (told["moments"]["data_validated"], told["moments"]["released"]) == (at(90), at(1030))
    assert told["seconds"]["whole"] == 1030.0


def test_a_dump_of_an_earlier_run_is_found_and_not_taken_again() -> None:
    proven = {"rows": 400, "toc_entries": 15}
    first = stopped().task(20, "pg_dump", role="preserve", changed=False).task(30, "pg_dump", proven, role="preserve")
    again = stopped(began=100, run_id="run-2").task(120, "pg_dump", proven, role="preserve", changed=False)
    told = summed(first.end(40, "contained"), again.end(140, "contained"))
    dumps = [(line["at"], line["what"]) for line in told["timeline"] if line["what"].startswith("dump")]
    assert dumps == [(at(30), "dump"), (at(120), "dump_found")]
    assert {word for _at, word in dumps} <= set(WORDS)


def test_evidence_that_lies_in_another_place_is_found() -> None:
    run = stopped().task(9, "evidence", {"complete": True}, {"elsewhere": ["/srv/other/t0"]}, role="preserve")
    kept = summed(run.task(9, "evidence", {"complete": True}, host="app1", role="preserve").end(40, "contained"))
    assert kept["preserved"]["evidence_hosts"] == ["app1", "db1"]
    assert kept["preserved"]["evidence_elsewhere"] == [{"host": "db1", "path": "/srv/other/t0"}]


def test_what_was_not_measured_is_null() -> None:
    told = summed(Story("scenario1").end(5, "failed"))
    assert (told["scenario"], told["state"], told["moments"]["contained"]) == ("", "open", None)
    assert set(told["seconds"].values()) == {None}
    assert told["objective"] == {"scenario": "", "seconds": None, "took": None, "met": None}
    assert told["users"] == {"affected": None}
    assert set(told["errors"].values()) == {None}
    assert told["companies"]["switched_off"] is None
    assert told["integrity"] == {"before": None, "after": None, "checks": []}
    assert told["recovery_point"] == {"measured": False, "writes_after": None}
    # Nobody looked whether V1 works, so the objective of scenario 1 is neither met nor missed.
    silent = summed(stopped("scenario1").end(9, "contained"))
    assert (silent["moments"]["contained"], silent["objective"]["met"]) == (at(1), None)


def test_scenario_1_is_validated_by_the_first_look_at_the_metrics() -> None:
    story = stopped("scenario1")
    story.task(8, "kill_proof_info", {"proven": True}, host="app1", role="prove")
    story.task(9, "smoke_test", {"passed": True}, host="app1", role="walk")
    rows = {"metrics": [{"name": "error_rate", "verdict": "ok", "value": 0.02, "max": 0.1, "unit": "%"}]}
    story.play(10, "5. Validate").task(12, "metric_gate", {"verdict": "ok", "settled": True}, rows, role="observe")
    story.play(13, "7. Watch")
    for second in range(20, 400, 10):
        told: dict[str, Any] = {"verdict": "ok", "settled": True, "watched_seconds": second}
        story.task(second, "metric_gate", told, rows, role="observe")
    summary = summed(story.end(500, "contained"))
    assert (summary["moments"]["validated"], summary["seconds"]["validate"]) == (at(12), 12.0)
    assert summary["objective"]["met"] is True
    assert summary["metrics"]["watched_seconds"] == 390
    assert summary["metrics"]["rows"][0]["max"] == 0.1
    assert len([line for line in summary["timeline"] if line["what"] == "metrics"]) == 2
    failed = stopped("scenario1").task(9, "smoke_test", {"passed": False}, host="app1", role="walk")
    assert summed(failed.end(10, "contained"))["moments"]["validated"] is None


def test_two_hosts_that_lead_to_one_database_count_once() -> None:
    story = Story("scenario3").play(0, "1. Contain")
    story.task(1, "feature_flag", ON, {"database": "7/1", "writable": True})
    story.task(1, "feature_flag", {**ON, "enabled_before": 0, "changed_count": 0}, {"database": "7/1"}, host="db2")
    story.task(1, "feature_flag", {**ON, "total": 10, "enabled_before": 3, "changed_count": 3}, host="db3")
    companies = summed(story.end(3, "contained"))["companies"]
    assert (companies["total"], companies["on_before"], companies["switched_off"]) == (410, 123, 123)


def test_a_host_without_an_answer_makes_a_sum_unknown_and_the_stop_not_whole() -> None:
    story = Story("scenario3").play(0, "1. Contain").task(1, "feature_flag", ON, {"database": "7/1"})
    story.task(2, "feature_flag", host="db2", unreachable=True)
    told = summed(story.end(3, "degraded"))
    assert told["companies"] == {
        "total": None, "on_before": None, "on_after": None, "switched_off": 120, "share": None, "complete": False,
        "silent": 1,
    }  # fmt: skip
    assert (told["moments"]["contained"], told["state"], told["objective"]["met"]) == (None, "degraded", None)
    # The command is typed again when the host is back: the clock runs from the first try.
    again = Story("scenario3", 60, "run-2").play(60, "1. Contain").task(61, "feature_flag", ON, {"database": "7/1"})
    again.task(62, "feature_flag", ON, {"database": "8/1"}, host="db2")
    assert summed(story, again.end(63, "contained"))["seconds"]["contain"] == 62.0


def test_scenario_2_counts_the_list_against_all() -> None:
    story = Story("scenario2").play(0, "1. Rank")
    asked = {"total": 400, "on_count": 100, "affected_count": 20, "users_count": 57, "errors_total": 900}
    story.task(1, "affected_tenants_info", asked, {"database": "7/1"}, role="selective").play(2, "3. Contain")
    some = {"total": 20, "enabled_before": 20, "enabled_after": 0, "changed_count": 20}
    story.task(3, "feature_flag", some, {"database": "7/1", "writable": True})
    story.play(4, "7. Decide").task(309, "ansible.builtin.set_stats", host="localhost", role="selective")
    told = summed(story.end(320, "contained", kanban_decision="hold"))
    assert told["companies"] == {
        "total": 400, "on_before": 100, "on_after": None, "switched_off": 20, "share": 0.2, "complete": True,
        "silent": 0,
    }  # fmt: skip
    assert (told["users"]["affected"], told["errors"]["by_tenants"]) == (57, 900)
    assert (told["severity"], told["objective"]["took"]) == ("P1", 309.0)
    assert told["decision"]["matrix"] == "hold"


def test_the_objective_counts_from_the_first_run_of_the_gravest_scenario() -> None:
    graver = stopped("scenario3", 90_000, run_id="run-2").end(90_020, "contained")
    told = summed(stopped("scenario2").end(9, "contained"), graver)
    assert (told["scenario"], told["moments"]["began"], told["moments"]["contained"]) == ("scenario3", at(0), at(1))
    assert told["objective"] == {"scenario": "scenario3", "seconds": 120.0, "took": 2.0, "met": True}


def test_a_rehearsal_counts_from_its_stop_and_not_from_what_it_prepared() -> None:
    story = Story("rehearse", facts={"rehearsal": True}).play(0, "2. Prepare").play(100, "1. Contain")
    story.task(101, "feature_flag", ON, {"database": "7/1"}).task(102, "write_block", {"held": True}, host="redis1")
    told = summed(story.end(130, "contained"))
    assert (told["scenario"], told["rehearsal"], told["objective"]["took"]) == ("scenario3", True, 2.0)


def test_a_plan_did_nothing_and_an_undo_takes_back() -> None:
    plan = stopped(facts={"check_mode": True}).end(5, "planned")
    told = summed(plan)
    assert (told["scenario"], told["timeline"], told["runs"][0]["plan"]) == ("", [], True)
    undo = Story("scenario3", 700, "run-3").play(700, "7. Recover")
    rows = [{"table": "public.Tags", "deleted": 5, "changed": 0, "inserted": 0}]
    undo.task(701, "integrity_repair", {}, {"undone": True, "tables": rows}, role="recover")
    found = {row["table"]: row for row in summed(repaired(), undo.end(705, "contained"))["records"]}
    assert found["public.Tags"]["deleted"] == 0
    assert found["public.Tickets"]["repaired"] == 6


def test_what_was_validated_and_is_no_more(tmp_path: Path) -> None:
    later = Story("scenario3", 700, "run-3").task(705, "incident", {}, {"recorded": "data not validated"})
    assert summed(repaired(), later)["moments"]["data_validated"] is None
    # After an undo, or after another stop, data that was validated is not known to be sound.
    rows = [{"table": "public.Tags", "deleted": 5}]
    undone = Story("scenario3", 2000, "run-3")
    undone.task(2009, "integrity_repair", {}, {"undone": True, "tables": rows}, role="recover")
    again, before = stopped(began=2000, run_id="run-3"), stopped(began=-900)
    for other, moment in ((undone, None), (again, None), (before, at(612))):
        assert summed(other, repaired())["moments"]["data_validated"] == moment
    # A copied run counts once, and a run of another incident does not count at all.
    lay_down(tmp_path, repaired(), repaired(), stopped(incident="INC-2", run_id="run-9").end(9, "contained"))
    found = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30)
    assert [run["run_id"] for run in found["summary"]["runs"]] == ["run-2"]
    assert sorted(text.split(" is ", 1)[1] for text in found["warnings"]) == [
        "a journal of another incident, and is left out.",
        "another copy of journal-0.jsonl, and is counted once.",
    ]


def test_a_run_whose_journal_lies_with_another_incident_is_found_by_its_id(tmp_path: Path) -> None:
    lay_down(tmp_path, repaired())
    for folder, name in (("INC-1", "run-9"), ("INC-2", "run-99"), ("INC-1", "run-2")):
        (tmp_path / folder).mkdir(exist_ok=True)
        lines = stopped(incident=folder, run_id=name).end(9, "contained").lines
        (tmp_path / folder / f"journal-{name}.jsonl").write_bytes(b"".join(lines))

    def found(run_id: str) -> tuple[str, int | None, list[str]]:
        told = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30, run_id)
        return told["summary"]["incident_id"], told["summary"]["companies"]["switched_off"], told["warnings"]

    assert found("run-9") == ("INC-1", 120, ["The journal of run-9 lies with INC-1, so that is summed up."])
    assert found("run-99")[0] == "INC-2"
    # Its own run, none, and an id that is only the beginning of another.
    assert found("run-2")[::2] == found("")[::2] == found("run-")[::2] == (INCIDENT, [])


def test_the_timeline_is_bounded_and_hosts_that_did_the_same_stand_together() -> None:
    many = Story("scenario1").play(0, "1. Contain")
    for number in range(300):
        many.task(1 + number / 1000, "feature_flag", ON, {"database": f"{number}/1"}, host=f"db{number}")
    told = summed(many.end(5, "contained"))
    (kill,) = [line for line in told["timeline"] if line["what"] == "kill"]
    assert (kill["host"], kill["hosts"], kill["figures"]["changed_count"]) == ("", 300, 300 * 120)
    long = Story("reenable")
    for number in range(500):
        long.play(number, "a stage").task(number, "feature_flag", ON, role="reenable")
    told = summed(long)
    assert (len(told["timeline"]), told["timeline_left_out"]) == (MOST_LINES, 501 - MOST_LINES)


@pytest.mark.parametrize(
    ("recorded", "state"),
    [("data validated", "recovered"), ("data not validated", "contained")],
)
def test_the_state_is_what_was_recorded_last(recorded: str, state: str) -> None:
    story = stopped().task(9, "incident", {}, {"recorded": recorded}, role="validate")
    assert summed(story.end(10, "contained"))["state"] == state


def test_a_return_that_was_stopped_again_is_none() -> None:
    back = Story("reenable", 100, "run-2")
    on_again = {**ON, "enabled_before": 0, "enabled_after": 120}
    back.task(101, "feature_flag", on_again, {"database": "7/1"}, role="reenable")
    again = stopped(began=200, run_id="run-3").end(210, "contained")
    told = summed(stopped().end(9, "contained"), back.end(105, "restored"), again)
    assert (told["state"], told["moments"]["reenabled"]) == ("contained", None)
    # The same companies, switched off a second time, are not twice as many.
    assert told["companies"]["switched_off"] == 120
    # A stage, or a single tenant that tries it, is not everybody.
    stage = Story("reenable", 100, "run-2")
    stage.task(101, "feature_flag", {**ON, "enabled_after": 12}, {"stage": {"had_it": 120}}, role="reenable")
    told = summed(stopped().end(9, "contained"), stage.end(105, "restored"))
    assert (told["state"], told["stages"][0]["had_it"]) == ("contained", 120)
