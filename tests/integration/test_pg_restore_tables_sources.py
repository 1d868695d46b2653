# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are damaged, of something else, or too late: refused with a reason, and nothing is changed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import backup, compare, figures, make, ready
from tests.support import processes

NOISE = (
    "CREATE TABLE noise (id integer PRIMARY KEY, text text)",
    "INSERT INTO noise SELECT g, md5(g::text) FROM generate_series(1, 20000) AS g",
    "CREATE TABLE other (id integer PRIMARY KEY)",
)


def refused(db: Database, modules: Modules, code: str, source: dict[str, str], **options: Any) -> dict[str, Any]:
    """Compare with a backup that must be refused; nothing may be changed, or left running."""
    before = whole(db)
    given = {"tables": ["noise"], **options}
    result = modules.fails(code, "pg_restore_tables", check=True, source=source, **given)
    assert whole(db) == before
    assert processes.matching(lambda arguments: source["path"] in arguments) == []
    return result


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _cut_rows(path: Path) -> None:
    """Cut the largest file of a directory."""
    _cut(max(path.iterdir(), key=lambda file: file.stat().st_size))


def _flip(path: Path) -> None:
    """Change some bytes in the middle."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(255 - byte for byte in content[middle : middle + 40])
    path.write_bytes(bytes(content))


def _flip_rows(path: Path) -> None:
    _flip(max(path.iterdir(), key=lambda file: file.stat().st_size))


def _without_end(path: Path) -> None:
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b"\n\\.\n") + 4])


def _cut_manifest(path: Path) -> None:
    _cut(path / "manifest.json")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("kind", "spoil", "code"),
    [
        ("dump", _flip_rows, "checksum_mismatch"),
        ("dump", _cut_rows, "checksum_mismatch"),
        ("dump", _cut_manifest, "manifest_broken"),
        ("custom", _cut, "dump_unreadable"),
        ("custom", _flip, "dump_unreadable"),
        ("custom", _empty, "dump_truncated"),
        ("directory", _cut_rows, "dump_unreadable"),
        # What pg_restore writes after the half row reads as more of it.
        ("unpacked", _cut_rows, "dump_does_not_fit"),
        ("tar", _cut, "dump_truncated"),
        ("plain", _cut, "dump_truncated"),
        ("plain", _without_end, "dump_truncated"),
        ("plain", _empty, "dump_truncated"),
        ("gzip", _cut, "dump_truncated"),
        ("gzip", _flip, "dump_unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.strip("_"),
)
def test_a_backup_that_is_damaged(
    db: Database, directory: Path, kind: str, spoil: Callable[[Path], None], code: str
) -> None:
    make(db, *NOISE)
    arguments = ["--compress=0"] if kind == "unpacked" else []
    source = backup(db, directory, "directory" if arguments else kind, "noise", arguments=arguments)
    modules = ready(db)
    spoil(Path(source["path"]))
    told = refused(db, modules, code, source)
    assert source["path"] in told["error"]["what"] or code == "dump_does_not_fit"


def test_a_row_that_is_damaged_is_named_and_not_shown(db: Database, directory: Path) -> None:
    make(db, *NOISE)
    source = backup(db, directory, "plain", "noise")
    text = Path(source["path"]).read_bytes()
    Path(source["path"]).write_bytes(text.replace(b"\n17\t", b"\nseventeen\t", 1))
    told = refused(db, ready(db), "dump_does_not_fit", source)
    assert (told["table"], told["line"]) == ("public.noise", 17)
    assert "seventeen" not in str(told)
    # One field less than there are columns.
    Path(source["path"]).write_bytes(text.replace(b"\n18\t", b"\n18", 1))
    assert refused(db, ready(db), "dump_does_not_fit", source)["line"] == 18


def test_files_that_are_no_backups(db: Database, directory: Path) -> None:
    make(db, *NOISE)
    modules = ready(db)
    refused(db, modules, "no_backup", {"kind": "file", "path": str(directory / "nowhere")})
    refused(db, modules, "no_manifest", {"kind": "dump", "path": str(directory / "nowhere")})
    (directory / "bare").mkdir()
    refused(db, modules, "dump_unreadable", {"kind": "file", "path": str(directory / "bare")})
    (directory / "text").write_text("Lorem ipsum\n")
    refused(db, modules, "dump_truncated", {"kind": "file", "path": str(directory / "text")})
    (directory / "nothing").write_bytes(gzip.compress(b""))
    refused(db, modules, "dump_truncated", {"kind": "file", "path": str(directory / "nothing")})
    (directory / "packed").write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 100)
    told = refused(db, modules, "dump_unreadable", {"kind": "file", "path": str(directory / "packed")})
    assert "zstd -d" in told["error"]["what"]


@pytest.mark.parametrize("kind", ["plain", "custom"])
def test_rows_as_inserts_are_not_run(db: Database, directory: Path, kind: str) -> None:
    make(db, *NOISE)
    source = backup(db, directory, kind, "noise", arguments=["--inserts"])
    refused(db, ready(db), "rows_as_inserts", source)


def test_a_table_that_is_not_in_the_backup_or_not_in_the_database(db: Database, directory: Path) -> None:
    make(db, *NOISE)
    modules = ready(db)
    for kind in ("dump", "custom", "plain"):
        source = backup(db, directory, kind, "noise")
        refused(db, modules, "not_in_backup", source, tables=["noise", "other"])
        refused(db, modules, "missing_table", source, tables=["noises"])
    refused(db, modules, "bad_tables", source, tables=["noise", {"name": "noise"}])
    refused(db, modules, "bad_tables", source, tables=[{"name": "noise", "key": "id"}])
    refused(db, modules, "missing_column", source, tables=[{"name": "noise", "tenant": "company"}])


@pytest.mark.parametrize(("kind", "arguments"), [("dump", []), ("custom", []), ("plain", ["--create"])])
def test_a_backup_of_another_database(db: Database, directory: Path, kind: str, arguments: list[str]) -> None:
    make(db, *NOISE)
    other = Database(db.server, f"{db.name}_other")
    db.server.create_database(other.name)
    try:
        make(other, *NOISE)
        source = backup(other, directory, kind, "noise", arguments=arguments)
    finally:
        other.drop()
    told = refused(db, ready(db), "other_database", source)
    assert other.name in told["error"]["what"]


def test_a_dump_of_several_databases_is_refused(db: Database, directory: Path) -> None:
    make(db, *NOISE)
    source = backup(db, directory, "plain", "noise")
    text = Path(source["path"]).read_bytes()
    Path(source["path"]).write_bytes(b"--\n-- PostgreSQL database cluster dump\n--\n" + text)
    refused(db, ready(db), "dump_unreadable", source)


@pytest.mark.parametrize(
    ("kind", "arguments", "zone"),
    [("dump", [], ""), ("custom", [], "UTC"), ("plain", ["--verbose"], "UTC"), ("plain", ["--verbose"], "<-03>3")],
)
def test_a_backup_from_after_the_corruption_began(
    db: Database, directory: Path, kind: str, arguments: list[str], zone: str
) -> None:
    make(db, *NOISE, "DELETE FROM noise WHERE id = 7")
    before = db.value("SELECT to_char(clock_timestamp() - interval '2 s', 'YYYY-MM-DD\"T\"HH24:MI:SSOF') || ':00'")
    source = backup(db, directory, kind, "noise", arguments=arguments, zone=zone)
    after = db.value("SELECT to_char(clock_timestamp() + interval '2 s', 'YYYY-MM-DD\"T\"HH24:MI:SSOF') || ':00'")
    modules = ready(db)
    told = refused(db, modules, "backup_too_late", source, corrupt_since=before)
    assert "allow_late" in told["error"]["todo"]
    for options in ({"corrupt_since": before, "allow_late": True}, {"corrupt_since": after}, {}):
        assert figures(compare(modules, source, "noise", **options), "noise") == {}
    refused(db, modules, "bad_time", source, corrupt_since="yesterday")


def test_a_backup_that_does_not_tell_its_time(db: Database, directory: Path) -> None:
    make(db, *NOISE)
    source = backup(db, directory, "plain", "noise")
    modules = ready(db)
    since = "2026-11-25T02:45:00-03:00"
    refused(db, modules, "backup_time_unknown", source, corrupt_since=since)
    compare(modules, source, "noise", corrupt_since=since, allow_late=True)
    assert [text for text in compare(modules, source, "noise")["warnings"] if "of which database" in text]


def test_a_whole_file_of_which_one_table_is_wanted(db: Database, directory: Path) -> None:
    make(db, *NOISE)
    modules = ready(db)
    for kind in ("custom", "plain"):
        source = backup(db, directory, kind)
        assert figures(compare(modules, source, "noise"), "noise") == {}
    path = Path(source["path"])
    # As a mail or an editor may have left it.
    path.write_bytes(gzip.compress(path.read_bytes().replace(b"\n", b"\r\n")))
    assert figures(compare(modules, source, "noise"), "noise") == {}
