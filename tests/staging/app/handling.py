# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every request goes through: who asks, in which version of the board, and what becomes of errors."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

import psycopg2
from aiohttp import web
from aiohttp.typedefs import Handler

from . import observed, sessions, sockets, sql
from .board import Refused
from .errors import said
from .sessions import Session
from .state import SLOW_SECONDS, STATE, State

_LOGIN_SECONDS = 12 * 3600
# The database's code for a write that it has to refuse for now: nobody's fault, and to be tried again later.
_PROTECTED = "KB001"


class Broken(Exception):
    """What the application was told to fail with."""


@dataclass(frozen=True)
class Kanban:
    """A request to the Kanban: whose, and in which version."""

    state: State
    company: int
    v2: bool


def session_of(request: web.Request) -> Session:
    """Return the session of whoever asks. Raises Refused."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    session = sessions.read(token, request.app[STATE].config.secret, time.time()) if scheme == "Bearer" else None
    if session is None:
        raise Refused(401, "ERR_SESSION_EXPIRED")
    request["company"] = session.company
    return session


async def kanban(request: web.Request, context: str, *, writes: bool = False) -> Kanban:
    """Return what a request to the Kanban is about. Raises Refused, among others for a write under the write block."""
    state, session = request.app[STATE], session_of(request)
    request["context"] = context
    if writes and await state.write_blocked():
        raise Refused(423, "ERR_KANBAN_WRITE_BLOCKED")
    await state.misbehaviour.refresh()
    v2 = await state.flags.on(session.company)
    request["v2"] = v2
    if v2:
        state.v2_request(session.company)
        if state.misbehaviour.due("fail", session.company):
            raise Broken("TypeError: Cannot read properties of null (reading 'kanbanOrder')")
    return Kanban(state, session.company, v2)


async def body_of(request: web.Request, **kinds: type) -> dict[str, Any]:
    """Return a JSON body that has these keys, of these types. Raises Refused."""
    try:
        body = await request.json()
    except ValueError as error:
        raise Refused(400, "ERR_NO_JSON") from error
    if not isinstance(body, dict) or not all(isinstance(body.get(name), kind) for name, kind in kinds.items()):
        raise Refused(400, f"ERR_WANTED: {', '.join(kinds)}")
    return body


async def login(request: web.Request) -> web.Response:
    """Return a token for an email address and the password."""
    state = request.app[STATE]
    body = await body_of(request, email=str, password=str)
    user = await state.database.row(sql.LOGIN, {"email": body["email"]})
    right = hmac.compare_digest(body["password"].encode(), state.config.password.encode())
    if user is None or user["companyId"] is None or not right:
        raise Refused(401, "ERR_INVALID_CREDENTIALS")
    session = Session(user["id"], user["companyId"], int(time.time()) + _LOGIN_SECONDS)
    who = {"id": user["id"], "name": user["name"], "companyId": user["companyId"]}
    return web.json_response({"token": sessions.issue(session, state.config.secret), "user": who})


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer, count and log a request; an error becomes a JSON answer, a stack on stderr and a row in ErrorLogs."""
    state = request.app[STATE]
    if request.path in observed.PATHS or request.path == sockets.PATH:
        return await handler(request)
    began = time.monotonic()
    response: web.StreamResponse
    try:
        response = await handler(request)
    except Refused as refused:
        response = web.json_response({"error": refused.error}, status=refused.status)
    except web.HTTPException as answer:
        response = web.json_response({"error": answer.reason}, status=answer.status)
    except Broken as error:
        response = await _failed(request, str(error))
    except psycopg2.Error as error:
        said_so = f"SequelizeDatabaseError: {str(error).strip()}"
        protected = error.pgcode == _PROTECTED
        response = await (_protected(request, said_so) if protected else _failed(request, said_so))
    except Exception as error:
        response = await _failed(request, f"{type(error).__name__}: {error}")
    seconds = time.monotonic() - began
    resource = request.match_info.route.resource
    label = resource.canonical.replace("{", ":").replace("}", "") if resource else "unknown"
    state.metrics.request(response.status, label)
    if "measured" in request:
        state.metrics.duration(request["measured"], seconds)
    said(f"{request.method} {request.path} {response.status} {seconds * 1000:.0f} ms")
    if request.get("v2") and seconds > SLOW_SECONDS:
        told = f"TimeoutError: {request.method} {label} took {seconds * 1000:.0f} ms"
        await state.errors.report(request["context"], told, request["company"], severity="warning", stack=False)
    return response


async def _protected(request: web.Request, message: str) -> web.Response:
    await _report(request, message, severity="warning", stack=False)
    return web.json_response({"error": "ERR_KANBAN_WRITE_PROTECTED"}, status=423)


async def _failed(request: web.Request, message: str) -> web.Response:
    await _report(request, message)
    return web.json_response({"error": "ERR_INTERNAL_SERVER_ERROR"}, status=500)


async def _report(request: web.Request, message: str, **how: Any) -> None:
    context = request.get("context", f"http.{request.method.lower()}")
    await request.app[STATE].errors.report(context, message, request.get("company"), **how)
