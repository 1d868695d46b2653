# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under load every fenced write is refused from the raise's commit on; other ways to write, and to connect."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

import psycopg2
import pytest

from tests.integration.crowd import wait_for
from tests.integration.fences import INBOUND, MOVES, TABLES, board, refused, table
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.support.servers import PgBouncer, Postgres, workspace

WRITES_A_SECOND = 200
_MOVE = 'UPDATE "Tickets" SET "kanbanLane" = 3, "kanbanOrder" = 1 WHERE id = %s'
_TAG = 'INSERT INTO "TicketTags" VALUES (%s, 2)'
_INBOUND = """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (1, 'Bom dia')"""
_READ = """UPDATE "Tickets" SET "lastMessage" = 'lida' WHERE id = %s"""


Write = tuple[str, float, float, str | None]


def _write(db: Database, every: float, first: int, ended: Event, seen: SimpleQueue[list[Write]]) -> None:
    """Write until told to end; note the kind of each write, when it began and ended, and its SQLSTATE."""
    found: list[Write] = []
    with db.connect() as session, session.cursor() as cursor:
        number, started = first, time.monotonic()
        while not ended.is_set():
            number += 1
            kind, statement = (("move", _MOVE), ("inbound", _INBOUND), ("move", _TAG), ("inbound", _READ))[number % 4]
            began, state = time.monotonic(), None
            try:
                cursor.execute(statement, (number % 20 + 1,))
            except psycopg2.Error as error:
                state = error.pgcode
            found.append((kind, began, time.monotonic(), state))
            ended.wait(max(0.0, started + (number - first) * every - time.monotonic()))
    seen.put(found)


@contextmanager
def load(db: Database, sessions: int = 4) -> Iterator[list[Write]]:
    """Write from several processes while the block runs; their results are in the list once it has ended."""
    context = multiprocessing.get_context("fork")
    ended, seen, every = context.Event(), context.SimpleQueue(), sessions / WRITES_A_SECOND
    workers = [context.Process(target=_write, args=(db, every, turn, ended, seen)) for turn in range(sessions)]
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
            worker.join(10)


@pytest.mark.parametrize("dormant", [True, False], ids=["dormant", "on demand"])
def test_all_moves_and_no_inbound_message_under_load(db: Database, dormant: bool) -> None:
    fence = board(db)
    if dormant:
        fence.ok("write_fence", state="dormant")
    with load(db) as writes:
        time.sleep(1)
        started = time.monotonic()
        done = fence.ok("write_fence", incident_id="INC-1")
        proven = time.monotonic()
        moved = db.snapshot('"TicketTags"', '"ticketId"').texts
        time.sleep(1)
        assert db.snapshot('"TicketTags"', '"ticketId"').texts == moved
        lowering = time.monotonic()
        fence.ok("write_fence", state="absent", incident_id="INC-1")
        lowered = time.monotonic()
        time.sleep(0.5)
    assert done["status"] == "proven"
    before = [row for row in writes if row[2] < started]
    during = [row for row in writes if proven < row[1] and row[2] < lowering]
    after = [row for row in writes if row[1] > lowered]
    assert {state for _kind, _began, _ended, state in (*before, *after)} == {None}
    assert {state for kind, _began, _ended, state in writes if kind == "inbound"} == {None}
    assert {state for kind, _began, _ended, state in during if kind == "move"} == {"KB001"}
    assert len(during) > WRITES_A_SECOND / 4, "there was next to no load"
    assert len(after) > WRITES_A_SECOND / 8


def test_once_refused_nothing_passes_any_more(db: Database) -> None:
    """No session's move passes after the first refused one, though raise and load run at the same time."""
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    with load(db) as writes:
        time.sleep(0.5)
        fence.ok("write_fence", incident_id="INC-1")
        time.sleep(0.3)
    first = min(ended for _kind, _began, ended, state in writes if state == "KB001")
    late = [row for row in writes if row[0] == "move" and row[1] > first + 0.02]
    assert {row[3] for row in late} == {"KB001"}


def test_logical_replication_passes_and_is_said_to() -> None:
    with workspace() as directory, Postgres(directory / "logical", {"wal_level": "logical"}, fsync=False) as server:
        server.create_database("source")
        server.create_database("kanban")
        source, there = Database(server, "source"), Database(server, "kanban")
        fence = board(there)
        there.rows('ALTER TABLE "TicketTags" ADD PRIMARY KEY ("ticketId", "tagId")')
        source.rows(
            'CREATE TABLE "TicketTags" ("ticketId" integer, "tagId" integer, PRIMARY KEY ("ticketId", "tagId"))'
        )
        source.rows('CREATE PUBLICATION moves FOR TABLE "TicketTags"')
        source.rows("SELECT pg_create_logical_replication_slot('moves', 'pgoutput')")
        login = f"host={server.host} port={server.port} user={server.user} password={server.password} dbname=source"
        there.rows(f"CREATE SUBSCRIPTION moves CONNECTION '{login}' PUBLICATION moves "
                   "WITH (create_slot = false, slot_name = moves, copy_data = false)")  # fmt: skip
        try:
            result = fence.fails("logical_replication", "write_fence", incident_id="INC-1")
            assert (result["status"], table(result, "Tags")["status"]) == ("not_fenced", "proven")
            assert table(result, "TicketTags")["status"] == "not_fenced"
            assert "subscription moves" in table(result, "TicketTags")["reason"]
            # It is up for everybody else, and the apply worker indeed passes it.
            assert refused(there, (*MOVES, *INBOUND)) == list(MOVES)
            source.rows('INSERT INTO "TicketTags" VALUES (7, 4)')
            wait_for(lambda: there.value('SELECT count(*) FROM "TicketTags" WHERE "tagId" = 4') == 1, "the applied row")
            fence.fails("logical_replication", "write_fence", check=True, incident_id="INC-1")
            assert fence.ok("write_fence_info", prove=True)["status"] == "not_fenced"
            # A role that may not read pg_subscription sees it too.
            role = there.role("ops")
            fence.ok("write_fence", state="absent", incident_id="INC-1")
            fence.ok("write_fence", state="dormant", grant_to=[role])
            there.rows("REVOKE SELECT ON pg_subscription FROM PUBLIC")
            there.rows("REVOKE SELECT (oid, subname, subenabled) ON pg_subscription FROM PUBLIC")
            hers = there.modules(role, tables=TABLES)
            hers.fails("logical_replication", "write_fence", incident_id="INC-1")
            there.rows("ALTER SUBSCRIPTION moves DISABLE")
            assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
        finally:
            there.rows("ALTER SUBSCRIPTION moves DISABLE")
            there.rows("ALTER SUBSCRIPTION moves SET (slot_name = NONE)")
            there.rows("DROP SUBSCRIPTION moves")


@pytest.mark.skipif(PgBouncer.missing() is not None, reason=str(PgBouncer.missing()))
@pytest.mark.parametrize("dormant", [True, False], ids=["dormant", "on demand"])
def test_through_a_pooler(db: Database, directory: Path, dormant: bool) -> None:
    direct = board(db)
    role = db.role("ops")
    with PgBouncer(directory / "pooler", db.server.dsn, users=db.roles) as pooler:
        over = {"login_host": pooler.host, "login_port": pooler.port}
        fence: Modules = direct.having(**over)
        if dormant:
            direct.ok("write_fence", state="dormant", grant_to=[role])
            fence = db.modules(role, tables=TABLES).having(**over)
        with db.transaction(MOVES[0]) as writer:
            done = fence.run("write_fence", incident_id="INC-1", drain=0, deadline=5)
            assert done["database"]["pooled"] is True
            assert done["status"] == ("draining" if dormant else "not_fenced")
            held = done["draining"] if dormant else done["blocked"]
            assert [row["pid"] for row in held] == [writer.info.backend_pid]
        assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
        # The pool's sessions are shared: nothing of ours may stick to them.
        with pooler.connect(db.name) as session, session.cursor() as cursor:
            cursor.execute("SELECT current_setting('search_path'), current_setting('kanban_rollback.request', true)")
            path, request = cursor.fetchone() or ("", "?")
            assert ("public" in path, request or "") == (True, "")
            with pytest.raises(psycopg2.Error) as caught:
                cursor.execute(MOVES[0])
            assert caught.value.pgcode == "KB001"
        assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
        assert fence.ok("write_fence", state="absent", incident_id="INC-1")["changed"] is True
        assert refused(db, MOVES) == []
