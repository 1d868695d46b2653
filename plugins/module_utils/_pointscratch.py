# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's side of a scratch instance: starting its keeper, waiting for it, reading rows, letting it go.

Neither Ansible nor a driver.
"""

from __future__ import annotations

import json
import os
import select
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Iterator, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copyblocks import Header, Script
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import read_child
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointerrors import (
    keeper_lost,
    out_of_time,
    unreadable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointkeeper import Order, keep
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplace import remove_dead
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplan import dump_argv
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import Progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import About, Look, Name

_LOOK_SECONDS = 0.1
# The keeper itself says that time is up; one that says nothing is given this long.
_GRACE_SECONDS = 5.0
_CLEAN_UP_SECONDS = 60.0
_PIECE_BYTES = 65536
# What pg_dump says if no relation of these names existed then.
_NONE_THERE = "no matching tables were found"


class Scratch:
    """An instance that a keeper makes; ``close`` ends it, and so does the end of this process, however it comes."""

    def __init__(self, order: Order) -> None:
        """Start the keeper."""
        self._order = order
        self._directory: str | None = None
        self._text = b""
        life, self._life = os.pipe()
        self._report, report = os.pipe()
        self._keeper = os.fork()
        if self._keeper == 0:
            keep(order, life, report)
        os.close(life)
        os.close(report)

    def wait(self, look: Look, progress: Progress) -> Mapping[str, Any]:
        """Return ``socket`` and ``stopped_before`` when the instance is at the target; raises KanbanError.

        :param look: called ten times a second; what it raises ends the waiting.
        :param progress: of the step in which the backup is restored.
        """
        while True:
            look()
            for message in self._messages(_LOOK_SECONDS):
                if "ready" in message:
                    ready: Mapping[str, Any] = message["ready"]
                    return ready
                if "bytes" in message:
                    progress.bytes(message["bytes"])
                if "step" in message:
                    progress.step(message["step"])
            if time.monotonic() > self._order.ends_at + _GRACE_SECONDS:
                raise out_of_time(self._order.seconds, "the scratch instance was not there", "")

    def look(self) -> None:
        """Raise KanbanError if the keeper says that something went wrong, or is gone."""
        for _message in self._messages(0):
            pass

    def _messages(self, seconds: float) -> Iterator[Mapping[str, Any]]:
        if not select.select([self._report], [], [], seconds)[0]:
            return
        piece = os.read(self._report, _PIECE_BYTES)
        if not piece:
            raise keeper_lost()
        *lines, self._text = (self._text + piece).split(b"\n")
        for line in lines:
            message = json.loads(line)
            self._directory = message.get("made", self._directory)
            if "error" in message:
                raise KanbanError(**message["error"], **message["details"])
            yield message

    def close(self) -> str:
        """End the instance and wait until nothing is left of it; return what to report if that takes too long."""
        os.close(self._life)
        until = time.monotonic() + _CLEAN_UP_SECONDS
        ended = (0, 0)
        while ended[0] == 0 and time.monotonic() < until:
            ended = os.waitpid(self._keeper, os.WNOHANG)
            time.sleep(0 if ended[0] else _LOOK_SECONDS / 2)
        os.close(self._report)
        if ended[0] == 0:
            return f"The scratch instance {self._directory} is still being removed, by the process {self._keeper}."
        if ended[1] and self._directory:
            # It was killed: what it started has died with it.
            self._remove(self._directory, until)
        return ""

    def _remove(self, directory: str, until: float) -> None:
        while os.path.exists(directory) and time.monotonic() < until:
            remove_dead(Path(directory), self._order.account.pw_uid)
            time.sleep(_LOOK_SECONDS)


@dataclass
class Point:
    """Rows of a point in time, as ``Source`` of ``_restoresource`` describes."""

    about: About
    scratch: Scratch
    program: str
    socket: str
    superuser: str
    database: str
    major: int
    encoding: str

    def streams(self, relations: Collection[Name], look: Look) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield each relation's header with its rows, which have to be read before the next; raises KanbanError."""

        def dump(wanted: Collection[Name]) -> list[str | bytes]:
            named = (self.program, self.socket, self.superuser, self.database)
            return dump_argv(*named, sorted(wanted), self.major, self.encoding)

        def looks() -> None:
            self.scratch.look()
            look()

        definitions = Script(_read(dump([]), looks))
        for _header, _rows in definitions.blocks():
            pass
        self.about.partitions = definitions.partitions()
        script = Script(_read(dump(relations), looks))
        yield from script.blocks(relations)
        if script.truncated:
            raise unreadable("what pg_dump wrote ends within rows")


def _read(argv: list[str | bytes], look: Look) -> Iterator[bytes]:
    try:
        yield from read_child(argv, look)
    except KanbanError as error:
        said = error.details.get("stderr")
        if said is None:
            raise
        if _NONE_THERE not in str(said):
            raise unreadable(error.what) from error
