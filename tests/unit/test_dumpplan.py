# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pg_dump is called, how its table of contents is read, and what its last words mean."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _dumpplan as plan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpfailure import explain_end
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

# A schema may be called DATA, so that its table's entry reads like one of rows.
LISTING = b""";
; Archive created at 2026-11-25 03:50:00 UTC
;     dbname: chatia_db
;     TOC Entries: 12
;     Compression: zstd
;
; Selected TOC Entries:
;
221; 1259 16434 TABLE DATA x postgres
222; 1259 16435 TABLE public Tickets postgres
3519; 0 16434 TABLE DATA DATA x postgres
3518; 0 16435 TABLE DATA public Tickets with spaces postgres
3533; 0 0 SEQUENCE SET public Companies_id_seq postgres
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("pg_dump (PostgreSQL) 17.12 (Debian 17.12-0+deb13u1)\n", (17, "17.12")),
        ("pg_dump (PostgreSQL) 18beta1\n", (18, "18beta1")),
        ("pg_dump (PostgreSQL) 9.6.24\n", (9, "9.6.24")),
        ("sh: pg_dump: not found\n", None),
        ("", None),
    ],
)
def test_versions(output: str, expected: tuple[int, str] | None) -> None:
    assert plan.parse_version(output) == expected


@pytest.mark.parametrize(
    ("choice", "major", "expected"),
    [
        ("zstd:3", 16, "zstd:3"),
        ("zstd:level=9,long", 17, "zstd:level=9,long"),
        ("lz4", 17, "lz4"),
        ("gzip:1", 15, "1"),
        ("gzip", 15, "6"),
        ("none", 15, "0"),
        ("none", 16, "none"),
    ],
)
def test_how_to_compress(choice: str, major: int, expected: str) -> None:
    assert plan.compress_argument(choice, major) == expected


@pytest.mark.parametrize(
    ("choice", "major", "code"),
    [
        ("zstd:3", 15, "compress_unsupported"),
        ("gzip:level=3", 15, "compress_unsupported"),
        ("bzip2", 17, "bad_compress"),
        ("zstd:3;reboot", 17, "bad_compress"),
        ("zstd:", 17, "bad_compress"),
        ("--file=x", 17, "bad_compress"),
    ],
)
def test_how_not_to_compress(choice: str, major: int, code: str) -> None:
    with pytest.raises(KanbanError) as caught:
        plan.compress_argument(choice, major)
    assert caught.value.code == code


def test_what_is_left_out_is_named_exactly() -> None:
    found = plan.exclusions([("public", 'a"b'), ("public", "x|y"), ("Ação", "*")], "latin-1")
    assert found == [
        b'--exclude-table-data="A\xe7\xe3o".("*")',
        b'--exclude-table-data="public".("a""b"|"x|y")',
    ]


def test_many_names_become_few_patterns() -> None:
    found = plan.exclusions([("s", f"t{number}") for number in range(950)], "utf-8")
    assert len(found) == 10
    assert sum(argument.count(b'"t') for argument in found) == 950


def test_more_names_than_a_command_line_takes() -> None:
    with pytest.raises(KanbanError) as caught:
        plan.exclusions([("s", f"{number:060}") for number in range(30_000)], "utf-8")
    assert caught.value.code == "too_many_tables"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UTF8", "utf-8"),
        ("LATIN1", "iso8859-1"),
        ("LATIN9", "iso8859-15"),
        ("WIN1252", "cp1252"),
        ("KOI8R", "koi8-r"),
        ("ISO_8859_5", "iso8859-5"),
        ("SQL_ASCII", "utf-8"),
    ],
)
def test_encodings_have_other_names_in_python(name: str, expected: str) -> None:
    assert plan.python_encoding(name) == expected


def test_the_password_is_no_part_of_the_conninfo() -> None:
    text, password = plan.conninfo(
        {
            "host": "db",
            "port": 5433,
            "user": "o'neil\\",
            "password": "s3cret",
            "sslcert": None,
            "client_encoding": "UTF8",
        }
    )
    assert password == "s3cret"
    assert text == r"host='db' port='5433' user='o\'neil\\'"
    with pytest.raises(KanbanError) as caught:
        plan.conninfo({"host": "db", "sslpassword": "s3cret"})
    assert "s3cret" not in str(caught.value)


@given(st.dictionaries(st.sampled_from(["host", "user", "dbname"]), st.text(min_size=1)))
def test_conninfo_reads_back(params: dict[str, str]) -> None:
    text, _password = plan.conninfo(params)
    found = re.findall(r"(\w+)='((?:[^'\\]|\\.)*)'(?: |$)", text, re.DOTALL)
    assert {name: re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for name, value in found} == params


def test_contents_are_read_by_numbers() -> None:
    found = plan.parse_contents(LISTING)
    assert (found.entries, list(found.rows), list(found.strange)) == (12, [(16434, 3519), (16435, 3518)], [])
    files = ["3518.dat.zst", "3519.dat", "toc.dat"]
    assert plan.match_contents(found, {16434: "DATA.x", 16435: "public.Tickets"}, files) == {
        16434: "3519.dat",
        16435: "3518.dat.zst",
    }


BOTH = {16434: "DATA.x", 16435: "public.Tickets"}
FILES = ["3518.dat.zst", "3519.dat", "toc.dat"]


@pytest.mark.parametrize(
    ("listing", "leaves", "files"),
    [
        (LISTING, {**BOTH, 7: "public.Tags"}, FILES),
        (LISTING, {16434: "DATA.x"}, FILES),
        (LISTING, BOTH, FILES[1:]),
        (LISTING, BOTH, [*FILES, "3519.dat.gz"]),
        (LISTING + b"9; 0 16434 TABLE DATA DATA x postgres\n", BOTH, [*FILES, "9.dat"]),
        (LISTING + b"9; 0 77 MATERIALIZED VIEW DATA public seen postgres\n", BOTH, FILES),
        (LISTING + b"9; 0 0 BLOBS - BLOBS \n", BOTH, FILES),
        (LISTING.replace(b"TOC Entries: 12", b""), BOTH, FILES),
        (b"", {}, []),
    ],
    ids=["missing", "extra", "no file", "two files", "twice", "refresh", "large objects", "no total", "nothing"],
)
def test_other_contents_than_asked_for(listing: bytes, leaves: dict[int, str], files: list[str]) -> None:
    with pytest.raises(KanbanError) as caught:
        plan.match_contents(plan.parse_contents(listing), leaves, files)
    assert caught.value.code == "toc_mismatch"


@pytest.mark.parametrize(
    ("status", "stderr", "code"),
    [
        (1, 'pg_dump: error: could not write to file "x/1.dat": No space left on device\n', "disk_full"),
        (
            1,
            "pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout\n"
            "pg_dump: detail: Query was: LOCK TABLE public.other IN ACCESS SHARE MODE\n",
            "lock_timeout",
        ),
        (
            1,
            # A server that speaks Portuguese: pg_dump's own words are still English.
            "pg_dump: error: query failed: ERRO:  cancelando comando por causa do tempo de espera do bloqueio\n"
            "pg_dump: detail: Query was: LOCK TABLE public.other IN ACCESS SHARE MODE\n",
            "lock_timeout",
        ),
        (1, "pg_dump: error: query failed: ERROR:  permission denied for table other\n", "missing_privilege"),
        (1, 'ERROR:  query would be affected by row-level security policy for table "t"\n', "row_level_security"),
        (1, "pg_dump: error: aborting because of server version mismatch\n", "client_too_old"),
        (1, "ERROR:  canceling statement due to conflict with recovery\n", "recovery_conflict"),
        (1, 'ERROR:  invalid snapshot identifier: "00000034-00000002-1"\n', "another_server"),
        (1, "server closed the connection unexpectedly\n", "lost_connection"),
        (1, 'pg_dump: error: could not obtain lock on relation "public.t"\n', "lock_timeout"),
        (1, "pg_dump: error: the moon is full\n", "dump_failed"),
        (1, "", "dump_failed"),
        (-9, "", "killed"),
    ],
)
def test_last_words(status: int, stderr: str, code: str) -> None:
    error = explain_end("pg_dump", status, stderr)
    assert (error.code, error.details["stderr"]) == (code, stderr.rstrip())


def test_of_many_words_the_last_are_kept_and_the_error_is_shown() -> None:
    noise = "pg_dump: warning: " + "x" * 5000 + "\n"
    words = noise + "pg_dump: error: the moon is full\npg_dump: error: a worker process died unexpectedly\n"
    error = explain_end("pg_dump", 1, words)
    assert len(str(error.details["stderr"])) == 2000
    assert "the moon is full." in error.what


def test_rows_that_the_server_quotes_are_not_kept() -> None:
    words = (
        'pg_restore: error: COPY failed for table "t": ERROR:  new row violates check constraint "c"\n'
        "DETALHE:  A linha contém (Maria, 11 99999-0000).\n"
        'CONTEXT:  COPY t, line 1: "Maria"\n'
        "pg_restore: error: a worker process died unexpectedly\n"
    )
    error = explain_end("pg_restore", 1, words)
    assert "Maria" not in str(error) + str(error.details)
    assert "violates check constraint" in error.what
    # A program that did not even start has no words of its own.
    assert "not found" in explain_end("pg_dump", 127, "sh: 1: pg_dump: not found\n").what
