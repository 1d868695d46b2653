# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an incident's directory on the controller: its journals and people's words. Neither Ansible nor a driver."""

from __future__ import annotations

import os
import re
import stat
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, read_run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleledger import with_ledgers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclesummary import summary_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import LONGEST_LINE, event_of, moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalentry import TooLong, lines_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import PREFIX, SUFFIX, incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_own
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import LARGEST_FILE, Words, read_words

# How many journals of one incident are read: the oldest, which have the stop, and the newest, half of each.
MOST_JOURNALS = 200
WORDS_FILE = "words.md"
# The note that a moment which people wrote was not understood, and how to write one.
UNREAD, HOW = "detected_unread", "2026-12-01 03:04 -03:00"
# A moment that leaves no doubt: with a date and a zone.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)\b",
)


def read_summary(
    path: str,
    incident_id: str,
    objectives: Mapping[str, Any],
    seconds: float,
    run_id: str = "",
    ledgers: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return ``summary``, ``found`` (whether a run is known) and ``warnings``; raises BadInput.

    :param run_id: a run that the summary has to cover; may be empty. If two databases have different incidents open,
        its journal is with the one that answered first, and then that incident is summed up.
    :param ledgers: as ``ledgers_of`` returns them, for what no journal tells of the incident that was asked for.
    """
    deadline = Deadline(seconds)
    directory = directory_of(path, incident_id)
    runs, warnings = read_runs(directory, incident_id, deadline)
    if run_id and not _tells_of(runs, run_id):
        for other in _elsewhere(directory, run_id):
            theirs, said = read_runs(other, other.name, deadline)
            if _tells_of(theirs, run_id):
                known = theirs[0].reading.incident_id
                warnings = [f"The journal of {run_id} lies with {known}, so that is summed up.", *said]
                directory, incident_id, runs, ledgers = other, known, theirs, ()
                break
    runs = with_ledgers(incident_id, runs, ledgers)
    detected, notes = detected_in(words_in(directory))
    summary = summary_of(incident_id, runs, objectives, detected, notes)
    return {"changed": False, "found": bool(runs), "summary": summary, "warnings": warnings}


def _tells_of(runs: Sequence[RunRecord], run_id: str) -> bool:
    return any(run.reading.run_id == run_id for run in runs)


def _elsewhere(directory: Path, run_id: str) -> list[Path]:
    """Return directories of other incidents that have a file named like a run's journal; links do not count."""
    found = directory.parent.glob(f"*/{PREFIX}{safe_name(run_id)}*{SUFFIX}")
    return sorted({file.parent for file in found if file.parent != directory and not file.parent.is_symlink()})


def directory_of(path: str, incident_id: str) -> Path:
    """Return the directory of an incident; raises BadInput for an empty id."""
    if not incident_id.strip():
        raise BadInput(
            "no_incident",
            "No incident is named.",
            "Every incident has a directory of its own, and this is about one of them.",
            "Give incident_id.",
        )
    return Path(path) / incident_folder(incident_id)


def read_runs(directory: Path, incident_id: str, deadline: Deadline) -> tuple[list[RunRecord], list[str]]:
    """Return what the journals of an incident say, and what could not be read; raises BadInput.

    A journal of another incident that is in the directory is left out.
    """
    runs, warnings = [], []
    files = _journals(directory)
    if len(files) > MOST_JOURNALS:
        warnings.append(
            f"{len(files) - MOST_JOURNALS} journals of {incident_id} were not read: those between the oldest and the "
            f"newest {MOST_JOURNALS // 2}."
        )
        files = _both_ends(files)
    for file in files:
        try:
            handle = open_own(file, follow=False)
            with os.fdopen(handle, "rb") as opened:
                run = read_run(lines_of(opened, deadline), file.name)
        except TooLong:
            warnings.append(f"{file.name} was not read to its end, and is left out: there was no time left.")
            continue
        except OSError as error:
            warnings.append(f"{file.name} was not read: {error.strerror or error}.")
            continue
        if not run.reading.lines:
            warnings.append(f"{file.name} has no whole line.")
        elif incident_folder(run.reading.incident_id) != directory.name:
            warnings.append(f"{file.name} is a journal of another incident, and is left out.")
        else:
            runs.append(run)
    return _once(runs, warnings), warnings


def _once(runs: list[RunRecord], warnings: list[str]) -> list[RunRecord]:
    """Return each run once: of several copies of a journal, the one that says most counts."""
    found: dict[tuple[str, str, str], RunRecord] = {}
    for run in sorted(runs, key=lambda run: (not run.reading.ended, -run.reading.lines, run.file)):
        first = found.setdefault((run.reading.run_id, run.reading.began_at, run.playbook), run)
        if first is not run:
            warnings.append(f"{run.file} is another copy of {first.file}, and is counted once.")
    return list(found.values())


def _both_ends(files: Sequence[Path]) -> list[Path]:
    """Return the oldest and the newest; a name may be that of a job, 999 or 1000, and says nothing about that."""
    ordered, half = sorted(files, key=_began), MOST_JOURNALS // 2
    return ordered[:half] + ordered[-half:]


def _began(file: Path) -> str:
    """Return when a run began by its journal's first line, or else when the file was last written."""
    try:
        handle = open_own(file, follow=False)
        with os.fdopen(handle, "rb") as opened:
            return event_of(opened.readline(LONGEST_LINE))[0].at
    except (OSError, ValueError, RecursionError):
        return moment(file.lstat().st_mtime) if file.exists() else ""


def _journals(directory: Path) -> list[Path]:
    """Return regular files, sorted by name."""
    try:
        found = [file for file in directory.glob(f"{PREFIX}*{SUFFIX}") if stat.S_ISREG(file.lstat().st_mode)]
        if directory.exists():
            os.listdir(directory)
    except OSError as error:
        raise BadInput(
            "unreadable_directory",
            f"{directory} cannot be read: {error.strerror or error}.",
            "What happened in this incident is not known here.",
            "Look at its owner and mode, or at kanban_incidents_dir.",
        ) from None
    return sorted(found)


def words_in(directory: Path) -> Words:
    """Return people's own words; none if there is no file that can be read."""
    try:
        handle = open_own(directory / WORDS_FILE, follow=False)
        with os.fdopen(handle, "rb") as opened:
            return read_words(opened.read(LARGEST_FILE * 4).decode("utf-8", "replace"))
    except OSError:
        return Words()


def detected_in(words: Words) -> tuple[str | None, list[dict[str, Any]]]:
    """Return when people wrote that it was detected, null if that is not a moment, and a note if it is not."""
    text = words.said.get("detected_at", "")
    at = moment_in(text)
    unread = [{"what": UNREAD, "journal": WORDS_FILE, "where": HOW}] if text and at is None else []
    return at, unread


def moment_in(text: str) -> str | None:
    """Return the first moment with a date and a zone, UTC as in a journal; null if there is none."""
    found = _MOMENT.search(text)
    if found is None:
        return None
    zone = "+0000" if found[4] in ("Z", "UTC") else found[4].replace(":", "")
    try:
        at = datetime.strptime(f"{found[1]}T{found[2]}{found[3] or ':00'}{zone}", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
