# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are files: dumps of this collection, and what pg_dump wrote. Neither Ansible nor a driver."""

from __future__ import annotations

import glob
import os
import stat
from pathlib import Path
from typing import Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, system_identifier
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import source_error
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    FILE_NAME,
    check_files,
    read_manifest,
    time_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

Look = Callable[[], None]

MOST_FILES = 2000


def find_dumps(source: int, path: str) -> list[Backup]:
    """Return this collection's dumps in a directory, or the directory if it is one itself; raises KanbanError.

    Manifests are read, files are not; a dump whose manifest is broken is listed with the reason.
    """
    directory = Path(os.path.expanduser(path))
    places = [directory] if _has_manifest(directory) else _inside(directory)
    return [_dump(source, place) for place in places if _has_manifest(place)]


def _has_manifest(place: Path) -> bool:
    """Tell whether a directory is a dump; one that may not be entered is taken for one, so that it is reported."""
    try:
        os.stat(place / FILE_NAME)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _inside(directory: Path) -> list[Path]:
    try:
        found = sorted(one for one in directory.iterdir() if not one.name.startswith("."))
    except OSError as error:
        raise _unreadable(str(directory), error) from error
    return _bounded(found, str(directory))


def _bounded(found: list[Path], path: str) -> list[Path]:
    if len(found) > MOST_FILES:
        raise source_error(
            "too_many_files",
            f"{path} has {len(found)} entries, and at most {MOST_FILES} are looked at.",
            "Name a pattern that takes in fewer, or the directory below.",
        )
    return found


def _unreadable(path: str, error: OSError) -> KanbanError:
    todo = "Check the path, and that the user that this runs as may read it; become_user makes it another."
    return source_error("unreadable", f"{path} cannot be read: {error.strerror or error}.", todo)


def _dump(source: int, place: Path) -> Backup:
    found = Backup("dumps", source, place.name, None, None, path=str(place), time_by="snapshot")
    try:
        manifest = read_manifest(place)
        found.ended = time_of(manifest["ended_at"]).timestamp()
        found.started = time_of(manifest.get("started_at") or manifest["ended_at"]).timestamp()
        snapshot = manifest.get("snapshot") or {}
        found.as_of = time_of(snapshot["time"]).timestamp() if snapshot.get("time") else found.started
        found.database = manifest["database"].get("name")
        found.cluster = system_identifier(manifest["database"].get("cluster"))
        found.tables = {found.database: [(one["schema"], one["table"]) for one in manifest["tables"]]}
        found.size_bytes = manifest["total_bytes"]
        names = ("incident_id", "environment")
        found.facts = {name: manifest.get(name) for name in names}
    except KanbanError as error:
        found.ended = _written(place / FILE_NAME)
        found.refuse(error.what)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found.ended = _written(place / FILE_NAME)
        found.refuse(f"its manifest is not understood ({error})")
    return found


def _written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def check_dump(found: Backup, contents: bool, look: Look) -> None:
    """Compare a dump's files with its manifest; ``look`` is called repeatedly, and may end it."""
    place = Path(str(found.path))
    check_files(place, read_manifest(place), contents=contents, look=look)
    found.usable, found.verified = True, "manifest" if contents else "sizes"


def find_files(source: int, path: str, database: str | None) -> list[Backup]:
    """Return what may be a backup made by pg_dump: a file, the files of a directory, or what a pattern matches.

    A directory with a ``toc.dat`` is one backup. Raises KanbanError.
    """
    given = os.path.expanduser(path)
    if glob.has_magic(given) and not os.path.lexists(given):
        places = _bounded([Path(one) for one in sorted(glob.glob(given))], path)
    elif os.path.isdir(given) and not os.path.exists(os.path.join(given, "toc.dat")):
        places = _inside(Path(given))
    else:
        places = [Path(given)]
        try:
            os.stat(given)
        except OSError as error:
            raise _unreadable(path, error) from error
    found = [_file(source, place, database) for place in places]
    return [one for one in found if one is not None]


def _file(source: int, place: Path, database: str | None) -> Backup | None:
    found = Backup("pg_dump", source, place.name, None, None, path=str(place), time_by="mtime", database=database)
    try:
        status = place.stat()
        files = [status]
        if stat.S_ISDIR(status.st_mode):
            if not (place / "toc.dat").exists():
                return None
            files = [one.stat() for one in place.iterdir()]
        elif not stat.S_ISREG(status.st_mode):
            return None
    except FileNotFoundError:
        return None  # Removed since the directory was read, or a dangling link.
    except OSError as error:
        found.refuse(f"it cannot be read: {error.strerror or error}")
        return found
    found.ended = found.as_of = max(one.st_mtime for one in files)
    found.size_bytes = sum(one.st_size for one in files if stat.S_ISREG(one.st_mode))
    return found
