# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A return in stages is read from the ledgers: what refuses it, what is to come, and what was begun is continued."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._return import return_plan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._returnscreen import is_whole

OPEN = {"incident_id": "INC-1", "aliases": []}
DOWN = {"status": "dormant", "incident_id": None}
FREE = {"redis1": {"held": False}}
COUNTS: dict[str, Any] = {"db1": {"database": {"cluster": "1"}, "total": 20, "enabled_after": 20, "lacking_count": 0}}


def found(cluster: str = "1", writable: bool = True, **more: Any) -> dict[str, Any]:
    database = {"cluster": cluster, "writable": writable}
    return {"database": database, "ledger": {"usable": True}, "incidents": [OPEN], "open": [OPEN], **more}


def ledger(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**found(), "known_as": "INC-1", "kills": 1, "stages": list(rows), **more}


def row(event: str, share: float, above: float = 0, at: str = "2026-11-26T01", **more: Any) -> dict[str, Any]:
    made = {"name": f"stage {share:g} %", "share": share, "above": above, "first": "", "gate": f"gate {share:g}"}
    return {**made, "began": 5.0, "counts": {"lost": 0}, "event": event, "at": at, **more}


def plan(*ledgers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    names = [f"db{number}" for number in range(1, len(ledgers) + 1)]
    looks = {
        "found": {name: found(str(number)) for number, name in enumerate(names)},
        "ledger": dict(zip(names, ledgers, strict=True)),
        "fence": dict.fromkeys(names, DOWN),
        "lacking": {},
        "tried": {},
    }
    for name in ("found", "fence", "lacking", "tried"):
        looks[name] = {**looks[name], **changes.pop(name, {})}
    given: dict[str, Any] = {
        "incident": {"agreed": True, "incident_id": "INC-1"}, "mode": "staged", "stages": [10, 50, 100],
        "seconds": 60, "now": 0, **changes,
    }  # fmt: skip
    return return_plan(looks, given.pop("blocks", FREE), **given)


def todo(made: dict[str, Any]) -> list[tuple[Any, ...]]:
    assert made["why"] == []
    return [(one["share"], one["above"], one["begun"]) for one in made["todo"]]


def test_a_return_begins_with_the_first_stage_and_goes_on_after_what_passed() -> None:
    assert todo(plan(ledger())) == [(10, 0, False), (50, 10, False), (100, 50, False)]
    assert [one["gate"] for one in plan(ledger())["todo"]][:1] == ["stage 10 % (00:00:00Z)"]
    passed = plan(ledger(row("begun", 10), row("passed", 10)))
    assert todo(passed) == [(50, 10, False), (100, 50, False)]
    assert [one["name"] for one in passed["passed"]] == ["stage 10 %"]
    failed = row("begun", 10), row("passed", 10), row("begun", 50, 10), row("failed", 50, 10)
    assert todo(plan(ledger(*failed))) == [(50, 10, False), (100, 50, False)]


def test_a_stage_that_was_begun_is_gone_on_with_as_it_was() -> None:
    made = plan(ledger(row("passed", 10), row("begun", 50, 10)), stages=[25, 100])
    assert todo(made) == [(50, 10, True), (100, 50, False)]
    assert (made["todo"][0]["gate"], made["todo"][0]["began"], made["todo"][0]["counts"]) == (
        "gate 50",
        5.0,
        {"lost": 0},
    )
    assert todo(plan(ledger(row("passed", 10)), stages=[25, 100])) == [(25, 10, False), (100, 25, False)]


def test_who_comes_first_stays_so_through_all_stages() -> None:
    assert {one["first"] for one in plan(ledger(), tenant="7")["todo"]} == {"7"}
    assert {one["first"] for one in plan(ledger(row("passed", 10, first="7")), tenant="8")["todo"]} == {"7"}


def test_of_several_ledgers_the_one_that_is_behind_counts() -> None:
    made = plan(ledger(row("passed", 10), row("passed", 50, 10)), ledger(row("passed", 10)))
    assert todo(made) == [(50, 10, False), (100, 50, False)]
    assert [one["name"] for one in made["passed"]] == ["stage 10 %"]
    # It was recorded as passed in one ledger only before the terminal was lost.
    assert todo(plan(ledger(row("passed", 10)), ledger(row("begun", 10))))[0] == (10, 0, True)


def test_the_last_stage_ends_it() -> None:
    made = plan(ledger(row("passed", 100)))
    assert (todo(made), is_whole(made, [], COUNTS)) == ([], True)
    assert not is_whole(plan(ledger()), [], COUNTS)
    assert is_whole(plan(ledger()), [{"passed": True, "stage": {"share": 100.0}}], COUNTS)


def test_a_return_is_over_only_with_everybody_back_and_no_test_that_failed() -> None:
    made = plan(ledger(row("passed", 100)))
    one = {"lacking": ["7"], "lacking_count": 1, "unreturned_count": 0}
    assert not is_whole(made, [], {"db1": {**COUNTS["db1"], **one}})
    assert not is_whole(made, [], {"db1": {"failed": True, "msg": "gone"}})
    by_hand = {"changed_since": ["7"], "changed_since_count": 1, "missing": ["8"], "missing_count": 1}
    assert is_whole(made, [], {"db1": {**COUNTS["db1"], **by_hand, "enabled_after": 18}})
    assert not is_whole(made, [{"passed": False, "stage": {"tenant": "99"}}], COUNTS)


def lacking(**stages: int) -> dict[str, Any]:
    return {"results": [{"item": {"name": f"stage {name[1:]} %"}, "unreturned_count": n} for name, n in stages.items()]}


def test_a_stage_of_which_somebody_lacks_it_opens_again() -> None:
    passed = row("passed", 10), row("passed", 50, 10), row("passed", 100, 50)
    made = plan(ledger(*passed), lacking={"db1": lacking(s10=0, s50=1, s100=0)})
    assert todo(made) == [(50, 10, False)]
    assert (made["todo"][0]["name"], made["todo"][0]["again"]) == ("stage 50 %", True)
    # Those that are not yet back come after it.
    assert todo(plan(ledger(*passed[:2]), lacking={"db1": lacking(s10=1, s50=0)})) == [(10, 0, False), (100, 50, False)]
    # It failed again, and is still the one that lacks somebody; the last one fails like any other.
    assert todo(plan(ledger(*passed, row("failed", 50, 10)), lacking={"db1": lacking(s50=9)})) == [(50, 10, False)]
    assert todo(plan(ledger(*passed, row("failed", 100, 50)), lacking={"db1": lacking(s100=9)})) == [(100, 50, False)]
    # Its watch is gone on with, in which nobody of it lacks it.
    assert todo(plan(ledger(*passed, row("begun", 50, 10)), lacking={"db1": lacking(s50=0)})) == [(50, 10, True)]


def test_who_is_on_without_a_watch_comes_before_a_stage_that_opens_again_and_is_named() -> None:
    rows = row("passed", 10), row("begun", 50, 10), {"name": "test of 7", "tenant": "7", "event": "failed", "at": "2"}
    made = plan(ledger(*rows), lacking={"db1": lacking(s10=1)})
    assert todo(made) == [(50, 10, True), (10, 0, False), (100, 50, False)]
    assert made["unended"] == [{"name": "stage 50 %", "gate": "gate 50", "share": 50, "above": 10, "first": ""}]
    test = {"name": "test of 7", "tenant": "7", "gate": "g", "event": "begun", "at": "2"}
    made = plan(ledger(row("passed", 10)), ledger(row("passed", 10), test))
    assert made["unended"] == [{"name": "test of 7", "gate": "g", "tenant": "7"}]


def test_a_stage_of_which_nobody_knows_who_lacks_it_refuses_the_return() -> None:
    silent = {"results": [{"item": {"name": "stage 10 %"}, "unreachable": True, "msg": "no route"}]}
    made = plan(ledger(row("passed", 10)), lacking={"db1": silent})
    assert made["why"] == ["db1: who of stage 10 % lacks it is not known: could not be reached: no route"]
    assert made["todo"] == []
    # A test does not ask.
    skipped = {"results": [{"item": {"name": "stage 10 %"}, "skipped": True}]}
    tried = plan(ledger(row("passed", 10)), lacking={"db1": skipped}, mode="test", tenant="7")
    assert (tried["why"], [one["name"] for one in tried["todo"]]) == ([], ["test of 7"])


def test_a_test_is_of_one_tenant_and_once_it_has_passed_is_not_made_again_while_that_one_is_on() -> None:
    assert plan(ledger(), mode="test", tenant="7")["todo"][0]["name"] == "test of 7"
    done = {"name": "test of 7", "tenant": "7", "event": "passed", "at": "1"}
    has, lost = {"total": 1, "enabled_after": 1}, {"total": 1, "enabled_after": 0}
    assert plan(ledger(done), mode="test", tenant="7", tried={"db1": has})["todo"] == []
    again = plan(ledger(done), mode="test", tenant="7", tried={"db1": lost})["todo"]
    assert [(one["name"], one["again"], one["begun"]) for one in again] == [("test of 7", True, False)]
    # Of several databases one has the tenant.
    elsewhere = {"db1": {"total": 0, "enabled_after": 0}, "db2": has}
    assert plan(ledger(done), ledger(done), mode="test", tenant="7", tried=elsewhere)["todo"] == []
    silent = plan(ledger(done), mode="test", tenant="7", tried={"db1": {"unreachable": True, "msg": "no route"}})
    assert (silent["todo"], silent["why"]) == (
        [],
        ["db1: whether 7, whose test has passed, still has it is not known: could not be reached: no route"],
    )
    assert plan(ledger(done), mode="test", tenant="8")["todo"][0]["tenant"] == "8"
    assert todo(plan(ledger(done)))[0] == (10, 0, False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"incident": {"agreed": False, "why": "No incident is open."}}, "No incident is open."),
        ({"found": {"db2": {"unreachable": True, "msg": "no route"}}}, "db2 did not answer"),
        ({"found": {"db2": found("9", writable=False)}}, "db2 is a replica, and its primary did not answer"),
        (
            {"found": {"db1": {"failed": True, "msg": "It lacks SELECT."}, "db2": found("9", writable=False)}},
            "db2 is a replica, and its primary may be db1, which answered with an error.",
        ),
        ({"found": {"db1": found("0", incidents=[], open=[])}}, "No primary that answered has anything recorded"),
        ({"fence": {"db1": {"status": "unproven", "incident_id": "INC-1"}}}, "db1: the fence is up for INC-1"),
        ({"fence": {"db1": {"failed": True, "msg": "gone"}}}, "db1: whether the fence is up is not known: gone"),
        ({"blocks": {"redis1": {"held": True, "owner": "INC-1"}}}, "redis1: the write block is held for INC-1."),
        ({"blocks": {"redis1": {"unreachable": True, "msg": "x"}}}, "redis1: whether the write block is held is not"),
        ({"blocks": {}}, "The group 'redis' has no hosts"),
        ({"stages": [50, 10]}, "has to be rising per cent"),
        ({"seconds": 0}, "Nothing would be watched"),
        ({"mode": "test"}, "Which tenant is to try it is not said"),
        ({"mode": "al"}, "kanban_reenable is al, and may be test, staged or all: correct the word."),
    ],
)
def test_what_refuses_a_return_is_said_and_nothing_is_to_come(changes: dict[str, Any], why: str) -> None:
    made = plan(ledger(), **changes)
    assert why in " ".join(made["why"])
    assert made["todo"] == []
    # If it is not known, writes are not known to be refused.
    assert made["writes"] == (" up for " in why or " held for " in why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ledger(open=[]), "db1: INC-1 is closed"),
        (ledger(open=[OPEN, {"incident_id": "INC-2", "aliases": []}]), "db1: another incident is open: INC-2"),
        (ledger(known_as=None), "db1: the ledger does not have INC-1"),
        ({"failed": True, "error": {"what": "rui is at work.", "todo": "Wait."}}, "db1: rui is at work. Wait."),
        ({}, "db1: it was not asked"),
    ],
)
def test_what_a_ledger_says_refuses_it_too(answer: dict[str, Any], why: str) -> None:
    made = plan(answer)
    assert why in " ".join(made["why"])
    assert (made["todo"], made["writes"]) == ([], False)


def test_a_fence_that_nobody_asked_about_for_want_of_a_lease_is_not_said_to_be_up() -> None:
    lacks = {"failed": True, "error": {"what": "permission denied for table leases.", "todo": "Grant it."}}
    made = plan(lacks, fence={"db1": {}})
    assert made["why"][:1] == ["db1: permission denied for table leases. Grant it."]
    assert made["why"][1].startswith("db1: whether the fence is up is not known: it was not asked")
    assert made["writes"] is False
    # A block that is known to be held counts, whatever else is not known.
    assert plan(lacks, blocks={"redis1": {"held": True, "owner": "INC-1"}}, fence={"db1": {}})["writes"] is True


def test_where_there_is_no_redis_nothing_is_held() -> None:
    assert todo(plan(ledger(), blocks={}, redis_group="none"))
