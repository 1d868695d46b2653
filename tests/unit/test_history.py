# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of incidents and rehearsals, what outlives the retention, and when preflight warns."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._historyentry import write_history
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalentry import read_journals
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalkept import (
    journal_screen,
    journals_over,
    records_over,
    words_over,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthistory import history_items
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportentry import ReportRequest, write_report
from tests.unit.chronicles import DAY, INCIDENT, NOW, OBJECTIVES, Story, eventful, incident, lay_down, stopped
from tests.unit.reports import report


def timings(root: Path, name: str, **more: Any) -> None:
    """Write the timings of one rehearsal."""
    told = {
        "schema": 1, "incident_id": name, "rehearsal": True, "began": "2027-01-10T08:00:00.000000Z",
        "scenario": "scenario3", "severity": "P0 critical", "environment": "staging", "version": "0.1.0",
        "state": "contained", "green": True, "objective": {"seconds": 120, "took": 3.0, "met": True},
        "seconds": {"disable": 3.0, "verify": 20.0, "total": 40.0}, "steps": {"kill": 0.05, "dump": 30.0},
        "hosts": 3, "runs": 1, "companies": 120, **more,
    }  # fmt: skip
    (root / name).mkdir(exist_ok=True)
    (root / name / "timings.json").write_text(json.dumps(told))


def test_the_index_has_every_run_and_each_steps_trend(tmp_path: Path) -> None:
    for number, took in enumerate((3.0, 5.0, 4.0)):
        began = f"2027-01-1{number}T08:00:00.000000Z"
        timings(tmp_path, f"R{number}", began=began, seconds={"disable": took, "verify": None, "total": None})
    # Newer, but not green rehearsals: an incident, and a rehearsal that took too long.
    timings(tmp_path, "I", began="2027-01-19T08:00:00.000000Z", scenario="", rehearsal=False)
    timings(tmp_path, "L", began="2027-01-18T08:00:00.000000Z", scenario="", green=False)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/timings.json").write_text('{"schema": 1, "steps": []}')
    (tmp_path / "half").mkdir()
    (tmp_path / "half/timings.json").write_text('{"sche')
    told = write_history(str(tmp_path), "en", "0.1.0", 30, check_mode=False)
    assert told["files"] == ["index.json", "index.md", "index.html"]
    assert told["warnings"] == ["1 files of timings are not as we write them, and were left out."]
    index = json.loads((tmp_path / "index.json").read_text())
    assert [row["incident_id"] for row in index["incidents"]] == ["I", "L", "R2", "R1", "R0"]
    contain = index["trends"]["scenario3"][0]
    assert contain == {
        "step": "contain", "count": 3, "median": 4.0, "last": 4.0, "worst": 5.0, "values": [3.0, 5.0, 4.0],
    }  # fmt: skip
    assert "| contained | 3 | 4.00 | 4.00 | 5.00 |" in (tmp_path / "index.md").read_text()
    assert (tmp_path / "index.html").stat().st_mode & 0o777 == 0o600
    assert told["last_green"]["incident_id"] == "R2"
    assert not write_history(str(tmp_path), "en", "", 30, check_mode=False)["changed"]
    assert write_history(str(tmp_path), "en", "9", 30, check_mode=True)["last_green"] is None
    assert write_history(str(tmp_path / "none"), "en", "9", 30, check_mode=False)["incidents"] == 0


def test_a_thousand_incidents_are_indexed_quickly(tmp_path: Path) -> None:
    for number in range(1000):
        timings(tmp_path, f"R{number}")
    began = time.perf_counter()
    assert write_history(str(tmp_path), "pt_BR", "0.1.0", 30, check_mode=False)["incidents"] == 1000
    assert time.perf_counter() - began < 4


def test_records_that_name_people_go_and_timings_stay(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    (place / "messages").mkdir()
    (place / "plan-0123.json").write_text("{}")
    report(tmp_path)
    write_history(str(tmp_path), "en", "", 30, check_mode=False)
    answer = read_journals(str(tmp_path), 60)
    known: dict[str, Any] = {"names": [], "closed": [INCIDENT], "prior_files": [], "silent": []}

    def over(days_ago: float | None, **more: Any) -> list[str]:
        ledger = [{"incidents": [incident(INCIDENT, days_ago, 200)]}]
        return [Path(path).name for path in records_over(answer, {**known, **more}, ledger, 90, NOW)]

    assert over(100) == [
        ".report.lock", "checklists.md", "incident.md", "messages", "plan-0123.json", "postmortem.md", "report.html",
        "words.md",
    ]  # fmt: skip
    assert over(80) == over(None) == []
    assert over(100, names=[INCIDENT]) == over(100, silent=["db2: gone"]) == over(100, closed=[]) == []
    # One ledger says that it was closed long ago, another that it was a day ago.
    young = [{"incidents": [incident(INCIDENT, 100)]}, {"incidents": [incident(INCIDENT, 1)]}]
    assert records_over(answer, known, young, 90, NOW) == []


def test_journals_go_with_the_records_of_their_incident_and_that_is_said_before(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    report(tmp_path)
    known: dict[str, Any] = {"names": [], "closed": [INCIDENT], "prior_files": [], "silent": []}
    # The first runs were weeks before the last, and it was closed after that.
    os.utime(place / "journal-0.jsonl", (NOW - 120 * DAY, NOW - 120 * DAY))
    answer = read_journals(str(tmp_path), 60)

    def told(days_ago: float, **more: Any) -> tuple[int, list[str]]:
        ledger = [{"incidents": [incident(INCIDENT, days_ago, 200)]}]
        gone = journals_over(answer, {**known, **more}, ledger, 90, NOW)
        lines = journal_screen(answer, {**known, **more}, [], False, ledger, 90, NOW)["lines"]
        return len(gone), [line for line in lines if "records" in line]

    assert told(80) == (0, [])
    assert told(91) == (4, [])
    assert told(89.5)[1] == [
        f"{INCIDENT}: its records and journals go within a day out of {place}; what people wrote in them stays in the "
        "ledger (incident_documents)"
    ]
    count, (line,) = told(84)
    assert (count, "go in 6 days" in line) == (0, True)
    assert told(84, names=[INCIDENT]) == told(84, silent=["db1"]) == (0, [])


def test_what_people_may_have_written_in_goes_when_a_ledger_has_it(tmp_path: Path) -> None:
    lay_down(tmp_path, *eventful())
    report(tmp_path)
    answer = read_journals(str(tmp_path), 60)
    known: dict[str, Any] = {"names": [], "closed": [INCIDENT, "INC-ALIAS"], "prior_files": [], "silent": []}
    asked = (known, [{"incidents": [{**incident(INCIDENT, 91, 200), "aliases": ["INC-ALIAS"]}]}], 90, NOW)
    # The alias has no directory, so there is nothing to keep of it.
    assert words_over(answer, *asked) == [INCIDENT]
    assert words_over(answer, known, [{"incidents": [incident(INCIDENT, 89, 200)]}], 90, NOW) == []
    for kept, gone in (([], False), ([INCIDENT], True), (None, True)):
        assert bool(records_over(answer, *asked, kept)) is bool(journals_over(answer, *asked, kept)) is gone
        amiss = journal_screen(answer, known, [], False, *asked[1:], kept)["amiss"]
        assert [line.startswith(f"NOT REMOVED: {INCIDENT}: what people wrote") for line in amiss] == [True] * (not gone)
    # If there is no file that people write in, there is nothing to wait for.
    bare = {**answer, "records": [{"folder": INCIDENT, "paths": [f"{tmp_path}/{INCIDENT}/messages"]}]}
    assert (words_over(bare, *asked), bool(records_over(bare, *asked, []))) == ([], True)


@pytest.mark.parametrize(
    ("green", "reviewed", "said"),
    [
        ({"began": "2027-01-12T08:00:00.000000Z"}, "2026-12-20", []),
        ({"began": "2027-01-02T08:00:00.000000Z"}, "2026-12-20", ["was 13 days ago, more than 7"]),
        (None, "2026-12-20", ["No green rehearsal of version 0.1.0 is on record here"]),
        ({"began": "2027-01-12T08:00:00.000000Z"}, "", ["reviewed last is not known"]),
        ({"began": "2027-01-12T08:00:00.000000Z"}, "soon", ["is no date: soon"]),
        ({"began": "2027-01-12T08:00:00.000000Z"}, "2026-10-13", ["was due on 2027-01-13"]),
    ],
)
def test_preflight_warns_of_a_stale_rehearsal_and_of_the_review(
    green: dict[str, Any] | None, reviewed: str, said: list[str]
) -> None:
    asked = {"version": "0.1.0", "days": 7, "reviewed_on": reviewed, "now": NOW}
    items = history_items({"last_green": green}, **asked)  # type: ignore[arg-type]
    assert [text in item.line for item, text in zip(items, said, strict=True)] == [True] * len(said)
    # It warns, but never keeps anybody from being ready.
    assert not any(item.must for item in items)
    (unknown, *_rest) = history_items({"failed": True, "msg": "no"}, **asked)  # type: ignore[arg-type]
    assert unknown.ok is None


def test_a_rehearsal_is_green_when_it_held_in_time(tmp_path: Path) -> None:
    runs = eventful()
    place = lay_down(tmp_path, *runs)
    report(tmp_path)
    assert json.loads((place / "timings.json").read_text())["green"] is True
    write_report(ReportRequest(str(tmp_path), INCIDENT, objectives={**OBJECTIVES, "scenario3": 1}), check_mode=False)
    assert json.loads((place / "timings.json").read_text())["green"] is False


@pytest.mark.parametrize(
    ("playbook", "exits", "green"),
    [
        # The scenario's verdict comes first, and the rehearsal's own after everything was put back.
        ("rehearse", [{"kanban_verdict": "contained", "kanban_rehearsed": "rehearsed"}], True),
        ("rehearse", [{"kanban_verdict": "contained"}], False),
        (
            "rehearse",
            [{"kanban_verdict": "contained"}, {"kanban_verdict": "put_back", "kanban_rehearsed": "put_back"}],
            False,
        ),
        ("scenario3", [{"kanban_verdict": "contained"}], True),
        ("scenario3", [{}], False),
    ],
)
def test_a_rehearsal_that_was_killed_is_not_green(
    tmp_path: Path, playbook: str, exits: list[dict[str, str]], green: bool
) -> None:
    first = stopped(playbook, writes=True, facts={"rehearsal": True})
    # Passed on by a task: a run that was killed has no line at its end.
    runs = [first, *(Story(playbook, 100.0 * number, f"later-{number}") for number in range(1, len(exits)))]
    for story, told in zip(runs, exits, strict=True):
        story.task(
            story.began + 5, "ansible.builtin.set_stats", details={"exit": told} if told else {}, role="rehearse"
        )
    place = lay_down(tmp_path, *runs)
    report(tmp_path)
    timings = json.loads((place / "timings.json").read_text())
    assert (timings["rehearsal"], timings["state"], timings["green"]) == (True, "contained", green)
