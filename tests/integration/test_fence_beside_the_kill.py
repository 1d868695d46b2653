# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence does not wait for what the kill waits for: it goes up at the first lock that cannot be had."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.fences import MOVES, TABLES, board, refused
from tests.integration.module import Running, failed
from tests.integration.place import Database
from tests.integration.test_fence_with_kill import FENCE, FLAG, ON, SETTINGS, installed

SOON_SECONDS = 2.0
INBOUND = """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (2, 'Bom dia')"""
HELD = """SELECT id FROM "Companies" WHERE id = 1 FOR UPDATE"""
PRIORS = 'SELECT id, settings::text FROM "Companies" ORDER BY id'


def stands(db: Database, running: Running, seconds: float = SOON_SECONDS) -> bool:
    """Return whether the fence refuses every move within some seconds, while the kill still runs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if refused(db, MOVES) == list(MOVES):
            return running.runs
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("held", [HELD, 'LOCK TABLE "Companies"'], ids=["a row", "the table"])
def test_it_stands_while_the_kill_waits(db: Database, held: str) -> None:
    flag = installed(db)
    before = db.rows(PRIORS)
    with (
        db.transaction(held) as holder,
        flag.start("feature_flag", incident_id="INC-1", deadline=12, fence=FENCE) as running,
    ):
        assert stands(db, running)
        holder.commit()
        done = running.result()
    assert (done["enabled_after"], done["fence"]["status"], done["fence"]["holds"]) == (0, "proven", True)
    assert done["fence"]["changed"] is True
    assert done["fence"]["raised_ms"] > 0
    events = db.rows("SELECT event FROM kanban_rollback.events WHERE source = 'write_fence' ORDER BY seq")
    assert [event for (event,) in events] == ["fence_raised", "fence_drained"]
    flag.restore()
    assert db.rows(PRIORS) == before


def test_a_kill_that_took_long_says_what_it_raised_and_leaves_the_proof(db: Database) -> None:
    flag = installed(db)
    with db.transaction(HELD):
        late = failed(flag.run("feature_flag", incident_id="INC-1", deadline=6, fence=FENCE), "still_on")
    assert late["enabled_after"] == 1
    assert sorted(late["fence"]) == ["changed", "holds", "raised_ms", "terminated"]
    assert (late["fence"]["holds"], late["fence"]["changed"]) == (False, True)
    assert refused(db, MOVES) == list(MOVES)


def test_without_bootstrap_triggers_are_tried_in_turns_and_messages_pass(db: Database) -> None:
    """A message queues behind a trigger that waits for its table, so no such wait is long."""
    board(db, *SETTINGS)
    db.modules().ok("ledger")
    flag, waits = db.modules(**FLAG), []
    with (
        db.transaction(HELD),
        db.transaction(INBOUND) as writer,
        db.connect("whaticket-api") as session,
        session.cursor() as cursor,
        flag.start("feature_flag", incident_id="INC-1", deadline=10, fence=FENCE) as running,
    ):
        until = time.monotonic() + 4
        while time.monotonic() < until:
            began = time.monotonic()
            cursor.execute(INBOUND)
            waits.append(time.monotonic() - began)
        assert running.runs
        # What nobody holds is fenced already.
        assert refused(db, MOVES[:3]) == list(MOVES[:3])
        writer.commit()
        assert stands(db, running)
    assert len(waits) > 20
    assert 0.1 < max(waits) < 0.5, "a trigger never waited for the table, or for too long"


def test_a_table_that_the_kill_writes_is_not_fenced_before_it(db: Database) -> None:
    board(db, *SETTINGS)
    db.modules().ok("ledger")
    own: list[Any] = [*TABLES, {"name": "Companies", "operations": ["UPDATE"], "columns": ["settings"]}]
    with (
        db.transaction(HELD) as holder,
        db.modules(**FLAG).start("feature_flag", incident_id="INC-1", deadline=10, fence={"tables": own}) as running,
    ):
        time.sleep(1)
        holder.commit()
        done = running.result()
    assert (done["enabled_after"], db.value(ON)) == (0, 0)
