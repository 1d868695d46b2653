# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on loopback in a process of its own: tests fork, and a process with threads should not."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers without logging anything; the ``do_GET`` of a server's own handler decides what."""

    server: Server

    def note(self, *what: Any) -> None:
        """Add what was asked to the server's record, which ``asked`` reads."""
        assert self.server.record
        with self.server.record.open("a") as record:
            record.write(json.dumps(what) + "\n")

    def send(self, status: int, answer: Any, **headers: str) -> None:
        """Send a whole answer; anything but bytes is sent as JSON."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Listens as soon as it is made; ``share``: others of the same kind may listen on its port, too."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, handler: type[Handler], record: Path | None = None, *, port: int = 0, share: bool = False
    ) -> None:
        super().__init__(("127.0.0.1", port), handler, bind_and_activate=False)
        if share:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.server_bind()
        self.server_activate()
        self.record = record
        if record:
            record.touch()

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the resolver for a name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up."""


@dataclass
class Running:
    """A process that runs a server. ``url`` is its base URL; several may share it."""

    pid: int
    port: int
    ended: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self) -> None:
        """End it as a crash does; doing so twice is fine."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.ended = True


def start(server: Server) -> Running:
    """Run a server in a process of its own, for the caller to ``end``. The caller must have no threads."""
    pid = os.fork()
    if pid == 0:
        try:
            # How often it checks whether to stop; a signal ends it before.
            server.serve_forever(poll_interval=10)
        finally:
            os._exit(1)
    server.server_close()
    return Running(pid, server.server_port)


@contextmanager
def serving(server: Server) -> Iterator[Running]:
    """Run a server, and end it."""
    running = start(server)
    try:
        yield running
    finally:
        running.end()


def asked(record: Path) -> list[Any]:
    """Return what a server noted, a list for each request."""
    return [json.loads(line) for line in record.read_text().splitlines()]
