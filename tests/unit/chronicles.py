# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals as runs leave them, line by line, with moments that a test can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _journal as journal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, read_run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import Event

NOW = 1_800_000_000.0
DAY = 86400
INCIDENT = "INC-20270115-001"
OBJECTIVES = {"scenario1": 300, "scenario2": 1800, "scenario3": 120}
ON = {"total": 400, "enabled_before": 120, "enabled_after": 0, "changed_count": 120}


def at(seconds: float) -> str:
    """Return the moment that many seconds after ``NOW`` as a journal has it."""
    return journal.moment(NOW + seconds)


@dataclass
class Story:
    """One run; each call adds a line."""

    playbook: str = "scenario3"
    began: float = 0.0
    run_id: str = "run-1"
    incident: str = INCIDENT
    facts: Mapping[str, Any] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    plays: int = 0

    def __post_init__(self) -> None:
        self._previous = ""
        first = {
            "schema": 1, "playbook": self.playbook, "version": "0.1.0", "host": "controller", "check_mode": False,
            "requested": self.incident, "operator": "rui", "environment": "staging", **self.facts,
        }  # fmt: skip
        self.add(self.began, "contain", journal.RECORDER, journal.RUN_BEGAN, first)

    def add(self, when: float, phase: str, source: str, event: str, data: Mapping[str, Any]) -> Story:
        """Add any line."""
        made = Event(
            self.incident, self.run_id, len(self.lines) + 1, at(when), phase, source, event, data, self._previous
        )
        self.lines.append(journal.line_of(made))
        self._previous = made.hash
        return self

    def play(self, when: float, heading: str) -> Story:
        """Begin a play."""
        self.plays += 1
        return self.add(when, "contain", journal.RECORDER, journal.PLAY_BEGAN, {"play": heading, "number": self.plays})

    def task(
        self,
        when: float,
        source: str,
        figures: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        host: str = "db1",
        role: str = "contain",
        phase: str = "",
        took: float = 1.0,
        **more: Any,
    ) -> Story:
        """Add the end of a task."""
        data = {
            "host": host, "task": f"{source} of {role}", "role": role, "play": self.plays, "started": at(when - took),
            "ended": at(when), "seconds": took, "changed": True, "failed": False, "unreachable": False,
            "figures": dict(figures or {}), **more,
        }  # fmt: skip
        if details:
            data["details"] = dict(details)
        return self.add(when, phase or journal.phase_of(role, self.playbook), source, journal.TASK_ENDED, data)

    def end(self, when: float, verdict: str, **facts: str) -> Story:
        """End the run."""
        recap = dict.fromkeys(("ok", "changed", "failed", "unreachable", "skipped", "rescued", "ignored"), 0)
        data = {"exit": {"kanban_verdict": verdict, **facts}, "hosts": 2, "recap": recap, "troubled": []}
        return self.add(when, "report", journal.RECORDER, journal.RUN_ENDED, data)

    @property
    def record(self) -> RunRecord:
        """Return what is kept of the run."""
        return read_run(self.lines, f"journal-{self.run_id}.jsonl")


def stopped(playbook: str = "scenario3", began: float = 0.0, *, writes: bool = False, **more: Any) -> Story:
    """Return a stop of one database, contained after two seconds; ``writes``: also of writes, as scenario 3 does."""
    story = Story(playbook, began, **more).play(began, "1. Contain")
    story.task(began + 1, "feature_flag", ON, {"database": "7/1", "writable": True})
    if writes or playbook == "scenario3":
        story.task(began + 2, "write_fence", {"status": "proven"}, {"database": "7/1"})
    return story.play(began + 3, "2. Stopped")


def repaired(began: float = 600.0) -> Story:
    """Return the run that repairs and validates."""
    story = Story("scenario3", began, "run-2").play(began, "1. Contain")
    story.task(began + 1, "feature_flag", {**ON, "enabled_before": 0, "changed_count": 0}, {"database": "7/1"})
    story.play(began + 5, "7. Recover")
    rows = [{"table": "public.Tags", "deleted": 5, "changed": 0, "inserted": 0},
            {"table": "public.Tickets", "deleted": 0, "changed": 6, "inserted": 0}]  # fmt: skip
    # A job: one task begins it, another gets its result.
    story.task(began + 6, "integrity_repair", role="recover", changed=False)
    done = {"quarantined": 11, "elapsed_ms": 2900}
    story.task(began + 9, "integrity_repair", done, {"database": "7/1", "tables": rows}, role="recover", took=3.0)
    checks = {"database": "7/1", "checks": [{"name": "orphan_tags", "status": "ok", "count": 0}]}
    story.task(began + 10, "integrity_info", {"total_count": 0, "complete": True}, checks, role="validate")
    point = {"point": {"measured": True, "writes": 0}}
    story.task(began + 11, "recovery_point_info", {"accounted": True}, point, role="validate")
    story.task(began + 12, "incident", {}, {"recorded": "data validated"}, role="validate")
    return story.end(began + 13, "contained")


HOSTILE = "<script>document.title='owned'</script>{{ 7*7 }}\n@channel \U0001f525\u202e" + "x" * 10_000
HEALTH = "Ask the application whether it is healthy"
METRICS = [
    {"name": "error_rate", "verdict": "ok", "value": 0.02, "max": 0.1, "unit": "%"},
    {"name": "socket_latency", "verdict": "degraded", "value": 1240.5, "max": 1000, "unit": "ms"},
    {"name": "memory", "verdict": "no_data", "value": None, "max": 20, "unit": "%", "growth": "percent"},
]


def eventful(operator: str = "rui", host: str = "db2") -> list[Story]:
    """Return the runs of an incident in which much happened: stop, repair, release, stages, one of them withdrawn."""
    stop = Story("scenario3", facts={"operator": operator}).play(0, "1. Contain")
    for number, name in enumerate(("db1", host), start=7):
        stop.task(number - 6, "feature_flag", ON, {"database": f"{number}/1", "writable": True}, host=name)
        stop.task(number - 5, "write_fence", {"status": "proven"}, {"database": f"{number}/1"}, host=name)
    stop.task(3.4, "write_block", {"held": True, "ours": True}, host="redis1")
    stop.play(4, "4. Preserve")
    stop.task(9, "evidence", {"complete": True}, host="db1", role="preserve", took=3)
    stop.task(42, "pg_dump", {"rows": 9_120_331, "bytes": 1_234_567, "toc_entries": 12, "elapsed_ms": 31_000},
              {"database": "7/1"}, role="preserve", took=31)  # fmt: skip
    stop.task(44, "smoke_test", {"passed": False}, host="app1", role="walk", failed=True, task=HEALTH)
    checks = [
        {"name": "orphan_tags", "status": "corrupt", "count": 1204},
        {"name": "lanes", "status": "ok", "count": 0},
    ]
    for number, name in enumerate(("db1", host), start=7):
        whole = {"database": f"{number}/1", "checks": checks}
        stop.task(50, "integrity_info", {"total_count": 1204, "complete": True}, whole, host=name, role="assess")
    stop.end(60, "contained", kanban_plan_hash="0" * 64)
    release = Story("release", 1500, "run-3").task(1505, "incident", {}, {"recorded": "released"}, role="release")
    back = Story("reenable", 90_000, "run-4").play(90_000, "8. Stage by stage")
    for place, (on, before) in enumerate(((12, 0), (60, 12), (40, 60), (120, 60))):
        figures = {"total": 120, "enabled_before": before, "enabled_after": on, "changed_count": abs(on - before)}
        stage = {"database": "7/1", "stage": {"had_it": 120, "before": before, "tenants": on}}
        back.task(90_010 + place * 60, "feature_flag", figures, stage, role="reenable")
        told = {"verdict": "degraded" if place == 2 else "ok", "settled": True, "watched_seconds": 3600}
        back.play(90_020 + place * 60, "Watch")
        back.task(90_030 + place * 60, "metric_gate", told, {"metrics": METRICS}, host="localhost", role="observe")
    back.task(90_400, "incident", {}, {"latch": False}, role="reenable")
    return [stop, repaired(), release.end(1510, "released"), back.end(90_420, "restored")]


def lay_down(root: Path, *stories: Story) -> Path:
    """Write runs as journals into their incident's directory, and return that directory."""
    place = root / INCIDENT
    place.mkdir(parents=True, exist_ok=True)
    for number, story in enumerate(stories):
        (place / f"journal-{number}.jsonl").write_bytes(b"".join(story.lines))
    return place


def incident(name: str, closed: float | None = None, opened: float = 1.0, **more: Any) -> dict[str, Any]:
    """Return an incident as a ledger has it, closed that many days before ``NOW``."""

    def moment(days: float) -> str:
        return datetime.fromtimestamp(NOW - days * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return {
        "incident_id": name,
        "aliases": [],
        "opened_at": moment(opened),
        **more,
        "closed_at": closed and moment(closed),
    }
