# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump holds what was asked for, restores, is private and proven, and is made once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from psycopg2 import sql
from psycopg2.extensions import quote_ident

from tests.integration.dumps import (
    INCIDENT,
    TABLES,
    client,
    dumping,
    fill,
    left_in,
    program,
    restored,
    rows,
    sessions_of,
)
from tests.integration.place import Database
from tests.support import binaries
from tests.support.servers import Postgres

NASTY = [
    """Com"panies'; DROP TABLE x; --""",
    "back\\slash^[x]{2}",
    "line one\nline two",
    "-t",
]
AS_NASTY = [
    "a.b",
    "st*r?",
    "do$$lar",
    "(a|b)+",
    "100% %s {{ x }}",
    "  spaces  ",
    "Ação 🥐",
    "TABLE DATA public x",
]


@pytest.fixture
def dest(directory: Path) -> Path:
    return directory / "dumps" / "today"


def test_what_is_dumped_can_be_restored(db: Database, dest: Path) -> None:
    fill(db)
    done = dumping(db, dest).ok("pg_dump")
    assert done["changed"] is True
    assert {table["name"]: table["rows"] for table in done["tables"]} == {
        "public.Tickets": 100,
        "public.TicketTags": 103,
        "public.empty": 0,
    }
    assert (done["rows"], done["verified"], done["jobs"]) == (203, "toc", 2)
    assert "TABLE DATA public TicketTags" in client("pg_restore", db, "-l", str(dest))
    with restored(db, dest) as copy:
        for table in ('"Tickets"', '"TicketTags"', "empty"):
            assert rows(copy, table) == rows(db, table)
        # The schema is whole, and nobody asked for the rows of the others.
        assert rows(copy, "other") == []
        assert copy.value('SELECT last_value FROM "Tickets_id_seq"') == 100
    assert sessions_of(db) == 0


def test_it_is_for_its_owner_alone_and_alone_in_its_place(db: Database, dest: Path) -> None:
    fill(db)
    dumping(db, dest).ok("pg_dump")
    assert left_in(dest.parent) == [dest.name]
    for path in (dest.parent, dest):
        assert path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in dest.iterdir()} == {0o600}


def test_the_manifest_tells_all_and_its_digests_are_true(db: Database, dest: Path) -> None:
    fill(db)
    before = db.value("SELECT pg_current_wal_lsn()::text")
    done = dumping(db, dest, environment="staging").ok("pg_dump")
    manifest = json.loads((dest / "manifest.json").read_text())
    assert (manifest["incident_id"], manifest["environment"], manifest["version"]) == (INCIDENT, "staging", 1)
    listed = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in manifest["files"]}
    found = {path.name: path.read_bytes() for path in dest.iterdir() if path.name != "manifest.json"}
    assert listed == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in found.items()}
    assert manifest["total_bytes"] == done["bytes"] == sum(map(len, found.values()))
    bare = {name: value for name, value in manifest.items() if name != "sha256"}
    canonical = json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()
    assert manifest["sha256"] == hashlib.sha256(canonical).hexdigest()
    assert db.value("SELECT %s::pg_lsn >= %s::pg_lsn", (manifest["snapshot"]["lsn"], before))
    named = {relation["name"]: relation["file"] for table in manifest["tables"] for relation in table["relations"]}
    assert set(named.values()) == set(found) - {"toc.dat"}
    assert f"TOC Entries: {manifest['toc_entries']}" in client("pg_restore", db, "-l", str(dest))


def test_a_second_time_changes_nothing(db: Database, dest: Path) -> None:
    fill(db)
    first = dumping(db, dest).ok("pg_dump")
    before = {path.name: path.stat().st_mtime_ns for path in dest.iterdir()}
    db.rows("""DELETE FROM "TicketTags" """)
    second = dumping(db, dest).ok("pg_dump")
    assert second["changed"] is False
    for name in ("tables", "rows", "bytes", "snapshot", "ended_at", "verified", "client_version"):
        assert second[name] == first[name], name
    assert {path.name: path.stat().st_mtime_ns for path in dest.iterdir()} == before
    assert left_in(dest.parent) == [dest.name]


def test_check_mode_looks_at_all_and_writes_nothing(db: Database, dest: Path) -> None:
    fill(db)
    would = dumping(db, dest).ok("pg_dump", check=True)
    assert would["changed"] is True
    assert [table["name"] for table in would["tables"]] == ["public.Tickets", "public.TicketTags", "public.empty"]
    assert would["needed_bytes"] > 0
    assert "public.TicketTags" in would["diff"]["after"]
    assert not dest.parent.exists()
    dumping(db, dest, tables=["Tickts"]).fails("missing_table", "pg_dump", check=True)
    dumping(db, dest, bin_dir=str(dest)).fails("no_pg_dump", "pg_dump", check=True)
    dumping(db, dest).ok("pg_dump")
    assert dumping(db, dest).ok("pg_dump", check=True)["changed"] is False


def test_the_dump_before_is_named(db: Database, dest: Path) -> None:
    fill(db)
    assert dumping(db, dest).ok("pg_dump")["previous"] is None
    (dest.parent / "junk").mkdir()
    later = dumping(db, dest.with_name("later"), incident_id="INC-2").ok("pg_dump")
    assert (later["previous"]["path"], later["previous"]["incident_id"]) == (str(dest), INCIDENT)
    assert 0 <= later["previous"]["age_seconds"] < 60
    # A later dump is not the previous one; a dump that has lost a file does not count.
    assert dumping(db, dest).ok("pg_dump")["previous"] is None
    (dest / "toc.dat").unlink()
    assert dumping(db, dest.with_name("third")).ok("pg_dump")["previous"]["incident_id"] == "INC-2"
    # Nor does one that lacks a table, for those who ask for more; a wider one does for those who ask for less.
    narrow = dumping(db, dest.with_name("narrow"), incident_id="INC-3", tables=["Tickets"]).ok("pg_dump")
    assert narrow["previous"]["path"] == str(dest.with_name("third"))
    assert dumping(db, dest.with_name("fourth")).ok("pg_dump")["previous"]["path"] == str(dest.with_name("third"))


@pytest.mark.parametrize("name", [*NASTY, *(pytest.param(name, marks=pytest.mark.drill) for name in AS_NASTY)])
def test_any_name(db: Database, dest: Path, name: str) -> None:
    """As table, as schema, and as what is left out: patterns are regular expressions to pg_dump."""
    with db.connect() as session:
        here = quote_ident(name, session)
    db.rows(f"CREATE SCHEMA {here}")
    for place in (here, f"{here}.{here}", f'{here}."left out"', '"xay"', '"st"', '"a"', '"b"'):
        db.rows(sql.SQL(f"CREATE TABLE {place} (a integer)"))
        db.rows(sql.SQL(f"INSERT INTO {place} VALUES (1), (2)"))
    done = dumping(db, dest, tables=[name, f"{name}.{name}"]).ok("pg_dump")
    assert [(table["schema"], table["table"], table["rows"]) for table in done["tables"]] == [
        ("public", name, 2),
        (name, name, 2),
    ]
    with restored(db, dest) as copy:
        assert rows(copy, here) == rows(copy, f"{here}.{here}") == ["(1)", "(2)"]
        for place in (f'{here}."left out"', '"xay"', '"st"', '"a"', '"b"'):
            assert rows(copy, place) == []
    # The other way round: the odd names are what is left out.
    done = dumping(db, dest.with_name("others"), tables=["xay", f"{name}.left out"]).ok("pg_dump")
    assert done["rows"] == 4
    with restored(db, dest.with_name("others")) as copy:
        assert rows(copy, here) == rows(copy, f"{here}.{here}") == []


def test_names_in_another_encoding(server: Postgres, dest: Path) -> None:
    server.query("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'")
    db = Database(server, "latin")
    try:
        for name in ("Ação", "Não"):
            db.rows(f'CREATE TABLE "{name}" (a text)')
            db.rows(f"INSERT INTO \"{name}\" VALUES ('olá')")
        done = dumping(db, dest, tables=["Ação"]).ok("pg_dump")
        assert done["tables"][0]["rows"] == 1
        with restored(db, dest) as copy:
            assert (rows(copy, '"Ação"'), rows(copy, '"Não"')) == (["(olá)"], [])
    finally:
        db.drop()


def test_partitions_and_children_come_along(db: Database, dest: Path) -> None:
    db.rows("CREATE TABLE tickets (id integer, at date) PARTITION BY RANGE (at)")
    db.rows("CREATE SCHEMA old")
    db.rows("CREATE TABLE old.p1 PARTITION OF tickets FOR VALUES FROM (MINVALUE) TO ('2026-01-01')")
    db.rows("""CREATE TABLE p2 PARTITION OF tickets FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)
               PARTITION BY RANGE (at)""")  # fmt: skip
    db.rows("CREATE TABLE p21 PARTITION OF p2 DEFAULT")
    db.rows("INSERT INTO tickets SELECT g, '2025-12-01'::date + g FROM generate_series(1, 60) AS g")
    db.rows("CREATE TABLE parent (a integer)")
    db.rows("CREATE TABLE child () INHERITS (parent)")
    db.rows("INSERT INTO parent VALUES (1)")
    db.rows("INSERT INTO child VALUES (2)")
    done = dumping(db, dest, tables=["tickets", "parent", "p2"]).ok("pg_dump")
    found = {table["name"]: [one["name"] for one in table["relations"]] for table in done["tables"]}
    assert found == {
        "public.tickets": ["old.p1", "public.p21"],
        "public.parent": ["public.child", "public.parent"],
        "public.p2": ["public.p21"],
    }
    assert [table["rows"] for table in done["tables"]] == [60, 2, 30]
    with restored(db, dest) as copy:
        for table in ("tickets", "old.p1", "p21", "parent", "ONLY parent"):
            assert rows(copy, table) == rows(db, table)


def test_the_counts_are_of_the_snapshot(db: Database, dest: Path) -> None:
    """Rows come and go all the while; the dump and its counts are of one moment."""
    fill(db)
    with db.connect() as session, session.cursor() as cursor, dumping(db, dest).start("pg_dump") as running:
        while running.runs:
            cursor.execute("""INSERT INTO "TicketTags" SELECT 1, 2 FROM generate_series(1, 50)""")
        done = running.result()
    assert not done.get("failed"), done
    counted = {table["table"]: table["rows"] for table in done["tables"]}
    assert counted["TicketTags"] > 103
    with restored(db, dest) as copy:
        assert len(rows(copy, '"TicketTags"')) == counted["TicketTags"]


@pytest.mark.parametrize("compress", ["none", "gzip:1", "auto"])
def test_ways_to_compress(db: Database, dest: Path, compress: str) -> None:
    fill(db)
    done = dumping(db, dest, compress=compress, jobs=1).ok("pg_dump")
    assert compress in (done["compress"], "auto")
    with restored(db, dest) as copy:
        assert rows(copy, '"TicketTags"') == rows(db, '"TicketTags"')


def test_an_option_that_makes_no_sense(db: Database, dest: Path) -> None:
    fill(db)
    dumping(db, dest, compress="bzip2").fails("bad_compress", "pg_dump")
    dumping(db, dest, compress="zstd:x;y").fails("bad_compress", "pg_dump")
    dumping(db, dest, compress="gzip:99").fails("compress_unsupported", "pg_dump")
    dumping(db, dest, jobs=0).fails("bad_jobs", "pg_dump")
    dumping(db, Path("/")).fails("bad_dest", "pg_dump")
    dumping(db, dest, connect_params={"sslpassword": "hush"}).fails("secret_on_command_line", "pg_dump")
    assert not dest.parent.exists()


def test_on_a_replica(server: Postgres, db: Database, directory: Path, dest: Path) -> None:
    fill(db)
    standby = Postgres(directory / "standby", fsync=False)
    try:
        standby.standby_of(server)
        standby.wait_for_replay()
        there = Database(standby, db.name)
        done = dumping(there, dest).ok("pg_dump")
        assert (done["rows"], done["database"]["writable"]) == (203, False)
        assert done["snapshot"]["lsn"]
        with restored(db, dest) as copy:
            assert rows(copy, '"TicketTags"') == rows(db, '"TicketTags"')
        dumping(there, dest.with_name("b"), verify="restore", verify_in="database").fails(
            "verify_unavailable", "pg_dump"
        )
    finally:
        standby.stop()


def test_the_clients_of_the_servers_own_version_are_taken(directory: Path, dest: Path) -> None:
    """What a newer client writes causes errors when it is restored on an older server."""
    newest = int(binaries.postgres().parent.name) if binaries.postgres().parent.name.isdigit() else 0
    older = [number for number in range(13, newest) if (Path(f"/usr/lib/postgresql/{number}/bin/initdb")).exists()]
    if not older:
        pytest.skip("there is only one version of PostgreSQL here")
    with Postgres(directory / "old", version=older[-1], fsync=False) as server:
        server.create_database("kanban")
        db = Database(server, "kanban")
        fill(db)
        done = dumping(db, dest, verify="restore", verify_in="database").ok("pg_dump")
        assert (done["client_version"].split(".")[0], done["verified"]) == (str(older[-1]), "restore")
        newer = dumping(db, dest.with_name("b"), bin_dir=str(program("pg_dump").parent))
        assert newer.ok("pg_dump")["rows"] == 203
        newer.fails("verify_unavailable", "pg_dump", verify="restore", verify_in="database")


def test_all_asked_tables_and_no_incident(db: Database, dest: Path) -> None:
    fill(db)
    done = dumping(db, dest, incident_id=None, tables=[*TABLES, "tickettags", "public.Tickets"]).fails(
        "missing_table", "pg_dump"
    )
    assert done["missing"] == ["tickettags"]
    done = dumping(db, dest, incident_id=None, tables=[*TABLES, "public.Tickets"]).ok("pg_dump")
    assert (len(done["tables"]), done["incident_id"]) == (3, None)
