# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers for tests of dumps: a database to dump, and a restore with PostgreSQL's own programs, not ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg2 import sql

from tests.integration.module import Modules
from tests.integration.place import Database
from tests.support import binaries, processes

INCIDENT = "INC-1"
# An enum as ORMs make it, a table without a key, a function that a column needs, a table that nobody asks for.
SCHEMA = (
    """CREATE TYPE "enum_Tickets_status" AS ENUM ('open', 'closed')""",
    """CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)'""",
    """CREATE TABLE "Tickets" (id serial PRIMARY KEY, status "enum_Tickets_status" NOT NULL, title text,
       loud text GENERATED ALWAYS AS (shout(title)) STORED)""",
    """CREATE TABLE "TicketTags" ("ticketId" integer REFERENCES "Tickets", "tagId" integer)""",
    "CREATE TABLE empty (nothing text)",
    "CREATE TABLE other (secret text)",
    "CREATE MATERIALIZED VIEW seen AS SELECT * FROM other",
    """INSERT INTO "Tickets" (status, title) SELECT 'open', 'Olá ' || g FROM generate_series(1, 100) AS g""",
    """INSERT INTO "TicketTags" SELECT g, 1 + g % 7 FROM generate_series(1, 100) AS g""",
    """INSERT INTO "TicketTags" SELECT 1, 1 FROM generate_series(1, 3)""",
    "INSERT INTO other VALUES ('not to be dumped')",
)
TABLES = ["Tickets", "TicketTags", "empty"]


def fill(db: Database) -> None:
    """Make the tables."""
    with db.connect() as session, session.cursor() as cursor:
        for statement in SCHEMA:
            cursor.execute(statement)


def dumping(db: Database, dest: Path, role: str | None = None, **options: Any) -> Modules:
    """Return modules that run ``pg_dump`` on ``TABLES``; a test's disk need not have a whole gigabyte free."""
    given = {"tables": TABLES, "dest": str(dest), "incident_id": INCIDENT, "min_free": "10M", "deadline": 60, **options}
    if os.environ.get("KANBAN_TEST_POSTGRES"):
        # A server that is not installed on the system has no clients where the module looks for those of its version.
        given.setdefault("bin_dir", str(binaries.postgres()))
    return db.modules(role, **given)


def program(name: str) -> Path:
    """Return one of PostgreSQL's own programs."""
    return binaries.postgres() / name


def client(name: str, db: Database, *arguments: str) -> str:
    """Run a client program on the server of a database and return its output."""
    login = db.server.parameters(db.name)
    environment = {"PGHOST": login["host"], "PGPORT": str(login["port"]), "PGUSER": login["user"], "LC_ALL": "C"}
    done = subprocess.run(
        [str(program(name)), *arguments],
        env={**environment, "PGPASSWORD": login["password"]},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(errors="replace")


@contextmanager
def restored(db: Database, dest: Path) -> Iterator[Database]:
    """Give a new database with the whole content of a dump, without its foreign keys and triggers."""
    made = Database(db.server, f"{db.name}_restored")
    encoding = db.value("SELECT current_setting('server_encoding')")
    db.server.query(
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING %s").format(sql.Identifier(made.name)), (encoding,)
    )
    try:
        sections = ["--section=pre-data", "--section=data", "--exit-on-error"]
        client("pg_restore", db, *sections, "--dbname", made.name, str(dest))
        yield made
    finally:
        made.drop()


def rows(db: Database, table: str) -> list[str]:
    """Return all rows of a table as text, sorted; names come as SQL text."""
    return sorted(row[0] for row in db.rows(f"SELECT t::text FROM {table} AS t"))


def left_in(parent: Path) -> list[str]:
    """Return all names in a directory, hidden ones too."""
    return sorted(os.listdir(parent)) if parent.exists() else []


def clients_of(db: Database) -> list[int]:
    """Return the process ids of client programs that work on a database."""
    wanted = f"dbname='{db.name}'"
    return processes.matching(lambda arguments: any(wanted in argument for argument in arguments))


def sessions_of(db: Database) -> int:
    """Return how many sessions of the collection the server has on a database."""
    number: int = db.value("""SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                              AND application_name LIKE 'chatia%'""")  # fmt: skip
    return number


def slow_table(db: Database) -> dict[str, Any]:
    """Make a table that takes many seconds to dump with the options returned."""
    db.rows("""CREATE TABLE slow AS SELECT md5(g::text) || md5((-g)::text) || md5((g * 7)::text) AS noise
               FROM generate_series(1, 300000) AS g""")  # fmt: skip
    named = db.server.query("SHOW server_version_num")[0][0] >= "160000"
    return {"tables": ["slow"], "compress": "zstd:19" if named else "gzip:9"}


def partial_bytes(parent: Path) -> int:
    """Return how many bytes of rows unproven dumps in a directory have; once there are any, all workers are at work."""
    files = [file for file in parent.glob(".*.partial-*/*.dat*") if file.name != "toc.dat"]
    return sum(file.stat().st_size for file in files if file.exists())
