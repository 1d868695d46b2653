# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of the collection as backups: the newest that is whole, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import read_manifest, write_manifest
from tests.integration.dumps import INCIDENT, client, dumping, fill
from tests.integration.module import ROOT, Modules, Result
from tests.integration.place import Database
from tests.support import accounts


def dumps_of(db: Database, parent: Path, **options: Any) -> Result:
    return db.modules().ok("backup_info", sources=[{"kind": "dumps", "path": str(parent)}], **options)


def change(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_the_newest_dump_that_is_whole_counts(db: Database, directory: Path) -> None:
    fill(db)
    dumping(db, directory / "one", compress="gzip:1").ok("pg_dump")
    newer = dumping(db, directory / "two", compress="gzip:1").ok("pg_dump")
    found = dumps_of(db, directory, of_database=db.name, tables=["Tickets", "public.TicketTags", "EMPTY"], max_age=600)
    assert (found["newest"]["label"], found["newest"]["verified"], found["recent"]) == ("two", "manifest", True)
    assert (found["newest"]["database"], found["newest"]["incident_id"]) == (db.name, INCIDENT)
    assert found["newest"]["tables"] == ["public.TicketTags", "public.Tickets", "public.empty"]
    assert found["newest"]["as_of"][:19] == newer["snapshot"]["time"][:19]
    assert found["newest"]["size_bytes"] == newer["bytes"]
    # The older one was not read, because nobody asked for it.
    assert [(one["label"], one["usable"]) for one in found["backups"]] == [("two", True), ("one", None)]
    before = dumps_of(db, directory, before=newer["started_at"])
    assert (before["newest"]["label"], before["before"]["label"]) == ("two", "one")
    assert before["point_in_time"]["possible"] is False
    rows = next(path for path in (directory / "two").iterdir() if path.name.endswith(".dat.gz"))
    change(rows)
    found = dumps_of(db, directory)
    assert found["newest"]["label"] == "one"
    assert [one["label"] for one in found["sources"][0]["refused"]] == ["two"]
    assert rows.name in found["sources"][0]["refused"][0]["why_not"]
    # Its size is unchanged, so the listing alone shows nothing.
    assert dumps_of(db, directory, verify="listing")["newest"]["label"] == "two"
    rows.write_bytes(rows.read_bytes()[:-1])
    assert dumps_of(db, directory, verify="listing")["newest"]["label"] == "one"
    (directory / "one" / "manifest.json").write_text("{}")
    none = dumps_of(db, directory)
    assert none["newest"] is None
    assert "cannot be trusted" in json.dumps(none["sources"][0]["refused"])


def test_dumps_of_something_else_do_not_count(db: Database, directory: Path) -> None:
    fill(db)
    dumping(db, directory / "one").ok("pg_dump")
    for options, reason in (
        ({"of_database": "other"}, f"it is of database {db.name}"),
        ({"tables": ["Tickets", "other"]}, "it has no rows of other"),
        ({"tables": ["elsewhere.Tickets"]}, "it has no rows of elsewhere.Tickets"),
    ):
        found = dumps_of(db, directory, **options)
        assert found["newest"] is None
        assert reason in found["newest_why"], found["newest_why"]
    # A dump of another cluster has an equally complete manifest.
    manifest = read_manifest(directory / "one")
    manifest["database"]["cluster"] = "7712593511202629325/5"
    write_manifest(directory / "one", manifest)
    assert "another cluster" in dumps_of(db, directory / "one")["newest_why"]
    assert dumps_of(db, directory, ask_server=False)["newest"]["label"] == "one"


def test_dumps_that_may_not_be_read_are_named(db: Database, directory: Path) -> None:
    fill(db)
    dumping(db, directory / "one").ok("pg_dump")
    client("pg_dump", db, "-Fc", f"--file={directory / 'one.dump'}", db.name)
    (directory / "one.dump").chmod(0o600)
    account = accounts.unprivileged()
    modules = db.modules(ask_server=False)
    if account:
        prefix = ["/usr/bin/setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        if not accounts.reaches(account, Path(sys.executable)) or not accounts.reaches(account, ROOT):
            pytest.skip("an ordinary user does not reach the tests' Python or the checkout")
        modules = Modules(modules.options, prefix=prefix)
    else:
        for name in ("one", "one.dump"):
            (directory / name).chmod(0)
    try:
        for kind in ("dumps", "pg_dump"):
            found = modules.ok("backup_info", sources=[{"kind": kind, "path": str(directory)}])
            assert (found["newest"], found["complete"]) == (None, True)
            assert "Permission denied" in found["newest_why"], kind
    finally:
        (directory / "one").chmod(0o700)
