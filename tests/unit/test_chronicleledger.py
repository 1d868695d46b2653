# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of which a ledger knows more than a journal, or that have no journal at all."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleledger import (
    runs_without_journal,
    told_by,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportledger import ledgers_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import timings
from tests.unit.chronicles import INCIDENT, OBJECTIVES, ON, Story, at, stopped


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
    runs = runs_without_journal(INCIDENT, [], [{"host": "db1", "told": told}])
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
    runs = runs_without_journal(INCIDENT, [], [{"host": "db1", "told": told_by([KILL, noted])}])
    summary = summary_of(INCIDENT, runs, OBJECTIVES)
    assert summary["preserved"]["evidence_elsewhere"] == [{"host": "db1", "path": "/srv/other/t0"}]
    assert [line["what"] for line in summary["timeline"]] == ["kill"]


def test_what_has_a_journal_is_told_by_that() -> None:
    story = Story(run_id="run-9").task(3, "feature_flag", ON).record
    told = [{"host": "db1", "told": told_by([KILL])}]
    assert runs_without_journal(INCIDENT, [story], told) == []
    assert runs_without_journal(INCIDENT, [], [{"host": "db1"}, {}]) == []


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
    told = summary_of(INCIDENT, [again, *runs_without_journal(INCIDENT, [again], ledgers)], OBJECTIVES)
    companies = told["companies"]
    assert (companies["total"], companies["on_before"], companies["switched_off"]) == (400, 120, 120)
