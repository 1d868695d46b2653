# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident_report`` does: read an incident's directory, write its reports. Neither Ansible nor a driver."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import (
    WORDS_FILE,
    detected_in,
    directory_of,
    read_runs,
    words_in,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number, numbers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleledger import with_ledgers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import make_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportblocks import Block, BrokenMarkers, merged
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import Case
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportchecklist import undecided
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportfiles import (
    alone,
    read_bytes,
    read_json,
    write_whole,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporthtml import report_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportlabels import Labels
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportmarkdown import record
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportmarkdownlists import checklist
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportpostmortem import postmortem
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportspans import spans_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import is_timings, timings
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wordsfile import make_words

MESSAGES, MOST_MESSAGES, LARGEST_MESSAGE = "messages", 200, 262144
# The most breaks of one ledger's chains that are passed on, one for each run.
MOST_BREAKS = 100
TIMINGS, RECORD = "timings.json", "incident.md"
_MARKDOWN: Mapping[str, Callable[[Case], Sequence[Block]]] = {
    RECORD: record,
    "postmortem.md": postmortem,
    "checklists.md": checklist,
}


@dataclass(frozen=True)
class ReportRequest:
    """The request; its fields are the options of ``incident_report``."""

    path: str
    incident_id: str
    locale: str = "pt_BR"
    objectives: Mapping[str, Any] = field(default_factory=dict)
    ledgers: Sequence[Mapping[str, Any]] = ()
    contacts: Sequence[Mapping[str, Any]] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    dashboard_url: str = ""
    known: Sequence[Mapping[str, Any]] = ()
    unread_ledgers: Sequence[str] = ()
    deadline: float = 60.0


def write_report(request: ReportRequest, check_mode: bool) -> dict[str, Any]:
    """Write what changed; return ``found``, ``files`` with the outcome of each, ``undecided``; raises KanbanError.

    ``chain_broken_at`` says which ledgers' events were changed. What a run did that no journal tells is read from the
    ledgers' events. Without either there is nothing to write, and ``found`` is false.
    """
    deadline = Deadline(request.deadline)
    directory = directory_of(request.path, request.incident_id)
    runs, warnings = read_runs(directory, request.incident_id, deadline)
    runs = with_ledgers(request.incident_id, runs, request.ledgers)
    if not runs:
        warnings += [_unread(request.unread_ledgers)] if request.unread_ledgers else []
        nothing: dict[str, Any] = {"changed": False, "found": False, "files": [], "undecided": [], "keep": []}
        return {**nothing, "chain_broken_at": _broken(request.ledgers), "warnings": warnings}
    if not check_mode:
        make_folder(directory)
    with alone(directory, deadline, check_mode):
        writer = _Writer(directory, check_mode, warnings)
        writer.words(request.locale)
        words = words_in(directory)
        detected, notes = detected_in(words)
        summary = summary_of(request.incident_id, runs, request.objectives, detected, notes)
        case = Case(
            summary=summary,
            label=Labels(request.locale),
            words=words,
            ledgers=request.ledgers,
            messages=messages_in(directory),
            contacts=request.contacts,
            spans=spans_of(runs),
            places=request.places,
            dashboard_url=request.dashboard_url,
        )
        told = timings(summary, runs)
        lost = writer.runs_lost(told["runs"]) or writer.told_of_unread(request.unread_ledgers)
        if lost:
            # New reports would cover only part of the runs, and the present ones are all that is left of the rest.
            warnings.append(lost)
        else:
            if request.unread_ledgers:
                warnings.append(_unread(request.unread_ledgers))
            for name, blocks in _MARKDOWN.items():
                writer.markdown(name, blocks(case), case.label)
            writer.whole(TIMINGS, json.dumps(told, indent=1, sort_keys=True) + "\n")
            # Last, because it says which labels the others lacked.
            writer.whole("report.html", report_page(case))
    # Do not keep what may be less than an unread ledger has either.
    keeps = not lost and not request.unread_ledgers and not _is_less(told, request.known)
    return {
        "changed": any(one["changed"] for one in writer.files),
        "found": True,
        "files": writer.files,
        "undecided": undecided(case),
        "unread": [note["where"] for note in notes],
        "state": summary["state"],
        "closed": case.closed_at is not None,
        "objective": summary["objective"],
        "chain_broken_at": _broken(request.ledgers),
        "missing_labels": sorted(case.label.missing),
        # What preflight on another controller asks for.
        "keep": [{"name": TIMINGS, "text": json.dumps(told)}] if keeps else [],
        "warnings": warnings,
    }


def _unread(ledgers: Sequence[str], so: str = ": these reports tell nothing of what stands there") -> str:
    said = "; ".join(one.rstrip(".") for one in ledgers)
    return f"A ledger was not read ({said}){so}. Type the same command again."


def _broken(ledgers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the hosts whose ledger's chain of the incident's events does not hold, and where each breaks."""
    found = [(str(row.get("host") or ""), list(map(str, row.get("chain_broken_at") or []))) for row in ledgers]
    return [{"host": host, "where": where[:MOST_BREAKS]} for host, where in found if where]


def _is_less(told: Mapping[str, Any], known: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a ledger has timings of this incident with more runs: journals were lost since."""
    return any(
        is_timings(one) and one["incident_id"] == told["incident_id"] and numbers([one.get("runs")]) > [told["runs"]]
        for one in known
    )


class _Writer:
    def __init__(self, directory: Path, check_mode: bool, warnings: list[str]) -> None:
        self.files: list[dict[str, Any]] = []
        self._directory = directory
        self._check_mode = check_mode
        self._warnings = warnings

    def words(self, locale: str) -> None:
        """Create the file for people's own notes unless there is one, whatever its content."""
        path = self._directory / WORDS_FILE
        if self._check_mode:
            return
        try:
            if not make_words(path, locale):
                return
        except OSError as error:
            self._warnings.append(f"{WORDS_FILE} could not be made: {error.strerror or error}.")
            return
        self.files.append({"name": WORDS_FILE, "path": str(path), "changed": True, "note": ""})

    def runs_lost(self, runs: int) -> str:
        """Return what to say if the existing timings cover more runs than there are journals now."""
        before = read_json(self._directory / TIMINGS)
        if not is_timings(before) or not number(before.get("runs")) or before["runs"] <= runs:
            return ""
        return (
            f"Only {runs} of the {before['runs']} runs that {TIMINGS} tells of have a journal here that could be read, "
            f"so record, post-mortem, checklists, page and timings were left as they are. Bring the journals back, or "
            f"remove {TIMINGS} to have them written from what is left."
        )

    def told_of_unread(self, ledgers: Sequence[str]) -> str:
        """Return what to say if a ledger was not read and the record may hold what it said before."""
        if not ledgers or not (self._directory / RECORD).exists():
            return ""
        return _unread(ledgers, ", so record, post-mortem, checklists, page and timings were left as they are")

    def markdown(self, name: str, blocks: Sequence[Block], label: Labels) -> None:
        """Renew the blocks of a file that people edit; if its markers are broken, write another file beside it."""
        path = self._directory / name
        said = (label("by_hand"), label("not_by_hand"), label("newer"))
        try:
            found = read_bytes(path)
            text = None if found is None else found.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._beside(name, blocks, said, f"{name} could not be read ({error}) and was left as it is")
            return
        try:
            content = merged(blocks, text, *said)
        except BrokenMarkers as error:
            self._beside(
                name, blocks, said, f"the markers in {name} do not fit together ({error}), so it was left as it is"
            )
            return
        self._write(path, content, "")

    def _beside(self, name: str, blocks: Sequence[Block], said: tuple[str, str, str], why: str) -> None:
        beside = name.replace(".md", ".new.md")
        self._warnings.append(f"{why}; what is new is in {beside}.")
        self._write(self._directory / beside, merged(blocks, None, *said), why)

    def whole(self, name: str, content: str) -> None:
        """Write a file that nobody edits."""
        self._write(self._directory / name, content, "")

    def _write(self, path: Path, content: str, note: str) -> None:
        try:
            changed = write_whole(path, content.encode("utf-8", "replace"), self._check_mode)
        except OSError as error:
            self._warnings.append(f"{path.name} could not be written: {error.strerror or error}.")
            self.files.append({"name": path.name, "path": str(path), "changed": False, "note": "not written"})
            return
        self.files.append({"name": path.name, "path": str(path), "changed": changed, "note": note})


def messages_in(directory: Path) -> list[dict[str, Any]]:
    """Return the messages of an incident, oldest first; anything that is not a message is left out."""
    try:
        files = sorted((directory / MESSAGES).glob("*.json"))[:MOST_MESSAGES]
    except OSError:
        return []
    found = [read_json(file, LARGEST_MESSAGE) for file in files]
    return sorted((one for one in found if isinstance(one, dict)), key=lambda one: str(one.get("at") or ""))
