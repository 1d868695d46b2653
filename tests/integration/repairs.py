# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database whose incident is open and whose tables are fenced, and whole tables to compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.integrity import CHECKS
from tests.integration.module import Modules, Result
from tests.integration.place import Database

INCIDENT = "INC-1"
FENCED = ["TicketTags", "Tags", "Tickets"]
# The same, with the column that shows which row is oldest if a key does not.
PLAN = [{**check, "time": "createdAt"} for check in CHECKS]


def ready(db: Database, tables: list[Any] | None = None, run_id: str = "run-1") -> Modules:
    """Open the incident and raise the fence; return modules that run as the superuser."""
    modules = db.modules(incident_id=INCIDENT)
    modules.ok("incident")
    modules.ok("write_fence", tables=FENCED if tables is None else tables)
    return modules.having(run_id=run_id)


def plan(modules: Modules, checks: list[dict[str, Any]] | None = None, **options: Any) -> Result:
    """Return the plan, which changes nothing."""
    return modules.ok("integrity_repair", True, checks=PLAN if checks is None else checks, **options)


def repair(modules: Modules, checks: list[dict[str, Any]] | None = None, **options: Any) -> Result:
    """Plan, approve and apply; must succeed."""
    given = PLAN if checks is None else checks
    found = plan(modules, given, **options)
    assert not found["plan"]["refused"], found["plan"]["refused"]
    return modules.ok("integrity_repair", checks=given, plan_hash=found["plan_hash"], approved_by="ana", **options)


def undo(modules: Modules, check: bool = False, **options: Any) -> Result:
    """Bring everything back; must succeed."""
    return modules.ok("integrity_repair", check, state="undone", **options)


def whole(db: Database, *tables: str) -> dict[str, list[str]]:
    """Return every row of every table (of the application, unless some are named) as text, sorted."""
    named = tables or tuple(
        row[0] for row in db.rows("""SELECT c.oid::regclass::text FROM pg_class AS c
                                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                                       AND NOT c.relispartition""")
    )  # fmt: skip
    return {
        table: [row[0] for row in db.rows(f'SELECT t::text FROM {table} AS t ORDER BY t::text COLLATE "C"')]
        for table in named
    }


def counts(result: Result) -> dict[str, int | None]:
    """Return what each check counts after the repair."""
    return {check["name"]: check["remaining"] for check in result["plan"]["checks"]}


def parts(result: Result) -> list[tuple[Any, ...]]:
    """Return the parts of a plan in short form."""
    return [
        (part["check"], part["table"].rpartition(".")[2], part["action"], part["rows"], part["effect"])
        for part in result["plan"]["parts"]
    ]


def listen(db: Database) -> None:
    """Record all progress that is reported to the ledger, for ``heard``."""
    db.rows("CREATE TABLE heard (progress jsonb)")
    db.rows("""CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
               'BEGIN INSERT INTO heard VALUES (NEW.progress); RETURN NULL; END'""")
    db.rows("""CREATE TRIGGER hear AFTER UPDATE ON kanban_rollback.leases FOR EACH ROW
               WHEN (NEW.progress IS NOT NULL) EXECUTE FUNCTION hear()""")


def heard(db: Database) -> list[dict[str, Any]]:
    """Return the recorded progress, oldest first."""
    return [row[0] for row in db.rows("SELECT progress FROM heard ORDER BY ctid")]


# Leave time for the progress to be reported, then wait until somebody has asked for it.
_UNTIL_ASKED = """
CREATE FUNCTION until_asked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told timestamptz := clock_timestamp() + interval '2 s'; asked boolean := false; asks boolean;
BEGIN
  WHILE clock_timestamp() < told + interval '60 s' LOOP
    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002);
    asks := EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_start > told
                                                   AND application_name LIKE '% progress_info');
    EXIT WHEN asked AND NOT asks;
    asked := asked OR asks;
  END LOOP;
  RETURN NULL;
END $$"""


@contextmanager
def slow_deletes(db: Database, *tables: str) -> Iterator[None]:
    """Make each statement that deletes wait until somebody has asked for its progress."""
    db.rows(_UNTIL_ASKED)
    # Its name makes it fire after the fence's own trigger.
    for table in tables:
        db.rows(f"CREATE TRIGGER zz_wait BEFORE DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION until_asked()")
    yield
    db.rows("DROP FUNCTION until_asked CASCADE")
