# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has Kanban V2, as this process sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .database import Database

# How far a request may be behind the database.
SECONDS = 1.0
# Anything but absent, null or false means on, which is nearly what `settings.kanbanV2Enabled` means in JavaScript.
_FLAGS = """
SELECT id, COALESCE(jsonb_typeof(settings) = 'object' AND settings -> 'kanbanV2Enabled' NOT IN ('null', 'false'), false)
  AS on FROM "Companies"
"""


class Flags:
    """The flag of every company, read again when it is older than a second.

    ``keeps``: asked on each call; once it returns true, what was read last is kept until the process ends.
    """

    def __init__(self, database: Database, keeps: Callable[[], bool]) -> None:
        self._database = database
        self._keeps = keeps
        self._on: dict[int, bool] = {}
        self._read_at = float("-inf")
        self._kept = False
        self._lock = asyncio.Lock()

    async def all(self) -> dict[int, bool]:
        """Return which companies are on. Raises psycopg2.Error if the database does not answer."""
        async with self._lock:
            fresh = time.monotonic() - self._read_at < SECONDS
            if not fresh and not self._kept:
                began = time.monotonic()
                self._on = {row["id"]: row["on"] for row in await self._database.rows(_FLAGS)}
                # As old as the question: the answer may have been under way for a while.
                self._read_at = began
            # A process that has begun to keep the flags does so until it ends, whatever it is told later.
            self._kept = self._kept or self._keeps()
            return self._on

    async def on(self, company: int) -> bool:
        """Return whether a company has V2."""
        return (await self.all()).get(company, False)
