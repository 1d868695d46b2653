# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gates ask, on loopback: an application whose answers are files, a Socket.IO of its own, a private Prometheus."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.support import web
from tests.support.processes import end, free_port, gone, wait_until

PROMETHEUS = shutil.which("prometheus")
HTML = "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


class Handler(web.Handler):
    """Answers ``/name`` with the file of that name; its first line is the status."""

    protocol_version = "HTTP/1.1"
    server: Web

    def do_GET(self) -> None:  # noqa: N802 - the library names it
        name = self.path.partition("?")[0].strip("/").replace("/", "-") or "index"
        self.note(self.path, dict(self.headers), self.client_address[1])
        if name == "nothing":
            # The connection is closed without an answer.
            self.close_connection = True
            return
        if name == "frozen":
            time.sleep(30)
        try:
            status, _newline, body = (self.server.directory / name).read_bytes().partition(b"\n")
        except FileNotFoundError:
            status, body = b"404", b""
        self.send(int(status), body, **({"Location": "/metrics"} if status.startswith(b"3") else {}))

    def do_POST(self) -> None:  # noqa: N802 - the library names it
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


class Web(web.Server):
    directory: Path


@dataclass
class Application:
    """An application that answers as it is told."""

    directory: Path
    server: web.Running

    @property
    def url(self) -> str:
        return self.server.url

    def says(self, name: str, body: Any, status: int = 200) -> None:
        """Answer ``/name`` like this from now on; anything that is not text is sent as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        new = self.directory / f"{name}.new"
        new.write_text(f"{status}\n{text}")
        # Atomically, so that nobody reads half of it.
        new.rename(self.directory / name)

    def asked(self, name: str) -> list[tuple[str, dict[str, str], int]]:
        """Return the requests for ``/name``: path and query, headers, the client's port."""
        rows = web.asked(self.directory / "asked")
        return [(row[0], row[1], row[2]) for row in rows if row[0].partition("?")[0].strip("/") == name]


@contextlib.contextmanager
def application(directory: Path) -> Iterator[Application]:
    """Give an application whose answers are files in a directory."""
    directory.mkdir(exist_ok=True)
    server = Web(Handler, directory / "asked")
    server.directory = directory
    with web.serving(server) as running:
        yield Application(directory, running)


@contextlib.contextmanager
def sockets(directory: Path, *options: str) -> Iterator[str]:
    """Give the address of a Socket.IO server; for the options see ``tests.integration.sockets``."""
    port = free_port()
    log = (directory / "sockets.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sockets", str(port), *options],
        cwd=ROOT,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}/socket.io/"
    try:
        assert wait_until(lambda: _listens(f"http://127.0.0.1:{port}/ready"), 20), (
            directory / "sockets.log"
        ).read_text()
        yield url
    finally:
        process.kill()
        process.wait(10)
        log.close()


@contextlib.contextmanager
def prometheus(directory: Path, scraped: Application | None) -> Iterator[str]:
    """Give the address of a test's own Prometheus, which scrapes an application every second."""
    assert PROMETHEUS
    directory.mkdir(exist_ok=True)
    job = (
        {"job_name": "app", "static_configs": [{"targets": [f"127.0.0.1:{scraped.server.port}"]}]} if scraped else None
    )
    settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job] if job else []}
    (directory / "prometheus.yml").write_text(json.dumps(settings))
    port = free_port()
    argv = [PROMETHEUS, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
    log = (directory / "log").open("wb")
    process = subprocess.Popen(
        [*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        assert wait_until(lambda: _listens(f"{url}/-/ready"), 20), (directory / "log").read_text()
        yield url
    finally:
        end([process.pid], [signal.SIGTERM], 10)
        assert gone([process.pid], 5)
        log.close()


def _listens(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - a server of ours on loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def age_samples(db: Database, seconds: int) -> None:
    """Make the ledger's samples of gates older."""
    db.rows(
        """UPDATE kanban_rollback.events
           SET at = to_char((at::timestamptz - make_interval(secs => %s)) AT TIME ZONE 'UTC',
                            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           WHERE source = 'metric_gate'""",
        (seconds,),
    )
