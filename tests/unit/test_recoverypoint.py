# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows read out of a script however it is cut, and what figures add up to: what is not known is never a number."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copytext import CopyRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverypoint import Point, Since, overall

SCRIPT = (
    b"SET client_encoding = 'UTF8';\n--\n-- Data for Name: Tags; Schema: public\n--\n\n"
    b'COPY public."Ta(g)s" (id, "na""me, x", "lane") FROM stdin;\n'
    b"1\tOl\xc3\xa1\t\\N\n2\ttab\\tline\\nback\\\\slash \\\\N\t7\n3\t\t\\\\.\n\\.\n\n\n--\n-- done\n--\n"
)
ROWS = [["1", "2", "3"], ["Olá", "tab\tline\nback\\slash \\N", ""], [None, "7", "\\."]]
PARTLY = Scope(("UPDATE", "DELETE", "TRUNCATE"), ("lane",))


def read(pieces: list[bytes], wanted: list[str]) -> tuple[list[list[str | None]], int]:
    reader = CopyRows("t", wanted, "utf-8")
    found: list[list[str | None]] = [[] for _name in wanted]
    for piece in pieces:
        for column, more in zip(found, reader.feed(piece), strict=False):
            column.extend(more)
    return found, reader.rows


@given(st.lists(st.integers(0, len(SCRIPT)), max_size=12))
def test_a_script_is_read_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SCRIPT)]
    pieces = [SCRIPT[start:end] for start, end in pairwise(places)]
    assert read(pieces, ["id", 'na"me, x', "lane"]) == (ROWS, 3)


def test_columns_come_as_they_are_wanted_and_one_that_is_missing_is_said() -> None:
    assert read([SCRIPT], ["lane", "id"]) == ([ROWS[2], ROWS[0]], 3)
    with pytest.raises(KanbanError, match="no columns order") as error:
        read([SCRIPT], ["id", "order"])
    assert error.value.code == "schema_changed"


def point(**given: Any) -> Point:
    made = Point(**{"name": "t", "scope": Scope(), "compared_by": "key", "rows_then": 10, "rows_now": 10, **given})
    made.judge()
    return made


@pytest.mark.parametrize(
    ("given", "writes", "accounted"),
    [
        ({}, 0, True),
        ({"since": Since(0, 0, False)}, 0, True),
        ({"quarantined": 3, "rows_now": 7}, 0, True),
        ({"quarantined": 3, "rows_now": 8}, 0, False),
        ({"new": 2, "rows_now": 12}, 2, True),
        ({"gone": 1, "rows_now": 9}, 1, False),
        ({"since": Since(4, 0, False), "changed": 1}, 4, True),
        # Deletions by our own undo that were counted late make the number smaller, not larger.
        ({"since": Since(0, -2, False)}, 0, True),
        ({"since": Since(0, 2, False)}, None, True),
        ({"since": Since(0, 2, True)}, 0, True),
        ({"since": Since(1, 2, True)}, 1, True),
        ({"since": Since(0, 2, False), "gone": 2, "rows_now": 8}, 2, False),
        ({"after_drain": False, "changed": 3, "since": Since(0, 0, False)}, 0, True),
        ({"scope": PARTLY, "new": 2, "rows_now": 12}, 0, True),
        ({"scope": PARTLY, "changed": 2, "gone": 1, "rows_now": 9}, 3, False),
        ({"scope": PARTLY, "changed": 2, "after_drain": False}, None, True),
        ({"scope": PARTLY, "after_drain": False}, 0, True),
        ({"scope": Scope(("INSERT", "UPDATE"), ("lane",)), "new": 1, "gone": 1}, 1, False),
        ({"scope": PARTLY, "compared_by": "count"}, None, True),
        ({"scope": PARTLY, "compared_by": None}, None, False),
        ({"scope": None}, None, True),
        ({"lacking": ["The fence is not up."], "changed": 1}, None, True),
    ],
)
def test_a_table(given: dict[str, Any], writes: int | None, accounted: bool) -> None:
    found = point(**given).as_result()
    assert (found["writes"], found["accounted"]) == (writes, accounted)
    assert found["measured"] == (writes is not None)
    assert bool(found["why"]) == (writes is None and found["fenced"] != "none")


def test_deletions_that_only_counters_tell_of_are_told_where_nobody_touched_the_fence() -> None:
    told = [point(since=Since(0, 2, untouched)).as_result()["reported_late"] for untouched in (True, False)]
    assert told == [2, 0]
    assert point(since=Since(1, 2, True)).as_result()["reported_late"] == 0


def test_over_all_it_is_known_only_where_it_is_known_of_each() -> None:
    assert overall([point(changed=1), point(changed=2), point(scope=None)], "0/1", "now")["writes"] == 3
    unknown = overall([point(changed=1), point(name="u", lacking=["No drain."])], "0/1", "now")
    assert (unknown["measured"], unknown["writes"], unknown["why"]) == (False, None, "u: No drain.")
    assert not overall([point(scope=None)], "0/1", "now")["measured"]
