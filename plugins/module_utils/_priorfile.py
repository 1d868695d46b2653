# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior values in a file, for the day the ledger cannot take them. Neither Ansible nor a driver.

One JSON line per batch, written and synced before the batch commits. A batch that never commits leaves its tenants
on, and they get another line when they are switched: an extra line does no harm, and none is missing. What an undo has
spent is written after its batch: there an extra line would hide a prior value.

Whoever writes to a file or takes it over locks it, so that nothing is added to one that is being put away.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._filelock import taken

# The first that can be written is used; all are searched when reading. Memory comes last: better than nothing.
DIRECTORIES = (
    "/var/lib/kanban_rollback",
    "~/.local/state/kanban_rollback",
    "/var/tmp/kanban_rollback",  # noqa: S108 - 0700, see _private()  # nosec B108
    "/dev/shm/kanban_rollback",  # noqa: S108  # nosec B108
)
# A kill reads no more of them than this: a file that nobody needs any more may be the newest.
MOST_LEFT = 3
# How long a kill waits for another run that has the file, before it takes the next place; and how long a run waits that
# takes a file over.
_APPEND_SECONDS, _TAKE_SECONDS = 0.2, 2.0
_LOOK_EVERY = 0.01


@dataclass(frozen=True)
class Change:
    """One batch of the ledger's ``flag_changes``; the arrays are PostgreSQL's text form, None if not needed."""

    action: str
    written: str | None
    full_depth: int
    tenants: str
    priors: str | None
    depths: str | None = None
    marks: str | None = None


def file_name(incident_id: str, cluster: str, flag: str) -> str:
    """Return the file's name; the ids are free text, so it consists of a readable start and a hash."""
    digest = hashlib.sha256("\n".join((incident_id, cluster, flag)).encode()).hexdigest()[:12]
    return f"{_readable(incident_id)}-{digest}.priors.jsonl"


def _readable(incident_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", incident_id)[:60].strip("._") or "incident"


def is_file_of(path: str, incident_id: str) -> bool:
    """Tell whether a file's name belongs to an incident (of any database and flag)."""
    return (
        re.fullmatch(re.escape(_readable(incident_id)) + r"-[0-9a-f]{12}\.priors\.jsonl", Path(path).name) is not None
    )


def directories(first: str | None = None) -> list[Path]:
    """Return where prior files may be, the user's choice first."""
    chosen = [first] if first else []
    return [Path(os.path.expanduser(name)) for name in (*chosen, *DIRECTORIES)]


def _private(directory: Path) -> bool:
    """Make the directory if needed; tell whether it is ours alone (in a shared /var/tmp anybody could have made it)."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022 and directory.is_dir()


class PriorFile:
    """Appends batches for one incident, database and flag; ``path`` is where, None until the first batch."""

    def __init__(self, name: str, places: Sequence[Path], path: Path | None = None) -> None:
        self.name = name
        self.places = places
        self.path = path

    def append(self, change: Change) -> None:
        """Write one batch and sync it to disk; raises OSError when no place takes it."""
        line = (json.dumps(asdict(change)) + "\n").encode()
        tried = []
        for place in [self.path.parent, *self.places] if self.path else self.places:
            try:
                if not _private(place):
                    tried.append(f"{place}: belongs to somebody else")
                    continue
                _append_synced(place / self.name, line)
            except OSError as error:
                tried.append(f"{place}: {error.strerror or error}")
                continue
            self.path = place / self.name
            return
        raise OSError("; ".join(tried))


def _append_synced(path: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, 0o600)
    try:
        _lock(handle, _APPEND_SECONDS)
        if not os.path.samestat(os.fstat(handle), path.stat()):
            raise OSError(errno.ESTALE, "another run has taken over what it held")
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            line = b"\n" + line  # A line that was torn by the host's death must not swallow this one.
        try:
            written = 0
            while written < len(line):
                written += os.write(handle, line[written:])
            os.fsync(handle)
            if not size:
                _sync_directory(path.parent)
        except OSError:
            os.ftruncate(handle, size)  # Half a line on a full disk must not spoil the lines before it.
            raise
    finally:
        os.close(handle)


def _lock(handle: int, seconds: float) -> None:
    """Lock an open file until it is closed; raises BlockingIOError. Where a file system has no locks, there is none."""
    try:
        if taken(handle, Deadline(seconds), _LOOK_EVERY):
            return
    except OSError:
        return
    raise BlockingIOError(errno.EWOULDBLOCK, "another run has it in hand")


@contextmanager
def in_hand(path: Path) -> Iterator[None]:
    """Have a file alone while the block takes it over and retires it.

    Raises OSError before that if another run keeps it, or if it could not be renamed: taken over and still there, it
    would be taken over again and again.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _lock(handle, _TAKE_SECONDS)
        if not os.access(path.parent, os.W_OK):
            raise OSError(errno.EROFS, f"{path.parent} cannot be written")
        yield
    finally:
        os.close(handle)


def _sync_directory(directory: Path) -> None:
    """Make a new file's name as durable as its content."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_file(path: Path) -> list[Change]:
    """Return the batches of a prior file; a torn last line (the host died) is left out: its batch never committed.

    A file that another run has retired meanwhile has none any more. Raises OSError.
    """
    changes = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            changes.append(Change(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return changes


def find_files(name: str, places: Sequence[Path], since: float = 0.0) -> list[Path]:
    """Return the prior files of that name that belong to this user, in reading order.

    :param since: those that were written last before this moment are left out, in seconds since 1970.
    """
    found = []
    for place in places:
        path = place / name
        try:
            status = path.lstat()
            if S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_mtime >= since:
                found.append(path)
        except OSError:
            continue
    return found


def retire(path: Path) -> Path:
    """Rename a file whose batches the ledger has taken over; it is kept as evidence, beside earlier ones."""
    done, number = path.with_suffix(".imported"), 1
    while done.exists():
        number += 1
        done = path.with_suffix(f".imported-{number}")
    os.replace(path, done)
    return done


def list_files(places: Sequence[Path], limit: int = 100) -> list[Path]:
    """Return the prior files of this user in all places, newest first."""
    found = []
    for place in places:
        try:
            found += [(path.lstat(), path) for path in place.glob("*.priors.jsonl")]
        except OSError:
            continue
    ours = [
        (status.st_mtime, path) for status, path in found if status.st_uid == os.geteuid() and S_ISREG(status.st_mode)
    ]
    return [path for _time, path in sorted(ours, reverse=True)[:limit]]


@dataclass(frozen=True)
class Left:
    """What a run without the ledger left: its incident, the file, and when that was written last (since 1970)."""

    incident_id: str
    path: Path
    at: float


def in_force(places: Sequence[Path], cluster: str, flag: str) -> list[Left]:
    """Return the newest prior files of this flag and database that end with a kill, newest first.

    This finds only ids that a controller made: other ids cannot be read back from a file's name.
    """
    found: list[Left] = []
    for path in list_files(places):
        if len(found) == MOST_LEFT:
            break
        incident = re.sub(r"-[0-9a-f]{12}\.priors\.jsonl$", "", path.name)
        if path.name != file_name(incident, cluster, flag):
            continue
        try:
            changes, at = read_file(path), path.stat().st_mtime
        except OSError:
            continue
        if changes and changes[-1].action == "disabled":
            found.append(Left(incident, path, at))
    return found


def priors_of(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return where a switch kept prior values: of the flag's table, of its default of all, and of further tables."""
    told = [result, *result.get("same_name", [])]
    return [one[name] for one in told for name in ("priors", "priors_of_default") if one.get(name)]
