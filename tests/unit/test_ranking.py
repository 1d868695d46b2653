# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ranking is asked for, what it reports and freezes, and its lines on a screen."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import (
    FIGURES,
    MOST,
    RankRequest,
    as_tenants,
    freeze,
    listed_ids,
    plan_note,
    share,
    since_switch,
    thaw,
    written_late,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankwords import (
    future,
    nothing,
    ranking_lines,
    size_of,
    span,
    too_slow,
)

FLAG = Flag("column", "companies", "id", "v2")
COLUMNS = {"error_logs": {"company": "companyId", "created_at": "createdAt"}}
ROW = ("7", "Padaria\nSão João\x1b[31m {{ 1 }}", 12, "2026-11-25T10:00:00.000Z", "2026-11-25T10:55:00.000Z", 300.00049)


def request(**changes: Any) -> RankRequest:
    return RankRequest(FLAG, "ErrorLogs", COLUMNS, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 0},
        {"window": 1e9},
        {"more_than": -1},
        {"top": MOST + 1},
        {"top": -1},
        {"deadline": 0},
        {"since_switch": -1},
    ],
)
def test_numbers_that_make_no_ranking_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as raised:
        request(**changes)
    assert next(iter(changes)) in raised.value.what


def test_top_0_is_the_cap() -> None:
    assert (request(top=0).limit, request(top=3).limit) == (MOST, 3)


def test_a_column_that_the_profile_does_not_name_is_asked_for() -> None:
    assert request().column("error_logs", "company") == "companyId"
    for table, logical in (("error_logs", "context"), ("users", "company")):
        with pytest.raises(BadInput) as raised:
            request().column(table, logical)
        assert f"{table}.{logical}" in raised.value.what
        assert logical in raised.value.todo


@pytest.mark.parametrize(("affected", "on", "part"), [(0, 0, None), (0, 3, 0.0), (1, 3, 0.3333), (3, 3, 1.0)])
def test_share(affected: int, on: int, part: float | None) -> None:
    assert share(affected, on) == part


@pytest.mark.parametrize(
    ("seconds", "more_than", "asked"),
    [
        (3600, 10, (3600, 10)),
        (1800, 10, (1800, 5)),
        (300, 10, (300, 1)),
        (0, 10, (1, 1)),
        # The question is who is affected now, and a watch of hours does not make that need hundreds of errors.
        (36000, 10, (3600, 10)),
        (300, 0, (300, 0)),
        (300, 1200, (300, 100)),
    ],
)
def test_since_a_switch_as_many_errors_per_time_count(seconds: float, more_than: int, asked: tuple[float, int]) -> None:
    told = since_switch(request(more_than=more_than), seconds)
    assert (told.window, told.more_than) == asked


@pytest.mark.parametrize(("now", "late"), [(70, 0), (60, 0), (71, 0), (72, 2), (870, 800)])
def test_what_comes_into_an_earlier_window_was_dated_by_a_clock_that_is_behind(now: int, late: int) -> None:
    assert written_late(now, {"errors_total": 70, "window": 3600.0}) == late


def test_what_was_on_its_way_when_it_was_ranked_is_not_late() -> None:
    assert written_late(36050, {"errors_total": 36000, "window": 3600.0}) == 0
    assert written_late(36052, {"errors_total": 36000, "window": 3600.0}) == 52


def test_a_name_is_one_line_and_a_mean_is_rounded() -> None:
    (tenant,) = as_tenants([ROW])
    assert tenant["name"] == "Padaria São João [31m {{ 1 }}"
    assert tenant["mean_seconds_between"] == 300.0
    assert as_tenants([("7", None, 11, "a", "b", None)])[0]["name"] is None


def test_what_is_frozen_comes_back_as_it_was() -> None:
    result = {"tenants": as_tenants([ROW]), **dict.fromkeys(FIGURES, 1), "share": 0.5, "plan": "not frozen"}
    back = thaw(freeze(result), "2026-11-25T11:00:00Z")
    assert back == {**freeze(result), "frozen": True, "frozen_at": "2026-11-25T11:00:00Z"}
    assert "plan" not in back


def test_who_exists_no_more_is_left_out_of_the_list_of_that_database_alone() -> None:
    """Independent databases number their tenants alike."""
    one = {"tenants": as_tenants([ROW]), "gone": []}
    other = {"tenants": as_tenants([ROW, ("8", *ROW[1:])]), "gone": ["7"]}
    assert listed_ids([other, one, one]) == ["8", "7"]
    assert listed_ids([other, {"failed": True, "msg": "no answer"}, {}]) == ["8"]


def test_an_event_by_another_hand_is_read_as_far_as_it_goes() -> None:
    back = thaw({"tenants": [{"tenant": "7"}, {"name": "no id"}, "text", None]}, "then")
    assert [row["tenant"] for row in back["tenants"]] == ["7"]
    assert back["tenants"][0]["errors"] is None
    assert back["share"] is None


def scan(kind: str, alias: str, **more: Any) -> dict[str, Any]:
    return {"Node Type": kind, "Alias": alias, "Relation Name": f"t_{alias}", **more}


def test_the_plan_of_the_errors_is_told_and_no_other() -> None:
    bitmap = scan("Bitmap Heap Scan", "e", Plans=[{"Node Type": "Bitmap Index Scan", "Index Name": "by_time"}])
    plan = [{"Plan": {"Node Type": "Aggregate", "Plans": [scan("Seq Scan", "t"), bitmap, scan("Seq Scan", "k_1")]}}]
    assert plan_note(plan) == "Bitmap Heap Scan using by_time on t_e"
    parts = [scan("Seq Scan", f"e_{i}", **{"Parallel Aware": True}) for i in range(1, 6)]
    told = plan_note([{"Plan": {"Node Type": "Append", "Plans": parts}}])
    assert told == "Parallel Seq Scan on t_e_1; Parallel Seq Scan on t_e_2; Parallel Seq Scan on t_e_3 and 2 more"


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (119, "119 s"), (150, "2.5 min"), (10800, "3.0 h"), (864000, "10.0 days")]
)
def test_a_time_as_a_person_reads_it(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_size_as_a_person_reads_it() -> None:
    assert (size_of(35 * 1024**2), size_of(3 * 1024**3 // 2)) == ("35 MB", "1.5 GB")


def test_nothing_found_is_never_said_to_be_nobody_affected() -> None:
    assert "has 5 errors, and none has the text 'kanban'" in nothing(5, 1.0, "kanban")
    assert "newest error in the table is 3.0 h old" in nothing(0, 10800, "")
    assert "is empty" in nothing(0, None, "")


def test_dates_to_come() -> None:
    assert future(3, 7200).startswith("3 errors are dated after this server's now, the furthest by 2.0 h")
    assert "no date at all" in future(1, None)


@pytest.mark.parametrize(
    ("code", "hint", "word"),
    [
        ("statement_timeout", "CREATE INDEX x;", "CREATE INDEX"),
        ("statement_timeout", None, "shorter window"),
        ("lock_timeout", "CREATE INDEX x;", "migration"),
    ],
)
def test_a_ranking_that_did_not_end_says_what_to_do(code: str, hint: str | None, word: str) -> None:
    error = too_slow(Timeout(code, "cancelled.", "", "", sqlstate="57014"), "public.ErrorLogs", 30, hint)
    assert (error.code, error.details) == (code, {"sqlstate": "57014"})
    assert word in error.todo
    assert "scenario 1" in error.todo
    assert "public.ErrorLogs" in error.what


ANSWER: dict[str, Any] = {
    "measured": True,
    "tenants": [{**as_tenants([ROW])[0], "errors_now": 3}, {"tenant": "9\n8", "errors": 11}],
    "affected_on_count": 1234,
    "on_count": 3000,
    "share": 0.41133,
    "more_than": 10,
    "since": "2026-11-25T10:00:00Z",
    "frozen": False,
    "frozen_at": None,
}


def test_the_lines_of_a_ranking() -> None:
    assert ranking_lines(ANSWER, "db1") == [
        "db1: 1,234 of 3,000 tenants that are on (41.1%) have more than 10 errors since 2026-11-25T10:00:00Z; "
        "the worst 2, ranked now:",
        "  7 (Padaria São João [31m {{ 1 }}): 12 errors, one every 300.0 s; 3 in the window now",
        "  9 8: 11 errors",
    ]
    frozen = ranking_lines({**ANSWER, "frozen": True, "frozen_at": "then", "share": None}, "db1")[0]
    assert frozen.endswith("the worst 2, frozen at then:")
    assert "%" not in frozen
    assert ranking_lines(ANSWER, "db1", "no\nledger")[-1].startswith("db1: the list could not be frozen (no ledger)")


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({"unreachable": True, "msg": "no route"}, "db1: could not be reached: no route"),
        ({"failed": True, "msg": "long", "error": {"what": "no table"}}, "db1: no table"),
        ({"failed": True, "msg": "a\nb"}, "db1: a b"),
        ({}, "db1: not ranked"),
        ({"tenants": [], "measured": False, "why_not": "no table"}, "db1: no table"),
        ({"tenants": [], "measured": False, "skipped_reason": "a replica"}, "db1: a replica"),
    ],
)
def test_what_is_no_ranking_does_not_look_like_one(answer: dict[str, Any], line: str) -> None:
    assert ranking_lines(answer, "db1") == [line]
