# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where evidence lies on its host, and which collections are there. Neither Ansible nor a driver.

``<directory of the incident>/<label>/<source>/index.json``. A second attempt at the same source and label gets a
directory of its own beside the first (``<source>-2``), so nothing is ever overwritten. So does another stop of the same
incident: what was going on when the first one began tells nothing of the second.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import DIRECTORIES

INDEX = "index.json"
# Collections of one source under one label: of each stop, and another try where one was not finished.
ATTEMPTS = 50
# Evidence takes at most one n-th of the free space: the database may be on the same disk.
FREE_PART = 10
LEAST_BYTES = 256 * 1024
LOOK_EVERY_SECONDS = 0.05
LARGEST_INDEX = 4 * 1024 * 1024


@dataclass(frozen=True)
class Place:
    """A directory for an incident's evidence: ``root`` and the names below it must belong to this user alone."""

    root: Path
    below: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The whole path."""
        return self.root.joinpath(*self.below)


@dataclass(frozen=True)
class Moment:
    """A stop, which is witnessed; ``run_id`` and ``scenario`` tell those of one incident apart. Empty: any of them."""

    incident_id: str
    label: str = "t0"
    run_id: str = ""
    scenario: str = ""

    def is_of(self, index: Mapping[str, Any]) -> bool:
        """Tell whether a collection with this index was taken of this stop."""
        given = {"run_id": self.run_id, "scenario": self.scenario}
        return all(index.get(name) == value for name, value in given.items() if value)


@dataclass
class Collection:
    """One directory of a source: its index if it was finished, and whether it is still being written."""

    directory: Path
    index: dict[str, Any] = field(default_factory=dict)
    under_way: bool = False
    of_this_stop: bool = True

    @property
    def useful(self) -> bool:
        """True when it was finished and is not empty."""
        return bool(self.index.get("files"))

    @property
    def complete(self) -> bool:
        """True when nothing in it is worth another try."""
        return self.useful and bool(self.index.get("complete"))


def safe_name(text: str, most: int = 60) -> str:
    """Return free text as a file name; if it had to be altered, a hash keeps two texts apart."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:most].strip("._")
    return readable if readable and readable == text else f"{readable or 'unnamed'}-{short_hash(text)}"


def short_hash(text: str) -> str:
    """Return eight hexadecimal digits that identify a text."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def check_names(incident_id: str, label: str) -> None:
    """Raise BadInput for an incident without a name, or a label that is not a plain directory name."""
    if not incident_id:
        raise BadInput(
            "no_incident",
            "incident_id is empty.",
            "Evidence is kept under it; nothing was collected.",
            "Give any text that is unique to this incident, for instance INC-20261125-042.",
        )
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,39}", label):
        raise BadInput(
            "bad_label",
            f"The label {label!r} is no plain name.",
            "It becomes a directory; nothing was collected.",
            "Use up to 40 letters, digits, and '.', '_' or '-', for instance t0 or later.",
        )


def places(dest: str | None, incident_id: str) -> list[Place]:
    """Return where an incident's evidence may be, the user's choice first; the first writable place is used."""
    chosen = [Place(Path(os.path.abspath(os.path.expanduser(dest))))] if dest else []
    below = ("incidents", safe_name(incident_id), "evidence")
    known = [Place(Path(os.path.expanduser(name)), below) for name in DIRECTORIES]
    return chosen + [place for place in known if place.directory not in [one.directory for one in chosen]]


def claim(where: Sequence[Place], label: str, source: str) -> Path:
    """Make a new directory for one collection, in the first place that allows it; raises OSError naming all places."""
    tried = []
    for place in where:
        try:
            return _claim_in(place, label, source)
        except FileExistsError:
            raise  # A place with all attempts used up is no reason to spread over the other places.
        except OSError as error:
            tried.append(f"{place.directory}: {error.strerror or error}")
    raise OSError("; ".join(tried))


def _claim_in(place: Place, label: str, source: str) -> Path:
    directory = place.root
    _own(directory)
    for name in (*place.below, label):
        directory /= name
        _own(directory)
    if free_share(directory) < LEAST_BYTES:
        raise OSError("too little space is free")
    for name in _names(source):
        try:
            (directory / name).mkdir(mode=0o700)
            return directory / name
        except FileExistsError:
            continue
    raise FileExistsError(f"{directory}: {ATTEMPTS} collections are there already")


def _own(directory: Path) -> None:
    """Make the directory (0700) if needed; raise OSError unless it is this user's alone."""
    missing = [step for step in (directory, *directory.parents) if not os.path.lexists(step)]
    for step in reversed(missing):
        step.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise OSError("is no directory")
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError("belongs to somebody else")


def free_share(directory: Path) -> int:
    """Return the bytes that evidence may take on that file system."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize // FREE_PART


def _names(source: str) -> Iterator[str]:
    return (source if number == 1 else f"{source}-{number}" for number in range(1, ATTEMPTS + 1))


def find(where: Sequence[Place], moment: Moment, source: str) -> list[Collection]:
    """Return this user's collections of one source, in reading order, without those of other incidents."""
    found = []
    for place in where:
        for name in _names(source):
            directory = place.directory / moment.label / name
            try:
                status = directory.lstat()
            except OSError:
                continue
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            index = read_index(directory)
            if not index or index.get("incident_id") == moment.incident_id:
                under_way = not index and is_locked(directory)
                found.append(Collection(directory, index, under_way, moment.is_of(index)))
    return found


def best(found: Sequence[Collection]) -> Collection | None:
    """Return the newest of this stop that is complete, or the newest useful one if no further attempt is allowed."""
    chosen = [one for one in found if one.complete and one.of_this_stop]
    if not chosen and len(found) >= ATTEMPTS:
        chosen = [one for one in found if one.useful]
    return max(chosen, key=lambda one: str(one.index.get("taken_at", "")), default=None)


def await_end(where: Sequence[Place], moment: Moment, source: str, patience: Deadline) -> Collection | None:
    """Return the collection that is there; wait for one that is under way, no longer than ``patience``."""
    while True:
        found = find(where, moment, source)
        chosen = best(found)
        if chosen or patience.over or not any(one.under_way for one in found):
            return chosen
        time.sleep(LOOK_EVERY_SECONDS)


def read_index(directory: Path) -> dict[str, Any]:
    """Return a collection's index; an empty one if there is none or it cannot be read."""
    try:
        handle = os.open(directory / INDEX, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            index = json.loads(file.read(LARGEST_INDEX))
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def lock(directory: Path) -> int:
    """Mark a collection as under way while the returned descriptor is open; the death of the process ends that."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # A file system without locks: those who wait for this collection look only for its index.
    return handle


def is_locked(directory: Path) -> bool:
    """Tell whether a collection is still being written."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
