# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn ansible-runner's job events into the lines of a journal (docs/journal.md), written as the recorder writes them.

These events are what AWX keeps of a job; the recorder beside the playbooks gets the same from Ansible itself. The clock
of these lines starts with the command, so that they include the time that Ansible takes to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalrun import Named, Recorder, Task

_COLLECTION = "chatia.kanban_rollback."
_ENDS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")
_RECAP = {
    "ok": "ok",
    "changed": "changed",
    "failures": "failed",
    "dark": "unreachable",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}


class Reader:
    """One run's events, in the recorder's words.

    ``began``: seconds since 1970 at which the command was typed. ``facts``: of the first line (version, host, …).
    """

    def __init__(self, began: float, playbook: str, facts: Mapping[str, Any]) -> None:
        self._recorder = Recorder(began, playbook, {"check_mode": False, **facts})

    @property
    def path(self) -> Path | None:
        """Where the lines are; None before the first play has ended."""
        return self._recorder.path

    @property
    def problem(self) -> str:
        """Why there are none; empty while all is well."""
        return self._recorder.problem

    def name(self, directory: Path, run_id: str, incident_id: str) -> None:
        """Set the run and incident that the lines belong to, and the directory below which they go."""
        self._recorder.about(str(directory), {})
        self._recorder.name(Named(run_id, incident_id, given=True))

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event; anything but a play, a task on a host and the end has nothing for a journal."""
        kind, data = str(event.get("event")), event.get("event_data") or {}
        at = _moment(event.get("created"))
        if kind == "playbook_on_play_start":
            self._recorder.play_began(at, str(data.get("name") or data.get("play")))
        elif kind == "runner_on_skipped":
            self._recorder.skipped()
        elif kind in _ENDS:
            self._recorder.task_ended(_task(kind, data, at))
        elif kind == "playbook_on_stats":
            self._recorder.end(at, _end(data))


def _task(kind: str, data: Mapping[str, Any], at: float) -> Task:
    action = str(data.get("resolved_action") or data.get("task_action"))
    answer = data.get("res") or {}
    return Task(
        host=str(data.get("host")),
        name=str(data.get("task")),
        role=str(data.get("role") or "").rpartition(".")[2],
        module=action.removeprefix(_COLLECTION),
        began=_moment(data["start"]) if data.get("start") else None,
        ended=_moment(data["end"]) if data.get("end") else at,
        changed=bool(answer.get("changed")),
        failed=kind == "runner_on_failed",
        unreachable=kind == "runner_on_unreachable",
        ignored=bool(data.get("ignore_errors")),
        result=answer if action.startswith(_COLLECTION) and "censored" not in answer else {},
    )


def _end(data: Mapping[str, Any]) -> dict[str, Any]:
    stats = data.get("artifact_data") or {}
    handed_on = {name: str(value)[:100] for name, value in stats.items() if name.startswith("kanban_")}
    recap = {ours: sum((data.get(theirs) or {}).values()) for theirs, ours in _RECAP.items()}
    troubled = sorted({*(data.get("failures") or {}), *(data.get("dark") or {})})
    return {"exit": handed_on, "hosts": len(data.get("processed") or {}), "recap": recap, "troubled": troubled[:100]}


def _moment(text: Any) -> float:
    return datetime.fromisoformat(str(text)).timestamp()
