# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dormant fence costs every day, and how long raising it takes while an application writes."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

import psycopg2

from tests.support import accounts
from tests.support.dataset import DataSet
from tests.support.postgres import Postgres
from tests.support.servers import workspace

from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import Finished, run_module

# What the profile fences by default.
TABLES = [
    "TicketTags",
    "Tags",
    {"name": "Tickets", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["kanbanLane", "kanbanOrder"]},
]
DATABASE, COPY = "chatia_db", "without_fence"
TICKETS, TAGS = 20_000, 5_000
# Other load on the machine can only lengthen a burst, so the shortest of several counts. A session's first call loads
# PL/pgSQL and compiles the function; a burst is long enough for that not to matter.
INSERTS, BURSTS = 3_000, 5
WRITES_A_SECOND, SESSIONS = 200, 4
SETTLE_SECONDS = 0.5
CONFIG = {"autovacuum": "off", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "shared_buffers": "256MB"}
_INSERT = f"""\\set ticket random(1, {TICKETS})
\\set tag random(1, {TAGS})
INSERT INTO "TicketTags" ("ticketId", "tagId") VALUES (:ticket, :tag) ON CONFLICT DO NOTHING;
"""
_MOVES = (
    'UPDATE "Tickets" SET "kanbanLane" = NULL, "kanbanOrder" = %(number)s WHERE "id" = %(number)s',
    'DELETE FROM "TicketTags" WHERE "ticketId" = %(number)s',
)
_INBOUND = (
    """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (1, 'Bom dia')""",
    """UPDATE "Tickets" SET "lastMessage" = 'Bom dia' WHERE "id" = %(number)s""",
)
# Whether it is a move, when it began and ended, and its SQLSTATE.
Write = tuple[bool, float, float, str | None]


@contextmanager
def _board(fsync: bool) -> Iterator[Postgres]:
    """Start a server with the data set; remove the server and its files at the end."""
    with (
        workspace("kanban-bench-") as directory,
        Postgres(directory / "postgres", CONFIG, fsync=fsync, unix_auth="trust") as server,
    ):
        server.create_database(DATABASE)
        with server.connect(DATABASE) as session:
            DataSet(tenants=TAGS // 5, tickets=TICKETS).load(session)
        server.query("VACUUM ANALYZE", database=DATABASE)
        yield server


def _fence(server: Postgres, **options: object) -> Finished:
    login = {"login_host": server.host, "login_port": server.port, "login_db": DATABASE}
    login |= {"login_user": server.user, "login_password": server.password}
    return run_module("write_fence", {**login, "tables": TABLES, **options})


def _burst(server: Postgres, database: str, script: Path) -> float:
    """Return the seconds of a burst of prepared INSERTs in one session over the local socket, without connecting."""
    server.query('TRUNCATE "TicketTags"', database=database)
    command = [str(server.programs / "pgbench"), "-n", "-M", "prepared", "-t", str(INSERTS), "-f", str(script)]
    command += ["-h", str(server.socket_directory), "-p", str(server.port), "-U", server.user, database]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=accounts.environment())
    rates = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("tps = ")]
    if done.returncode or len(rates) != 1:
        raise CannotMeasure(f"pgbench ended with {done.returncode}: {done.stderr[-500:]}")
    return INSERTS / float(rates[0])


class Pair:
    """The same database twice on one server, with the dormant fence and without it."""

    def __init__(self, server: Postgres) -> None:
        """Make the copy, and install the fence in the original."""
        if not shutil.which("pgbench", path=str(server.programs)):
            raise CannotMeasure(f"there is no pgbench in {server.programs}")
        self._server = server
        server.disconnect()
        server.query(f"CREATE DATABASE {COPY} TEMPLATE {DATABASE} STRATEGY file_copy")
        _fence(server, state="dormant")
        self._script = server.directory / "insert.sql"
        self._script.write_text(_INSERT)
        self._seen: dict[int, dict[str, float]] = {}

    def least(self, number: int, database: str) -> float:
        """Return a database's best burst of a run. Bursts of both take turns, so disturbances affect both."""
        if number not in self._seen:
            bursts: dict[str, list[float]] = {DATABASE: [], COPY: []}
            for turn in range(BURSTS):
                for name in (DATABASE, COPY) if turn % 2 == 0 else (COPY, DATABASE):
                    bursts[name].append(_burst(self._server, name, self._script))
            self._seen[number] = {name: min(found) for name, found in bursts.items()}
        return self._seen[number][database]


@contextmanager
def _dormant(_settings: Settings) -> Iterator[Mapping[str, Arm]]:
    with _board(fsync=True) as durable, _board(fsync=False) as fast:
        pairs = {"durable": Pair(durable), "fast": Pair(fast)}

        def arm(database: str) -> Arm:
            return lambda number: {name: pair.least(number, database) for name, pair in pairs.items()}

        yield {"dormant": arm(DATABASE), "without": arm(COPY)}


def _write(dsn: str, turn: int, ended: Event, seen: SimpleQueue[list[Write]]) -> None:
    """Write moves and inbound messages in turn until ``ended`` is set, each in its own transaction."""
    found: list[Write] = []
    session = psycopg2.connect(dsn)
    session.autocommit = True
    with session.cursor() as cur:
        count, started = 0, time.monotonic()
        while not ended.wait(max(0.0, started + count * SESSIONS / WRITES_A_SECOND - time.monotonic())):
            count += 1
            is_move = count % 2 == 0
            statement = (_MOVES if is_move else _INBOUND)[count // 2 % 2]
            began, state = time.monotonic(), None
            try:
                cur.execute(statement, {"number": (count * SESSIONS + turn) % TICKETS + 1})
            except psycopg2.Error as error:
                state = error.pgcode or "no answer"
            found.append((is_move, began, time.monotonic(), state))
    session.close()
    seen.put(found)


@contextmanager
def _writing(server: Postgres) -> Iterator[list[Write]]:
    """Write while the block runs; afterwards the list holds what the sessions saw."""
    context = multiprocessing.get_context("fork")
    ended, seen = context.Event(), context.SimpleQueue()
    dsn = server.dsn_of(DATABASE)
    workers = [context.Process(target=_write, args=(dsn, turn, ended, seen)) for turn in range(SESSIONS)]
    for worker in workers:
        worker.start()
    writes: list[Write] = []
    try:
        yield writes
    finally:
        ended.set()
        for _worker in workers:
            writes += seen.get()
        for worker in workers:
            worker.join(30)


def _check(writes: Sequence[Write], returned: float, lowering: float) -> None:
    """Raise CannotMeasure unless all moves and no inbound messages were refused."""
    inbound = [state for is_move, _began, _ended, state in writes if not is_move and state]
    moves = [state for is_move, began, ended, state in writes if is_move and returned < began and ended < lowering]
    # Once one move is refused, each move that begins later is refused, too.
    first = min((ended for _move, _began, ended, state in writes if state == "KB001"), default=returned)
    late = [state for is_move, began, ended, state in writes if is_move and first + 0.02 < began and ended < lowering]
    if (
        inbound
        or set(moves) != {"KB001"}
        or set(late) != {"KB001"}
        or len(moves) < WRITES_A_SECOND * SETTLE_SECONDS / 4
    ):
        passed = sum(state is None for state in moves)
        raise CannotMeasure(f"{len(inbound)} inbound messages were refused, {passed} of {len(moves)} moves passed")


@contextmanager
def _raised(_settings: Settings) -> Iterator[Mapping[str, Arm]]:
    with _board(fsync=True) as server:

        def raising(dormant: bool, number: int) -> Sample:
            incident = f"INC-BENCH-{number}"
            _fence(server, **({"state": "dormant"} if dormant else {"state": "absent", "purge": True, "force": True}))
            with _writing(server) as writes:
                time.sleep(SETTLE_SECONDS)
                done = _fence(server, incident_id=incident, deadline=20)
                returned = time.monotonic()
                time.sleep(SETTLE_SECONDS)
                lowering = time.monotonic()
                _fence(server, state="absent", incident_id=incident)
            if done.result["status"] != "proven":
                raise CannotMeasure(f"the fence was {done.result['status']}: {done.result['draining']}")
            _check(writes, returned, lowering)
            return {"raised": done.result["raised_ms"] / 1000, "proven": done.result["elapsed_ms"] / 1000}

        yield {"dormant": lambda number: raising(True, number), "on_demand": lambda number: raising(False, number)}


DORMANT = Entry(
    "dormant",
    f"{INSERTS} single-row INSERTs into TicketTags, prepared, over the local socket: dormant fence against none",
    _dormant,
    (
        Line("cost of the dormant fence", ("dormant", "durable"), "s", 1.05, ("without", "durable")),
        Line("  without fsync, the statement alone", ("dormant", "fast"), "s", None, ("without", "fast")),
    ),
    runs=8,
)
RAISED = Entry(
    "raised",
    f"Raising the fence under {WRITES_A_SECOND} writes/s; all moves refused from then on, no inbound message ever",
    _raised,
    (
        Line("dormant: to the commit that refuses", ("dormant", "raised"), "s", 0.05),
        Line("  connect to proven and drained", ("dormant", "proven"), "s"),
        Line("made on demand: to its last commit", ("on_demand", "raised"), "s"),
        Line("  connect to proven and drained", ("on_demand", "proven"), "s"),
    ),
    runs=10,
)
