# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident_folder`` does: an incident's files between this disk and its ledgers. Neither Ansible nor a driver.

Files that a ledger has and this disk lacks are written here; files that this disk has and no ledger has are returned.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import directory_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._files import (
    MOST_AT_ONCE,
    bounded,
    goes_on,
    is_file,
    is_journal,
    newest,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import make_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_own
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportfiles import read_bytes, write_whole

# Nobody reads more than this at once; of a larger journal the ledger keeps the beginning.
LARGEST = 134217728


@dataclass(frozen=True)
class FolderRequest:
    """What is requested; the fields are the options of ``incident_folder``."""

    path: str
    incident_id: str
    known: Sequence[Mapping[str, Any]] = ()
    since: float | None = None
    keep: bool = True


def folder_of(request: FolderRequest, check_mode: bool) -> dict[str, Any]:
    """Return ``written`` (names put here), ``keep`` (files that ledgers lack), ``here`` (sizes); raises KanbanError."""
    directory = directory_of(request.path, request.incident_id)
    try:
        written = _bring(directory, newest(request.known), check_mode)
        here = {path.name: path.stat().st_size for path in _files(directory, None)}
        found: dict[str, Any] = {"keep": [], "cut": [], "too_long": [], "left_out": []}
        if request.keep:
            found = _to_keep(directory, request)
    except OSError as error:
        raise KanbanError(
            "no_files",
            f"{directory} can be neither read nor written: {error.strerror or error}.",
            "What another controller left is not here, or what lies here is not known elsewhere.",
            "Look at its owner and mode.",
        ) from None
    return {"changed": bool(written), "written": written, "here": here, **found}


def _bring(directory: Path, texts: Mapping[str, str], check_mode: bool) -> list[str]:
    """Write what is missing here and extend journals that are longer elsewhere; never overwrite anything else."""
    written = []
    for name, text in texts.items():
        if not (directory / name).exists() or (is_journal(name) and _is_older(directory / name, text)):
            if not check_mode:
                make_folder(directory)
                write_whole(directory / name, text.encode(), check_mode)
            written.append(name)
    return written


def _is_older(path: Path, text: str) -> bool:
    """Whether a journal is the beginning of a text; one that has more bytes than the text is not read."""
    if path.stat().st_size > len(text.encode()):
        return False
    return goes_on((read_bytes(path, LARGEST) or b"").decode("utf-8", "replace"), text)


def _to_keep(directory: Path, request: FolderRequest) -> dict[str, Any]:
    """Return files with their texts, the newest first, as many as one call to the ledger takes."""
    lengths = _lengths(request.known)
    keep: list[dict[str, str]] = []
    cut, too_long, left_out, room = [], [], [], MOST_AT_ONCE
    for path in _files(directory, request.since):
        beginning = _beginning(path).decode("utf-8", "replace")
        text = bounded(path.name, beginning)
        is_whole = path.stat().st_size <= LARGEST
        if text is None or not (is_whole or is_journal(path.name)):
            too_long.append(path.name)
            continue
        cut += [] if is_whole and len(text) == len(beginning) else [path.name]
        if is_journal(path.name):
            # A line that is being written has no end yet.
            text = text[: text.rfind("\n") + 1]
        if not text or len(text) <= lengths.get(path.name, -1):
            continue
        if len(text) > room:
            left_out.append(path.name)
            continue
        room -= len(text)
        keep.append({"name": path.name, "text": text})
    return {"keep": keep, "cut": cut, "too_long": too_long, "left_out": left_out}


def _beginning(path: Path) -> bytes:
    """Return the beginning of a file, as much as is read at once; raises OSError, also for a link."""
    with os.fdopen(open_own(path, follow=False), "rb") as opened:
        return opened.read(LARGEST)


def _lengths(known: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return each file's length in the ledger that has the shortest copy, among those that have one."""
    found: dict[str, int] = {}
    for one in known:
        name, length = one.get("name"), one.get("length")
        if isinstance(name, str) and isinstance(length, int):
            found[name] = min(length, found.get(name, length))
    return found


def _files(directory: Path, since: float | None) -> list[Path]:
    """Return regular files with our names that changed since a moment, the newest first, without links."""
    found = []
    if directory.is_dir():
        for path in directory.iterdir():
            if is_file(path.name) and not path.is_symlink() and path.is_file():
                changed = path.stat().st_mtime
                if since is None or changed >= since:
                    found.append((changed, path))
    return [path for _changed, path in sorted(found, reverse=True)]
