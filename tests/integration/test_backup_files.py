# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of pg_dump, in each of its formats: good, cut, changed, empty, of something else."""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dumps import client, fill, program
from tests.integration.module import Result
from tests.integration.place import Database
from tests.support import processes

ARCHIVES = {"custom": "-Fc", "directory": "-Fd", "tar": "-Ft"}
WANTED = ["Tickets", "public.TicketTags", "empty"]


def make(db: Database, target: Path, form: str, *more: str) -> Path:
    """Write a dump of a whole database."""
    if form == "gzip":
        target.write_bytes(gzip.compress(make(db, target.with_suffix(".tmp"), "plain", *more).read_bytes()))
        target.with_suffix(".tmp").unlink()
    else:
        client("pg_dump", db, ARCHIVES.get(form, "-Fp"), f"--file={target}", *more, db.name)
    return target


def look(db: Database, path: Path | str, **options: Any) -> Result:
    source = {
        "kind": "pg_dump",
        "path": str(path),
        **({"database": options.pop("named")} if "named" in options else {}),
    }
    return db.modules().ok("backup_info", sources=[source], ask_server=False, **options)


def refused(db: Database, path: Path, reason: str, **options: Any) -> None:
    """Check that a backup is not usable by either way of verifying it, for a reason that is reported."""
    for verify in ("contents", "listing"):
        found = look(db, path, verify=verify, **options)
        assert found["newest"] is None, (path, verify)
        (one,) = found["sources"][0]["refused"]
        assert reason in one["why_not"], (verify, one)
        assert found["complete"] is True


@pytest.mark.parametrize("form", ["custom", "directory", "tar", "plain", "gzip"])
def test_a_good_one_is_usable_and_says_what_it_holds(db: Database, directory: Path, form: str) -> None:
    fill(db)
    before = time.time()
    target = make(db, directory / "backup", form)
    named = {"named": db.name} if form in ("plain", "gzip") else {}
    # A plain script shows its tables only if it is read whole, so they are not asked for.
    for verify, wanted in (("contents", WANTED), ("listing", [] if form == "plain" else WANTED)):
        found = look(db, target, of_database=db.name, tables=wanted, verify=verify, max_age=600, **named)
        newest = found["newest"]
        assert newest is not None, found["newest_why"]
        assert (newest["label"], newest["database"], found["recent"]) == ("backup", db.name, True)
        assert newest["format"] == {"gzip": "plain"}.get(form, form)
        if wanted:
            assert newest["tables"] == ["public.TicketTags", "public.Tickets", "public.empty", "public.other"]
        assert newest["time_by"] == ("header" if form in ARCHIVES else "mtime")
        assert before - 2 <= datetime.fromisoformat(newest["as_of"]).timestamp() <= time.time()
        ways = {"contents": "contents", "listing": {"plain": "ends", "gzip": "contents"}.get(form, "toc")}
        assert newest["verified"] == ways[verify]
        assert (newest["physical"], newest["reach"]["earliest"]) == (False, newest["reach"]["latest"])


@pytest.mark.parametrize("form", ["custom", "tar", "plain", "gzip"])
def test_what_is_cut_is_refused(db: Database, directory: Path, form: str) -> None:
    fill(db)
    target = make(db, directory / "backup", form)
    whole = target.read_bytes()
    # The last line of a script is a word that ends restricted mode; without it the script is still whole.
    for kept in (len(whole) // 2, len(whole) - {"plain": 150}.get(form, 30)):
        target.write_bytes(whole[:kept])
        found = [look(db, target, verify=verify)["newest_why"] for verify in ("contents", "listing")]
        assert all("is none: " in why for why in found), (kept, found)
    target.write_bytes(b"")
    refused(db, target, "the file is empty")


def test_a_directory_that_lost_a_file_is_refused(db: Database, directory: Path) -> None:
    fill(db)
    target = make(db, directory / "backup", "directory", "--compress=gzip")
    biggest = max(target.glob("*.dat.gz"), key=lambda path: path.stat().st_size)
    kept = biggest.read_bytes()
    biggest.write_bytes(kept[: len(kept) // 2])
    found = look(db, target)
    assert found["newest"] is None, "half of a file of rows is as good as none"
    biggest.unlink()
    assert look(db, target)["newest"] is None
    assert "are missing" in look(db, target, verify="listing")["newest_why"]


@pytest.mark.parametrize("compress", ["gzip", "zstd:1", "lz4", "none"])
def test_rows_that_are_cut_are_seen_in_each_compression(db: Database, directory: Path, compress: str) -> None:
    fill(db)
    db.rows("CREATE TABLE noise AS SELECT md5(g::text) AS noise FROM generate_series(1, 20000) AS g")
    target = make(db, directory / "backup", "directory", f"--compress={compress}", "--table=noise")
    assert look(db, target)["newest"] is not None
    biggest = max(target.glob("*.dat*"), key=lambda path: path.stat().st_size)
    kept = biggest.read_bytes()
    biggest.write_bytes(kept[: len(kept) // 2])
    assert look(db, target)["newest"] is None
    biggest.write_bytes(b"")
    assert look(db, target)["newest"] is None


def test_a_changed_byte_is_found_by_reading(db: Database, directory: Path) -> None:
    fill(db)
    db.rows("CREATE TABLE noise AS SELECT md5(g::text) AS noise FROM generate_series(1, 20000) AS g")
    target = make(db, directory / "backup", "custom", "--compress=gzip")
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 0xFF
    target.write_bytes(data)
    assert look(db, target)["newest"] is None
    # Documented: the listing does not read the rows.
    assert look(db, target, verify="listing")["newest"] is not None


def test_what_is_of_something_else_is_refused(db: Database, directory: Path) -> None:
    fill(db)
    for form in ARCHIVES:
        target = make(db, directory / form, form)
        refused(db, target, f"it is of database {db.name}", of_database="other")
        refused(db, target, "it has no rows of Lanes", tables=["Tickets", "Lanes"])
        part = make(db, directory / f"{form}-part", form, '--table="Tickets"')
        refused(db, part, "it has no rows of TicketTags", tables=["Tickets", "TicketTags"])
        refused(db, make(db, directory / f"{form}-schema", form, "--schema-only"), "it has no rows of any table")
    plain = make(db, directory / "plain", "plain")
    refused(db, plain, "it does not name its database", of_database=db.name)
    refused(db, plain, "it is of database crm", of_database=db.name, named="crm")
    assert look(db, plain, of_database=db.name, named=db.name)["newest"] is not None
    assert "it has no rows of Lanes" in look(db, plain, tables=["Lanes"])["newest_why"]
    # A script that says where it connects to names its database.
    created = make(db, directory / "created", "plain", "--create")
    assert look(db, created, of_database=db.name)["newest"]["label"] == "created"
    assert f"it is of database {db.name}" in look(db, created, of_database="other")["newest_why"]


def test_a_dump_of_the_whole_server_is_searched_by_database(db: Database, directory: Path) -> None:
    fill(db)
    target = directory / "all.sql"
    client("pg_dumpall", db, f"--file={target}", "--no-role-passwords", "--inserts")
    assert look(db, target, of_database=db.name, tables=["Tickets"])["newest"]["label"] == "all.sql"
    assert look(db, target, of_database="other_one")["newest"] is None
    assert look(db, target, of_database=db.name, tables=["Lanes"])["newest"] is None
    target.write_bytes(target.read_bytes()[:-60])
    refused(db, target, "it is cut, or not finished")


def test_rows_that_look_like_statements_are_rows(db: Database, directory: Path) -> None:
    db.rows("CREATE TABLE notes (text text)")
    db.rows("INSERT INTO notes VALUES (E'x\nCOPY public.t (id) FROM stdin;\n'), ('COPY public.u (id) FROM stdin;')")
    target = make(db, directory / "backup", "plain")
    assert look(db, target)["newest"]["tables"] == ["public.notes"]


def test_other_files_are_refused_with_a_reason(db: Database, directory: Path) -> None:
    fill(db)
    others: dict[str, tuple[Callable[[Path], object], str]] = {
        "notes.txt": (lambda path: path.write_text("to do\n"), "does not begin as what pg_dump writes"),
        "broken.dump": (lambda path: path.write_bytes(b"PGDMP" + bytes(200)), ""),
        "packed.zst": (lambda path: path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20)), "packed by zstd"),
        "twice.gz": (lambda path: path.write_bytes(gzip.compress(b"PGDMP")), "does not begin as"),
    }
    for name, (write, reason) in others.items():
        write(directory / name)
        refused(db, directory / name, reason)
    # They hide no good one beside them; anything that is not a file is left out.
    os.mkfifo(directory / "pipe")
    (directory / "empty").mkdir()
    make(db, directory / "a.dump", "custom")
    os.utime(directory / "a.dump", (time.time() - 100, time.time() - 100))
    found = look(db, directory)
    assert (found["newest"]["label"], found["backups_count"]) == ("a.dump", 5)
    assert look(db, f"{directory}/*.dump")["backups_count"] == 2
    assert look(db, f"{directory}/*.none")["newest_why"] == "There is no usable backup: 0 found."
    assert look(db, directory / "gone.dump")["sources"][0]["error"]["code"] == "unreadable"


def test_the_newest_is_read_and_no_other(db: Database, directory: Path) -> None:
    fill(db)
    for number, name in enumerate(("old", "middle", "new")):
        make(db, directory / name, "custom")
        moment = time.time() - 3600 * (3 - number)
        os.utime(directory / name, (moment, moment))
    # A dump written an hour ago cannot have begun now: the file's time is believed, not the header.
    newest = look(db, directory)["newest"]
    assert (newest["label"], newest["time_by"]) == ("new", "mtime")
    assert newest["age_seconds"] == pytest.approx(3600, abs=60)
    found = look(db, directory, before=datetime.fromtimestamp(time.time() - 5400).astimezone().isoformat())
    assert (found["before"]["label"], found["lost_seconds"]) == ("middle", pytest.approx(1800, abs=60))
    assert [one["usable"] for one in found["backups"]] == [True, True, None]


def test_the_header_is_read_in_the_zone_of_the_host(db: Database, directory: Path) -> None:
    fill(db)
    login = db.server.parameters(db.name)
    environment = {"PGPASSWORD": login["password"], "TZ": "<-03>3", "LC_ALL": "C"}
    command = [str(program("pg_dump")), "-Fc", f"--file={directory / 'dump'}", "-h", login["host"], "-U", login["user"]]
    subprocess.run([*command, "-p", str(login["port"]), db.name], env=environment, check=True, timeout=60)
    source = [{"kind": "pg_dump", "path": str(directory / "dump")}]
    modules = db.modules(ask_server=False, sources=source)
    for zone, by in (("<-03>3", "header"), ("<-05>5", "mtime")):
        newest = type(modules)(modules.options, {"TZ": zone}).ok("backup_info")["newest"]
        assert newest["time_by"] == by
        assert newest["age_seconds"] < 300, zone


def test_a_time_that_is_over_is_no_pass(db: Database, directory: Path) -> None:
    fill(db)
    make(db, directory / "dump", "custom")
    # A pg_restore that never ends; the real one hangs like this on some tar files that are cut.
    (directory / "bin").mkdir()
    (directory / "bin" / "pg_dump").symlink_to(program("pg_dump"))
    (directory / "bin" / "pg_restore").write_text("#!/bin/sh\nexec sleep 46\n")
    (directory / "bin" / "pg_restore").chmod(0o755)
    found = look(db, directory / "dump", timeout=1, bin_dir=str(directory / "bin"))
    assert (found["newest"], found["complete"], found["sources"][0]["error"]["code"]) == (None, False, "timeout")
    assert "not checked" in found["sources"][0]["refused"][0]["why_not"]
    assert found["elapsed_ms"] < 10_000
    assert processes.matching(lambda arguments: "46" in arguments and arguments[0].endswith("sleep")) == []
    none = look(db, directory / "dump", bin_dir=str(directory))
    assert (none["newest"], none["sources"][0]["error"]["code"]) == (None, "no_pg_restore")
