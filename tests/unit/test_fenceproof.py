# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be claimed of a fence and whom the drain waits for: if in doubt, claim too little and wait for too many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import (
    Verdict,
    failure,
    judge,
    kind_of,
    left_out,
    lowered_status,
    overall,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import (
    Scope,
    trigger_names,
    trigger_types,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import (
    Fence,
    Found,
    Holder,
    Relation,
    Trigger,
    may_still_write,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table

ALL = Scope()
STATEMENTS = ("INSERT", "UPDATE", "DELETE")
BOTH = (1, 2)
REFUSED = {(oid, operation): "refused" for oid in BOTH for operation in STATEMENTS}


def fence(scope: Scope = ALL, name: str = "fence_0", **changes: Any) -> Fence:
    triggers = tuple(
        Trigger(oid, "public", f"t{oid}", trigger, "A", kind, False, scope.columns if kind & 16 else ())
        for oid in BOTH
        for trigger, kind in zip(trigger_names(name), trigger_types(scope), strict=True)
        if kind
    )
    state = {"kind": "dormant", "incident": "INC-1", "raised_at": "x", **scope.as_result()}
    made = Fence(name, True, "postgres", "refusing", state, 100.0, triggers, (1,))
    return replace(made, **changes)


def found(*fences: Fence, scope: Scope = ALL, **changes: Any) -> Found:
    relations = [Relation(oid, "public", f"t{oid}", oid == 1, True, "postgres") for oid in BOTH]
    return Found("t", Table(1, "public", "t", 1), scope, (), relations, list(fences), **changes)


def test_every_operation_on_every_relation_proves_it() -> None:
    verdict = judge(found(fence()), REFUSED, {}, False)
    assert (verdict.status, verdict.reason, verdict.code) == ("proven", None, None)
    assert verdict.proof == {**dict.fromkeys(STATEMENTS, "canary"), "TRUNCATE": "catalog"}


@pytest.mark.parametrize("hole", list(REFUSED))
@pytest.mark.parametrize(("said", "status"), [("passed", "not_refused"), ("55P03 x", "unproven"), (None, "unproven")])
def test_one_canary_that_is_not_refused_is_enough(hole: Any, said: str | None, status: str) -> None:
    tried = {key: text for key, text in {**REFUSED, hole: said}.items() if text}
    verdict = judge(found(fence()), tried, {}, False)
    assert (verdict.status, bool(verdict.code)) == (status, True)
    assert hole[1] not in verdict.proof


def test_in_the_words_of_another_version_a_canary_proves_and_the_catalog_does_not() -> None:
    strange = fence(Scope(STATEMENTS), body="other")
    assert judge(found(strange, scope=Scope(STATEMENTS)), REFUSED, {}, False).status == "proven"
    verdict = judge(found(fence(body="other")), REFUSED, {}, False)
    assert (verdict.status, verdict.code) == ("unproven", "not_proven")
    assert "TRUNCATE cannot be tried" in str(verdict.reason)


def test_behind_a_trigger_of_the_application_the_catalog_has_to_do() -> None:
    tried = {**REFUSED, (2, "DELETE"): "behind audit"}
    verdict = judge(found(fence()), tried, {}, False)
    assert (verdict.status, verdict.proof["DELETE"], verdict.proof["INSERT"]) == ("proven", "catalog", "canary")
    assert judge(found(fence(body="other")), tried, {}, False).status == "unproven"


@pytest.mark.parametrize("columns", [(), ("other",), ("lane", "other")])
def test_a_trigger_that_hangs_on_other_columns_is_none(columns: tuple[str, ...]) -> None:
    scope = Scope(("UPDATE",), ("lane",))
    good = fence(scope)
    assert judge(found(good, scope=scope), REFUSED, {}, False).status == "proven"
    moved = replace(good, triggers=tuple(replace(trigger, columns=columns) for trigger in good.triggers))
    assert judge(found(moved, scope=scope), REFUSED, {}, False).status == "not_fenced"
    copies = replace(good, triggers=tuple(replace(one, columns=columns, cloned=True) for one in good.triggers))
    assert judge(found(copies, scope=scope), REFUSED, {}, False).status == "proven"


def test_draining_comes_before_proven_and_after_every_hole() -> None:
    assert judge(found(fence()), REFUSED, {}, True).status == "draining"
    assert judge(found(fence()), None, {}, True).status == "draining"
    assert judge(found(fence()), None, {}, False).status == "unproven"
    assert judge(found(fence()), {**REFUSED, (1, "INSERT"): "passed"}, {}, True).status == "not_refused"
    assert judge(found(), REFUSED, {}, True).status == "not_fenced"


@pytest.mark.parametrize(
    "broken",
    [
        {"body": "dormant"},
        {"triggers": ()},
        {"triggers": fence().triggers[:1]},
        {"triggers": tuple(replace(trigger, enabled="O") for trigger in fence().triggers)},
        {"triggers": tuple(replace(trigger, enabled="D") for trigger in fence().triggers[:1]) + fence().triggers[1:]},
        {"triggers": tuple(replace(trigger, type=58) for trigger in fence().triggers)},
        {"state": {"kind": "dormant", **Scope().as_result()}},
    ],
)
def test_the_catalog_has_to_be_right_whatever_the_canaries_say(broken: dict[str, Any]) -> None:
    verdict = judge(found(fence(**broken)), REFUSED, {}, False)
    assert (verdict.status, verdict.code) == ("not_fenced", "not_fenced")


def test_a_gap_says_why() -> None:
    why = ServerError("lock_timeout", "held", "", "")
    half = fence(triggers=fence().triggers[:1])
    verdict = judge(found(half), REFUSED, {"public.t2": why}, False)
    assert (verdict.code, "public.t2" in (verdict.reason or ""), "held" in (verdict.reason or "")) == (
        "lock_timeout",
        True,
        True,
    )
    assert "Nothing" in (judge(found(), None, {}, False).reason or "")
    assert judge(found(problem=why), None, {}, False).code == "lock_timeout"


def test_two_fences_cover_together() -> None:
    one, other = Scope(("INSERT", "DELETE")), Scope(("UPDATE", "TRUNCATE"))
    two = (fence(one, "fence_1"), fence(other, "fence_2"))
    assert judge(found(*two), REFUSED, {}, False).status == "proven"
    assert judge(found(two[0], replace(two[1], body="dormant")), REFUSED, {}, False).status == "not_fenced"


def test_a_rows_trigger_is_proven_by_the_catalog() -> None:
    scope = Scope(("UPDATE", "DELETE"), ("lane",), True)
    tried = {key: text for key, text in REFUSED.items() if key[1] == "DELETE"}
    verdict = judge(found(fence(scope), scope=scope), tried, {}, False)
    assert (verdict.status, verdict.proof) == ("proven", {"UPDATE": "catalog", "DELETE": "canary"})
    # A fence by statements that covers it has to be tried.
    wider = fence(Scope(("UPDATE", "DELETE"), ("lane",)))
    assert judge(found(wider, scope=scope), tried, {}, False).status == "unproven"


def test_logical_replication_passes_a_statements_trigger_only() -> None:
    verdict = judge(found(fence(), subscriptions=["moves"]), REFUSED, {}, False)
    assert (verdict.status, verdict.code) == ("not_fenced", "logical_replication")
    scope = Scope(("UPDATE",), ("lane",), True)
    assert judge(found(fence(scope), scope=scope, subscriptions=["moves"]), {}, {}, False).status == "proven"


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (["proven", "proven"], "proven"),
        (["proven", "draining"], "draining"),
        (["draining", "unproven", "proven"], "unproven"),
        (["unproven", "not_fenced"], "not_fenced"),
        (["proven", "not_refused"], "not_fenced"),
        (["dormant", "lowered"], "lowered"),
        (["absent", "dormant"], "dormant"),
        (["absent"], "absent"),
        ([], "absent"),
    ],
)
def test_the_worst_table_counts(statuses: list[str], whole: str) -> None:
    assert overall(statuses) == whole


@pytest.mark.parametrize("passes", ["absent", "dormant", "lowered"])
def test_what_passes_where_others_are_refused_is_a_gap(passes: str) -> None:
    for up in ("proven", "draining", "unproven"):
        found = left_out({"a": Verdict(up), "b": Verdict(passes)})
        assert [found["a"].status, found["b"].status] == [up, "not_fenced"]
        assert overall([one.status for one in found.values()]) == "not_fenced"
    asleep = {"a": Verdict(passes), "b": Verdict("dormant")}
    assert left_out(asleep) == asleep


def test_what_fails_and_with_which_code() -> None:
    good, held = Verdict("proven"), Verdict("not_fenced", "held", "lock_timeout")
    assert failure({"a": good, "b": Verdict("draining")}, "") is None
    one = failure({"a": good, "b": held}, "")
    assert one
    assert (one.code, "1 of 2" in one.what, "b: held" in one.what) == ("lock_timeout", True, True)
    two = failure({"a": Verdict("not_refused", "x", "not_refused"), "b": held}, "")
    assert two
    assert two.code == "not_fenced"


def test_kinds_and_what_is_left_when_it_is_lowered() -> None:
    demand = fence(state={"kind": "on_demand"})
    assert [kind_of(fences) for fences in ([], [demand], [fence()], [demand, fence()])] == [
        None,
        "on_demand",
        "dormant",
        "mixed",
    ]
    assert lowered_status(found(fence(triggers=())), True) == "absent"
    assert [lowered_status(found(fence()), was) for was in (True, False)] == ["lowered", "dormant"]


def holder(transaction: str, *relations: int, pid: int = 5, began: float | None = 50.0) -> Holder:
    return Holder(transaction, pid, "app", "app", "active", 1.0, began, None if pid else "gid", relations)


@pytest.mark.parametrize(
    ("one", "waited_for"),
    [
        (holder("1/1", 1), True),
        (holder("1/2", 1), False),
        (holder("1/1", 9), False),
        (holder("9/9", 1, pid=0), True),
        (holder("9/9", 2, began=110.0), True),
        (holder("9/9", 2, began=110.1), False),
        (holder("9/9", 2, began=None), True),
        (holder("9/9", 2, pid=0, began=None), True),
        (holder("1/2", 1, 2, began=50.0), True),
    ],
)
def test_whom_the_drain_waits_for(one: Holder, waited_for: bool) -> None:
    """This run fenced relation 1 while 1/1 held a lock; an earlier one fenced relation 2, before moment 110."""
    assert may_still_write([one], {"1/1"}, {1}, {2: 110.0}) == ([one] if waited_for else [])


def test_a_holder_comes_with_the_line_that_ends_it() -> None:
    shown = holder("1/1", 1, 3).as_result({1: "public.t1"})
    assert (shown["tables"], shown["to_end_it"]) == (["public.t1"], "SELECT pg_terminate_backend(5)")
    prepared = replace(holder("1/1", 1, pid=0), gid="it's").as_result({})
    both = "COMMIT PREPARED 'it''s' or ROLLBACK PREPARED 'it''s', as its transaction manager decided"
    assert prepared["to_end_it"].startswith(both)
