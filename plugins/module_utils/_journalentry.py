# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``journal_info`` does: read and verify every journal below a directory. Neither Ansible nor a driver."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import LONGEST_LINE, read_journal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import (
    PREFIX,
    SUFFIX,
    incident_folder,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_own

# Only so many are read, the newest.
MOST_JOURNALS = 1000
_LOOK_EVERY = 1000
# Files and directories of an incident that name people; its journals and its timings do not.
RECORDS = (
    "incident*.md", "postmortem*.md", "checklists*.md", "report.html", "words*.md", "messages", "plan-*.json",
    "comparison*.json", "investigation-*",
    ".report.lock", ".documents.json",
)  # fmt: skip


class TooLong(Exception):
    """The time is over."""


def read_journals(path: str, seconds: float) -> dict[str, Any]:
    """Return ``journals``, newest first, each with what it says about itself, and ``left_out``, how many were not read.

    Raises BadInput for a directory that exists and cannot be read.
    """
    deadline = Deadline(seconds)
    try:
        files = _files(Path(path))
    except FileNotFoundError:
        files = []
    except OSError as error:
        raise BadInput(
            "unreadable_directory",
            f"{path} cannot be read: {error.strerror or error}.",
            "Whether the journals in it are whole is not known.",
            "Look at its owner and mode, or at kanban_incidents_dir.",
        ) from None
    journals = [_read(file, status, deadline) for file, status in files[:MOST_JOURNALS]]
    records = _records(Path(path))
    return {"changed": False, "journals": journals, "left_out": len(files[MOST_JOURNALS:]), "records": records}


def _records(root: Path) -> list[dict[str, Any]]:
    """Return what has people's names in it apart from journals, by directory."""
    found = []
    try:
        for folder in sorted(root.iterdir()):
            if folder.is_dir() and not folder.is_symlink():
                paths = sorted({str(path) for pattern in RECORDS for path in folder.glob(pattern)})
                if paths:
                    found.append({"folder": folder.name, "paths": paths})
    except OSError:
        # That it cannot be read is reported already, or it was removed meanwhile.
        pass
    return found[:MOST_JOURNALS]


def _files(root: Path) -> list[tuple[Path, os.stat_result]]:
    """Return the files with their status, newest first; links are not followed."""
    found = []
    for folder in root.iterdir():
        if folder.is_dir() and not folder.is_symlink():
            for file in folder.glob(f"{PREFIX}*{SUFFIX}"):
                status = file.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append((file, status))
    return sorted(found, key=lambda one: (-one[1].st_mtime, str(one[0])))


def _read(file: Path, status: os.stat_result, deadline: Deadline) -> dict[str, Any]:
    told = {"path": str(file), "folder": file.parent.name, "mtime": status.st_mtime, "bytes": status.st_size}
    try:
        handle = open_own(file, follow=False)
        with os.fdopen(handle, "rb") as opened:
            reading = read_journal(lines_of(opened, deadline))
    except OSError as error:
        return {**told, "holds": False, "unread": error.strerror or str(error)}
    except TooLong:
        return {**told, "holds": False, "unread": "there was no time left for it"}
    if reading.lines and reading.holds and incident_folder(reading.incident_id) != file.parent.name:
        reading.broken_at = f"{reading.run_id}/1: of another incident"
    return {**told, **reading.as_result(), "unread": ""}


def lines_of(opened: BinaryIO, deadline: Deadline) -> Iterator[bytes]:
    """Return the lines of a journal, none longer than one can be; raises TooLong when the time is over."""
    for number in itertools.count():
        if number % _LOOK_EVERY == 0 and deadline.over:
            raise TooLong
        line = opened.readline(LONGEST_LINE)
        if not line:
            return
        # A line longer than any of ours is invalid: it ends here, and its rest is another invalid one.
        yield line if len(line) < LONGEST_LINE else line + b"\n"
