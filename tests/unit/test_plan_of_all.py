# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan of those of all databases: what an approval covers, and what keeps all of it from being applied."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrecovery import assessment_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import plan_of_all, why_not_to_recover
from tests.unit.test_recovery import GONE, check, counted, planned


def test_one_plan_is_approved_by_its_own_hash_and_several_by_one_of_all() -> None:
    assert plan_of_all([planned("1", "aa", 3), planned("2")]) == {"hash": "aa", "rows": 3, "refused": []}
    two = plan_of_all([planned("1", "aa", 3), planned("2", "bb", 4)])
    assert two["rows"] == 7
    assert two["hash"] not in ("aa", "bb", "")
    # In whichever order they are asked.
    assert plan_of_all([planned("2", "bb", 4), planned("1", "aa", 3)]) == two
    assert plan_of_all([planned("1", "aa", 3), planned("2", "cc", 4)])["hash"] != two["hash"]


def test_twins_count_once_and_who_has_no_plan_is_not_approved() -> None:
    assert plan_of_all([planned("1", "aa", 3), planned("1", "aa", 3), GONE, {}]) == {
        "hash": "aa",
        "rows": 3,
        "refused": [],
    }
    assert plan_of_all([]) == {"hash": "", "rows": 0, "refused": []}


def test_twins_whose_plans_differ_are_refused() -> None:
    plans = [planned("1", "aa", 3), planned("2", "cc", 1), planned("1", "bb", 4)]
    whole = plan_of_all(plans)
    assert whole == plan_of_all(plans[::-1])
    (reason,) = why_not_to_recover(whole, whole["hash"], "ana", "rui", {}, True)
    assert "lead to one database (1) and made different plans" in reason
    # Neither of the two alone is what was shown.
    assert plan_of_all(plans[:2])["hash"] != whole["hash"] != plan_of_all(plans[1:])["hash"]
    part = assessment_part(["a", "b", "c"], [counted(check("x", 3))] * 3, plans, whole, ["-i", "inv"], recovers=False)
    assert any("made different plans" in line for line in part["lines"])
    assert "next" not in part


def test_one_database_that_would_refuse_refuses_for_all() -> None:
    reason = {"code": "too_many_rows", "what": "It would touch 9 rows."}
    whole = plan_of_all([planned("1", "aa", 3), planned("2", "bb", 9, refused=[reason])])
    found = why_not_to_recover(whole, whole["hash"], "ana", "rui", {}, True)
    assert found == ["the plan could not be applied: It would touch 9 rows."]
