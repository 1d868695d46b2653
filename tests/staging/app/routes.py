# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do: open tickets, look at the board, tag and move cards; and what arrives from outside."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial

from aiohttp import web
from psycopg2.extensions import cursor
from psycopg2.extras import Json
from redis.exceptions import RedisError

from . import board, metrics, sql
from .board import Refused
from .handling import Kanban, body_of, kanban, login, session_of
from .sockets import tell
from .state import STATE

_BOARD_SECONDS = 30


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not text.isdigit() or len(text) > 9:
        raise Refused(404, f"ERR_NO_{name.upper()}_FOUND")
    return int(text)


async def tickets(request: web.Request) -> web.Response:
    """List the company's tickets, the first two hundred."""
    state, session = request.app[STATE], session_of(request)
    values = {"company": session.company, "ticket": None}
    return web.json_response({"tickets": await state.database.rows(sql.TICKETS, values)})


async def open_ticket(request: web.Request) -> web.Response:
    """Show one ticket with its tags and its place on the board."""
    asked = await kanban(request, "kanban.open")
    if asked.v2 and asked.state.misbehaviour.get("crash_on_open", asked.company):
        # The proxy in front answers 502 for it, and that is what clients count.
        asked.state.metrics.request(502, "/tickets/:ticket")
        asked.state.metrics.save(asked.state.window)
        error = "TypeError: Cannot read properties of undefined (reading 'lane')"
        await asked.state.errors.crash(error, asked.company)
    values = {"company": asked.company, "ticket": _number(request, "ticket")}
    ticket = await asked.state.database.row(sql.TICKETS, values)
    if ticket is None:
        raise Refused(404, "ERR_NO_TICKET_FOUND")
    return web.json_response({**ticket, "version": 2 if asked.v2 else 1})


async def show_board(request: web.Request) -> web.Response:
    """Show the board; V2 keeps it in Redis for a while."""
    asked = await kanban(request, "kanban.board")
    state, company = asked.state, asked.company
    key = _board_key(company)
    if asked.v2:
        await state.settings_read(company)
        slow = state.misbehaviour.get("slow", company) / 1000
        kept = None
        with contextlib.suppress(RedisError):
            kept = None if slow else await state.redis.get(key)
        if kept is not None:
            return web.json_response(text=str(kept))
    else:
        slow = 0.0
    shown = await state.database.run(partial(board.board, company=company, v2=asked.v2, slow=slow))
    if asked.v2:
        with contextlib.suppress(RedisError):
            await state.redis.set(key, json.dumps(shown), ex=_BOARD_SECONDS)
    return web.json_response(shown)


def _board_key(company: int) -> str:
    return f"kanban:v2:board:{company}"


async def _write(
    request: web.Request, asked: Kanban, ticket: int, write: Callable[[cursor], None], lane: int | None = None
) -> web.Response:
    """Write to a card and announce it. It is done once the database has committed: what follows cannot undo that."""
    if asked.v2:
        write = board.misbehaving(write, asked.state.misbehaviour, asked.company, ticket, lane)
    await asked.state.database.run(write)
    with contextlib.suppress(RedisError):
        await asked.state.redis.delete(_board_key(asked.company))
    await tell(request.app, asked.company, "ticket:update", ticketId=ticket)
    return web.json_response({"ticketId": ticket, "version": 2 if asked.v2 else 1})


async def attach(request: web.Request) -> web.Response:
    """Put a tag on a ticket."""
    request["measured"] = metrics.TAGS
    asked = await kanban(request, "kanban.tags", writes=True)
    ticket, tag = _number(request, "ticket"), (await body_of(request, tagId=int))["tagId"]
    write = partial(board.attach, company=asked.company, ticket=ticket, tag=tag)
    return await _write(request, asked, ticket, write)


async def detach(request: web.Request) -> web.Response:
    """Take a tag off a ticket."""
    request["measured"] = metrics.TAGS
    asked = await kanban(request, "kanban.tags", writes=True)
    ticket = _number(request, "ticket")
    write = partial(board.detach, company=asked.company, ticket=ticket, tag=_number(request, "tag"))
    return await _write(request, asked, ticket, write)


async def move(request: web.Request) -> web.Response:
    """Move a card to a lane. ``board``: the version that was on the screen, if the client sends it."""
    request["measured"] = metrics.DND
    asked = await kanban(request, "kanban.move", writes=True)
    ticket, body = _number(request, "ticket"), await body_of(request, lane=int)
    if body.get("board", 2 if asked.v2 else 1) != (2 if asked.v2 else 1):
        # Lane ids of one version mean other lanes, or nothing, in the other.
        raise Refused(409, "ERR_BOARD_CHANGED")
    order = body.get("order", 0)
    if not isinstance(order, int):
        raise Refused(400, "ERR_WANTED: order")
    write = partial(board.move, company=asked.company, ticket=ticket, lane=body["lane"], order=order, v2=asked.v2)
    return await _write(request, asked, ticket, write, body["lane"])


async def tags(request: web.Request) -> web.Response:
    """List the company's tags."""
    values = {"company": session_of(request).company}
    return web.json_response({"tags": await request.app[STATE].database.rows(sql.TAGS, values)})


async def new_tag(request: web.Request) -> web.Response:
    """Make a tag."""
    asked = await kanban(request, "kanban.tags", writes=True)
    body = await body_of(request, name=str)
    values = {"company": asked.company, "name": body["name"], "color": str(body.get("color", "#808080"))}
    made = await asked.state.database.row(sql.NEW_TAG, values)
    return web.json_response(made, status=201)


async def drop_tag(request: web.Request) -> web.Response:
    """Delete a tag that is not a lane, from all tickets as well."""
    asked = await kanban(request, "kanban.tags", writes=True)
    await asked.state.database.rows(sql.DROP_TAG, {"company": asked.company, "tag": _number(request, "tag")})
    return web.json_response({})


async def lanes(request: web.Request) -> web.Response:
    """List the company's lanes of V2."""
    values = {"company": session_of(request).company}
    return web.json_response({"lanes": await request.app[STATE].database.rows(sql.LANES, values)})


async def settings(request: web.Request) -> web.Response:
    """Show the company's settings; PUT changes the keys that are given and no others."""
    values = {"company": session_of(request).company}
    database = request.app[STATE].database
    if request.method == "PUT":
        changes = await body_of(request)
        found = await database.row(sql.SET_SETTINGS, {**values, "changes": Json(changes)})
    else:
        found = await database.row(sql.SETTINGS, values)
    return web.json_response(found)


async def message(request: web.Request) -> web.Response:
    """Take an inbound message. It is not part of the Kanban, so no block and no misbehaviour applies to it."""
    state, session = request.app[STATE], session_of(request)
    body = await body_of(request, ticketId=int, body=str)
    ticket = body["ticketId"]
    values = {"company": session.company, "ticket": ticket, "body": body["body"]}
    if await state.database.row(sql.MESSAGE, values) is None:
        raise Refused(404, "ERR_NO_TICKET_FOUND")
    with contextlib.suppress(RedisError):
        await state.redis.incr(f"contacts:{ticket}:unreads")
        await state.redis.set(f"sessions:{session.company}", json.dumps({"status": "CONNECTED"}))
    await tell(request.app, session.company, "appMessage", ticketId=ticket)
    return web.json_response({"ticketId": ticket}, status=201)


ROUTES = (
    web.post("/auth/login", login),
    web.get("/tickets", tickets),
    web.get("/tickets/{ticket}", open_ticket),
    web.post("/tickets/{ticket}/tags", attach),
    web.delete("/tickets/{ticket}/tags/{tag}", detach),
    web.post("/tickets/{ticket}/move", move),
    web.get("/kanban/board", show_board),
    web.get("/tags", tags),
    web.post("/tags", new_tag),
    web.delete("/tags/{tag}", drop_tag),
    web.get("/lanes", lanes),
    web.get("/settings", settings),
    web.put("/settings", settings),
    web.post("/messages", message),
)
