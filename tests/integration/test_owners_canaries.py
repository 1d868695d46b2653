# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries meet defaults and policies of the tables' owners, and a lock that anybody can take is not waited for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.fences import table
from tests.integration.place import Database
from tests.integration.test_owners_code import DEFAULTS, DOCUMENTS, FLAG, TOLD, as_role, latched, met, owned


def test_canaries_run_the_owners_code_as_the_owner(db: Database) -> None:
    app = owned(db, TOLD, DEFAULTS)
    db.rows('CREATE TABLE "Tickets" (id int)')
    role = db.role("ops")
    fence = db.modules(tables=["Tags", "Tickets"])
    assert fence.ok("write_fence", state="dormant", grant_to=[role])["changed"]
    assert not fence.ok("write_fence", state="dormant", grant_to=[role])["changed"]
    met(db)
    hers = db.modules(role, tables=["Tags", "Tickets"])
    done = hers.ok("write_fence", incident_id="INC-1")
    assert done["status"] == "proven"
    for name in ("Tags", "Tickets"):
        assert table(done, name)["proof"]["UPDATE"] == "canary", done
    assert met(db) == (True, False)
    told = hers.ok("write_fence_info", prove=True)
    assert (told["status"], met(db)) == ("proven", (True, False))
    hers.ok("write_fence", state="absent", incident_id="INC-1")
    # If nobody may try it as its owner, the catalog has to do.
    (function,) = db.value("SELECT array_agg(oid::regprocedure::text) FROM pg_proc WHERE proname ~ '^fence_try_as_'")
    db.rows(f"DROP FUNCTION {function}")
    done = hers.ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["proof"]["UPDATE"]) == ("proven", "catalog")
    assert table(done, "Tickets")["proof"]["UPDATE"] == "canary"
    assert met(db) == (False, False)
    hers.ok("write_fence", state="absent", incident_id="INC-1")
    assert fence.ok("write_fence", state="dormant", grant_to=[role])["changed"], "and it is made again"
    assert db.value(f"SELECT proowner::regrole::text FROM pg_proc WHERE oid = '{function}'::regprocedure") == app
    gone = fence.ok("write_fence", state="absent", incident_id="INC-1", purge=True)
    assert (gone["status"], gone["left_behind"]) == ("absent", [])
    assert not db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'kanban_rollback'")


def test_a_superusers_canaries_run_no_code_of_owners(db: Database) -> None:
    owned(db, TOLD, DEFAULTS)
    fence = db.modules(tables=["Tags"])
    # Made on demand, it has no function of the owner's.
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["proof"]["UPDATE"], met(db)) == ("proven", "catalog", (False, False))
    fence.ok("write_fence", state="absent", incident_id="INC-1")
    fence.ok("write_fence", state="dormant")
    met(db)
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["proof"]["UPDATE"], met(db)) == ("proven", "canary", (True, False))


@pytest.mark.parametrize(
    "lacking",
    ['REVOKE ALL ON "Tags" FROM {app}', "REVOKE ALL ON SCHEMA public FROM PUBLIC, {app}"],
    ids=["table", "schema"],
)
def test_where_an_owner_may_not_try_the_catalog_proves(db: Database, lacking: str) -> None:
    app = owned(db, TOLD, DEFAULTS)
    role = db.role("ops")
    db.modules(tables=["Tags"]).ok("write_fence", state="dormant", grant_to=[role])
    db.rows(lacking.format(app=app))
    done = db.modules(role, tables=["public.Tags"]).ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "public.Tags")["proof"]["UPDATE"]) == ("proven", "catalog")


def test_a_function_that_its_owner_has_changed_is_not_called(db: Database) -> None:
    app = owned(db, TOLD, DEFAULTS)
    role = db.role("ops")
    fence = db.modules(tables=["Tags"])
    fence.ok("write_fence", state="dormant", grant_to=[role])
    db.rows(f"GRANT USAGE ON SCHEMA kanban_rollback TO {app}")
    (function,) = db.value("SELECT array_agg(oid::regprocedure::text) FROM pg_proc WHERE proname ~ '^fence_try_as_'")
    as_role(db, app, *(f"ALTER FUNCTION {function} {how}" for how in ("SECURITY INVOKER", "SET search_path = public")))
    met(db)
    done = db.modules(role, tables=["Tags"]).ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["proof"]["UPDATE"], met(db)) == ("proven", "catalog", (False, False))
    db.modules(role).ok("write_fence", state="absent", incident_id="INC-1")
    assert fence.ok("write_fence", state="dormant", grant_to=[role])["changed"], "it is put right"
    assert not fence.ok("write_fence", state="dormant", grant_to=[role])["changed"]


def test_a_member_of_the_owner_gives_it_what_is_its_own(db: Database) -> None:
    """It is no superuser, so the owner needs a right for the moment in which it becomes the owner."""
    app = owned(db, TOLD, DOCUMENTS, DEFAULTS)
    keeper, role = db.role("keeper", f"CREATE ON DATABASE {db.name}", app), db.role("ops", "pg_read_all_stats")
    db.rows(f"GRANT pg_read_all_stats TO {keeper} WITH ADMIN OPTION")
    db.modules(keeper).ok("ledger", grant_to=[role], flag=FLAG, latch=True)
    db.modules(keeper, tables=["Tags"]).ok("write_fence", state="dormant", grant_to=[role])
    assert db.value("SELECT proowner::regrole::text FROM pg_proc WHERE proname ~ '^fence_try_as_'") == app
    assert not db.value("SELECT has_schema_privilege(%s, 'kanban_rollback', 'CREATE')", (app,))
    again = db.modules(keeper, tables=["Tags"]).ok("write_fence", state="dormant", grant_to=[role])
    assert not again["changed"]
    assert not db.modules(keeper).ok("ledger", grant_to=[role], flag=FLAG, latch=True)["changed"]
    # What was installed goes on to serve when the one who installed it is a member no more.
    db.rows(f"REVOKE {app} FROM {keeper}")
    assert db.modules(role, **FLAG).disable(latch=True)["latch"]["raised"]
    assert db.modules(role, tables=["Tags"]).ok("write_fence", incident_id="INC-1")["status"] == "proven"
    assert db.modules(role, **FLAG).restore()["latch_left"] == []
    assert db.modules(role).ok("write_fence", state="absent", incident_id="INC-1")["status"] == "lowered"


def test_a_fence_is_lowered_without_shutting_readers_out(db: Database) -> None:
    """Who takes the lock of our turns would otherwise have us hold the table while we wait."""
    db.rows('CREATE TABLE "Tags" (id int)')
    app = db.role("app")
    fence = db.modules(tables=["Tags"])
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(118075163402607)")
        with ThreadPoolExecutor(1) as pool:
            lowering = pool.submit(fence.ok, "write_fence", state="absent", incident_id="INC-1", deadline=20)
            slowest = 0.0
            while not lowering.done():
                began = time.monotonic()
                db.rows('SELECT count(*) FROM "Tags"')
                slowest = max(slowest, time.monotonic() - began)
        assert (lowering.result()["status"], lowering.result()["left_behind"]) == ("absent", [])
    assert slowest < 1.7, "less than the turn that is waited for, which is two seconds"
    assert not db.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")


@pytest.mark.parametrize("lock", [118075163402606, 118075163402607])
def test_a_lock_that_anybody_holds_keeps_neither_down(db: Database, lock: int) -> None:
    app, modules = latched(db)
    db.rows('CREATE TABLE "Tags" (id int); CREATE TABLE "Tickets" (id int)')
    (role,) = set(db.roles) - {app}
    fence = db.modules(tables=["Tags"])
    fence.ok("write_fence", state="dormant", grant_to=[role])
    hers = db.modules(role, tables=["Tags"])
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (lock,))
        stopped = modules.disable(latch=True)
        assert (stopped["enabled_after"], stopped["latch"]["raised"]) == (0, True)
        assert hers.ok("write_fence", incident_id="INC-1", deadline=20)["status"] == "proven"
        ours = db.modules(tables=["Tickets"])
        assert ours.ok("write_fence", incident_id="INC-1", deadline=20)["status"] == "proven", "and on demand"
        assert hers.ok("write_fence", state="absent", incident_id="INC-1", deadline=20)["status"] == "lowered"
        assert modules.restore()["latch_left"] == []
