# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a run's recorder: lines wait until their incident is known, then they are written in order.

A ledger says which incident it is: a run whose id was made by the controller joins the incident that is open. If no
ledger answers, it is the id by which the run was named, as soon as something was tried under it. A run without an
incident (a triage while none is open) leaves nothing. Nothing here raises OSError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _journal as journal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import Event
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journaldetails import details
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import JournalFile, incident_folder

# At most so many lines wait in memory until the incident is known.
MOST_WAITING = 500
# Playbooks that belong to an incident, whether or not they did anything.
_OF_AN_INCIDENT = ("scenario1", "scenario2", "scenario3")
# Roles and modules that act under an incident, whether or not a ledger has it. Mere ranking is not an act: the kill
# that follows may join an incident that is open.
_ACTING_ROLES = ("contain",)
_ACTING = (
    "cache_purge",
    "feature_flag",
    "incident",
    "integrity_repair",
    "pg_dump",
    "pg_restore_tables",
    "write_block",
    "write_fence",
)
# Modules whose result has the id by which the ledger knows the incident.
_JOINING = ("incident", "integrity_repair", "pg_restore_tables", "recovery_point_info")


@dataclass
class Named:
    """What a run is called before any ledger has answered. ``given``: a person gave the incident's id."""

    run_id: str
    incident_id: str
    given: bool


@dataclass
class Task:
    """One task on one host, as it ended; ``began`` and ``ended`` are seconds since 1970."""

    host: str
    name: str
    role: str
    module: str
    began: float | None
    ended: float
    changed: bool = False
    failed: bool = False
    unreachable: bool = False
    ignored: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)


class _Line(NamedTuple):
    at: str
    phase: str
    source: str
    event: str
    data: Mapping[str, Any]


class Recorder:
    """One run of one playbook. ``problem`` says why the rest of it is not recorded; empty as long as it is."""

    def __init__(self, began: float, playbook: str, facts: Mapping[str, Any]) -> None:
        """Begin a run; ``playbook`` is its short name, ``facts`` belong to its first line."""
        self.problem = ""
        self.named: Named | None = None
        self.path: Path | None = None
        self._playbook = playbook
        self._check_mode = bool(facts.get("check_mode"))
        self._directory = ""
        self._waiting: list[_Line] = []
        self._first = {"playbook": playbook, "schema": journal.SCHEMA, **facts}
        self._file: JournalFile | None = None
        self._incident, self._seq, self._previous = "", 0, ""
        self._acted = self._over = False
        self._play, self._plays, self._play_began = "", 0, began
        self._counts: dict[str, int] = {}
        self._note(began, "", journal.RECORDER, journal.RUN_BEGAN, self._first)

    def about(self, directory: str, facts: Mapping[str, Any]) -> None:
        """Say where incidents are kept, and what else belongs to the first line."""
        self._directory = directory
        self._first.update(facts)

    def name(self, named: Named) -> None:
        """Say what the run is called. Called again with a given id, that is the incident that was found."""
        if self.named is not None and named.given and named.incident_id != self.named.incident_id:
            self.join(named.incident_id)
        self.named = self.named or named
        self._first.setdefault("requested", named.incident_id)

    def join(self, incident_id: str) -> None:
        """Say which incident the lines belong to: the first answer counts, because a file belongs to one incident."""
        if incident_id and not self._incident and self.named is not None:
            self._settle(incident_id)

    def play_began(self, at: float, heading: str) -> None:
        """Begin a play, and end the one before."""
        self._end_play(at)
        if self._acted:
            self._settle_as_named()
        self._play, self._plays, self._play_began = heading[: journal.LONGEST_NAME], self._plays + 1, at
        self._counts = {"ok": 0, "changed": 0, "failed": 0, "unreachable": 0, "skipped": 0}
        self._note(at, "", journal.RECORDER, journal.PLAY_BEGAN, {"play": self._play, "number": self._plays})

    def skipped(self) -> None:
        """Count a task that was skipped on a host."""
        self._counts["skipped"] = self._counts.get("skipped", 0) + 1

    def task_ended(self, task: Task) -> None:
        """Record a task's end on a host."""
        status = "unreachable" if task.unreachable else "failed" if task.failed else "ok"
        self._counts[status] = self._counts.get(status, 0) + 1
        if task.changed:
            self._counts["changed"] = self._counts.get("changed", 0) + 1
        data: dict[str, Any] = {
            "host": task.host[: journal.LONGEST_NAME],
            "task": task.name[: journal.LONGEST_NAME],
            "role": task.role,
            "play": self._plays,
            "started": None if task.began is None else journal.moment(task.began),
            "ended": journal.moment(task.ended),
            "seconds": None if task.began is None else max(0.0, round(task.ended - task.began, 3)),
            "changed": task.changed,
            "failed": task.failed,
            "unreachable": task.unreachable,
            "figures": journal.figures(task.module, task.result),
        }
        if task.ignored:
            data["ignored"] = True
        self._of_result(task, data)
        source = task.module[: journal.LONGEST_NAME]
        self._note(task.ended, task.role, source, journal.TASK_ENDED, data)
        self._acted = self._acted or task.module in _ACTING or task.role in _ACTING_ROLES
        if "ledger_incident" in data:
            self.join(data["ledger_incident"])

    @staticmethod
    def _of_result(task: Task, data: dict[str, Any]) -> None:
        """Add what a result says apart from its figures: tries, the error's code, the incident in the ledger."""
        attempts = task.result.get("attempts")
        if isinstance(attempts, int) and not isinstance(attempts, bool):
            data["attempts"] = attempts
        error = task.result.get("error")
        if isinstance(error, Mapping) and journal.is_word(error.get("code")):
            data["error"] = str(error["code"])
        told = details(task.module, task.result)
        if told:
            data["details"] = told
        incident = task.result.get("incident")
        found = None
        if isinstance(incident, Mapping) and incident.get("in_ledger"):
            found = incident.get("incident_id")
        elif task.module in _JOINING and not task.failed:
            found = task.result.get("incident_id")
        if isinstance(found, str) and found:
            data["ledger_incident"] = found[: journal.LONGEST_NAME]

    def end(self, at: float, data: Mapping[str, Any]) -> str:
        """End the run; return why not all of it was recorded, empty if all was or nothing had to be."""
        self._end_play(at)
        self._note(at, "report", journal.RECORDER, journal.RUN_ENDED, data)
        self._settle_as_named()
        self._waiting.clear()
        if self._file is not None:
            self._stop_on_error(self._file.close)
        self._over = True
        return self.problem

    def _end_play(self, at: float) -> None:
        if self._plays:
            data = {
                "play": self._play,
                "number": self._plays,
                "seconds": max(0.0, round(at - self._play_began, 3)),
                **self._counts,
            }
            self._note(at, "", journal.RECORDER, journal.PLAY_ENDED, data)

    def _settle_as_named(self) -> None:
        if self.named is None or self._incident:
            return
        if self._acted or self.named.given or self._playbook in _OF_AN_INCIDENT:
            self._settle(self.named.incident_id)

    def _settle(self, incident_id: str) -> None:
        """Open the file, and write the lines that have waited."""
        self._incident = incident_id
        waiting, self._waiting = self._waiting, []
        if self._over or self.problem or self.named is None:
            return
        directory = Path(self._directory).expanduser() / incident_folder(incident_id)
        if not self._directory or (self._check_mode and not directory.is_dir()):
            # A plan changes nothing, so it makes no directory for an incident that has none.
            self._over = True
            return
        run_id = self.named.run_id

        def begin() -> None:
            self._file = JournalFile(directory, run_id)
            self.path = self._file.path
            for line in waiting:
                self._write(line)

        self._stop_on_error(begin)

    def _note(self, at: float, role: str, source: str, event: str, data: Mapping[str, Any]) -> None:
        if self._over or self.problem:
            return
        line = _Line(journal.moment(at), journal.phase_of(role, self._playbook), source, event, data)
        if self._file is not None:
            self._stop_on_error(lambda: self._write(line))
            return
        self._waiting.append(line)
        if len(self._waiting) > MOST_WAITING:
            self._settle_as_named()
            if not self._incident:
                # So many lines, and nothing was tried under an incident: the run does not belong to one.
                self._over = True
                self._waiting.clear()

    def _write(self, line: _Line) -> None:
        if self._file is None or self.named is None:
            return
        place = (self._incident, self.named.run_id, self._seq + 1)
        made = Event(*place, line.at, line.phase, line.source, line.event, dict(line.data), self._previous)
        self._file.append(journal.line_of(made))
        self._seq, self._previous = made.seq, made.hash

    def _stop_on_error(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self.problem = f"{self.path or self._directory}: {error.strerror or error}"
