# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked from outside: health, metrics, the flag as this process sees it, and how it is told to misbehave."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import psycopg2
from aiohttp import web
from redis.exceptions import RedisError

from .misbehaviour import UnknownMisbehaviour, checked
from .state import STATE, State

# How long /health waits for the database and for Redis.
_HEALTH_SECONDS = 2.0
_LOOPBACK = ("127.0.0.1", "::1")


def _who(state: State) -> dict[str, Any]:
    return {"pid": os.getpid(), "instance": state.config.instance, "port": state.config.port}


async def health(request: web.Request) -> web.Response:
    """Say whether database and Redis answer; 503 if one does not."""
    state = request.app[STATE]

    async def database() -> bool:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                return await state.aside.row("SELECT 1 AS yes") is not None
        except (psycopg2.Error, TimeoutError):
            return False

    async def redis() -> bool:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                return bool(await state.redis.ping())
        except (RedisError, TimeoutError):
            return False

    parts = dict(zip(("database", "redis"), await asyncio.gather(database(), redis()), strict=True))
    good = all(parts.values())
    body = {"status": "ok" if good else "unhealthy", **parts, **_who(state)}
    return web.json_response(body, status=200 if good else 503)


async def flag(request: web.Request) -> web.Response:
    """Say who is served V2 by this process now: whether one company is (``?tenant=``), or how many are."""
    state = request.app[STATE]
    await state.misbehaviour.refresh()
    try:
        flags = await state.flags.all()
    except psycopg2.Error:
        return web.json_response({"error": "ERR_DATABASE", **_who(state)}, status=503)
    tenant = request.query.get("tenant")
    if tenant is None:
        return web.json_response({**_who(state), "on": sum(flags.values()), "total": len(flags)})
    if not tenant.isdigit() or int(tenant) not in flags:
        return web.json_response({"error": "ERR_NO_COMPANY_FOUND", **_who(state)}, status=404)
    return web.json_response({**_who(state), "tenant": int(tenant), "v2": flags[int(tenant)]})


async def metrics(request: web.Request) -> web.Response:
    """Return the error rate as JSON, or counters as Prometheus text if that is asked for."""
    state = request.app[STATE]
    if request.query.get("format") == "prometheus" or "text/plain" in request.headers.get("Accept", ""):
        text = state.metrics.prometheus()
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
    return web.json_response({**state.metrics.summary(), **_who(state)})


async def performance(request: web.Request) -> web.Response:
    """Return latencies and memory as JSON."""
    state = request.app[STATE]
    return web.json_response({**state.metrics.performance(), **_who(state)})


async def misbehave(request: web.Request) -> web.Response:
    """Begin or end misbehaviours (POST a map), or return the current ones; only for programs on this host."""
    state = request.app[STATE]
    if request.remote not in _LOOPBACK:
        return web.json_response({"error": "ERR_FORBIDDEN"}, status=403)
    try:
        if request.method == "POST":
            await state.misbehaviour.change(checked(await request.json()))
        await state.misbehaviour.refresh()
    except (UnknownMisbehaviour, ValueError) as error:
        return web.json_response({"error": "ERR_UNKNOWN", "message": str(error)}, status=422)
    except RedisError as error:
        return web.json_response({"error": "ERR_REDIS", "message": str(error)}, status=503)
    return web.json_response(state.misbehaviour.now)


ROUTES = (
    web.get("/health", health),
    web.get("/health/kanban", flag),
    web.get("/metrics", metrics),
    web.get("/metrics/performance", performance),
    web.get("/staging/misbehave", misbehave),
    web.post("/staging/misbehave", misbehave),
)
# Not counted: a system that is only observed has no error rate.
PATHS = frozenset({"/health", "/health/kanban", "/metrics", "/metrics/performance", "/staging/misbehave"})
