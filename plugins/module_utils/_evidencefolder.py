# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing one collection of evidence: files, what is missing and why, and the index last. Neither Ansible nor a driver.

Parts run in order in a thread. When the time is over, the thread is abandoned, whatever it waits for, and
the index is written with what there is.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Generator, Iterable, Iterator, Mapping, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, LostConnection, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import INDEX, free_share, lock

TIME_OVER = "the time was over"
# One file may take one n-th of a collection's bytes, so that a large part leaves room for the others.
FILE_PART = 4
# Reserved on the disk at the start, so that the index fits even if the disk fills up meanwhile.
INDEX_BYTES = 64 * 1024
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """One collection in the making; it may be closed from another thread than the one that writes."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.deadline = Deadline(0)
        self.notes: list[str] = []
        self._most = min(max_bytes, free_share(directory))
        self._size = 0
        self._files: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, Any] = {}
        self._missing: list[dict[str, str]] = []
        self._again = False
        self._closed = False
        # Held for each write, so that nothing is added after the index that the index does not list.
        self._mutex = threading.Lock()
        self._lock = lock(directory)
        self._taken_at = utc_now()
        with os.fdopen(os.open(self._unfinished, _NEW_FILE, 0o600), "wb") as file:
            file.write(bytes(INDEX_BYTES))

    @property
    def _unfinished(self) -> Path:
        return self.directory / f"{INDEX}.new"

    def begin(self, seconds: float) -> None:
        """Start the clock: this many seconds are left from now on."""
        self.deadline = Deadline(seconds)
        self._taken_at = utc_now()

    def write(self, name: str, chunks: Iterable[bytes], facts: Mapping[str, Any] | None = None) -> None:
        """Write one file (0600), cut short when time, size or the disk demand it.

        :param chunks: pieces, for instance lines, between which the file is cut; only a full disk cuts inside one.
        :param facts: what the index says about the file beside its size.

        Raises what ``chunks`` or the disk raises; what was written until then stays, marked as truncated.
        """
        pieces = iter(chunks)
        try:
            self._write(name, pieces, facts)
        finally:
            # Now, not when it is garbage-collected: a generator that reads from a server has its transaction open.
            if isinstance(pieces, Generator):
                pieces.close()

    def _write(self, name: str, pieces: Iterator[bytes], facts: Mapping[str, Any] | None) -> None:
        # Read before the file is created, so that what cannot be read at all leaves no file.
        begin = list(itertools.islice(pieces, 1))
        entry: dict[str, Any] = {**(facts or {}), "name": name, "bytes": 0, "sha256": "", "truncated": True}
        with self._mutex:
            if self._closed:
                raise OSError(TIME_OVER)
            handle = os.open(self.directory / name, _NEW_FILE, 0o600)
            self._files[name] = entry
            self._digests[name] = hashlib.sha256()
        try:
            for chunk in itertools.chain(begin, pieces):
                why = self._append(handle, name, chunk)
                if why:
                    self.lack(name, f"cut after {entry['bytes']} bytes: {why}", again=why == TIME_OVER)
                    return
            os.fsync(handle)
            entry["truncated"] = bool(facts and facts.get("truncated"))
        finally:
            os.close(handle)

    def _append(self, handle: int, name: str, chunk: bytes) -> str | None:
        """Append one chunk; return the reason if that is not possible."""
        with self._mutex:
            entry = self._files[name]
            if self._closed or self.deadline.over:
                return TIME_OVER
            if entry["bytes"] + len(chunk) > self._most // FILE_PART:
                return f"a file may have {self._most // FILE_PART}"
            if self._size + len(chunk) > self._most:
                return f"a collection may have {self._most}"
            view = memoryview(chunk)
            while view:
                done = os.write(handle, view)
                self._digests[name].update(view[:done])
                entry["bytes"] += done
                self._size += done
                view = view[done:]
        return None

    def lack(self, part: str, reason: str, again: bool = False) -> None:
        """Record what is missing; ``again``: another try could get it."""
        with self._mutex:
            if not self._closed:
                self._missing.append({"part": part, "reason": one_line(reason)})
                self._again = self._again or again

    def close(self, facts: Mapping[str, Any], unfinished: Sequence[str] = ()) -> dict[str, Any]:
        """Write the index, last and atomically, and return it; raises OSError.

        :param unfinished: parts that did not finish in time.
        """
        for part in unfinished:
            self.lack(part, TIME_OVER, again=True)
        with self._mutex:
            self._closed = True
            for name, entry in self._files.items():
                entry["sha256"] = self._digests[name].hexdigest()
            index = {
                **facts,
                "taken_at": self._taken_at,
                "elapsed_ms": self.deadline.elapsed_ms,
                "complete": not self._again,
                "truncated": any(entry["truncated"] for entry in self._files.values()),
                "files": [dict(entry) for entry in self._files.values()],
                "missing": list(self._missing),
                "notes": list(self.notes),
            }
            try:
                _overwrite(self._unfinished, json.dumps(index, indent=1).encode() + b"\n")
                os.replace(self._unfinished, self.directory / INDEX)
                os.fsync(self._lock)
            finally:
                os.close(self._lock)
        return index


Part = Tuple[str, Callable[[Folder], None]]


def collect(folder: Folder, parts: Sequence[Part], facts: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Collect all parts within this many seconds and return the index; raises OSError if it cannot be written."""
    folder.begin(seconds)
    left = [name for name, _work in parts]

    def work_off() -> None:
        for name, work in parts:
            if folder.deadline.over:
                return
            _try(folder, name, work)
            left.remove(name)

    thread = threading.Thread(target=work_off, daemon=True)
    thread.start()
    thread.join(folder.deadline.left)
    return folder.close(facts, list(left))


def _try(folder: Folder, name: str, work: Callable[[Folder], None]) -> None:
    """Do one part; if it fails, that is recorded, and the others go on."""
    try:
        work(folder)
    except KanbanError as error:
        # Locks that others hold, and connections that were few, are of that moment only.
        passing = isinstance(error, (LostConnection, Timeout)) or error.code == "few_connections"
        folder.lack(name, error.what, again=passing)
    except OSError as error:
        folder.lack(name, error.strerror or str(error), again=True)
    except Exception as error:
        # A bug of ours in one part must not cost the others.
        folder.lack(name, f"{type(error).__name__}: {error}")


def _overwrite(path: Path, content: bytes) -> None:
    """Overwrite a file in place, so that it keeps its space on the disk, and sync it."""
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def utc_now() -> str:
    """Return the time of day as text, for instance 2026-11-25T03:14:07.123456Z."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def one_line(text: str) -> str:
    """Return a text as one printable line of at most 300 characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:300]
