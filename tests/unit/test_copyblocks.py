# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows read out of scripts, however the scripts are cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copyblocks import Header, Script

TEXT = b"""--
-- PostgreSQL database dump
--
-- Started on 2026-11-25 10:11:12 UTC

\\restrict abc
SET client_encoding = 'UTF8';
\\connect "my db"
COPY public."Tickets" (id, "last""Message", "a b") FROM stdin;
1\tx\\ny\t\\N
2\t\\\\.\tz
\\.

SELECT pg_catalog.setval('x', 1);
COPY s.empty () FROM stdin;
\\.
COPY public.other (id) FROM stdin;
9
\\.
INSERT INTO public.written VALUES (1, 'x');
--
-- PostgreSQL database dump complete
--

"""


def cut(text: bytes, size: int) -> Iterator[bytes]:
    return (text[start : start + size] for start in range(0, len(text), size))


def read(script: Script, *wanted: tuple[str, str]) -> list[tuple[Header, bytes]]:
    return [(header, b"".join(rows)) for header, rows in script.blocks(wanted or None)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_rows_are_the_same_whatever_the_pieces(size: int) -> None:
    script = Script(cut(TEXT, size))
    first, second, third = read(script)
    assert first == (
        Header("public", "Tickets", ["id", 'last"Message', "a b"], "UTF8"),
        b"1\tx\\ny\t\\N\n2\t\\\\.\tz\n",
    )
    assert second == (Header("s", "empty", [], "UTF8"), b"")
    assert third[1] == b"9\n"
    assert (script.complete, script.truncated, script.cluster) == (True, False, False)
    assert (script.database, script.started) == ("my db", "2026-11-25 10:11:12 UTC")
    assert script.inserts == {("public", "written")}


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_what_is_not_wanted_is_passed_over(size: int) -> None:
    ((header, rows),) = read(Script(cut(TEXT, size)), ("public", "other"))
    assert (header.table, rows) == ("other", b"9\n")


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_rows_that_are_not_read_do_not_become_others(size: int) -> None:
    tables = [header.table for header, _rows in Script(cut(TEXT, size)).blocks()]
    assert tables == ["Tickets", "empty", "other"]


@pytest.mark.parametrize("end", ["2\t", "2\t\\\\.\tz\n", "\\N\n"])
def test_an_end_within_rows_is_seen(end: str) -> None:
    script = Script(cut(TEXT[: TEXT.index(end.encode()) + len(end)], 16))
    read(script)
    assert (script.truncated, script.complete) == (True, False)


def test_an_end_between_rows_lacks_the_last_line() -> None:
    script = Script(cut(TEXT[: TEXT.index(b"INSERT")], 16))
    assert len(read(script)) == 3
    assert (script.truncated, script.complete) == (False, False)


def test_lines_that_never_end_do_not_fill_the_memory() -> None:
    pieces = [b"INSERT INTO t VALUES ('", *([b"x" * 1000] * 1000), b"');\nCOPY t (a) FROM stdin;\n1\n\\.\n"]
    script = Script(iter(pieces))
    assert [(header.schema, rows) for header, rows in read(script)] == [("public", b"1\n")]
    assert script.inserts == {("public", "t")}


def test_names_without_a_schema_are_in_the_path_of_older_programs() -> None:
    text = b"SET search_path = crm, pg_catalog;\nCOPY t (a) FROM stdin;\n1\n\\.\n"
    assert read(Script(iter([text])))[0][0].schema == "crm"


def test_another_encoding_and_a_name_in_it() -> None:
    text = 'SET client_encoding = \'LATIN1\';\nCOPY public."Ação" ("é") FROM stdin;\n1\n\\.\n'.encode("latin-1")
    header = read(Script(iter([text])))[0][0]
    assert (header.table, header.columns, header.encoding) == ("Ação", ["é"], "LATIN1")


def test_a_script_of_several_databases_is_told() -> None:
    script = Script(iter([b"--\n-- PostgreSQL database cluster dump\n--\n"]))
    assert read(script) == []
    assert script.cluster
    conninfo = Script(iter([b"\\connect -reuse-previous=on \"dbname='it\\'s'\"\n"]))
    assert read(conninfo) == []
    assert conninfo.database == "it's"


def test_where_rows_of_a_partitioned_table_lay_is_told_by_its_definitions() -> None:
    text = (
        'CREATE TABLE public."lo""gs" (\n    id integer\n)\nPARTITION BY RANGE (id);\n'
        "CREATE TABLE public.middle (\n);\nCREATE TABLE parts.a (\n);\nCREATE UNLOGGED TABLE public.b (\n);\n"
        'ALTER TABLE ONLY public."lo""gs" ATTACH PARTITION public.middle FOR VALUES FROM (1) TO (9);\n'
        "ALTER TABLE ONLY public.middle ATTACH PARTITION parts.a FOR VALUES FROM (1) TO (5);\n"
        'ALTER TABLE ONLY public."lo""gs" ATTACH PARTITION public.b DEFAULT;\n'
        "ALTER INDEX public.logs_pkey ATTACH PARTITION public.b_pkey;\n"
        "COPY parts.a (id) FROM stdin;\nCREATE TABLE public.no (\n\\.\n"
    )
    script = Script(cut(text.encode(), 16))
    read(script)
    leaves = {("parts", "a"), ("public", "b")}
    assert script.partitions() == {
        ("public", 'lo"gs'): leaves,
        ("public", "middle"): {("parts", "a")},
        ("parts", "a"): {("parts", "a")},
        ("public", "b"): {("public", "b")},
    }
