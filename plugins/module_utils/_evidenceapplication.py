# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the evidence on the application's host: processes, ends of logs, metrics. Pure of drivers."""

from __future__ import annotations

import http.client
import json
import os
import stat
from dataclasses import dataclass
from functools import partial
from typing import Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencehttp import SECONDS, Answer, split
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencelogs import (
    in_order,
    logs_below,
    matching,
    named_logs,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name, short_hash
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logfiles import rotated
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_as, open_own
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2

PM2_SECONDS = 5.0
# How long opening one log may take.
OPEN_SECONDS = 1.0
# Of a log's rotated files, at most so many of the newest.
MOST_ROTATED = 2
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
        self._logs: dict[str, int] = {}
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
            self._logs = logs_below(str(pm2.home))
            raise
        self._logs = named_logs(found)
        folder.write("processes.json", [json.dumps(found, indent=1).encode() + b"\n"], {"processes": len(found)})

    def _tails(self, folder: Folder) -> None:
        most = self._wanted.max_log_files
        paths = in_order(self._logs, matching(self._wanted.log_files))
        for path in paths[most:]:
            folder.lack("logs", f"{path}: only {most} logs are kept")
        for number, path in enumerate(paths[:most], 1):
            kept = self._tail(folder, number, path, path, self._wanted.log_bytes)
            self._older(folder, number, path, self._wanted.log_bytes - kept, paths)

    def _older(self, folder: Folder, number: int, path: str, left: int, paths: Sequence[str]) -> None:
        """Keep the newest of a log's rotated files too, as far as they fit: what is sought may just have been moved."""
        for older, status in rotated(path)[:MOST_ROTATED]:
            if left <= 0:
                return
            if older in paths:
                continue
            if older.endswith(".gz") and status.st_size > left:
                folder.lack(
                    "logs", f"{older}: only {left} more bytes of this log are kept, and an archive is kept whole"
                )
                return
            left -= self._tail(folder, number, older, path, left)

    def _tail(self, folder: Folder, number: int, path: str, log: str, most: int) -> int:
        """Keep the end of a file; return of how many bytes. ``log``: the log that it is, or was before a rotation."""
        name = f"log-{number:02}-{safe_name(os.path.basename(path))}"
        try:
            handle = self._opened(path, log, folder)
            try:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError("it is no ordinary file")
                start = max(0, status.st_size - most)
                facts = {"from": path, "whole_bytes": status.st_size, "truncated": start > 0}
                folder.write(name, _pieces(handle, start, status.st_size), facts)
                return status.st_size - start
            finally:
                os.close(handle)
        except KanbanError as error:
            folder.lack(name, f"{path}: {error.what}")
        except OSError as error:
            folder.lack(name, f"{path}: {error.strerror or error}")
        return 0

    def _opened(self, path: str, log: str, folder: Folder) -> int:
        """Open a file; where pm2 says that it is, the home's owner may have put a link to what only root may read."""
        if self._pm2 and log in self._logs and os.geteuid() == 0:
            return open_as(self._pm2.owner, path, folder.deadline.slice(OPEN_SECONDS))
        return open_own(path, follow=path == log)

    def _get(self, name: str, url: str, folder: Folder) -> None:
        parts = split(url)
        try:
            answer = Answer(parts, self._wanted.validate_certs, folder.deadline.slice(SECONDS))
            folder.write(f"{name}.txt", answer.chunks(), answer.facts)
        except (OSError, http.client.HTTPException) as error:
            # The error's text may repeat the URL; its type does not.
            folder.lack(name, f"{parts.path or '/'}: {getattr(error, 'strerror', None) or type(error).__name__}")


def _pieces(handle: int, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from ``start`` to ``end``: reading what is appended meanwhile might never end."""
    while start < end:
        piece = os.pread(handle, min(_PIECE, end - start), start)
        if not piece:
            return
        start += len(piece)
        yield piece
