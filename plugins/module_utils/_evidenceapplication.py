# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the evidence on the application's host: processes, ends of logs, metrics. Pure of drivers."""

from __future__ import annotations

import glob
import http.client
import itertools
import json
import os
import stat
from dataclasses import dataclass
from functools import partial
from typing import Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencehttp import SECONDS, Answer, split
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name, short_hash
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_as, open_own
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2list import log_paths

PM2_SECONDS = 5.0
# How long opening one log may take.
OPEN_SECONDS = 1.0
# If the patterns match more files than this, the list is cut before it is sorted.
MOST_MATCHES = 2000
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Application:
    """What to look at; the fields are the module's options of the same names."""

    pm2: str = "pm2"
    pm2_home: str | None = None
    log_files: Sequence[str] = ()
    log_bytes: int = 512 * 1024
    max_log_files: int = 10
    urls: Sequence[str] = ()
    validate_certs: bool = True


class ApplicationSource:
    """Reads what there is on the application's host."""

    name = "application"

    def __init__(self, wanted: Application) -> None:
        self._wanted = wanted
        self._pm2 = Pm2(wanted.pm2, wanted.pm2_home) if wanted.pm2 else None
        self._logs: list[str] = []
        home = str(self._pm2.home) if self._pm2 else ""
        self.directory_name = f"application-{short_hash(chr(10).join((home, *wanted.log_files)))}"

    @property
    def parts(self) -> list[Part]:
        """The parts by name; the processes come before the logs because they say where the logs are."""
        processes: list[Part] = [("processes", partial(self._processes, self._pm2))] if self._pm2 else []
        urls: list[Part] = [
            (f"http-{number:02}", partial(self._get, f"http-{number:02}", url))
            for number, url in enumerate(self._wanted.urls, 1)
        ]
        return [*processes, ("logs", self._tails), *urls]

    def _processes(self, pm2: Pm2, folder: Folder) -> None:
        try:
            found = pm2.processes(folder.deadline.slice(PM2_SECONDS))
        except Exception:
            # What a process logged before it died is what matters most.
            self._logs = _matches([f"{glob.escape(str(pm2.home))}/logs/*.log"])
            raise
        self._logs = log_paths(found)
        folder.write("processes.json", [json.dumps(found, indent=1).encode() + b"\n"], {"processes": len(found)})

    def _tails(self, folder: Folder) -> None:
        most = self._wanted.max_log_files
        paths = _newest(self._logs, _matches(self._wanted.log_files))
        for path in paths[most:]:
            folder.lack("logs", f"{path}: only the {most} newest files are kept")
        for number, path in enumerate(paths[:most], 1):
            name = f"log-{number:02}-{safe_name(os.path.basename(path))}"
            try:
                self._tail(folder, name, path)
            except KanbanError as error:
                folder.lack(name, f"{path}: {error.what}")
            except OSError as error:
                folder.lack(name, f"{path}: {error.strerror or error}")

    def _tail(self, folder: Folder, name: str, path: str) -> None:
        handle = self._opened(path, folder)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is no ordinary file")
            start = max(0, status.st_size - self._wanted.log_bytes)
            facts = {"from": path, "whole_bytes": status.st_size, "truncated": start > 0}
            folder.write(name, _pieces(handle, start, status.st_size), facts)
        finally:
            os.close(handle)

    def _opened(self, path: str, folder: Folder) -> int:
        """Open a log; where pm2 says that it is, the home's owner may have put a link to what only root may read."""
        if self._pm2 and path in self._logs and os.geteuid() == 0:
            return open_as(self._pm2.owner, path, folder.deadline.slice(OPEN_SECONDS))
        return open_own(path)

    def _get(self, name: str, url: str, folder: Folder) -> None:
        parts = split(url)
        try:
            answer = Answer(parts, self._wanted.validate_certs, folder.deadline.slice(SECONDS))
            folder.write(f"{name}.txt", answer.chunks(), answer.facts)
        except (OSError, http.client.HTTPException) as error:
            # The error's text may repeat the URL; its type does not.
            folder.lack(name, f"{parts.path or '/'}: {getattr(error, 'strerror', None) or type(error).__name__}")


def _matches(patterns: Sequence[str]) -> list[str]:
    found = itertools.chain.from_iterable(glob.iglob(os.path.expanduser(pattern)) for pattern in patterns)
    return list(itertools.islice(found, MOST_MATCHES))


def _newest(logs: Sequence[str], matches: Sequence[str]) -> list[str]:
    """Return the regular files among the paths, each once, the most recently written first.

    :param logs: what pm2 names, which stay as they are named: they are opened with its owner's rights.
    """
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for path in (*logs, *map(os.path.realpath, matches)):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.setdefault((status.st_dev, status.st_ino), (-status.st_mtime, path))
    return [path for _age, path in sorted(found.values())]


def _pieces(handle: int, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from ``start`` to ``end``: reading what is appended meanwhile might never end."""
    while start < end:
        piece = os.pread(handle, min(_PIECE, end - start), start)
        if not piece:
            return
        start += len(piece)
        yield piece
