# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data of which something was not measured does not pass, and is reported as not validated, but not as bad."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsdata import data_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import data_judgement
from tests.unit.test_recovery import GONE, check, counted, planned, point

SOUND = counted(check("a", 0))
MENDS_B = planned("1", checks=[{"name": "b", "action": "delete", "count": 1}])
NOT_MADE = {"failed": True, "error": {"what": "The role may not read 3 tables."}}
NO_TEMPORARY = {"failed": True, "error": {"what": "This role may not make temporary tables."}}


def screen_of(judged: dict[str, Any], **more: Any) -> tuple[list[str], list[str]]:
    part = data_part(["db1"], [{**judged, "recorded": True}], "", [], **more)
    return part["bad"], part["lines"]


@pytest.mark.parametrize(
    ("checks", "found", "plan", "why"),
    [
        (counted(check("a", None, "critical", "timeout")), point(), MENDS_B, "a: it took too long"),
        (counted(check("a", 0), check("b", None, "low", "failed")), point(), MENDS_B, "b: it took too long"),
        (counted(check("a", 0, status="not_applicable")), point(), MENDS_B, "no check applies to this schema"),
        (GONE, point(), MENDS_B, "the checks did not count: could not be reached: no route"),
        (SOUND, {}, MENDS_B, "rows were not compared with the dump: it was not asked"),
        (SOUND, NO_TEMPORARY, MENDS_B, "were not compared with the dump: This role may not make temporary tables."),
        (SOUND, point(None, "counters were reset"), MENDS_B, "are not measured: counters were reset"),
        (
            SOUND,
            point(accounted=False, rows_then=None, why="It is not in the dump."),
            MENDS_B,
            "the rows of Tags were not compared with the dump: It is not in the dump.",
        ),
        (
            SOUND,
            point(accounted=False, compared_by=None, why="Tags is gone."),
            MENDS_B,
            "the rows of Tags were not compared with the dump: Tags is gone.",
        ),
        (SOUND, point(), {}, "there is no plan, so nobody knows what was to be mended: it was not asked"),
    ],
)
def test_what_was_not_measured_does_not_pass_and_is_not_said_to_be_unsound(
    checks: dict[str, Any], found: dict[str, Any], plan: dict[str, Any], why: str
) -> None:
    judged = data_judgement(checks, found, plan)
    assert (judged["passed"], judged["why"], len(judged["unmeasured"])) == (False, [], 1)
    assert why in judged["unmeasured"][0]
    bad, lines = screen_of(judged)
    assert bad == [f"the data on db1 is not validated: {judged['unmeasured'][0]}"]
    assert f"db1: data NOT VALIDATED: {judged['unmeasured'][0]}" in lines
    assert "sound" not in f"{bad} {lines}".lower()


def test_without_a_dump_it_says_so_and_why_there_is_none() -> None:
    told = "rows were not compared with the dump, for there is none: The role may not read 3 tables."
    judged = data_judgement(SOUND, {"skipped": True, "skip_reason": "no dump"}, planned("1"), dump=NOT_MADE)
    assert (judged["passed"], judged["why"], judged["unmeasured"]) == (False, [], [told])
    assert screen_of(judged)[0] == [f"the data on db1 is not validated: {told}"]
    assert screen_of(judged, recovers=False) == (
        [],
        [
            f"Before anything is repaired or released: the data on db1 is not validated: {told}",
            "db1: 1 checks counted, all at zero",
            f"db1: data NOT VALIDATED: {told}",
        ],
    )
    # A dump that is kept, although it could not be restored for proof, is compared with.
    assert data_judgement(SOUND, point(), planned("1"), dump={"failed": True, "dest": "/srv/d"})["passed"]
    # And no dump is looked for if none is to be made.
    assert data_judgement(SOUND, {}, planned("1"), dumped=False, dump={})["passed"]


def test_what_is_bad_and_what_is_not_known_are_told_apart() -> None:
    judged = data_judgement(counted(check("a", 4)), point(3), {}, dump={"dest": "/srv/d"})
    assert judged["why"] == ["a: counts 4", "3 writes were accepted since the fence"]
    bad, lines = screen_of(judged)
    assert bad[0].startswith("the data on db1 is not sound: a: counts 4; 3 writes")
    assert bad[1].startswith("the data on db1 is not validated: there is no plan")
    assert lines[-3:-1] == ["db1: NOT SOUND: a: counts 4", "db1: NOT SOUND: 3 writes were accepted since the fence"]
    assert lines[-1].startswith("db1: data NOT VALIDATED: there is no plan")
