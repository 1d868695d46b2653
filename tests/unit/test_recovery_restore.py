# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the last screen says what a backup has, what came back, what stays away and why, and since when it is corrupt."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partscomparison import comparison_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrecovery import recovery_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import (
    data_judgement,
    plan_document,
    plan_of_all,
    why_not_to_recover,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverysource import (
    corrupt_since,
    without_source,
)
from tests.unit.answers import UNREACHABLE
from tests.unit.test_recovery import check, counted, planned, point

SINCE = {"at": "2026-11-25T02:45:00Z", "by": "the check tags_per_hour tells it"}
OPENED = "2026-11-25T03:00:00Z"
NONE = dict.fromkeys(("missing", "changed", "deleted", "newer", "without_parent", "taken", "reused", "superseded"), 0)
APPLY = ["-i", "inv", "-e", "kanban_recovery=restore", "-e", "{kanban_restore_source: {kind: dump, path: /srv/d}}"]


def table(name: str, **more: Any) -> dict[str, Any]:
    about = {"table": f"public.{name}", "rows_in_backup": 1234, "rows_now": 1100, "columns": [], "tenants": []}
    return {**about, **NONE, "tenants_count": None, "samples": {}, **more}


def compared(rows: int = 103, *tables: dict[str, Any], **more: Any) -> dict[str, Any]:
    part = {"check": "missing", "table": "public.TicketTags", "action": "insert", "rows": rows}
    inner = {"parts": [part] if rows else [], "fraction": 0.08, "tables": list(tables)}
    made = planned("1", "aa" if rows else "", rows, **{**inner, **more})
    source = {"kind": "dump", "path": "/srv/d", "taken_at": "2026-11-25T02:10:00Z"}
    return {**made, "source": source, "warnings": [], "elapsed_ms": 1200}


def part_of(plan: dict[str, Any], checks: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found = counted(check("a", 0)) if checks is None else checks
    return comparison_part(["db1"], [found], [plan], [SINCE], plan_of_all([plan]), APPLY, **more)


def test_a_time_that_names_no_zone_is_told_with_the_one_it_was_read_in() -> None:
    source = {"kind": "file", "path": "/srv/f", "taken_at": "2026-11-25T02:10:00Z", "zone": "-03"}
    lines = part_of({**compared(1), "source": source})["lines"]
    told = "db1: compared with the file /srv/f, the data at 2026-11-25T02:10:00Z"
    assert f"{told} if that was written in this host's time zone (-03)" in lines


def test_what_is_missing_changed_and_newer_is_said_with_tenants_and_keys() -> None:
    samples = {
        "missing": [{"key": {"id": "17"}}, {"key": {"id": "18"}}],
        "changed": [{"key": {"id": "4"}, "columns": ["kanbanLane"]}],
        "without_parent": [{"key": {"id": "9"}}],
    }
    many = [{"tenant": str(number), "missing": 1, "newer": 0} for number in range(9)]
    one = table(
        "TicketTags", missing=103, changed=12, newer=4, deleted=2, without_parent=1, samples=samples, tenants=many,
        tenants_count=9, columns=[{"column": "kanbanLane", "rows": 12}],
    )  # fmt: skip
    part = part_of(compared(103, one, table("Tags")), file="/x/plan-aa.json")
    text = "\n".join(part["lines"])
    for words in (
        "db1: compared with the dump /srv/d, the data at 2026-11-25T02:10:00Z",
        "db1: the data counts as corrupt since 2026-11-25T02:45:00Z: the check tags_per_hour tells it. Another",
        "public.TicketTags: 1,234 rows in the backup, 1,100 now: 103 missing, 12 changed, 2 deleted, 4 newer; tenants",
        "; tenants 0 (1 missing), 1 (1 missing)",
        "and 4 more",
        "public.TicketTags: missing, for instance id 17; id 18",
        "changed: kanbanLane in 12; they stay, and kanban_restore_changed=restore sets them back, for instance id 4",
        "public.TicketTags: 2 rows that a repair deleted stay away; kanban_restore_deleted=restore brings them back",
        "public.TicketTags: 1 rows stay away, for what they belong to is gone (without_parent), for instance id 9",
        "public.Tags: 1,234 rows in the backup, 1,100 now: the same",
        "plan: bring back 103 missing rows of public.TicketTags",
        "Plan aa, in full in /x/plan-aa.json on the controller",
    ):
        assert words in text, text
    assert (part["holds"], part["good"], part["kind"]) == (True, "the plan would bring 103 rows back", "recover")
    # It can be typed as it stands, except for who has looked at it.
    assert shlex.split(part["next"][1])[2:-1] == [*APPLY, "-e", "kanban_plan_hash=aa", "-e"]


def test_nothing_to_type_where_it_is_applied_refused_a_look_or_nothing() -> None:
    assert "next" not in part_of(compared(), applies=True)
    assert "next" not in part_of(compared(), check_mode=True)
    reason = {"code": "too_large_fraction", "what": "It would touch 60%."}
    refused = part_of(compared(refused=[reason]))
    assert refused["bad"] == ["the plan on db1 could not be applied: It would touch 60%."]
    assert "next" not in refused
    none = part_of(compared(0), file="/x/comparison.json")
    assert (none["holds"], none["good"]) == (True, "the backup has no row that would come back")
    assert none["lines"][-1] == "The comparison is in full in /x/comparison.json on the controller"
    # A look does not miss what only the stop itself would raise.
    draft = compared(refused=[{"code": "not_fenced", "what": "No fence."}])
    assert (part_of(draft, check_mode=True)["holds"], part_of(draft)["holds"]) == (True, False)


@pytest.mark.parametrize(
    "plan", [{}, {"failed": True, "msg": "m", "error": {"code": "backup_too_late", "what": "Late."}}]
)
def test_what_was_not_compared_is_no_success(plan: dict[str, Any]) -> None:
    part = part_of(plan)
    assert (part["bad"], part["kind"]) == (["the data on db1 is not compared with a backup"], "recover")
    assert any("NOT COMPARED with a backup: " in line for line in part["lines"])
    assert any("Another moment: -e kanban_corrupt_since" in line for line in part["lines"])


def test_who_did_not_answer_is_not_compared() -> None:
    assert part_of({}, UNREACHABLE)["bad"] == ["the data on db1 is not assessed"]
    whole = {"rows": 0, "hash": ""}
    assert comparison_part([], [], [], [], whole, [])["bad"] == ["no data is compared, for no primary answered"]


def restored(*tables: dict[str, Any], **more: Any) -> dict[str, Any]:
    again = {"name": "a", "count": 3, "remaining": 1, "tolerate": 0}
    made = compared(103, *tables, checks=[again, {**again, "name": "b", "count": 0, "remaining": 0}])
    sequences = [{"sequence": "public.Tags_id_seq", "before": 5, "after": 9, "set": True}]
    return {**made, "changed": True, "repair_id": 3, "quarantined": 103, "sequences": sequences, **more}


def test_what_came_back_and_what_stays_away_is_said_and_what_is_left_to_mend() -> None:
    stays = table("TicketTags", taken=2, samples={"taken": [{"key": {"id": "5"}}]})
    part = recovery_part(["db1"], [restored(stays)], [], "restore", 103, ["-i", "inv"])
    assert part["lines"] == [
        "db1: 103 rows came back and are noted in quarantine as restore 3 in 1.2 s",
        "db1: public.TicketTags: 103 missing rows came back",
        "db1: public.TicketTags: 2 rows stay away, for another row has by now what only one may have (taken), "
        "for instance id 5",
        "db1: the sequence public.Tags_id_seq was at 5, and is at 9",
        "db1: a: 3 before, 1 now",
    ]
    assert (part["good"], part["holds"]) == ("103 rows came back", True)
    assert "what the checks still find (a) is no matter of the backup" in part["next"][0]
    assert "kanban_recovery=undo" in part["next"][3]
    would = recovery_part(["db1"], [restored(stays)], [], "restore", 103, [], plan=True)
    assert would["lines"][0] == "db1: 103 rows would come back in 1.2 s"
    assert "next" not in would
    nothing = recovery_part(["db1"], [restored(changed=False)], [], "restore", 0, [])
    assert (nothing["lines"][0], nothing["good"]) == ("db1: nothing to bring back", "nothing to bring back")


def test_a_restore_that_was_rolled_back_names_the_rows_that_a_check_named() -> None:
    named = {"table": "public.TicketTags", "rows": 2, "samples": [{"key": {"ticketId": "1", "tagId": "2"}}]}
    error = {"code": "post_condition", "what": "After the restore two_lanes counts 2."}
    answer = {**compared(), "failed": True, "msg": "m", "error": error, "in_conflict": [named]}
    part = recovery_part(["db1"], [answer], [], "restore", 3, [], again=APPLY)
    assert part["bad"] == ["the data on db1 is not restored"]
    assert shlex.split(part["next"][1])[2:] == [*APPLY, "-e", "kanban_restore_conflicts=skip"]
    assert part["lines"] == [
        "db1: restore NOT DONE: After the restore two_lanes counts 2.",
        "db1: in the way: public.TicketTags: 2 rows that a check names: ticketId 1, tagId 2",
    ]
    why = recovery_part(["db1"], [], ["kanban_approved_by is not given"], "restore", 3, [])
    assert why["lines"] == [with_page("Not restored: kanban_approved_by is not given", "recovery_refused")]


def test_an_undo_says_what_a_restore_had_put_there() -> None:
    kept = {"repair_id": 3, "table": "public.Tags", "deleted": 0, "changed": 2, "inserted": 5}
    answer = {"changed": True, "undone": [3], "tables": [kept]}
    part = recovery_part(["db1"], [answer], [], "undo", 0, [])
    assert part["lines"] == [
        "db1: repair 3: 0 deleted and 2 changed rows of public.Tags came back, and 5 that a restore put there went"
    ]


def hours(name: str, at: str | None, kind: str = "timeline", status: str = "corrupt") -> dict[str, Any]:
    return {**check(name, 3, "low", status), "kind": kind, "first_at": at}


@pytest.mark.parametrize(
    ("checks", "given", "opened", "at", "by"),
    [
        ([hours("x", "2026-11-25T01:00:00Z")], "2026-11-24T00:00:00Z", "", "2026-11-24T00:00:00Z", "says so"),
        (
            [hours("x", "2026-11-25T02:00:00Z"), hours("y", "2026-11-25T01:00:00Z", "mass_delete")],
            "", "2026-11-25T03:00:00Z", "2026-11-25T01:00:00Z", "the check y tells it",
        ),
        # Times of rows are not times of hours, and an hour as usual tells nothing.
        ([hours("x", "2020-01-01T00:00:00Z", "orphan")], "", OPENED, OPENED, "opened then"),
        ([hours("x", "2020-01-01T00:00:00Z", status="ok")], "", OPENED, OPENED, "opened then"),
        ([hours("x", None)], "", "", "2026-11-25T03:05:00Z", "this run began then"),
    ],
)  # fmt: skip
def test_a_person_then_a_check_then_the_incident_says_since_when(
    checks: list[dict[str, Any]], given: str, opened: str, at: str, by: str
) -> None:
    found = corrupt_since({"checks": checks}, given, opened, 1764039900 + 365 * 86400)
    assert found["at"] == at
    assert by in found["by"]
    silent = corrupt_since({"checks": checks}, given, opened, 1764039900 + 365 * 86400, "no route to host")
    # If nothing else tells, nobody knows how long before this run it was.
    assert silent == (found if "this run" not in by else {**silent, "at": ""})
    assert ("no route to host" in silent["by"]) is ("this run" in by)


@pytest.mark.parametrize(
    ("backups", "words"),
    [
        ({}, "where kanban_backup_sources says where they are"),
        ({"skipped": True}, "where kanban_backup_sources says where they are"),
        ({"failed": True, "msg": "no route"}, "which backups there are is not known: no route"),
        ({"sources": [], "before": None, "before_why": "none ended by then"}, "none ended by then"),
        (
            {
                "sources": [],
                "before": {"label": "d1", "kind": "dumps", "path": "/srv/d1", "as_of": "2026-11-25T02:10:00Z"},
            },
            "before 2026-11-25T02:45:00Z is d1 (dumps) in /srv/d1, with the data of 2026-11-25T02:10:00Z",
        ),
    ],
)
def test_without_a_source_it_is_said_what_could_be_named(backups: dict[str, Any], words: str) -> None:
    told = without_source(backups, SINCE)
    assert told.startswith("kanban_restore_source is not given")
    assert words in told


def test_the_file_has_the_whole_comparison_with_where_it_came_from() -> None:
    assert plan_document(compared())["source"]["path"] == "/srv/d"
    assert "source" not in plan_document(planned("1", "aa", 3))


@pytest.mark.parametrize("restored", [{}, {"skipped": True}, {**compared(), "failed": True, "msg": "rolled back"}])
def test_data_that_rows_were_to_come_back_to_does_not_pass_without_them(restored: dict[str, Any]) -> None:
    judged = data_judgement(counted(check("a", 0)), point(), compared(), restored=restored)
    assert not judged["passed"]
    assert judged["why"][0].startswith("what was to come back from the backup did not")
    assert data_judgement(counted(check("a", 0)), point(), compared(), restored=compared())["passed"]


def test_rows_that_nothing_brings_back_are_no_sound_data_unless_somebody_approved_that() -> None:
    orphans = compared(0, table("TicketTags", without_parent=480), table("Tags", superseded=2, deleted=3))
    judged = data_judgement(counted(check("a", 0)), point(), orphans)
    assert (judged["passed"], judged["why"], judged["unmeasured"]) == (
        False,
        [],
        ["public.TicketTags: 480 rows of the backup are gone and nothing brings them back, which nobody has approved"],
    )
    # Those who approve a plan have read which rows stay away. The restore's count holds: the plan's may be outdated.
    some = compared(3, table("Tags", taken=1, reused=1))
    done = {**some, "plan": {**some["plan"], "tables": [table("Tags", taken=2)]}}
    judged = data_judgement(counted(check("a", 0)), point(), some, restored=done, approved=True)
    assert (judged["passed"], judged["noted"]) == (
        True,
        ["public.Tags: 2 rows of the backup are gone and nothing brings them back"],
    )


def test_rows_that_stay_away_are_approved_as_well() -> None:
    gone = {**compared(0, table("TicketTags", without_parent=480)), "plan_hash": "cc"}
    whole = plan_of_all([gone])
    assert whole == {"hash": "cc", "rows": 0, "refused": []}
    # What was approved when all of them would have come back says nothing of this.
    assert "the plan is cc by now, and aa was approved" in why_not_to_recover(whole, "aa", "ana", "rui", {}, True)[0]
    assert why_not_to_recover(whole, "cc", "ana", "rui", {}, True) == []
    assert plan_of_all([{**compared(0, table("Tags", superseded=2)), "plan_hash": "cc"}])["hash"] == ""


def test_a_comparison_that_brings_nothing_back_says_what_is_gone() -> None:
    gone = compared(0, table("TicketTags", without_parent=480), table("Tags", superseded=2), table("Tickets"))
    part = part_of({**gone, "plan_hash": "cc"})
    text = "\n".join(part["lines"])
    assert part["kind"] == "recover"
    assert part["good"] == "480 rows of the backup are gone and nothing would bring them back"
    assert "TicketTags: 1,234 rows in the backup, 1,100 now: none would come back" in text
    assert "Tags: 1,234 rows in the backup, 1,100 now: none would come back" in text
    assert "Tickets: 1,234 rows in the backup, 1,100 now: the same" in text
    assert "kanban_restore_tables" in part["next"][0]
    assert "kanban_plan_hash=cc -e kanban_approved_by=" in part["next"][2]
    assert "next" not in part_of(compared(0, table("Tags", superseded=2)))
