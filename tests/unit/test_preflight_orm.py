# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves of whole rows are told from moves, by the text of the statement alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightorm import (
    Update,
    cut,
    plain,
    read_update,
    saves_whole_row,
)

FENCED = ("kanbanLane", "kanbanOrder")
WHOLE = (
    'UPDATE "Tickets" SET "id"=$1,"status"=$2,"companyId"=$3,"kanbanLane"=$4,"kanbanOrder"=$5,"updatedAt"=$6 '
    'WHERE "id" = $7 RETURNING "id"'
)
MOVE = 'UPDATE "Tickets" SET "kanbanLane"=$1,"kanbanOrder"=$2,"updatedAt"=$3 WHERE "id" = $4'


@pytest.mark.parametrize(
    ("query", "table", "columns"),
    [
        (MOVE, "Tickets", ("kanbanLane", "kanbanOrder", "updatedAt")),
        ("update only public . tickets * as t set Lane = $1 from x where t.id = x.id", "tickets", ("lane",)),
        ('UPDATE "my.schema"."Ti""ckets" t SET a = ($1, b = $2), c=$3', 'Ti"ckets', ("a", "c")),
        ("UPDATE tickets SET status = 'x, lane = 1 WHERE', lane = coalesce($1, lane)", "tickets", ("status", "lane")),
        ("  \nUPDATE tickets\nSET lane = $1\nRETURNING id, status", "tickets", ("lane",)),
        ("UPDATE tickets SET (lane, status) = ($1, $2), x = $3", "tickets", ("x",)),
        ("UPDATE setters SET setting = $1", "setters", ("setting",)),
        ("UPDATE tickets SET a = ARRAY[$1, $2], b[1] = $3, c = 'it''s', d = $4", "tickets", ("a", "c", "d")),
    ],
)
def test_what_an_update_sets(query: str, table: str, columns: tuple[str, ...]) -> None:
    assert read_update(query) == Update(table, columns)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM tickets FOR UPDATE",
        "INSERT INTO tickets (lane) VALUES ($1) ON CONFLICT (id) DO UPDATE SET lane = $2",
        "<insufficient privilege>",
        "UPDATE",
        "",
    ],
)
def test_other_statements_are_none(query: str) -> None:
    assert read_update(query) is None


def saves(query: str, table: str = "Tickets") -> bool:
    update = read_update(query)
    assert update
    return saves_whole_row(update, table, FENCED)


def test_a_whole_row_names_a_fenced_column_among_many_others() -> None:
    assert saves(WHOLE)
    assert not saves(MOVE)
    assert not saves(WHOLE, "tickets")
    assert not saves('UPDATE "Tickets" SET "id"=$1,"status"=$2,"companyId"=$3,"unread"=$4')
    # Three others are many; two may belong to a move.
    assert saves('UPDATE "Tickets" SET "kanbanLane"=$1, a=$2, b=$3, c=$4')
    assert not saves('UPDATE "Tickets" SET "kanbanLane"=$1, a=$2, b=$3')


def test_names_are_folded_as_the_server_does() -> None:
    assert [plain(name) for name in ("Tickets", '"Tickets"', ' "a""b" ')] == ["tickets", "Tickets", 'a"b']


def test_a_text_is_cut_to_one_line() -> None:
    assert cut("UPDATE\n  x") == "UPDATE x"
    assert len(cut("x" * 500)) == 200


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    read_update(text)
    read_update(f"UPDATE t SET {text}")
