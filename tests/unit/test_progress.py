# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a repair is, as it reports that, and how far a job is, in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._liveprogress import progress_said
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import (
    CHECK,
    LONGEST_NAME,
    TABLE,
    Progress,
)


class Check:
    """Has a name, as checks have."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_each_step_and_item_is_told_at_once_and_rows_now_and_then() -> None:
    told: list[dict[str, Any]] = []
    now = [0.0]
    progress = Progress(lambda step: told.append(dict(step)), lambda: now[0])
    for _check in progress.each([Check("orphan_tags"), Check("é" * 500)], "count", CHECK):
        pass
    assert [(step["step"], step["number"], step["of"], step["name"], step["rows"]) for step in told] == [
        ("count", 0, 2, "", None),
        ("count", 1, 2, "orphan_tags", None),
        ("count", 2, 2, "é" * LONGEST_NAME, None),
    ]
    told.clear()
    for table in progress.each(["public.Tags", "public.Tickets"], "delete", TABLE, 18):
        for _row in range(16 if table == "public.Tags" else 2):
            progress.rows(1)
            now[0] += 1 / 16
    assert [(step["number"], step["rows"], step["planned"]) for step in told] == [
        (0, 0, 18),
        (1, 0, 18),
        *[(1, rows, 18) for rows in (5, 9, 13)],
        (2, 16, 18),
    ]
    told.clear()
    progress.step("load")
    progress.rows(5)
    progress.step("restore the scratch instance", planned_bytes=20)
    progress.bytes(10)
    assert [(step["rows"], step["bytes"], step["planned_bytes"]) for step in told] == [
        (None, None, None),
        (None, None, 20),
        (None, 10, 20),
    ]


def test_nobody_needs_to_hear_it() -> None:
    progress = Progress()
    progress.next("public.Tags")
    progress.rows(1)


DELETE = {"step": "delete", "unit": "table", "number": 2, "of": 3, "name": "public.Tags", "rows": 1200, "planned": 5310}


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (
            [{"table": "Tickets", "rows": 1284, "about": 4000}, {"table": "Tags", "rows": 9, "about": None}],
            "Tickets 1,284 of about 4,000 rows, Tags 9 rows",
        ),
        ([DELETE], "delete, table 2 of 3 (public.Tags), 1,200 of 5,310 rows"),
        ([{**DELETE, "planned": None}], "delete, table 2 of 3 (public.Tags), 1,200 rows"),
        (
            [{"step": "count", "unit": "check", "number": 2, "of": 4, "name": "orphan_tags", "rows": None}],
            "count, check 2 of 4 (orphan_tags)",
        ),
        ([{"step": "wait for the lease", "name": "ana"}], "wait for the lease (ana)"),
        (
            [{"step": "restore the scratch instance", "bytes": 1_200_000, "planned_bytes": 3_400_000}],
            "restore the scratch instance, 1.2 MB of about 3.4 MB",
        ),
        ([{"step": "bring back", "name": "", "rows": 3, "planned": 2}], "bring back, 3 rows"),
        ([], ""),
        ([7, {"table": None}], ""),
        (None, ""),
        ("text", ""),
    ],
)
def test_how_far_a_job_is(progress: Any, words: str) -> None:
    assert progress_said({"progress": progress}) == words
    assert progress_said({}) == ""


@pytest.mark.parametrize("value", [None, "text", -1, True, [1], {"a": None}, 1.5])
def test_whatever_it_holds_is_no_error(value: Any) -> None:
    assert isinstance(progress_said({"progress": [dict.fromkeys([*DELETE, "bytes", "planned_bytes"], value)]}), str)
