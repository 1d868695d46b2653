# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers for tests in which other sessions hold rows, tables or time: a population, and waits for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.integration.flags import KEY
from tests.integration.module import Modules
from tests.integration.place import Database

# Where the flag of this population is.
FLAG: dict[str, Any] = {"table": "companies", "column": "settings", "path": [KEY]}
ON = f'{{"{KEY}": true, "timezone": "UTC"}}'
WAIT_SECONDS = 20.0


def population(db: Database, tenants: int = 50, *, kind: str = "jsonb", storage: str = "") -> Modules:
    """Make companies 1 to ``tenants``, all on, each with a ticket; return modules that run on them."""
    with db.connect() as session, session.cursor() as cursor:
        cursor.execute(f"CREATE TABLE companies (id integer PRIMARY KEY, settings {kind}) {storage}")
        cursor.execute(
            "INSERT INTO companies SELECT g, %s FROM generate_series(1, %s) AS g".replace("%s,", f"%s::{kind},", 1),
            (ON, tenants),
        )
        cursor.execute('CREATE TABLE tickets (id serial, "companyId" integer REFERENCES companies)')
        cursor.execute('INSERT INTO tickets ("companyId") SELECT id FROM companies')
        cursor.execute("ANALYZE companies")
    return db.modules(**FLAG)


def slow(db: Database, every: int, seconds: float) -> None:
    """Make every ``every``-th row slow to write, as in a much larger table."""
    db.rows(f"""CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END'""")  # fmt: skip
    db.rows(f"""CREATE TRIGGER dawdle BEFORE UPDATE ON companies FOR EACH ROW WHEN (NEW.id % {every} = 0)
        EXECUTE FUNCTION dawdle()""")  # fmt: skip


def on(db: Database) -> list[int]:
    """Return the tenants that are on, read without any code of the collection."""
    rows = db.rows(f"SELECT id FROM companies WHERE settings::jsonb -> '{KEY}' = 'true' ORDER BY 1")
    return [row[0] for row in rows]


def wait_for(condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds; fail the test if it does not hold in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not seen within {seconds} s: {what}"
        time.sleep(0.01)


def waiting_for_locks(db: Database) -> int:
    """Return how many sessions of the collection are waiting for a lock."""
    number: int = db.value("""SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                              AND application_name LIKE 'chatia%' AND wait_event_type = 'Lock'""")  # fmt: skip
    return number
