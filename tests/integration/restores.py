# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with an open incident and a backup of some tables, in each format, and what is restored from it."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration.dumps import program
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT

FORMATS = ("dump", "custom", "directory", "tar", "plain", "gzip")


def make(db: Database, *statements: str) -> None:
    """Run statements one after the other."""
    with db.connect() as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def ready(db: Database) -> Modules:
    """Open the incident; return modules that run on it without a fence."""
    modules = db.modules(incident_id=INCIDENT)
    modules.ok("incident")
    return modules.having(run_id="run-1", allow_unfenced=True)


def backup(
    db: Database, directory: Path, kind: str, *tables: str, arguments: Sequence[str] = (), zone: str = "UTC"
) -> dict[str, str]:
    """Back tables up in one of ``FORMATS``, in a time zone (not for ``dump``); return the option ``source``."""
    path = directory / f"backup-{kind}-{len(list(directory.iterdir()))}"
    if kind == "dump":
        db.modules(incident_id=INCIDENT).ok("pg_dump", tables=list(tables), dest=str(path), min_free="10M", deadline=60)
        return {"kind": "dump", "path": str(path)}
    login = db.server.parameters(db.name)
    named = [argument for table in tables for argument in ("-t", f'"{table}"')]
    written = "plain" if kind == "gzip" else kind
    done = subprocess.run(
        [str(program("pg_dump")), f"--format={written}", f"--file={path}", *arguments, *named],
        env={
            "PGHOST": login["host"],
            "PGPORT": str(login["port"]),
            "PGUSER": login["user"],
            "PGDATABASE": login["dbname"],
            "PGPASSWORD": login["password"],
            "PATH": os.environ["PATH"],
            "TZ": zone,
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if kind == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return {"kind": "file", "path": str(path)}


def compare(modules: Modules, source: dict[str, str], *tables: Any, **options: Any) -> Result:
    """Compare, which changes nothing."""
    return modules.ok("pg_restore_tables", True, source=source, tables=list(tables), **options)


def restore(modules: Modules, source: dict[str, str], *tables: Any, **options: Any) -> Result:
    """Compare, approve and bring back; must succeed."""
    found = compare(modules, source, *tables, **options)
    assert not found["plan"]["refused"], found["plan"]["refused"]
    given = {"source": source, "tables": list(tables), "plan_hash": found["plan_hash"], "approved_by": "ana"}
    return modules.ok("pg_restore_tables", **given, **options)


def table(result: Result, name: str) -> dict[str, Any]:
    """Return one table's part of a plan."""
    (found,) = [one for one in result["plan"]["tables"] if one["table"].partition(".")[2] == name]
    assert isinstance(found, dict)
    return found


def figures(result: Result, name: str) -> dict[str, int]:
    """Return the number of rows of one table by kind, for those kinds that it has."""
    kinds = ("missing", "changed", "newer", "deleted", "reused", "without_parent", "taken", "superseded")
    one = table(result, name)
    return {kind: one[kind] for kind in kinds if one[kind]}


def codes(result: Result) -> list[str]:
    """Return why a plan could not be applied."""
    return [reason["code"] for reason in result["plan"]["refused"]]
