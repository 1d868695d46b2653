# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Socket.IO: connected clients hear of changes to the cards of their company."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import socketio
from aiohttp import web
from aiohttp.typedefs import Handler

from . import metrics, sessions
from .sessions import Session
from .state import STATE, State

PATH = "/socket.io/"
SERVER: web.AppKey[Any] = web.AppKey("sockets", object)


async def _v2(state: State, session: Session | None, misbehaviour: str) -> float:
    """Return the value of a misbehaviour for a connection; an anonymous one has V2 if anybody has."""
    await state.misbehaviour.refresh()
    value = state.misbehaviour.get(misbehaviour, session.company if session else None)
    if not value:
        return 0.0
    on = {company for company, is_on in (await state.flags.all()).items() if is_on}
    hit = session.company in on if session else state.misbehaviour.hits_any(on)
    return value if hit else 0.0


@web.middleware
async def handshake(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Delay or refuse new connections if the application was told to; refuse them this early, by an HTTP 503."""
    if request.path == PATH and "sid" not in request.query:
        state = request.app[STATE]
        request["began"] = time.monotonic()
        session = sessions.read(request.query.get("token", ""), state.config.secret, time.time())
        if await _v2(state, session, "refuse_sockets"):
            state.metrics.connect(False)
            company = session.company if session else None
            await state.errors.report("kanban.socket", "Error: the socket server refuses connections", company)
            return web.json_response({"error": "ERR_SOCKET_REFUSED"}, status=503)
        await asyncio.sleep(await _v2(state, session, "slow") / 1000)
    return await handler(request)


def attach(app: web.Application) -> None:
    """Add the Socket.IO server to the application."""
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*", logger=False)
    server.attach(app)
    app[SERVER] = server
    state = app[STATE]

    async def connect(sid: str, environ: dict[str, Any], auth: object = None) -> None:
        request: web.Request = environ["aiohttp.request"]
        given = str(auth.get("token", "")) if isinstance(auth, dict) else ""
        token = given or request.query.get("token", "")
        session = sessions.read(token, state.config.secret, time.time())
        # A connection without a token is a probe: it is accepted, and told nothing.
        refused = "ERR_SESSION_EXPIRED" if token and session is None else ""
        if given and await _v2(state, session, "refuse_sockets"):
            refused = "ERR_SOCKET_REFUSED"
        state.metrics.connect(not refused)
        if refused:
            raise socketio.exceptions.ConnectionRefusedError(refused)
        state.metrics.sockets += 1
        state.metrics.duration(metrics.SOCKET, time.monotonic() - request["began"])
        if session:
            await server.enter_room(sid, _room(session.company))

    async def disconnect(_sid: str, *_reason: str) -> None:
        state.metrics.sockets -= 1

    server.on("connect", connect)
    server.on("disconnect", disconnect)


async def tell(app: web.Application, company: int, event: str, **data: object) -> None:
    """Tell those of a company who are connected to this process about an event."""
    await app[SERVER].emit(event, data, room=_room(company))


def _room(company: int) -> str:
    return f"company-{company}"
