# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who approved, from what AWX's API says; and the message of a workflow's step."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._approval import (
    NotAwx,
    approval_before,
    approved,
    nodes_from,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifystep import not_told, step_message


def node(id: int, job: int | None, kind: str, *success: int) -> dict[str, Any]:
    return {"id": id, "job": job, "success_nodes": list(success), "summary_fields": {"job": {"type": kind}}}


RUN = [
    node(1, 11, "job", 2),
    node(2, 12, "workflow_approval", 3),
    node(3, 13, "job", 4),
    node(4, None, "", 5),
    node(5, None, ""),
]


def test_the_approval_is_the_node_before_this_jobs() -> None:
    assert approval_before(RUN, 13) == 12


@pytest.mark.parametrize(
    ("nodes", "job", "code"),
    [
        (RUN, 99, "not_of_the_workflow"),
        (RUN, 11, "no_approval"),
        # An approval that failed, and is followed on its failure, approves nothing.
        ([node(2, 12, "workflow_approval"), node(3, 13, "job")], 13, "no_approval"),
        ([node(2, 12, "job", 3), node(3, 13, "job")], 13, "no_approval"),
        (
            [node(1, 11, "workflow_approval", 3), node(2, 12, "workflow_approval", 3), node(3, 13, "job")],
            13,
            "no_approval",
        ),
    ],
)
def test_without_one_approval_nobody_approved(nodes: Any, job: int, code: str) -> None:
    with pytest.raises(BadInput) as error:
        approval_before(nodes, job)
    assert error.value.code == code


def test_an_old_approval_is_none_of_what_is_done_now() -> None:
    # An old job's number, typed by hand, leads to the approval of that job's plan, not of this one.
    for status in ("successful", "failed", "canceled", "pending"):
        old = [*RUN[:2], {**RUN[2], "summary_fields": {"job": {"type": "job", "status": status}}}]
        with pytest.raises(BadInput) as error:
            approval_before(old, 13)
        assert error.value.code == "job_not_running"
    now = [*RUN[:2], {**RUN[2], "summary_fields": {"job": {"type": "job", "status": "running"}}}]
    assert approval_before(now, 13) == 12


def test_it_names_who_approved_and_who_asked() -> None:
    approval = {
        "status": "successful", "name": "Approve", "finished": "2026-11-25T03:00:00Z",
        "summary_fields": {"approved_or_denied_by": {"username": "ana"}},
    }  # fmt: skip
    run = {"summary_fields": {"created_by": {"username": "rui"}}}
    found = {"approved_by": "ana", "approved_at": "2026-11-25T03:00:00Z", "requested_by": "rui", "name": "Approve"}
    assert approved(approval, run) == found
    assert approved(approval, {})["requested_by"] == ""
    for bad in (
        {**approval, "status": "pending"},
        {**approval, "status": "failed"},
        {**approval, "summary_fields": {}},
    ):
        with pytest.raises(BadInput) as error:
            approved(bad, run)
        assert error.value.code == "not_approved"
    with pytest.raises(NotAwx):
        approved([], run)


def test_what_is_no_page_of_nodes_is_said_to_be_none() -> None:
    assert nodes_from({"results": RUN, "next": "/api/v2/x/?page=2"}) == (RUN, "/api/v2/x/?page=2")
    assert nodes_from({"results": [], "next": None}) == ([], "")
    bad: list[Any] = [[], {"results": 1}, {"results": [{}]}, {"results": ["x"]}]
    for answer in bad:
        with pytest.raises(NotAwx):
            nodes_from(answer)


def test_a_stop_that_failed_rings_and_another_step_does_not() -> None:
    routes = {"workflow": {"stop_failed": ["slack:#incidents", "pagerduty"], "step_failed": ["slack:#incidents"]}}
    stop = step_message(routes, "contain", 7, "pt_BR", {"#incidents": "#inc"}, verdict="degraded", incident_id="INC-1")
    assert (stop["routes"], stop["severity"], stop["key"]) == (["slack:#inc", "pagerduty"], "P0", "workflow-7-contain")
    assert stop["about"] == {
        "step": "contain", "run": 7, "stops": True, "triaged": "", "severity": "P0", "verdict": "degraded",
        "incident_id": "INC-1",
    }  # fmt: skip
    other = step_message(routes, "approve_plan", 7)
    assert (other["routes"], other["severity"], other["key"]) == (["slack:#incidents"], "", "workflow-7-approve-plan")
    assert step_message({}, "", 0)["routes"] == []


@pytest.mark.parametrize(
    ("step", "scenario", "rings"),
    [
        ("triage", "p2", False),
        ("triage", "none", False),
        ("triage", "unknown", False),
        # It went on with a stop, and that is what failed; one that handed nothing on may have.
        ("triage", "scenario1", True),
        ("triage", "scenario2", True),
        ("triage", "scenario3", True),
        ("triage", "pause", True),
        ("triage", "", True),
        ("triage", "anything", True),
        # The decision is an earlier triage's, and this was to stop.
        ("contain", "p2", True),
        ("contain", "", True),
        ("recover", "scenario3", False),
    ],
)
def test_a_triage_that_switches_nothing_does_not_ring(step: str, scenario: str, rings: bool) -> None:
    routes = {"workflow": {"stop_failed": ["pagerduty"], "step_failed": ["slack:#incidents"]}}
    found = step_message(routes, step, 7, scenario=scenario)
    assert (found["routes"], found["severity"]) == ((["pagerduty"], "P0") if rings else (["slack:#incidents"], ""))
    assert (found["about"]["stops"], found["about"]["severity"]) == (rings, found["severity"])
    assert found["about"]["triaged"] == ("" if rings or step != "triage" else scenario)


TOLD: dict[str, Any] = {"sent": [], "not_sent": [], "unknown": [], "needless": [], "already": 0, "dry_run": []}


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({**TOLD, "sent": [{"route": "pagerduty"}]}, ""),
        ({**TOLD, "already": 1}, ""),
        ({**TOLD, "dry_run": [{"route": "pagerduty"}]}, ""),
        (TOLD, "no way to tell anybody"),
        ({**TOLD, "sent": [{"route": "x"}], "not_sent": [{"route": "pagerduty"}]}, "not told by pagerduty"),
        ({**TOLD, "unknown": [{"route": "mail:x"}]}, "not told by mail:x"),
        ({**TOLD, "sent": [{"route": "pagerduty"}], "bad_routes": ["slack:@x"]}, "not told by slack:@x"),
        ({"msg": "no outbox"}, "no outbox"),
    ],
)
def test_a_message_that_somebody_did_not_get_is_a_failure(result: Any, why: str) -> None:
    assert (not_told(result) == "") is (why == "")
    assert why in not_told(result)
