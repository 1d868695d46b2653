# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the journals of an incident: those that are cut, changed or another incident's, and that it is bounded."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import MOST_STEPS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import (
    MOST_JOURNALS,
    moment_in,
    read_summary,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclelines import MOST_LINES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journaldetails import details
from tests.unit.chronicles import INCIDENT, NOW, OBJECTIVES, Story, at, repaired, stopped


def test_journals_that_are_cut_changed_or_of_another_incident(tmp_path: Path) -> None:
    place = tmp_path / INCIDENT
    place.mkdir()
    whole = stopped().end(9, "contained")
    (place / "journal-1.jsonl").write_bytes(b"".join(whole.lines)[:-7])
    changed = b"".join(repaired().lines).replace(b'"deleted":5', b'"deleted":4')
    (place / "journal-2.jsonl").write_bytes(changed)
    (place / "journal-3.jsonl").write_bytes(b"".join(stopped(incident="INC-2").lines))
    (place / "journal-4.jsonl").write_bytes(b"{")
    (place / "journal-5.jsonl").symlink_to(place / "journal-1.jsonl")
    found = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30)
    notes = {note["journal"]: note["what"] for note in found["summary"]["notes"]}
    assert notes == {"journal-1.jsonl": "journal_cut", "journal-2.jsonl": "journal_broken"}
    # Nothing after the change is believed.
    assert found["summary"]["records"] == []
    assert len(found["warnings"]) == 2
    assert read_summary(str(tmp_path), "INC-NONE", {}, 30)["found"] is False
    with pytest.raises(BadInput):
        read_summary(str(tmp_path), " ", {}, 30)
    late = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 0)
    assert "no time left" in late["warnings"][0]


@pytest.mark.parametrize("first", [100, 899])
def test_of_many_journals_the_stop_is_read_and_the_last_run(tmp_path: Path, first: int) -> None:
    """By what they say: a job's number is no text that sorts, and a file that comes from a ledger is of today."""
    place = tmp_path / INCIDENT
    place.mkdir()
    for number, name in enumerate(range(first, first + MOST_JOURNALS + 1)):
        run = Story("reenable", number * 60.0, f"{name}") if number else stopped(run_id=f"{name}").end(3, "contained")
        file = place / f"journal-{name}.jsonl"
        file.write_bytes(b"".join(run.lines))
        os.utime(file, (NOW - number, NOW - number))
    (place / "journal-other.jsonl").write_bytes(b"{")
    found = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30)
    summary = found["summary"]
    assert summary["scenario"] == "scenario3"
    assert (summary["state"], summary["moments"]["contained"]) == ("contained", at(2))
    assert (summary["decision"]["path"][0], summary["runs"][-1]["run_id"]) == ("scenario3", str(first + MOST_JOURNALS))
    assert found["warnings"][0] == (
        f"2 journals of {INCIDENT} were not read: those between the oldest and the newest {MOST_JOURNALS // 2}."
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2027-01-15T09:12Z", "2027-01-15T09:12:00.000000Z"),
        ("since 2027-01-15 06:12:30 -03:00, by support", "2027-01-15T09:12:30.000000Z"),
        ("2027-01-15 09:12", None),
        ("2027-99-15 09:12Z", None),
        ("09:12", None),
    ],
)
def test_a_moment_that_people_wrote_counts_where_it_leaves_no_doubt(text: str, found: str | None) -> None:
    assert moment_in(text) == found


def test_only_plain_names_and_numbers_are_kept_of_a_result() -> None:
    parts = [{"table": name, "action": "delete", "rows": 3} for name in ("public.Tags", "<b>", "a\nb", "{{ 7*7 }}")]
    kept = details("integrity_repair", {"plan": {"parts": [*parts, {"table": "t", "action": "delete", "rows": "x"}]}})
    assert kept == {"tables": [{"table": "public.Tags", "deleted": 3, "changed": 0, "inserted": 0}]}
    checks = [{"name": "orphans", "status": "ok", "count": None, "why": "text"}, {"name": "<b>", "status": "ok"}]
    assert details("integrity_info", {"checks": checks})["checks"] == [
        {"name": "orphans", "status": "ok", "count": None}
    ]
    assert details("feature_flag", {"database": {"cluster": "7/1", "writable": True, "name": "secret"}}) == {
        "database": "7/1", "writable": True,
    }  # fmt: skip
    assert details("incident", {"event": "<b>"}) == details("pm2_info", {"plan": {}}) == {}
    assert details("recovery_point_info", {"recovery_point": {"measured": False, "writes": None, "why": "text"}}) == {
        "point": {"measured": False, "writes": None}
    }


def test_many_lines_are_summed_up_in_bounded_memory_and_time() -> None:
    story = stopped()
    for number in range(20_000):
        story.task(10 + number / 100, "pm2_info", {"alive": 2}, host=f"app{number % 500}", role="processes")
    began = time.perf_counter()
    told = summary_of(INCIDENT, [story.end(2000, "contained").record], OBJECTIVES)
    assert time.perf_counter() - began < 3
    assert told["notes"] == [
        {"what": "steps_left_out", "journal": "journal-run-1.jsonl", "where": str(20_002 - MOST_STEPS)}
    ]
    assert len(told["timeline"]) <= MOST_LINES
    assert told["seconds"]["contain"] == 2.0
