# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dumps and which evidence lie on a host. Neither Ansible nor a driver; nothing is changed.

A dump counts if it is complete by names and sizes. Anything uncertain is named with the reason why it stays.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    FILE_NAME,
    Manifest,
    parse_manifest,
    size_mismatches,
    time_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import DIRECTORIES

# What a run of pg_dump leaves when its host dies: `.<dump>.partial-<pid>`, `.<dump>.scratch-<pid>` (see _dumpplace).
_LEFT_BY_A_RUN = re.compile(r"\..+\.(partial|scratch)-[0-9]+")
EVIDENCE = "evidence"
# Beyond these, what is there stays and is named.
MOST_ENTRIES = 20_000
MOST_MANIFESTS = 200
LARGEST_MANIFEST = 8 << 20


@dataclass
class Kept:
    """What is there; the fields are what ``kept_files_info`` returns, and described there."""

    dumps: list[dict[str, Any]] = field(default_factory=list)
    unfinished: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    uncertain: list[dict[str, str]] = field(default_factory=list)

    def doubt(self, path: str, what: str, why: str) -> None:
        """Name something that stays."""
        self.uncertain.append({"path": path, "what": what, "why": why})


def kept_files(dump_dir: str | None, incidents_dir: str, other_places: Sequence[str] = DIRECTORIES) -> dict[str, Any]:
    """Return what lies in the directory of dumps, if one is given, and the evidence in that of incidents.

    :param other_places: where evidence also lies, in ``incidents``, if that directory could not be written; one that
        belongs to another user is not looked into.
    """
    kept = Kept()
    if dump_dir:
        _dumps(os.path.normpath(dump_dir), kept)
    others = [os.path.expanduser(f"{place}/incidents") for place in other_places]
    for place in dict.fromkeys([os.path.normpath(incidents_dir), *filter(_is_ours, others)]):
        _evidence(place, kept)
    return asdict(kept)


def _is_ours(path: str) -> bool:
    try:
        at = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(at.st_mode) and at.st_uid == os.geteuid() and not at.st_mode & 0o022


def _entries(path: str, kept: Kept, limit: int) -> list[os.DirEntry[str]] | None:
    """Return what is in a directory, by name; None if it is not there or cannot be read. Links are not followed."""
    found: list[os.DirEntry[str]] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if len(found) >= limit:
                    kept.doubt(path, "directory", f"there is more in it than the {MOST_ENTRIES:,} that are looked at")
                    return None
                found.append(entry)
    except FileNotFoundError:
        return None
    except OSError as error:
        kept.doubt(path, "directory", f"it cannot be looked into: {error.strerror or error}")
        return None
    return sorted(found, key=lambda entry: entry.name)


def _at(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return what is there; None if it was removed meanwhile."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _directories(path: str, kept: Kept) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(path, kept, MOST_ENTRIES) or [] if entry.is_dir(follow_symlinks=False)]


def _dumps(root: str, kept: Kept) -> None:
    """Look at what lies directly in the directory of dumps; nothing else is a dump."""
    left = MOST_ENTRIES
    read: list[tuple[float, str, dict[str, os.stat_result]]] = []
    for directory in _directories(root, kept):
        if directory.name.startswith("."):
            at = _at(directory)
            if at and _LEFT_BY_A_RUN.fullmatch(directory.name):
                kept.unfinished.append({"path": directory.path, "written": at.st_mtime})
            continue
        inside = _entries(directory.path, kept, left)
        if inside is None:
            continue
        left -= len(inside)
        files = {entry.name: at for entry in inside if (at := _at(entry))}
        if FILE_NAME not in files or not stat.S_ISREG(files[FILE_NAME].st_mode):
            kept.doubt(directory.path, "directory", "it has no manifest of ours")
        elif files[FILE_NAME].st_size > LARGEST_MANIFEST:
            kept.doubt(directory.path, "directory", "its manifest was not read: too large")
        else:
            read.append((files[FILE_NAME].st_mtime, directory.path, files))
    # The oldest, because the newest one stays anyway.
    read.sort(key=lambda one: one[:2])
    for _written, path, _files in read[MOST_MANIFESTS:]:
        kept.doubt(path, "directory", "its manifest was not read: too many at once")
    for path, files in sorted((path, files) for _written, path, files in read[:MOST_MANIFESTS]):
        _dump(path, files, kept)


def _dump(path: str, files: dict[str, os.stat_result], kept: Kept) -> None:
    # Anything but a regular file gets a size that no manifest can name, because it would go with the directory.
    sizes = {name: at.st_size if stat.S_ISREG(at.st_mode) else -1 for name, at in files.items() if name != FILE_NAME}
    place = Path(path) / FILE_NAME
    try:
        manifest = parse_manifest(place.read_bytes(), place)
        found = _described(path, manifest, files[FILE_NAME].st_mtime)
        differing = size_mismatches(manifest, sizes)
    except (KanbanError, OSError, KeyError, TypeError, ValueError, AttributeError):
        kept.doubt(path, "directory", "its manifest is none of ours, or broken")
        return
    if differing:
        kept.doubt(path, "dump", f"its files are not as its manifest says ({', '.join(differing[:3])})")
    else:
        kept.dumps.append(found)


def _described(path: str, manifest: Manifest, written: float) -> dict[str, Any]:
    database, incident = manifest["database"], manifest.get("incident_id")
    tables: Sequence[Any] = manifest["tables"]
    return {
        "path": path,
        "incident_id": None if incident is None else str(incident),
        "database": {"cluster": str(database["cluster"]), "name": str(database["name"])},
        "tables": [str(table["name"]) for table in tables],
        "ended_at": str(manifest["ended_at"]),
        # If the manifest's time or the file's says that the dump is young, it is.
        "written": max(time_of(manifest["ended_at"]).timestamp(), written),
    }


def _evidence(root: str, kept: Kept) -> None:
    """Look for ``<root>/<incident>/evidence``."""
    for incident in _directories(root, kept):
        path = f"{incident.path}/{EVIDENCE}"
        try:
            at = os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            kept.doubt(incident.path, "directory", f"it cannot be looked into: {error.strerror or error}")
            continue
        if stat.S_ISDIR(at.st_mode):
            kept.evidence.append({"path": path, "written": at.st_mtime})
