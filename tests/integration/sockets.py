# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Socket.IO server on loopback, as applications have it: ``python -m tests.integration.sockets PORT [MODE]``.

MODE: ``slow`` takes 0.3 s to accept a client, ``closed`` accepts none, ``token`` those with ``{"token": "let me in"}``.
There is a namespace ``/kanban`` besides the main one.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import socketio
from aiohttp import web


def serve(port: int, mode: str = "") -> None:
    """Serve until the end of the process."""
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")

    async def connect(_sid: str, _environment: dict[str, Any], auth: Any = None) -> bool | None:
        if mode == "slow":
            await asyncio.sleep(0.3)
        if mode == "token" and (auth or {}).get("token") != "let me in":
            raise socketio.exceptions.ConnectionRefusedError("no valid token")
        return mode != "closed"

    async def ready(_request: web.Request) -> web.Response:
        return web.Response(text=str(len(server.manager.rooms.get("/", {}).get(None, {}))))

    for namespace in ("/", "/kanban"):
        server.on("connect", connect, namespace=namespace)
    application = web.Application()
    application.router.add_get("/ready", ready)
    server.attach(application)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
