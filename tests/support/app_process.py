# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that answer over HTTP which board they serve, each switching to V1 at a moment of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.support import web

# What is served from which moment on; moments are of time.monotonic(), which is the same in all processes of a machine.
Schedule = Sequence[tuple[float, str]]
TENANTS = ("7", "9", "12")


class Handler(web.Handler):
    """Answers in the form, or with the trouble, that the path names."""

    server: Server

    def do_GET(self) -> None:  # noqa: N802 - the library names it
        parts = urlsplit(self.path)
        on = self.server.serves() == "v2"
        tenant = parse_qs(parts.query).get("tenant", [""])[0]
        getattr(self, "at_" + parts.path.strip("/").replace("/", "_"), self.at_nowhere)(on, tenant)

    def at_flag(self, on: bool, tenant: str) -> None:
        # If tenants are asked about one by one, only the last still has V2.
        self.send(200, {"pid": os.getpid(), "v2": on and tenant in ("", TENANTS[-1]), "on": 12 if on else 0})

    def at_map(self, on: bool, _tenant: str) -> None:
        self.send(200, {"pid": os.getpid(), "tenants": dict.fromkeys(TENANTS, on), "on": [7, 12] if on else [3]})

    def at_html(self, _on: bool, _tenant: str) -> None:
        self.send(200, b"<html><body>v2: false</body></html>")

    def at_ill(self, _on: bool, _tenant: str) -> None:
        self.send(503, {"pid": os.getpid(), "v2": False})

    def at_empty(self, _on: bool, _tenant: str) -> None:
        self.send(200, b"")

    def at_drip(self, _on: bool, _tenant: str) -> None:
        self.send_response(200)
        self.end_headers()
        for letter in json.dumps({"pid": os.getpid(), "v2": False}):
            self.wfile.write(letter.encode())
            time.sleep(0.2)

    def at_huge(self, _on: bool, _tenant: str) -> None:
        self.send(200, {"pid": os.getpid(), "v2": False, "more": "x" * 2_000_000})

    def at_hang(self, _on: bool, _tenant: str) -> None:
        time.sleep(20)

    def at_elsewhere(self, _on: bool, _tenant: str) -> None:
        self.send(302, b"", Location="/flag")

    def at_nowhere(self, _on: bool, _tenant: str) -> None:
        self.send(404, b"{}")


class Server(web.Server):
    schedule: Schedule = ()

    def serves(self) -> str:
        """Return what is served at this moment."""
        return [what for since, what in self.schedule if since <= time.monotonic()][-1]


class Applications:
    """Starts processes and knows those that run. They are forks: the caller must have no threads."""

    def __init__(self) -> None:
        self.running: list[web.Running] = []

    def start(self, schedule: Schedule, port: int = 0, share: bool = False) -> web.Running:
        """Start one; it listens when this returns."""
        server = Server(Handler, port=port, share=share)
        server.schedule = schedule
        self.running.append(web.start(server))
        return self.running[-1]

    def end(self, running: web.Running) -> None:
        """End one."""
        self.running.remove(running)
        running.end()


@contextmanager
def applications() -> Iterator[Applications]:
    """Yield a place to start processes, and end them all."""
    made = Applications()
    try:
        yield made
    finally:
        for running in list(made.running):
            made.end(running)
