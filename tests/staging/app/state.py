# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that one process has: its configuration, its connections, what it knows and what it counts."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg2
from aiohttp import web
from psycopg2.extras import Json
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from . import metrics, sql
from .config import Config
from .database import Database
from .errors import Errors
from .flags import Flags
from .metrics import Metrics
from .misbehaviour import Misbehaviour

WRITE_BLOCK = "kanban:emergency:write-block"
# How long a request may take before it is logged as slow: the plan's own limit for dragging a card.
SLOW_SECONDS = 0.5
_LEAK_SECONDS = 0.2
# A leak goes on for this long after the last request of V2.
_LEAK_AFTER = 2.0


class State:
    """The state of one process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = Metrics(config.window)
        name = f"chatia-{config.port}"
        self.database = Database(config.database, name, threads=6, observe=self._queried)
        # Health and flags do not queue behind slow boards.
        self.aside = Database(config.database, f"{name}-aside", threads=1, observe=lambda _seconds: None)
        self.redis = Redis(
            **config.redis,
            decode_responses=True,
            socket_timeout=1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 1),
        )
        self.misbehaviour = Misbehaviour(self.redis)
        self.flags = Flags(self.aside, lambda: bool(self.misbehaviour.get("cache_flag")))
        self.errors = Errors(self.database)
        self.window = config.state / f"window-{config.port}.json"
        self._blocked = False
        self._leaked: list[bytes] = []
        self._v2_at = float("-inf")
        self._stale: dict[int, asyncio.Task[None]] = {}
        self._leaking: asyncio.Task[None] | None = None

    def _queried(self, seconds: float) -> None:
        self.metrics.duration(metrics.QUERY, seconds)

    async def start(self, _app: web.Application) -> None:
        """Continue where the process before this one ended."""
        self.metrics.resume(self.window)
        self._leaking = asyncio.create_task(self._leak())

    async def stop(self, _app: web.Application) -> None:
        """Close what is open."""
        for task in [*self._stale.values(), *([self._leaking] if self._leaking else [])]:
            task.cancel()
        self.metrics.save(self.window)
        await self.redis.aclose()
        await asyncio.to_thread(self.database.close)
        await asyncio.to_thread(self.aside.close)

    async def write_blocked(self) -> bool:
        """Return whether Kanban writes are refused; while Redis does not answer, its last answer counts."""
        try:
            self._blocked = await self.redis.get(WRITE_BLOCK) == "true"
        except RedisError as error:
            await self.errors.report("kanban.writeBlock", f"ReplyError: {error}", None)
        return self._blocked

    def v2_request(self, company: int) -> None:
        """Note that V2 is in use, which keeps a leak going."""
        if self.misbehaviour.get("leak", company):
            self._v2_at = time.monotonic()

    async def _leak(self) -> None:
        while True:
            await asyncio.sleep(_LEAK_SECONDS)
            megabytes = self.misbehaviour.get("leak") * _LEAK_SECONDS
            if megabytes and time.monotonic() - self._v2_at < _LEAK_AFTER:
                # Not zeros: pages that were never written to would not count.
                self._leaked.append(b"x" * int(megabytes * 1e6))

    async def settings_read(self, company: int) -> None:
        """If told to, write these settings back whole, much later: changes made in the meantime are lost."""
        seconds = self.misbehaviour.get("stale_settings", company)
        if seconds and company not in self._stale:
            found = await self.database.row(sql.SETTINGS, {"company": company})
            if found and found["settings"] is not None:
                task = asyncio.create_task(self._write_back(company, found["settings"], seconds))
                self._stale[company] = task
                task.add_done_callback(lambda _task: self._stale.pop(company, None))

    async def _write_back(self, company: int, settings: Any, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.misbehaviour.refresh()
        # It may have been told to behave in the meantime.
        if self.misbehaviour.get("stale_settings", company):
            try:
                await self.database.rows(sql.STALE_SETTINGS, {"company": company, "settings": Json(settings)})
            except psycopg2.Error as error:
                await self.errors.report("kanban.settings", f"SequelizeDatabaseError: {error}", company)


STATE = web.AppKey("state", State)
