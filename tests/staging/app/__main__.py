# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process of the application, until it is told to end."""

from __future__ import annotations

from aiohttp import web

from . import handling, observed, routes, sockets
from .config import Config
from .errors import said
from .state import STATE, State


def build(config: Config) -> web.Application:
    """Build the application; it does not connect to anything yet, so it starts whatever is down."""
    app = web.Application(middlewares=[handling.counted, sockets.handshake])
    state = app[STATE] = State(config)
    app.on_startup.append(state.start)
    app.on_cleanup.append(state.stop)
    app.add_routes([*routes.ROUTES, *observed.ROUTES])
    sockets.attach(app)
    return app


def main() -> None:
    """Serve."""
    config = Config.from_environment()
    said(f"Server started on port: {config.port}")
    # pm2 waits 1.6 s for a process to end by itself.
    web.run_app(build(config), host=config.host, port=config.port, print=None, access_log=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main()
