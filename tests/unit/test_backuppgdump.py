# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents lists and scripts of pg_dump: what they say of themselves, in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuppgdump import (
    Script,
    is_ended,
    local_moment,
    parse_listing,
    script_kind,
)

# pg_restore --list of 17.12
LISTING = """;
; Archive created at 2026-11-26 21:22:11 UTC
;     dbname: chatia db
;     TOC Entries: 14
;     Compression: gzip
;     Dump Version: 1.16-0
;     Format: CUSTOM
;     Integer: 4 bytes
;     Offset: 8 bytes
;     Dumped from database version: 17.12
;     Dumped by pg_dump version: 17.12
;
;
; Selected TOC Entries:
;
221; 1259 16400 TABLE public Tickets postgres
3446; 0 16400 TABLE DATA public Tickets postgres
3447; 0 16405 TABLE DATA public Ticket Tags postgres
3448; 0 16409 TABLE DATA crm empty postgres
3455; 0 0 SEQUENCE SET public Tickets_id_seq postgres
3460; 0 16417 MATERIALIZED VIEW DATA public seen postgres
"""
BEGIN = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 17.12\n\n"
END = b"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
ROWS = b"""COPY public."Tickets" (id, "a b") FROM stdin;
1\tCOPY public.no (id) FROM stdin;
COPY public.no (id) FROM stdin;
\\.

"""
MORE = b'''COPY "my ""schema""".plain FROM stdin;
\\.
INSERT INTO public.one VALUES (1);
INSERT INTO public.one VALUES (2);

'''
CONNECT = (
    b"\\connect crm\n\nCOPY public.t (id) FROM stdin;\n1\n\\.\n\\connect -reuse-previous=on \"dbname='e r p'\"\n\n"
)
WHOLE = BEGIN + ROWS + MORE + CONNECT + b"COPY public.u (id) FROM stdin;\n1\n\\.\n\n" + END


def test_a_list_of_contents() -> None:
    found = parse_listing(LISTING)
    assert found is not None
    assert (found.created, found.database, found.form) == ("2026-11-26 21:22:11", "chatia db", "CUSTOM")
    assert found.tables == {"chatia db": [("public", "Tickets"), ("public", "Ticket Tags"), ("crm", "empty")]}
    assert [number for number, _table in found.rows] == ["3446", "3447", "3448"]


@pytest.mark.parametrize("text", ["", "; nothing", "pg_restore: error"])
def test_what_is_no_list_of_contents(text: str) -> None:
    assert parse_listing(text) is None


def test_a_time_without_a_zone_is_this_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    for zone, hours in (("UTC0", 0), ("<-03>3", 3)):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert local_moment("2026-11-26 21:22:11") == 1795728131 + hours * 3600
    monkeypatch.undo()
    time.tzset()
    assert local_moment("yesterday") is None


def test_a_script_is_told_by_its_beginning_and_its_end() -> None:
    end = script_kind(BEGIN)
    assert end == b"database dump complete"
    assert is_ended(WHOLE[-200:], end)
    every = script_kind(BEGIN.replace(b"database dump", b"database cluster dump"))
    assert every == b"database cluster dump complete"
    # One whole database does not make the whole cluster's dump whole.
    assert not is_ended(WHOLE, every)
    assert script_kind(b"-- SQL\n" + BEGIN) is None
    assert script_kind(b"") is None


@pytest.mark.parametrize(
    ("after", "whole"),
    [
        (b"", True),
        (b"\n--\n\n", True),
        (b"\n--\n\n\\unrestrict aBc9\n\n", True),
        (b"\r\n--\r\n\r\n", True),
        (b"\n--\n\nDROP TABLE x;\n", False),
        (b" of half\n", False),
    ],
)
def test_nothing_but_comments_comes_after_the_end(after: bytes, whole: bool) -> None:
    assert is_ended(b"x;\n\n--\n-- PostgreSQL database dump complete" + after, b"database dump complete") is whole


def tables(script: Script) -> dict[str | None, list[str]]:
    return {database: [".".join(one) for one in some] for database, some in script.tables.items()}


EXPECTED = {
    None: ["public.Tickets", 'my "schema".plain', "public.one"],
    "crm": ["public.t"],
    "e r p": ["public.u"],
}


@given(st.integers(min_value=1, max_value=len(WHOLE)))
def test_a_script_in_pieces_of_any_size_has_the_same_tables(size: int) -> None:
    script = Script()
    for at in range(0, len(WHOLE), size):
        script.feed(WHOLE[at : at + size])
    assert (tables(script), script.cut_in) == (EXPECTED, None)
    assert is_ended(script.tail, b"database dump complete")


@given(st.integers(min_value=0, max_value=len(WHOLE) - len(END)))
def test_a_script_that_is_cut_anywhere_is_not_whole(kept: int) -> None:
    script = Script()
    script.feed(WHOLE[:kept])
    assert not is_ended(script.tail, b"database dump complete")


def test_rows_that_are_cut_name_their_table() -> None:
    script = Script()
    script.feed(BEGIN + ROWS[:60])
    assert script.cut_in == "Tickets"


def test_a_long_line_takes_no_endless_memory() -> None:
    script = Script()
    script.feed(BEGIN + b"INSERT INTO public.big VALUES ('")
    for _number in range(20):
        script.feed(b"x" * (1 << 20))
    assert len(script._rest) <= 17 << 20
    script.feed(b"');\n" + ROWS)
    assert ("public", "Tickets") in script.tables[None]
