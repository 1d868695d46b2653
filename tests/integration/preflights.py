# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place where nothing is missing for an incident, and what a preflight reports there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.crowd import FLAG, population
from tests.integration.module import Modules, Result
from tests.integration.place import Database

# The settings that its server needs, so that statements can be seen.
SERVER = {
    "shared_preload_libraries": "pg_stat_statements",
    "autovacuum": False,
    "max_prepared_transactions": 5,
    "log_min_messages": "fatal",
}
# What a role needs on the application's tables besides what the ledger's module grants.
TABLES = ("SELECT ON companies", "UPDATE (settings) ON companies", "SELECT ON tickets")


def healthy(db: Database, directory: Path) -> tuple[Modules, dict[str, Any]]:
    """Make a place where nothing is missing, seen by a role that may do what the scenarios need and nothing else."""
    population(db)
    db.rows("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # Before PostgreSQL 15 everybody has it.
    role = db.role("rollback", *TABLES, "pg_read_all_stats")
    db.modules().ok("ledger", environment="staging", grant_to=[role], flag=FLAG, latch=True)
    options: dict[str, Any] = {"dump_tables": ["companies", "tickets"], "environment": "staging"}
    options["dump_dir"] = str(directory / "dumps")
    (directory / "dumps").mkdir()
    db.modules().ok("pg_dump", tables=options["dump_tables"], dest=str(directory / "dumps/first"), incident_id="INC-0")
    options["fence_tables"] = ["tickets", {"name": "companies", "operations": ["UPDATE"], "columns": ["settings"]}]
    return db.modules(role, **FLAG), options


def checks(result: Result) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in result["checks"]}


def missing(result: Result) -> dict[str, str]:
    """Return the checks that are not met, by name, with their severity; a person can act on each."""
    found = {}
    for check in result["checks"]:
        if check["ok"] is not True:
            assert len(check["what"]) > 10, check
            assert len(check["todo"]) > 10, check
            found[check["name"]] = check["severity"] if check["ok"] is False else "unknown"
    return found
