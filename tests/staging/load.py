# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load on the application, with an account of what was acknowledged: ``python -m tests.staging.load --help``.

Each worker has tenants of its own, so nobody else writes to their cards, and what was acknowledged last must be there.
A card with a request that was never answered is left alone from then on: that request may still be under way.
Inbound messages come from a service that tries again: what nobody has taken is sent once more when people go home.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2

from tests.staging import account
from tests.staging.account import ACKNOWLEDGED, MESSAGE, REFUSED, UNKNOWN, Account
from tests.staging.client import Answer, Client, Figures
from tests.staging.settings import email
from tests.staging.writes import Tenant, Write, write_of

# How many of a hundred operations are of each kind.
MIX = {"login": 2, "open": 34, "board": 10, "attach": 14, "detach": 10, "move": 18, MESSAGE: 12}
_SYNC_SECONDS = 0.25
# A socket stays open for this long, then another replaces it.
_HOLD_SECONDS = 0.5
# For all messages that nobody took, together; what is not answered by then stays unanswered.
_AGAIN_SECONDS = 15


class Load:
    """People at work, in a thread of their own. Use it as a context manager; ``figures`` grow meanwhile.

    ``tenants``: whose people. ``rate``: requests a second, all together. ``sockets``: how many are open at a time.
    ``timeout``: seconds for each try of a request.
    """

    def __init__(
        self,
        urls: Sequence[str],
        path: Path,
        *,
        tenants: Sequence[int],
        password: str,
        rate: float = 40,
        sockets: int = 2,
        workers: int = 8,
        timeout: float = 5,
    ) -> None:
        self.path = path
        self.figures = Figures()
        self._urls, self._password, self._timeout, self._sockets = list(urls), password, timeout, sockets
        self._tenants = [Tenant(number) for number in tenants]
        self._workers = min(workers, len(self._tenants))
        self._pause = self._workers / rate
        # Cards for which a load before this one got no answer.
        self._left_alone = {
            int(thing.split(":")[1])
            for entry in account.read(path)
            if entry.outcome == UNKNOWN and entry.status is None
            for thing in entry.sets
        }
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._in_thread, name="load")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: what was sent is still answered, and noted."""
        self.stop()

    def end(self) -> None:
        """Tell it to end, without waiting for that."""
        self._ends.set()

    def wait(self, seconds: float | None) -> None:
        """Return when it ends: it was told to, a worker has failed, or the time is over."""
        self._ends.wait(seconds)

    def stop(self, timeout: float = 60) -> None:
        """End it. Raises a worker's error, or TimeoutError."""
        self.end()
        if self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"the load has not ended within {timeout:g} s")
        if self._error:
            raise self._error

    def _in_thread(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self._error = error
            # Nobody is at work any more, and a process that stayed would look as if somebody were.
            self.end()

    async def _run(self) -> None:
        self._account = Account(self.path)
        self._client = Client(self._urls, timeout=self._timeout)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(number))
                for number in range(self._sockets):
                    group.create_task(self._keep_socket(number))
                group.create_task(self._sync())
        finally:
            await self._client.close()
            self._account.close()

    async def _sync(self) -> None:
        while not self._ends.is_set():
            await asyncio.sleep(_SYNC_SECONDS)
            await asyncio.to_thread(self._account.sync)

    async def _work(self, number: int) -> None:
        # The same in each run, and different for each worker.
        chance = random.Random(number)  # noqa: S311
        tenants = self._tenants[number :: self._workers]
        await asyncio.sleep(self._pause * number / self._workers)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._ends.is_set():
            operation = chance.choices(list(MIX), list(MIX.values()))[0]
            tenant = chance.choice(tenants)
            if await self._ready(tenant):
                await self._do(operation, tenant, chance)
            # Keep the rate, but never make up for what could not be done while nobody answered.
            due = max(due + self._pause, loop.time())
            await asyncio.sleep(due - loop.time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                for tenant in tenants:
                    await self._send_again(tenant)

    async def _ready(self, tenant: Tenant) -> bool:
        """Log in and learn what there is, if that is not known yet."""
        if not tenant.token and not await self._login(tenant):
            return False
        if not tenant.tickets:
            tickets = await self._ask("list", tenant, "GET", "/tickets")
            tags = await self._ask("list", tenant, "GET", "/tags")
            if tickets.good and tags.good:
                tenant.tickets = [ticket["id"] for ticket in tickets.body["tickets"]]
                tenant.tags = [tag["id"] for tag in tags.body["tags"] if not tag["kanban"]]
                tenant.lane_tags = [tag["id"] for tag in tags.body["tags"] if tag["kanban"]]
        return bool(tenant.tickets) and (bool(tenant.version) or await self._board(tenant))

    async def _login(self, tenant: Tenant) -> bool:
        answer = await self._client.ask(
            "POST", "/auth/login", {"email": email(tenant.number), "password": self._password}
        )
        self.figures.count("login", answer)
        tenant.token = answer.body["token"] if answer.good else ""
        return answer.good

    async def _board(self, tenant: Tenant) -> bool:
        answer = await self._ask("board", tenant, "GET", "/kanban/board")
        if answer.good:
            tenant.version = answer.body["version"]
            tenant.lanes = [lane["id"] for lane in answer.body["lanes"]]
        return answer.good

    async def _ask(self, operation: str, tenant: Tenant, method: str, path: str, body: object = None) -> Answer:
        answer = await self._client.ask(method, path, body, tenant.token)
        self.figures.count(operation, answer)
        if answer.status == 401:
            tenant.token = ""
        return answer

    async def _do(self, operation: str, tenant: Tenant, chance: random.Random) -> None:
        if operation == "login":
            await self._login(tenant)
        elif operation == "board":
            await self._board(tenant)
        elif operation == "open":
            await self._ask("open", tenant, "GET", f"/tickets/{chance.choice(tenant.tickets)}")
        else:
            for ticket in self._free(tenant, chance):
                await self._write(tenant, write_of(operation, tenant, ticket, chance))

    def _free(self, tenant: Tenant, chance: random.Random) -> Iterator[int]:
        """Yield one card that may be written to, if there is one."""
        free = [ticket for ticket in tenant.tickets if ticket not in self._left_alone]
        if free:
            yield chance.choice(free)

    async def _write(self, tenant: Tenant, write: Write) -> None:
        number = self._account.sending(write.operation, tenant.number, write.sets)
        answer = await self._ask(write.operation, tenant, write.method, write.path, write.body)
        outcome = outcome_of(write.operation, answer)
        self._account.answered(number, outcome, None if answer.doubtful and outcome != REFUSED else answer.status)
        if answer.doubtful:
            self._left_alone.add(write.ticket)
        if answer.status in (404, 409):
            # The board has another version, or something is gone: look again.
            tenant.version, tenant.tickets = 0, []
        if write.operation == MESSAGE and outcome == UNKNOWN:
            tenant.owed.append(write)

    async def _send_again(self, tenant: Tenant) -> None:
        """Send once more what nobody has taken, like the service that messages come from."""
        owed, tenant.owed = tenant.owed, []
        for write in owed:
            if tenant.token or await self._login(tenant):
                await self._write(tenant, write)

    async def _keep_socket(self, number: int) -> None:
        tenant = Tenant(self._tenants[number % len(self._tenants)].number)
        while not self._ends.is_set():
            if tenant.token or await self._login(tenant):
                took = await self._client.connect_socket(tenant.token, _HOLD_SECONDS)
                if took is None:
                    self.figures.sockets_refused += 1
                else:
                    self.figures.sockets += 1
                    self.figures.socket_seconds.append(took)
            await asyncio.sleep(0.1)


def outcome_of(operation: str, answer: Answer) -> str:
    """Return what became of a write; of one whose earlier try had no answer, a refusal says nothing about that try.

    But nobody may refuse a message, so that counts whatever became of an earlier try.
    """
    if answer.good:
        return ACKNOWLEDGED
    refused = answer.status is not None and answer.status < 500
    return REFUSED if refused and (operation == MESSAGE or not answer.doubtful) else UNKNOWN


def _numbers(text: str) -> list[int]:
    first, _dash, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> int:
    """Put load on an application until the time is over or a signal comes; return 1 if the account does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.staging.load",
        description="Load on the staging application. STAGING_PASSWORD is its users' password; with --verify the "
        "database is that of PGHOST, PGDATABASE, PGUSER, PGPASSWORD.",
    )
    parser.add_argument("--url", action="append", required=True, help="of one process; give it several times")
    parser.add_argument("--account", type=Path, required=True, help="the file of what was acknowledged")
    parser.add_argument("--tenants", type=_numbers, default=_numbers("1-200"), help="FIRST-LAST (1-200)")
    parser.add_argument("--rate", type=float, default=40, help="requests a second (%(default)s)")
    parser.add_argument("--seconds", type=float, help="how long; until a signal, without")
    parser.add_argument("--verify", action="store_true", help="compare account and database in the end")
    options = parser.parse_args()
    password = os.environ["STAGING_PASSWORD"]
    load = Load(options.url, options.account, tenants=options.tenants, password=password, rate=options.rate)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: load.end())
    with load:
        load.wait(options.seconds)
    print(json.dumps(load.figures.summary()))
    if not options.verify:
        return 0
    session = psycopg2.connect("connect_timeout=5")
    try:
        report = account.verify(options.account, session)
    finally:
        session.close()
    for line in [*report.missing, *report.unexpected, *report.lost]:
        print(line, file=sys.stderr)
    print(
        f"{report.acknowledged} acknowledged; {report.checked} last values and {report.messages} messages compared: "
        f"{len(report.missing)} missing, {len(report.unexpected)} unexpected; {len(report.lost)} messages never taken"
    )
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
