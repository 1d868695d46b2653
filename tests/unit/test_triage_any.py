# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the decision tree is given, there is one outcome and never a silent pass."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triage import triage_decision
from tests.unit.measured import GOOD, check, decide

# Any input at all: of the right shape, of a wrong one, or missing.
anything = (
    st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.text(max_size=4) | st.lists(st.text(), max_size=2)
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={name: values | anything for name, values in fields.items()}) | anything


few = st.integers(0, 3)
metric = some(value=st.floats(0, 2000), threshold=some(max=st.floats(0, 9)), unit=st.just("ms"), verdict=st.just("ok"))
inputs = some(
    declared=some(what=st.sampled_from(["", "corruption", "down", "security", "p2"])),
    integrity=some(
        status=st.sampled_from(["ok", "corrupt", "unknown"]),
        counts=st.dictionaries(st.text(max_size=3), few, max_size=2),
        not_applicable=st.lists(st.text(max_size=3), max_size=2),
    ),
    health=some(
        hosts=few, healthy=few, unhealthy=few, unreachable=few, places=few, tries=few,
        sockets=some(asked=few, connected=few, refused=few, unclear=few, unreachable=few, tries=few),
        users=some(asked=st.booleans(), served=st.booleans()), silent=st.lists(st.text(max_size=3), max_size=2),
    ),
    performance=some(
        verdict=st.sampled_from(["ok", "degraded", "unstable", "no_data"]),
        metrics=st.dictionaries(st.text(max_size=3), metric, max_size=2),
        beside=st.lists(st.text(max_size=3), max_size=2),
    ),
    affected=some(known=st.booleans(), share=st.floats(0, 1), affected_on=few, on=few, applies=st.booleans()),
)  # fmt: skip


@settings(max_examples=1500)
@given(inputs)
def test_every_input_has_one_outcome_and_none_only_where_all_is_known_and_good(given: Any) -> None:
    result = triage_decision(given)
    check(result)
    if result["scenario"] != "none":
        return
    health, sockets = given["health"], given["health"]["sockets"]
    assert given["integrity"]["status"] == "ok"
    assert given["integrity"]["counts"]
    assert given["performance"]["verdict"] == "ok"
    assert given["performance"]["metrics"]
    assert health["hosts"]
    assert health["healthy"]
    assert sockets["connected"]
    assert "affected" in given


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["integrity", "health", "performance", "affected"]), min_size=1), anything)
def test_whatever_source_breaks_good_facts_are_no_longer_good(names: list[str], broken: Any) -> None:
    assert decide({**GOOD, **dict.fromkeys(names, broken)})["scenario"] == "unknown"
