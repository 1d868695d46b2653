# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox on the disk, ``<incident>/messages/<key>.json`` and ``.md``. Neither Ansible nor a driver.

Several runs may write to the same incident: a file is replaced whole and under one lock, and each route has a lock of
its own while something is sent there, so two runs cannot send a message at the same time.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._filelock import taken
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import make_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import Message, merged, message_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyknown import recalled
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_own

FOLDER = "messages"
MOST_MESSAGES, LARGEST = 500, 1024 * 1024
_LOOK_EVERY = 0.05
# A process writes there for moments only; one that is stopped, or whose disk hangs, delays others no longer than this.
LOCK_SECONDS = 10.0


class Outbox:
    """Messages of one incident. Methods that write raise OSError, and KanbanError if another process has locked it."""

    def __init__(self, incident: Path, seconds: float = LOCK_SECONDS) -> None:
        """Take the incident's directory, and how long to wait for another process that writes."""
        self.directory = incident / FOLDER
        self._seconds = seconds

    def make(self) -> None:
        """Make the directory and its missing parents, 0700; raises KanbanError."""
        try:
            make_folder(self.directory)
            with self._locked("all"):
                pass
        except OSError as error:
            raise KanbanError(
                "no_outbox",
                f"{self.directory} cannot be written: {error.strerror or error}.",
                "What is not kept there cannot be sent without the risk of telling it twice. Nobody was told.",
                "Look at its owner, its mode and the room on its disk, then type the same command again.",
            ) from None

    def read(self) -> tuple[list[Message], list[str]]:
        """Return the messages in the order of their moments, and the names of files that are not messages."""
        messages, broken = [], []
        try:
            files = sorted(self.directory.glob("*.json"))[:MOST_MESSAGES]
        except OSError:
            files = []
        for path in files:
            try:
                messages.append(_read(path))
            except (OSError, ValueError, RecursionError):
                broken.append(path.name)
        return sorted(messages, key=lambda one: (one.at, one.key)), broken

    def put(self, new: Sequence[Message]) -> None:
        """Keep messages; one that is already there keeps what became of it."""
        with self._locked("all"):
            for message in new:
                try:
                    whole = merged(self._there(message.key), message)
                except ValueError:
                    # It is no longer known who was told, so it is neither overwritten nor sent.
                    continue
                self._keep(whole)

    def recall(self, known: Sequence[Message]) -> None:
        """Keep what a ledger knows of messages, along with what is here."""
        with self._locked("all"):
            for message in known:
                try:
                    there = self._there(message.key)
                except ValueError:
                    continue
                whole = recalled(there, message)
                if whole != there:
                    self._keep(whole)

    def _keep(self, message: Message) -> None:
        self._write(f"{message.key}.md", f"{message.subject}\n\n{message.text}".strip() + "\n")
        self._write(f"{message.key}.json", _json(message))

    def record(self, key: str, route: str, **changes: Any) -> Message:
        """Note what became of a route, and return the message as it is then; raises ValueError if it is gone."""
        with self._locked("all"):
            message = self._there(key)
            there = message.by(route) if message else None
            if message is None or there is None:
                raise ValueError(f"{key} is gone from the outbox")
            message = message.with_route(replace(there, at=moment(time.time()), **changes))
            self._write(f"{key}.json", _json(message))
            return message

    @contextmanager
    def route(self, name: str, deadline: Deadline) -> Iterator[bool]:
        """Hold a route; yields False if another run held it until the deadline."""
        with self._opened(safe_name(name)) as handle:
            yield taken(handle, deadline, _LOOK_EVERY)

    def _there(self, key: str) -> Message | None:
        try:
            return _read(self.directory / f"{key}.json")
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with self._opened(name) as handle:
            if not taken(handle, Deadline(self._seconds), _LOOK_EVERY):
                path = self.directory / f".lock-{name}"
                raise KanbanError(
                    "outbox_held",
                    f"Another process has held {path} for {self._seconds:g} s.",
                    "Two that write there at once could tell somebody twice, so what became of messages is not kept.",
                    f"See which it is (fuser -v {path}) and end it, then type the same command again.",
                )
            yield

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self.directory / f".lock-{name}", flags, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        before = self.directory / f".{name}.new"
        handle = os.open(before, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        before.replace(path)


def _read(path: Path) -> Message:
    handle = open_own(path, follow=False)
    with os.fdopen(handle, "rb") as opened:
        found = message_of(json.loads(opened.read(LARGEST)))
    if f"{found.key}.json" != path.name:
        raise ValueError("of another key")
    return found


def _json(message: Message) -> str:
    return json.dumps(message.as_json(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
