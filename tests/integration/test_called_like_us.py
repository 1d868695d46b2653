# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Anybody can give a session the name of ours: only one that logged in as we did is taken for one of ours."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
from psycopg2.extras import wait_select

from tests.integration.crowd import on, population, wait_for
from tests.integration.dumps import dumping, fill
from tests.integration.place import Database
from tests.integration.test_stays_off import READ, SAVE, app

OURS = "chatia.kanban_rollback"
DUMPS = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'chatia.kanban%% pg\\_dump %%'"


def test_a_sweep_waits_for_an_application_that_calls_itself_like_us(db: Database) -> None:
    modules = population(db)
    with db.as_role(app(db), OURS) as stale:
        stale.autocommit = False
        with stale.cursor() as cursor:
            cursor.execute(READ)
            with modules.start("feature_flag", incident_id="INC-1", settle=20) as running:
                wait_for(lambda: on(db) == [], "the kill")
                cursor.execute(SAVE)
                stale.commit()
                done = running.result()
    assert (done["sweep"], on(db)) == ({"settled": True, "switched_again": 1, "waiting_for": []}, [])


@pytest.mark.parametrize("seen", [False, True], ids=["by a role that sees no states", "by a member"])
def test_it_is_waited_for_no_longer_than_anybody_and_named(db: Database, seen: bool) -> None:
    population(db)
    who = db.role("ops", "SELECT, UPDATE ON companies", *(["pg_read_all_stats"] if seen else []))
    db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {who}")
    modules = db.modules(who, table="companies", column="settings", path=["kanbanV2Enabled"])
    with db.as_role(app(db), f"{OURS} evidence") as other, db.as_role(who, f"{OURS} evidence") as ours:
        for session in (other, ours):
            session.autocommit = False
        with other.cursor() as first, ours.cursor() as second:
            first.execute(READ)
            second.execute(READ)
            done = modules.disable(settle=1)
            assert [row["pid"] for row in done["sweep"]["waiting_for"]] == [other.info.backend_pid]
            assert done["elapsed_ms"] < 8000
            assert modules.ok("preflight_info")["forecast"]["open_transactions"]["count"] == 1
            other.rollback()
            assert modules.disable(settle=5)["sweep"]["waiting_for"] == []


def test_whoever_takes_a_dumps_name_chooses_nobody_who_is_named_in_its_way(db: Database, directory: Path) -> None:
    fill(db)
    db.rows("CREATE TABLE decoy ()")
    role = db.role("app", "ALL ON decoy")
    with (
        db.transaction("LOCK TABLE decoy", application_name="innocent"),
        db.transaction("LOCK TABLE other", application_name="migration") as holder,
        dumping(db, directory / "dumps" / "today", lock_wait=4).start("pg_dump") as running,
    ):
        pid = holder.info.backend_pid
        wait_for(lambda: bool(db.rows(DUMPS)), "pg_dump has connected")
        login = {**db.server.parameters(db.name), "user": role, "password": db.roles[role]}
        session = psycopg2.connect(**login, application_name=db.value(DUMPS), async_=1)
        try:
            wait_select(session)
            session.cursor().execute("BEGIN; LOCK TABLE decoy")
            told = running.result()
        finally:
            session.close()
    assert told["error"]["code"] == "lock_timeout", told
    assert [one["pid"] for one in told["blocked"]] == [pid]
