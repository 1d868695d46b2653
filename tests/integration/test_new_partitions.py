# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml installs on a partitioned table keeps its owner from nothing: next month's partition is made."""

from __future__ import annotations

from typing import Any

from tests.integration.place import Database

FLAG: dict[str, Any] = {"table": "companies", "column": "settings", "path": ["kanbanV2Enabled"]}
PARTITIONED = (
    "CREATE TABLE companies (id int, settings jsonb) PARTITION BY RANGE (id)",
    "CREATE TABLE few PARTITION OF companies FOR VALUES FROM (1) TO (100)",
    "INSERT INTO companies VALUES (1, '{\"kanbanV2Enabled\": true}')",
)
TABLES = [{"name": "companies", "columns": ["settings"], "when_changed": True, "operations": ["UPDATE"]}]


def test_the_owner_adds_a_partition_to_what_fence_and_latch_stand_on(db: Database) -> None:
    app = db.role("app", "CREATE ON SCHEMA public")
    with db.as_role(app) as session, session.cursor() as cursor:
        for statement in PARTITIONED:
            cursor.execute(statement)
    role = db.role("ops", "pg_read_all_stats")
    db.modules().ok("ledger", grant_to=[role], flag=FLAG, latch=True)
    db.modules(tables=TABLES).ok("write_fence", state="dormant", grant_to=[role])
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE more PARTITION OF companies FOR VALUES FROM (100) TO (200)")
    stopped = db.modules(role, **FLAG).disable(latch=True)
    assert (stopped["enabled_after"], stopped["latch"]["raised"]) == (0, True)
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO companies VALUES (100, '{\"kanbanV2Enabled\": true}')")
    assert not db.value("SELECT count(*) FROM companies WHERE (settings ->> 'kanbanV2Enabled')::bool")
    raised = db.modules(role, tables=TABLES).ok("write_fence", incident_id="INC-1")
    assert raised["status"] == "proven"


def test_so_does_an_owner_who_came_later_after_the_next_bootstrap(db: Database) -> None:
    app, later = db.role("app", "CREATE ON SCHEMA public"), db.role("later", "CREATE ON SCHEMA public")
    with db.as_role(app) as session, session.cursor() as cursor:
        for statement in PARTITIONED:
            cursor.execute(statement)
    made: dict[str, Any] = {"flag": FLAG, "latch": True}
    db.modules().ok("ledger", **made)
    db.rows(f"ALTER TABLE companies OWNER TO {later}")
    assert db.modules().ok("ledger", **made)["changed"]
    assert not db.modules().ok("ledger", **made)["changed"]
    with db.as_role(later) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE more PARTITION OF companies FOR VALUES FROM (100) TO (200)")


def test_a_fence_from_before_lets_the_owner_add_one_with_the_next_bootstrap(db: Database) -> None:
    app = db.role("app", "CREATE ON SCHEMA public")
    with db.as_role(app) as session, session.cursor() as cursor:
        for statement in PARTITIONED:
            cursor.execute(statement)
    fence = db.modules(tables=TABLES)
    fence.ok("write_fence", state="dormant")
    for (function,) in db.rows("SELECT oid::regprocedure::text FROM pg_proc WHERE proname ~ '^fence_[0-9a-f]+$'"):
        db.rows(f"REVOKE EXECUTE ON FUNCTION {function} FROM {app}")
    assert fence.ok("write_fence", check=True, state="dormant")["changed"]
    assert fence.ok("write_fence", state="dormant")["changed"]
    assert not fence.ok("write_fence", state="dormant")["changed"]
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE more PARTITION OF companies FOR VALUES FROM (100) TO (200)")
