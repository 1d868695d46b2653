# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal plants is asked for whole, bounded, and read back from the ledger's events."""

from __future__ import annotations

import json

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import (
    PLANTED,
    REMOVED,
    Planted,
    asked,
    still_planted,
)


def test_what_is_asked_for_is_whole_and_bounded() -> None:
    kinds = [{"kind": "errors", "table": "E", "column": "c", "tenants": ["1", "2"], "text": None, "columns": []}]
    (found,) = asked(kinds, 25)
    assert (found.rows, found.each, found.tenants) == (25, 12, ("1", "2"))
    assert asked([{**kinds[0], "rows": 1}], 25)[0].each == 1
    for bad, rows in (
        (kinds, 0),
        (kinds, 10_001),
        ([{**kinds[0], "rows": 10_001}], 5),
        ([{"kind": "orphan", "table": "T"}], 5),
    ):
        with pytest.raises(BadInput):
            asked(bad, rows)


def test_what_is_on_record_is_what_no_removal_finished() -> None:
    one = Planted("orphan", "public", "Tags", 2, ("id",), (("1", "2"),))
    keyless = Planted("duplicate", "public", "T", 3, texts=("(1)", "(2)"), counts=(2, 1), before=(0, 1))
    told = [(PLANTED, json.dumps(row.as_data())) for row in (one, keyless)]
    part, whole = ((REMOVED, json.dumps({"left": left})) for left in (1, 0))
    assert still_planted(told) == [one, keyless]
    assert still_planted([*told, part]) == [one, keyless]
    assert still_planted([*told, part, whole]) == []
    assert still_planted([*told, whole, told[0]]) == [one]
