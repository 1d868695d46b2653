# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application on loopback with servers of its own, and independent looks at its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.staging.local import Local, Process, ask
from tests.staging.settings import email, fill
from tests.support.processes import wait_until
from tests.support.servers import Postgres, Redis, workspace

# Every test writes to tenants of its own. These are on, of tenants 1 to 200 ...
ON = [n for n in range(1, 201) if n * 3 // 10 > (n - 1) * 3 // 10]
# ... and these are not.
OFF = [n for n in range(1, 201) if n not in ON]


@dataclass
class Place:
    """Two processes of the application, their database and their Redis."""

    directory: Path
    postgres: Postgres
    redis: Redis
    app: Local

    @property
    def url(self) -> str:
        """The URL of the first process."""
        return self.app.urls[0]

    @property
    def where(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The parameters of database and Redis, as the application gets them."""
        redis = {"host": self.redis.host, "port": self.redis.port, "password": self.redis.password}
        return self.postgres.parameters("app"), redis

    def query(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement directly, without the application."""
        return self.postgres.query(statement, values or None, "app")

    def one(self, statement: str, *values: Any) -> Any:
        """Return the one value of a query."""
        [(value,)] = self.query(statement, *values)
        return value

    def login(self, tenant: int) -> str:
        """Log in and return the token."""
        body = {"email": email(tenant), "password": self.app.secrets.password}
        status, answer = ask(f"{self.url}/auth/login", body)
        assert status == 200, answer
        return str(answer["token"])

    def misbehave(self, **wanted: Any) -> None:
        """Tell the application how to misbehave, and wait until both processes know."""
        status, answer = ask(f"{self.url}/staging/misbehave", wanted)
        assert status == 200, answer
        told = {name: value for name, value in wanted.items() if value}
        assert {name: answer[name] for name in told} == told
        for url in self.app.urls:
            assert wait_until(partial(self._misbehaves, url, answer), 20), url

    def _misbehaves(self, url: str, told: Any) -> bool:
        return bool(ask(f"{url}/staging/misbehave")[1] == told)

    def switch_off(self, *tenants: int) -> None:
        """Switch tenants off and wait until both processes have seen it."""
        off = """UPDATE "Companies" SET settings = settings || '{"kanbanV2Enabled": false}' WHERE id = ANY(%s)"""
        self.query(off, list(tenants))
        for process in self.app.processes:
            assert wait_until(partial(self._serves_v1, process, tenants), 20), f"{process.url} keeps it"

    def _serves_v1(self, process: Process, tenants: tuple[int, ...]) -> bool:
        return not any(self.sees(process, tenant) for tenant in tenants)

    def sees(self, process: Process, tenant: int) -> Any:
        """Return a tenant's flag as a process sees it."""
        return ask(f"{process.url}/health/kanban?tenant={tenant}")[1]["v2"]


class Person:
    """Somebody of a tenant, logged in, who knows its tickets and tags."""

    def __init__(self, place: Place, tenant: int, url: str = "") -> None:
        self.tenant, self.url, self.token = tenant, url or place.url, place.login(tenant)
        self.tickets = [ticket["id"] for ticket in self.good("/tickets")["tickets"]]
        self.tags = self.good("/tags")["tags"]

    def ask(self, path: str, body: object = None, method: str = "") -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        return ask(self.url + path, body, method=method, token=self.token)

    def good(self, path: str, body: object = None, method: str = "") -> Any:
        """Return the JSON of an answer that has to be a good one."""
        status, answer = self.ask(path, body, method)
        assert status in (200, 201), (path, status, answer)
        return answer


@pytest.fixture(scope="session")
def shared() -> Iterator[Place]:
    """Yield the application, for all tests of this directory."""
    with (
        workspace() as directory,
        Postgres(directory / "pg", {"autovacuum": False}, fsync=False) as postgres,
        Redis(directory / "redis") as redis,
    ):
        postgres.create_database("app")
        with postgres.connect("app") as session:
            fill(session)
        where = {"host": redis.host, "port": redis.port, "password": redis.password}
        with Local(directory, postgres.parameters("app"), where) as app:
            yield Place(directory, postgres, redis, app)


@pytest.fixture
def place(shared: Place) -> Iterator[Place]:
    """Yield the same application, which behaves well before and after the test."""
    yield shared
    with shared.redis.client() as client:
        client.delete("staging:misbehave", "kanban:emergency:write-block")
    ended = [process for process in shared.app.processes if not process.alive]
    for process in ended:
        process.launch()
    for process in ended:
        process.wait()
