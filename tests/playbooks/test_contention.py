# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application goes on working while it is stopped: rows are held, and old settings are written back."""

from __future__ import annotations

import contextlib
import time

import psycopg2
import psycopg2.extras
import pytest
from psycopg2.extensions import connection

from tests.playbooks.place import TENANTS, Site
from tests.playbooks.runner import SWITCHED_OFF

SHORT = {"kanban_deadline": 2, "kanban_sweep_seconds": 1}


def hold(session: connection) -> int:
    """Hold the row of tenant 3, which is on, and return the session's pid."""
    session.cursor().execute('SELECT FROM "Companies" WHERE id = 3 FOR UPDATE')
    return session.info.backend_pid


@pytest.mark.drill
def test_who_holds_a_row_is_named_with_the_line_that_ends_it_and_the_next_run_completes(site: Site) -> None:
    before = site.rows()
    with contextlib.closing(site.connect(application="invoicing")) as session:
        pid = hold(session)
        run = site.run("scenario3", variables=SHORT)
        assert run.rc != 0
        assert site.on() == 1
        assert "CONTAINED: Kanban V2 is off" not in run.screen
        assert f"1 of {TENANTS} tenants" in run.screen
        assert f"tenant 3 is held by pid {pid} (invoicing" in run.screen
        assert f"SELECT pg_terminate_backend({pid})" in run.screen
    again = site.run("scenario3")
    assert (again.rc, site.on()) == (0, 0), again.output
    assert again.incident == run.incident
    undone = site.run("reenable", extra={"kanban_reenable": "all"})
    assert undone.rc == 0, undone.output
    assert site.rows() == before


@pytest.mark.drill
def test_who_holds_a_row_is_ended_where_that_was_asked_for(site: Site) -> None:
    with contextlib.closing(site.connect()) as session:
        hold(session)
        run = site.run("scenario3", extra={"kanban_on_blocked": "terminate"}, variables=SHORT)
        assert (run.rc, site.on()) == (0, 0), run.output
        assert "CONTAINED:" in run.screen
        with pytest.raises(psycopg2.OperationalError):
            session.cursor().execute("SELECT 1")


@pytest.mark.parametrize("seconds_open", [0.0, pytest.param(4.0, marks=pytest.mark.drill)])
def test_a_transaction_from_before_the_kill_cannot_bring_the_flag_back_and_a_killed_undo_is_completed(
    site: Site, seconds_open: float
) -> None:
    before = site.rows()
    with contextlib.closing(site.connect()) as session, session.cursor() as cursor:
        cursor.execute('SELECT settings FROM "Companies" WHERE id = 3')
        settings = cursor.fetchone()
        assert settings is not None
        assert settings[0]["kanbanV2Enabled"]
        running = site.start("scenario3")
        running.says(SWITCHED_OFF)
        # What an ORM does: it writes back all that it read, with the customer's change.
        settings[0]["timezone"] = "Asia/Tokyo"
        cursor.execute('UPDATE "Companies" SET settings = %s WHERE id = 3', (psycopg2.extras.Json(settings[0]),))
        # The row is locked for as long as this is open, and the latch cannot be raised meanwhile.
        time.sleep(seconds_open)
        session.commit()
        run = running.wait()
    assert (run.rc, site.on()) == (0, 0), run.output
    assert "CONTAINED:" in run.screen
    saved = site.psql("db1", """SELECT settings ->> 'timezone' FROM "Companies" WHERE id = 3""")
    assert saved == "Asia/Tokyo"
    # The customer's change stays through the undo, all else is as before; the next one completes one that was killed.
    killed = site.start("reenable", extra={"kanban_reenable": "all"})
    killed.says(": Put every tenant back")
    killed.kill()
    override = {"what": ["lease"], "reason": "the controller died"}
    undone = site.run("reenable", extra={"kanban_reenable": "all", "kanban_break_glass": override})
    assert undone.rc == 0, undone.output
    site.psql(
        "db1", """UPDATE "Companies" SET settings = settings || '{"timezone": "America/Sao_Paulo"}' WHERE id = 3"""
    )
    assert site.rows() == before


@pytest.mark.drill
def test_a_transaction_that_stays_open_is_named_and_what_it_writes_later_is_turned_back(site: Site) -> None:
    with contextlib.closing(site.connect(application="nightly")) as session, session.cursor() as cursor:
        cursor.execute('SELECT settings FROM "Companies" WHERE id = 3')
        run = site.run("scenario3", variables=SHORT)
        assert f"pid {session.info.backend_pid} (nightly)" in run.screen
        settings = '{"kanbanV2Enabled": true, "timezone": "Asia/Tokyo"}'
        cursor.execute('UPDATE "Companies" SET settings = %s WHERE id = 3', (settings,))
        session.commit()
    assert site.on() == 0
    assert site.psql("db1", """SELECT settings ->> 'timezone' FROM "Companies" WHERE id = 3""") == "Asia/Tokyo"
    again = site.run("scenario3")
    assert (again.rc, site.on()) == (0, 0), again.output
