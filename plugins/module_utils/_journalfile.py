# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a journal, ``<incidents>/<incident>/journal-<run>.jsonl``, 0600. Neither Ansible nor a driver."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name

# Journals of one run id in one incident: a job that calls two playbooks has one id for both.
ATTEMPTS = 50
PREFIX, SUFFIX = "journal-", ".jsonl"


def incident_folder(incident_id: str) -> str:
    """Return the name of an incident's directory, as the roles form it; never one that leads elsewhere."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", incident_id)
    return name if name.strip(".") and len(name) <= 200 else safe_name(incident_id)


def make_folder(directory: Path) -> None:
    """Make a directory and its missing parents, 0700; raises OSError."""
    missing = [step for step in (directory, *directory.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(mode=0o700, exist_ok=True)


class JournalFile:
    """A new file that only grows, by whole lines. Every method raises OSError."""

    def __init__(self, directory: Path, run_id: str) -> None:
        """Make the file, and missing directories with 0700; never write to an existing file."""
        make_folder(directory)
        self.path, self._handle = self._made(directory, safe_name(run_id))
        self._size = 0

    @staticmethod
    def _made(directory: Path, name: str) -> tuple[Path, int]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        for number in range(1, ATTEMPTS + 1):
            path = directory / f"{PREFIX}{name}{'' if number == 1 else f'-{number}'}{SUFFIX}"
            try:
                return path, os.open(path, flags, 0o600)
            except FileExistsError:
                continue
        raise FileExistsError(f"{directory}: {ATTEMPTS} journals of this run are there already")

    def append(self, line: bytes) -> None:
        """Write a line at once. If there was room for only a part of it, take that part back."""
        written = os.write(self._handle, line)
        if written != len(line):
            os.ftruncate(self._handle, self._size)
            raise OSError("no room for a whole line")
        self._size += written

    def close(self) -> None:
        """Close the file; raises FileNotFoundError if it was removed meanwhile."""
        try:
            links = os.fstat(self._handle).st_nlink
        finally:
            os.close(self._handle)
        if not links:
            raise FileNotFoundError("it was removed meanwhile")
