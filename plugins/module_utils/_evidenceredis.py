# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the evidence that Redis has: what it says about itself and its clients, never what its keys hold."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Callable, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name, short_hash
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login, checked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisfinder import Finder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisstats import slow_command

SLOW_COMMANDS = 50
# CLIENT LIST of ten thousand clients is a few MiB; the newest of them matter least.
CLIENTS = 5000

# How a reply becomes the lines of its file.
_Lines = Callable[[Any], Iterator[bytes]]


class RedisSource:
    """Asks for everything in one exchange; each reply is a part of its own."""

    name = "redis"

    def __init__(self, login: Login) -> None:
        where = (
            login.where if not login.sentinels else f"{login.sentinel_name} of {', '.join(map(str, login.sentinels))}"
        )
        self.directory_name = f"redis-{safe_name(login.where, 40)}-{short_hash(f'{where}/{login.database}')}"
        self._login = login
        self._replies: list[Any] = []
        self._failure: KanbanError | None = None

    @property
    def parts(self) -> list[Part]:
        """The parts by name."""
        kinds: list[tuple[str, str, _Lines]] = [
            ("info", "info.txt", _text),
            ("clients", "clients.txt", _clients),
            ("slowlog", "slowlog.jsonl", _slowlog),
            ("dbsize", "dbsize.json", _number),
        ]
        return [(name, partial(self._write, number, file, lines)) for number, (name, file, lines) in enumerate(kinds)]

    def _write(self, number: int, name: str, lines: _Lines, folder: Folder) -> None:
        folder.write(name, lines(checked(self._asked(folder)[number])))

    def _asked(self, folder: Folder) -> list[Any]:
        """Return all replies; a server that did not answer is not asked again."""
        if self._failure:
            raise self._failure
        if not self._replies:
            try:
                with Finder(self._login, folder.deadline).session() as session:
                    self._replies = session.ask(
                        ("INFO", "all"), ("CLIENT", "LIST"), ("SLOWLOG", "GET", SLOW_COMMANDS), ("DBSIZE",)
                    )
            except KanbanError as error:
                self._failure = error
                raise
        return self._replies


def _text(reply: bytes) -> Iterator[bytes]:
    yield from reply.splitlines(keepends=True)


def _clients(reply: bytes) -> Iterator[bytes]:
    yield from reply.splitlines(keepends=True)[:CLIENTS]


def _number(reply: int) -> Iterator[bytes]:
    yield json.dumps({"keys": reply}).encode() + b"\n"


def _slowlog(reply: list[Any]) -> Iterator[bytes]:
    """Yield one line per slow command."""
    for entry in reply:
        yield json.dumps(slow_command(entry)).encode() + b"\n"
