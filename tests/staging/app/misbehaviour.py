# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which this application can be told to break, all of them in V2 only: off makes it good again."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

# In Redis, so that every process on every host gets it and a restarted one has it again.
KEY = "staging:misbehave"
SECONDS = 0.25
MEANINGS = {
    "crash_on_open": "true: opening a ticket ends the process, as an unhandled rejection does in Node",
    "fail": "N: every Nth request answers 500",
    "slow": "milliseconds: every query of the board and of cards takes that much longer, and so does a new socket",
    "leak": "megabytes a second, while requests come",
    "refuse_sockets": "true: new Socket.IO connections are refused, anonymous ones while anybody is on",
    "duplicate_tags": "N: every Nth write to a card stores one of its tags twice",
    "orphan_tags": "N: every Nth write to a card leaves a tag without company behind",
    "invalid_lanes": "N: every Nth move puts the card into another company's lane",
    "shuffle_order": "N: every Nth move turns the order of its lane around",
    "delete_tags": "N: every Nth write to a card deletes a tag of the company",
    "cache_flag": "true: a process keeps the flags that it reads next until it ends (which is not made good by off)",
    "stale_settings": "seconds: settings that were read by the board are written back whole, so much later",
    "tenants": "list of companies that all of this is for; without it, everybody who is on",
}


class UnknownMisbehaviour(Exception):
    """A name that does not exist, or a value that means nothing."""


def checked(wanted: object) -> dict[str, Any]:
    """Return what was asked for, if it means something. Raises UnknownMisbehaviour."""
    if not isinstance(wanted, dict) or not wanted.keys() <= MEANINGS.keys():
        raise UnknownMisbehaviour(f"a map of these is understood (null ends one): {MEANINGS}")
    for name, value in wanted.items():
        number = isinstance(value, int | float) and value >= 0
        if value is not None and not (isinstance(value, list) if name == "tenants" else number):
            raise UnknownMisbehaviour(f"{name}: {MEANINGS[name]}; null ends it")
    return wanted


class Misbehaviour:
    """What this process has to do wrong at present; nothing changes while Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._now: Mapping[str, Any] = {}
        self._asked_at = float("-inf")
        self._counts: dict[str, int] = {}

    async def refresh(self) -> None:
        """Read it again if what is known is older than a moment."""
        if time.monotonic() - self._asked_at > SECONDS:
            self._asked_at = time.monotonic()
            try:
                stored: Any = await self._redis.hgetall(KEY)
            except RedisError:
                return
            self._now = {name: json.loads(value) for name, value in stored.items()}

    async def change(self, wanted: dict[str, Any]) -> None:
        """Begin and end (null) misbehaviours, for every process. Raises RedisError."""
        for name, value in wanted.items():
            if value in (None, False):
                await self._redis.hdel(KEY, name)
            else:
                await self._redis.hset(KEY, name, json.dumps(value))
        self._asked_at = float("-inf")
        await self.refresh()

    @property
    def now(self) -> dict[str, Any]:
        """Everything that is to go wrong."""
        return dict(self._now)

    def get(self, name: str, company: int | None = None) -> float:
        """Return the value of a misbehaviour for a company that is on; 0 if it has to behave."""
        tenants = self._now.get("tenants")
        if tenants is not None and company is not None and company not in tenants:
            return 0.0
        return float(self._now.get(name, 0))

    def due(self, name: str, company: int) -> bool:
        """Count an occasion, and return whether it is the Nth."""
        every = self.get(name, company)
        if not every:
            return False
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name] % max(1, int(every)) == 0

    def hits_any(self, on: Collection[int]) -> bool:
        """Return whether one of the companies that are on is among those that this is for."""
        tenants = self._now.get("tenants")
        return bool(on) if tenants is None else not set(tenants).isdisjoint(on)
