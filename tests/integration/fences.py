# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kanban board in a database, the statements of a board and of inbound messages, and which of them are refused."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from tests.integration.module import Modules
from tests.integration.place import Database

# What the profile fences.
TABLES: list[Any] = [
    "TicketTags",
    "Tags",
    {"name": "Tickets", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["kanbanLane", "kanbanOrder"]},
]
_BOARD = (
    'CREATE TABLE "Companies" (id integer PRIMARY KEY, name text)',
    'CREATE TABLE "Tags" (id serial PRIMARY KEY, name text)',
    """CREATE TABLE "Tickets" (id serial PRIMARY KEY, "companyId" integer REFERENCES "Companies" ON DELETE CASCADE,
       "lastMessage" text, "kanbanLane" integer, "kanbanOrder" integer)""",
    """CREATE TABLE "TicketTags" ("ticketId" integer REFERENCES "Tickets" ON DELETE CASCADE,
       "tagId" integer REFERENCES "Tags" ON DELETE CASCADE)""",
    """INSERT INTO "Companies" SELECT g, 'Empresa' FROM generate_series(1, 3) AS g""",
    """INSERT INTO "Tags" (name) SELECT 'Novo' FROM generate_series(1, 5)""",
    """INSERT INTO "Tickets" ("companyId", "lastMessage", "kanbanLane")
       SELECT 1, 'Oi', 1 FROM generate_series(1, 20)""",
    'INSERT INTO "TicketTags" SELECT g, 1 FROM generate_series(1, 20) AS g',
)
MOVES = (
    'INSERT INTO "TicketTags" VALUES (1, 2)',
    'DELETE FROM "TicketTags" WHERE "ticketId" = 1',
    'UPDATE "TicketTags" SET "tagId" = 2 WHERE "ticketId" = 1',
    'TRUNCATE "TicketTags"',
    """INSERT INTO "Tags" (name) VALUES ('x')""",
    """UPDATE "Tags" SET name = 'x' WHERE id = 1""",
    'DELETE FROM "Tags" WHERE id = 2',
    'UPDATE "Tickets" SET "kanbanLane" = 2 WHERE id = 1',
    """UPDATE "Tickets" SET "kanbanOrder" = 2, "lastMessage" = 'x' WHERE id = 1""",
    'DELETE FROM "Tickets" WHERE id = 1',
    'TRUNCATE "Tickets" CASCADE',
)
INBOUND = (
    """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (1, 'Bom dia')""",
    """UPDATE "Tickets" SET "lastMessage" = 'Bom dia' WHERE id = 1""",
    """UPDATE "Companies" SET name = 'x' WHERE id = 1""",
    'SELECT count(*) FROM "TicketTags"',
)
# Everything in the catalog where a fence could have left a trace, including comments and rights.
_CATALOG = """
SELECT 'trigger', tgrelid::regclass::text || '.' || tgname || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', p.pronamespace::regnamespace || '.' || proname || COALESCE(proacl::text, '')
  FROM pg_proc AS p WHERE p.pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
UNION ALL SELECT 'relation', c.oid::regclass || COALESCE(relacl::text, '') || relhastriggers::text FROM pg_class AS c
  WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)' AND c.relkind IN ('r', 'p', 'v', 'S')
UNION ALL SELECT 'schema', nspname || COALESCE(nspacl::text, '') FROM pg_namespace WHERE nspname !~ '^pg_'
UNION ALL SELECT 'comment', classoid::regclass || '.' || objoid FROM pg_description WHERE objoid >= 16384
UNION ALL SELECT 'dependency', classid::regclass || '.' || objid || refclassid::regclass || refobjid FROM pg_depend
  WHERE objid >= 16384 AND classid IN ('pg_trigger'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass)
UNION ALL SELECT 'rights', d.classid::regclass || '.' || d.objid || r.rolname FROM pg_shdepend AS d
  JOIN pg_roles AS r ON r.oid = d.refobjid
  WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1, 2
"""


def board(db: Database, *more: str, tables: list[Any] | None = None) -> Modules:
    """Make a board and run ``more``; return the fence's modules, which run on it as the superuser."""
    with db.connect() as session, session.cursor() as cursor:
        for statement in (*_BOARD, *more):
            cursor.execute(statement)
    return db.modules(tables=TABLES if tables is None else tables)


def ops(db: Database, *grants: str) -> tuple[str, Modules]:
    """Return a role without any right on the board, and modules that run as it."""
    role = db.role("ops", *grants)
    return role, db.modules(role, tables=TABLES)


def run(session: connection, statement: str) -> str | None:
    """Run one statement and undo it; return its SQLSTATE, or None if it succeeded."""
    session.autocommit = False
    try:
        with session.cursor() as cursor:
            # A statement that waits for what the test itself holds fails the test instead of hanging it.
            cursor.execute("SET LOCAL statement_timeout = '20s'")
            if statement.startswith("COPY"):
                cursor.copy_expert(statement, io.StringIO("1\t1\n"))
            else:
                cursor.execute(statement)
        return None
    except psycopg2.Error as error:
        return error.pgcode
    finally:
        session.rollback()


def refused(db: Database, statements: Iterable[str], role: str | None = None) -> list[str]:
    """Return which statements the fence refuses; any other error fails the test."""
    found = []
    with db.as_role(role) if role else db.connect() as session:
        for statement in statements:
            state = run(session, statement)
            assert state in (None, "KB001"), (statement, state)
            if state:
                found.append(statement)
    return found


def catalog(db: Database) -> list[Any]:
    """Return what the catalog holds besides the system's own objects, to compare before and after."""
    return db.rows(_CATALOG)


def table(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one table's part of a result."""
    (found,) = [row for row in result["tables"] if row["name"] == name]
    assert isinstance(found, dict)
    return found
