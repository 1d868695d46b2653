# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of which a ledger knows more than a journal, or that have no journal at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import read_summary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleledger import (
    told_by,
    with_ledgers,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyplan import about_of, incident_channel
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportledger import ledgers_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import timings
from tests.unit.chronicles import INCIDENT, OBJECTIVES, ON, Story, at, lay_down, stopped
from tests.unit.reports import report


def event(seconds: float, phase: str, source: str, what: str, run: str = "run-9", **data: Any) -> dict[str, Any]:
    return {"run_id": run, "at": at(seconds), "phase": phase, "source": source, "event": what, "data": data}


WHO: dict[str, Any] = {"operator": "rui", "reason": "secret words"}
KILL = event(0, "contain", "feature_flag", "disabled", **{**WHO, **ON})
EVENTS = [
    KILL,
    event(1, "contain", "write_fence", "fence_raised", tables=["Tags"]),
    event(2, "recover", "integrity_repair", "planned", approved_by="ana"),
    event(3, "recover", "integrity_repair", "repaired", approved_by="ana", operator="rui",
          parts=[{"table": "public.Tags", "action": "delete", "rows": 5}]),
    event(4, "validate", "incident", "data validated", passed=True),
    event(5, "report", "incident_documents", "document kept", name="words.md"),
    event(6, "validate", "metric_gate", "sample", verdict="ok"),
    event(9, "release", "incident", "released", run="run-10", tested=True),
]  # fmt: skip


def test_runs_without_a_journal_are_told_by_the_ledger_and_nothing_is_made_up() -> None:
    told = told_by(EVENTS)
    assert "secret words" not in str(told)
    runs = with_ledgers(INCIDENT, [], [{"host": "db1", "told": told}])
    assert [(run.reading.run_id, run.playbook, run.file) for run in runs] == [
        ("run-9", "", ""),
        ("run-10", "release", ""),
    ]
    summary = summary_of(INCIDENT, runs, OBJECTIVES)
    assert (summary["scenario"], summary["state"]) == ("scenario3", "released")
    assert (summary["companies"]["switched_off"], summary["operators"]) == (120, ["rui"])
    assert summary["records"] == [{"table": "public.Tags", "repaired": 0, "deleted": 5, "restored": 0}]
    assert [one["approved_by"] for one in summary["approvals"]] == ["ana"]
    assert (summary["moments"]["data_validated"], summary["moments"]["released"]) == (at(4), at(9))
    # When it began is not known, so how long it took is not known either.
    assert (summary["moments"]["began"], summary["objective"]["met"], summary["seconds"]["contain"]) == (
        None,
        None,
        None,
    )
    assert [(note["what"], note["journal"]) for note in summary["notes"]] == [
        ("journal_missing", "run-9"),
        ("journal_missing", "run-10"),
    ]
    assert [line["what"] for line in summary["timeline"]] == ["kill", "fence", "repaired", "data_validated", "released"]
    times = timings(summary, runs)
    assert (times["runs"], times["green"], times["began"]) == (0, False, None)


def test_where_evidence_lies_is_told_by_the_ledger_too() -> None:
    noted = event(2, "preserve", "incident", "evidence elsewhere", elsewhere=["/srv/other/t0", "<b>"])
    runs = with_ledgers(INCIDENT, [], [{"host": "db1", "told": told_by([KILL, noted])}])
    summary = summary_of(INCIDENT, runs, OBJECTIVES)
    assert summary["preserved"]["evidence_elsewhere"] == [{"host": "db1", "path": "/srv/other/t0"}]
    assert [line["what"] for line in summary["timeline"]] == ["kill"]


def test_what_has_a_journal_is_told_by_that() -> None:
    story = Story(run_id="run-9").task(3, "feature_flag", ON).record
    told = [{"host": "db1", "told": told_by([KILL])}]
    assert with_ledgers(INCIDENT, [story], told) == [story]
    assert with_ledgers(INCIDENT, [], [{"host": "db1"}, {}]) == []


def test_what_is_no_event_of_ours_tells_nothing() -> None:
    assert told_by([{}, {"data": None}, {"data": {}, "source": "feature_flag", "event": "paused"}]) == []
    (undone,) = told_by([event(1, "recover", "integrity_repair", "undone", repair_id=1,
                               tables=[{"table": "public.Tags", "deleted": 5}])])  # fmt: skip
    assert undone["details"]["undone"] is True


def test_a_database_counts_once_if_only_a_ledger_knows_one_of_its_runs() -> None:
    answer = {
        "item": INCIDENT,
        "known_as": INCIDENT,
        "events": [KILL],
        "database": {"cluster": "7/1", "writable": False},
    }
    ledgers = ledgers_of(["db1"], [{"results": [answer]}], INCIDENT)
    again = stopped(began=60).end(69, "contained").record
    companies = summary_of(INCIDENT, with_ledgers(INCIDENT, [again], ledgers), OBJECTIVES)["companies"]
    assert (companies["total"], companies["on_before"], companies["switched_off"]) == (400, 120, 120)


def cut() -> Story:
    """Return the run of ``EVENTS`` as its journal has it whose controller died in the first play."""
    return Story("scenario3", run_id="run-9").play(0, "1. Contain")


def of_ledger(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"host": "db1", "told": told_by([one for one in events if one["run_id"] == "run-9"], "7/1")}]


def test_what_a_run_did_after_its_journal_was_cut_is_told_by_the_ledger(tmp_path: Path) -> None:
    (run,) = with_ledgers(INCIDENT, [cut().record], of_ledger(*EVENTS))
    told = summary_of(INCIDENT, [run], OBJECTIVES)
    assert told["records"] == [{"table": "public.Tags", "repaired": 0, "deleted": 5, "restored": 0}]
    assert (told["companies"]["switched_off"], told["companies"]["on_before"]) == (120, 120)
    assert (told["moments"]["began"], told["moments"]["contained"], told["state"]) == (at(0), at(1), "recovered")
    words = ["began", "kill", "fence", "repaired", "data_validated"]
    assert [line["what"] for line in told["timeline"]] == words
    notes = [(note["what"], note["where"]) for note in told["notes"]]
    assert notes == [("journal_unended", ""), ("ledger_tells", "4")]
    place = lay_down(tmp_path, cut())
    report(tmp_path, locale="en", ledgers=of_ledger(*EVENTS))
    assert "lacks `4` steps of the ledger" in (place / "incident.md").read_text()
    # What was counted before the repair says nothing about what is left.
    five = {"total_count": 5, "complete": True}
    counted = cut().task(2.5, "integrity_info", five, {"database": "7/1"}, role="assess")
    told = summary_of(INCIDENT, with_ledgers(INCIDENT, [counted.record], of_ledger(*EVENTS)), OBJECTIVES)
    assert (told["integrity"]["before"], told["integrity"]["after"]) == (5, None)


def test_a_step_that_journal_and_ledger_tell_counts_once() -> None:
    here = {"database": "7/1"}
    story = cut().task(0.1, "feature_flag", ON, here).task(1.1, "write_fence", {"status": "proven"}, here, host="db2")
    # A job's first task tells nothing of its end, and a try without an answer nothing at all.
    story.task(2, "integrity_repair", role="recover", changed=False)
    story.task(2.5, "incident", role="validate", failed=True)
    (run,) = with_ledgers(INCIDENT, [story.record], of_ledger(*EVENTS))
    assert [step.source for step in run.steps[-run.from_ledger :]] == ["integrity_repair", "incident"]
    rows = [{"table": "public.Tags", "deleted": 5, "changed": 0, "inserted": 0}]
    story.task(3.1, "integrity_repair", {"quarantined": 5}, {**here, "tables": rows}, role="recover")
    story.task(4.1, "incident", {}, {**here, "recorded": "data validated"}, role="validate", changed=False)
    assert with_ledgers(INCIDENT, [story.record], of_ledger(*EVENTS)) == [story.record]
    # The sweep, which switched those off again that had been written back.
    swept = event(5, "contain", "feature_flag", "disabled", **{**WHO, **ON, "enabled_before": 3, "changed_count": 3})
    (run,) = with_ledgers(INCIDENT, [story.record], of_ledger(*EVENTS, swept))
    told = summary_of(INCIDENT, [run], OBJECTIVES)
    assert (run.from_ledger, told["companies"]["switched_off"], told["records"][0]["deleted"]) == (1, 120, 5)
    # A run that reached its last screen lacks nothing.
    whole = story.end(9, "contained").record
    assert with_ledgers(INCIDENT, [whole], of_ledger(*EVENTS, swept)) == [whole]


def test_a_kill_without_an_answer_is_told_by_the_ledger() -> None:
    """Its controller died, or its connection did after the commit."""
    story = Story("scenario2", run_id="run-9").play(0, "3. Contain")
    lost = story.task(1, "feature_flag", failed=True, unreachable=True).record
    assert summary_of(INCIDENT, [lost], OBJECTIVES)["companies"]["switched_off"] is None
    figures = {"total": 20, "enabled_before": 20, "enabled_after": 0, "changed_count": 20}
    some = event(0.5, "contain", "feature_flag", "disabled", **{**WHO, **figures})
    told = summary_of(INCIDENT, with_ledgers(INCIDENT, [lost], of_ledger(some)), OBJECTIVES)
    assert (told["companies"]["switched_off"], told["companies"]["complete"]) == (20, True)
    assert (told["scenario"], told["moments"]["contained"]) == ("scenario2", at(0.5))


def test_a_run_that_gives_writes_back_is_no_stop() -> None:
    """Whatever a release lowers and raises again, its ledger's events have the phase of the stop."""
    release = Story("release", run_id="run-9").play(0, "2. Release").record
    lowered = event(1, "contain", "write_fence", "fence_lowered", fences=["Tags"])
    told = summary_of(INCIDENT, with_ledgers(INCIDENT, [release], of_ledger(lowered)), OBJECTIVES)
    assert (told["scenario"], [line["what"] for line in told["timeline"]]) == ("", ["began", "fence_lowered"])


def test_messages_tell_of_a_stop_that_left_no_journal(tmp_path: Path) -> None:
    again = Story("scenario1", 600).play(600, "1. Contain")
    again.task(601, "feature_flag", {**ON, "enabled_before": 0, "changed_count": 0}, {"database": "7/1"})
    (lay_down(tmp_path, again) / "journal-0.jsonl").rename(tmp_path / INCIDENT / "journal-run-1.jsonl")
    told = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30, "run-1", of_ledger(KILL))
    summary = told["summary"]
    assert (summary["companies"]["switched_off"], summary["companies"]["on_before"]) == (120, 120)
    assert about_of(summary, "scenario1", "contained", "")["affected"] == 120
    assert incident_channel(summary) == "#incident-20270115-0800"
    # Without a ledger's answer the journals count.
    alone = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30, "run-1")["summary"]
    assert (alone["companies"]["switched_off"], incident_channel(alone)) == (0, "#incident-20270115-0810")
    # Where no journal is left at all, as if this run could write none.
    assert read_summary(str(tmp_path / "none"), INCIDENT, OBJECTIVES, 30, "", of_ledger(KILL))["found"] is True
    # If the run's journal is with another incident, that one is summed up, and these events are not its own.
    other = read_summary(str(tmp_path), "INC-OTHER", OBJECTIVES, 30, "run-1", of_ledger(KILL))["summary"]
    assert (other["incident_id"], other["companies"]["switched_off"]) == (INCIDENT, 0)


def test_a_ledger_that_was_asked_about_one_incident_answers_without_a_loop() -> None:
    answer = {"known_as": INCIDENT, "events": [KILL], "database": {"cluster": "7/1"}}
    lost = {"failed": True, "msg": "no time left"}
    (ledger,) = ledgers_of(["db1", "db2"], [lost, answer], INCIDENT)
    assert (ledger["host"], [one["run_id"] for one in ledger["told"]]) == ("db2", ["run-9"])
