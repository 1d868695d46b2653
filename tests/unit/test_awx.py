# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What awx/ contains in the form that awx.awx takes, and when AWX has it already."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._awx import (
    configuration_to_send,
    nodes_change,
    workflow_nodes,
)

WANTED: list[dict[str, Any]] = [
    {"identifier": "contain", "job_template": "Stop", "success": ["approve"], "failure": ["tell"]},
    {
        "identifier": "approve",
        "approval": {"name": "Approve", "description": "By somebody else", "timeout": 60},
        "success": ["recover"],
    },
    {"identifier": "recover", "job_template": "Repair", "extra_data": {"kanban_recovery": "surgical"}},
    {"identifier": "tell", "job_template": "Tell"},
]
# The same as AWX lists it, in another order.
KEPT: list[dict[str, Any]] = [
    {
        "id": 9, "identifier": "tell", "extra_data": {}, "success_nodes": [], "failure_nodes": [], "always_nodes": [],
        "summary_fields": {"unified_job_template": {"name": "Tell", "unified_job_type": "job"}},
    },
    {
        "id": 4, "identifier": "contain", "extra_data": {}, "success_nodes": [5], "failure_nodes": [9],
        "summary_fields": {"unified_job_template": {"name": "Stop", "description": "x", "unified_job_type": "job"}},
    },
    {
        "id": 5, "identifier": "approve", "extra_data": {}, "success_nodes": [6], "failure_nodes": [],
        "summary_fields": {
            "unified_job_template": {
                "name": "Approve", "description": "By somebody else", "timeout": 60,
                "unified_job_type": "workflow_approval",
            }
        },
    },
    {
        "id": 6, "identifier": "recover", "extra_data": {"kanban_recovery": "surgical"}, "success_nodes": [],
        "failure_nodes": [], "always_nodes": [],
        "summary_fields": {"unified_job_template": {"name": "Repair", "unified_job_type": "job"}},
    },
]  # fmt: skip


def test_nodes_as_the_module_takes_them() -> None:
    found = workflow_nodes([*WANTED, {"identifier": "hosts", "inventory_source": "Hosts"}], "Ours")
    assert found[0] == {
        "identifier": "contain",
        "unified_job_template": {"name": "Stop", "type": "job_template", "organization": {"name": "Ours"}},
        "related": {"success_nodes": [{"identifier": "approve"}], "failure_nodes": [{"identifier": "tell"}]},
    }
    assert found[1]["unified_job_template"] == {
        "name": "Approve", "description": "By somebody else", "timeout": 60, "type": "workflow_approval",
    }  # fmt: skip
    assert found[2]["extra_data"] == {"kanban_recovery": "surgical"}
    assert found[4]["unified_job_template"]["inventory"] == {"organization": {"name": "Ours"}}
    with pytest.raises(ValueError, match="node x runs nothing"):
        workflow_nodes([{"identifier": "x"}], "Ours")


def test_the_same_in_another_order_is_no_change() -> None:
    assert nodes_change(KEPT, WANTED) == "nothing"
    assert nodes_change([], WANTED) == "more"
    assert nodes_change(KEPT[:2], [WANTED[0], WANTED[3]]) == "anew"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda kept: kept.pop(0), "anew"),
        (lambda kept: kept.append({**kept[0], "id": 10, "identifier": "other"}), "anew"),
        (lambda kept: kept[3].update(extra_data={"kanban_recovery": "restore"}), "anew"),
        (lambda kept: kept[3].update(extra_data={}), "anew"),
        (lambda kept: kept[3].update(always_nodes=[9]), "anew"),
        (lambda kept: kept[1].update(success_nodes=[]), "more"),
        (lambda kept: kept[2]["summary_fields"]["unified_job_template"].update(timeout=0), "anew"),
        (lambda kept: kept[2]["summary_fields"]["unified_job_template"].update(description=""), "anew"),
        (lambda kept: kept[1]["summary_fields"]["unified_job_template"].update(name="Another"), "anew"),
        (lambda kept: kept[1].update(summary_fields={}), "anew"),
    ],
)
def test_each_difference_is_seen(change: Any, what: str) -> None:
    kept = deepcopy(KEPT)
    change(kept)
    assert nodes_change(kept, WANTED) == what


SLACK = {"channels": ["#dba"], "token": ""}


@pytest.mark.parametrize(
    ("kept", "wanted", "again", "sent"),
    [
        (None, SLACK, False, SLACK),
        ({"channels": ["#dba"], "token": ""}, SLACK, False, {}),
        # People filled it in in AWX.
        ({"channels": ["#dba"], "token": "$encrypted$"}, SLACK, False, {}),
        ({"channels": ["#dba"], "token": "$encrypted$"}, SLACK, True, {}),
        ({"channels": ["#dba"], "token": "$encrypted$"}, {**SLACK, "token": "t"}, False, {}),
        ({"channels": ["#dba"], "token": "$encrypted$"}, {**SLACK, "token": "t"}, True, {**SLACK, "token": "t"}),
        ({"channels": ["#dba"], "token": ""}, {**SLACK, "token": "t"}, False, {**SLACK, "token": "t"}),
        # What is not a secret is corrected, and the secret stays.
        (
            {"channels": ["#x"], "token": "$encrypted$"},
            {**SLACK, "token": "t"},
            False,
            {**SLACK, "token": "$encrypted$"},
        ),
        ({"channels": ["#dba"], "token": "", "more": 1}, SLACK, False, {}),
    ],
)
def test_a_configuration_is_sent_where_it_differs(kept: Any, wanted: Any, again: bool, sent: Any) -> None:
    assert configuration_to_send(kept, wanted, again) == sent
