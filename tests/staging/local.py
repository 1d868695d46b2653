# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application on loopback, without pm2: for tests of the application itself, and of what queries one."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.staging.settings import Secrets, environment
from tests.support import accounts, processes

CHECKOUT = Path(__file__).resolve().parents[2]
_SECONDS = 60.0


def ask(url: str, body: object = None, *, method: str = "", token: str = "", timeout: float = 10) -> tuple[int, Any]:
    """Return status and JSON of an answer (None if it has none). Raises OSError if there is no answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method or ("GET" if body is None else "POST"))  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


class Process:
    """One process of the application, on a port of its own."""

    def __init__(self, directory: Path, settings: Mapping[str, str], instance: int) -> None:
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"chatia-{instance}.log"
        self.pid = 0
        self._settings = {**settings, "PORT": str(self.port), "NODE_APP_INSTANCE": str(instance)}

    def launch(self) -> None:
        """Start it."""
        variables = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **accounts.byte_code(), **self._settings}
        argv = [sys.executable, "-m", "tests.staging.app"]
        self.pid = processes.spawn(argv, log=self.log, cwd=CHECKOUT, env=variables, account={})

    def wait(self) -> None:
        """Wait until it answers. Raises TimeoutError with the end of its log."""
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                if ask(f"{self.url}/health/kanban", timeout=2)[0] == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline or not self.alive:
                raise TimeoutError(f"{self.url} does not answer\n{processes.tail(self.log)}")
            time.sleep(0.05)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return processes.alive(self.pid)

    def end(self, *politely: signal.Signals) -> None:
        """End it, by SIGKILL unless told otherwise."""
        processes.end([self.pid], politely, 10)


class Local:
    """Processes of the application on loopback. Use it as a context manager."""

    def __init__(
        self,
        directory: Path,
        database: Mapping[str, Any],
        redis: Mapping[str, Any],
        *,
        instances: int = 2,
        window: float = 60,
    ) -> None:
        """Describe them; ``database`` and ``redis`` as for ``environment``."""
        self.secrets = Secrets()
        where = {"host": "127.0.0.1", "state": str(directory)}
        settings = environment(database, redis, self.secrets, **where, window=window)
        self.processes = [Process(directory, settings, number) for number in range(instances)]

    @property
    def urls(self) -> list[str]:
        """The base URL of each process."""
        return [process.url for process in self.processes]

    def __enter__(self) -> Self:
        """Start them all and wait until they answer."""
        try:
            for process in self.processes:
                process.launch()
            for process in self.processes:
                process.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End those that run, as pm2 does."""
        for process in self.processes:
            if process.pid and process.alive:
                process.end(signal.SIGINT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        self.stop()
