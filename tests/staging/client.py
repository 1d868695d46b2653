# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the application: asks one process after the other until one answers, and counts what it sees."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import socketio

_TRIES = 6
_PAUSE = 0.15


@dataclass(frozen=True)
class Answer:
    """An answer; ``status`` is None if nobody answered. ``doubtful``: an earlier try was sent and not answered."""

    status: int | None
    body: Any
    doubtful: bool
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.status is not None and self.status < 300


@dataclass
class Figures:
    """What a load has seen: answers by operation and status (None: no answer), and sockets."""

    answers: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    sockets: int = 0
    sockets_refused: int = 0
    socket_seconds: list[float] = field(default_factory=list)

    def count(self, operation: str, answer: Answer) -> None:
        """Count an answer."""
        self.answers[operation, answer.status] += 1
        self.seconds.setdefault(operation, []).append(answer.seconds)

    def of(self, *operations: str, status: range = range(200, 300)) -> int:
        """Return how many answers to these operations (to all, if none is named) had a status in this range."""
        return sum(
            number
            for (operation, found), number in self.answers.items()
            if found in status and (not operations or operation in operations)
        )

    def summary(self) -> dict[str, Any]:
        """Return it for people: answers by status, sockets."""
        by_status: Counter[str] = Counter()
        for (_operation, status), number in self.answers.items():
            by_status[str(status or "no answer")] += number
        return {"answers": dict(by_status), "sockets": self.sockets, "sockets_refused": self.sockets_refused}


class Client:
    """Asks the application's processes in turn. Every write may be repeated; a message is then there twice."""

    def __init__(self, urls: Sequence[str], *, timeout: float) -> None:
        self.urls = list(urls)
        self._turn = itertools.count()
        # One connection for each request: on a kept connection, aiohttp would repeat a request silently.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0), timeout=aiohttp.ClientTimeout(total=timeout)
        )

    async def close(self) -> None:
        """Close the client."""
        await self._session.close()

    async def ask(self, method: str, path: str, body: object = None, token: str = "") -> Answer:
        """Ask until one process answers, whatever the answer is."""
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        doubtful = False
        for attempt in range(_TRIES):
            url = self.urls[next(self._turn) % len(self.urls)] + path
            try:
                async with self._session.request(method, url, json=body, headers=headers) as response:
                    text = await response.json(content_type=None)
                    return Answer(response.status, text, doubtful, time.monotonic() - began)
            except aiohttp.ClientConnectorError:
                # Not even connected: nothing was sent.
                pass
            except (aiohttp.ClientError, TimeoutError, ValueError):
                doubtful = True
            await asyncio.sleep(_PAUSE * (attempt + 1))
        return Answer(None, None, doubtful, time.monotonic() - began)

    async def connect_socket(self, token: str, hold: float, timeout: float = 5) -> float | None:
        """Connect by Socket.IO, stay for a while, and return the seconds that connecting took; None if refused."""
        url = self.urls[next(self._turn) % len(self.urls)]
        socket = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        began = time.monotonic()
        try:
            await socket.connect(f"{url}?token={token}", transports=["websocket"], wait_timeout=timeout)
        except (socketio.exceptions.ConnectionError, aiohttp.ClientError, TimeoutError):
            return None
        else:
            took = time.monotonic() - began
            await asyncio.sleep(hold)
            return took
        finally:
            await socket.disconnect()
