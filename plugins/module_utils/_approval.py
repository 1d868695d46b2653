# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who approved what a job of an AWX workflow is about to do, according to AWX's API. Pure.

AWX passes no name on to the jobs after an approval. But a node of a workflow's run names its job and the nodes that
follow it, and the approval itself names who gave it.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

_APPROVAL = "workflow_approval"
_LOOK = "Look at the workflow: the node of this job has to follow an approval on its success."


class NotAwx(ValueError):
    """What answered is not AWX, or not a known kind of it; the text says why."""


def nodes_from(answer: Any) -> tuple[list[Mapping[str, Any]], str]:
    """Return the nodes of one page of a workflow's run, and the path of the next page; raises NotAwx."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get("results"), list):
        raise NotAwx("it lists no nodes")
    found = answer["results"]
    if not all(isinstance(one, Mapping) and isinstance(one.get("id"), int) for one in found):
        raise NotAwx("its nodes have no ids")
    return found, str(answer.get("next") or "")


def approval_before(nodes: Sequence[Mapping[str, Any]], job_id: int) -> int:
    """Return the id of the approval whose success this job's node follows; raises BadInput for none, or several.

    The job that asks must be running: with the number of an ended one, an old approval would count for a new plan.
    """
    own = [node for node in nodes if node.get("job") == job_id]
    mine = [node["id"] for node in own]
    if own and _about(own[0], "status") not in ("", "running"):
        raise BadInput(
            "job_not_running",
            f"Job {job_id} is {_about(own[0], 'status')[:20]}, so it is not this one.",
            "What was approved then is another plan, or was done already.",
            "Launch the workflow, and have its plan approved.",
        )
    if not mine:
        raise BadInput(
            "not_of_the_workflow",
            f"Job {job_id} is none of the workflow's.",
            "So nobody can tell who approved it.",
            "Launch the workflow, and not one of its jobs again.",
        )
    before = [node for node in nodes if mine[0] in (node.get("success_nodes") or [])]
    approvals = [
        node["job"] for node in before if _about(node, "type") == _APPROVAL and isinstance(node.get("job"), int)
    ]
    if len(approvals) != 1:
        what = "follows no approval" if not approvals else f"follows {len(approvals)} approvals"
        raise BadInput(
            "no_approval", f"In its workflow job {job_id} {what}.", "So it is not known who approved it.", _LOOK
        )
    return int(approvals[0])


def approved(approval: Any, workflow: Any) -> dict[str, Any]:
    """Return ``approved_by``, ``approved_at``, ``requested_by`` and ``name``; raises BadInput or NotAwx.

    :param approval: the approval as the API has it; ``workflow``: the run, which has no user if a schedule launched it.
    """
    if not isinstance(approval, Mapping) or not isinstance(workflow, Mapping):
        raise NotAwx("an approval and a run are no objects")
    name = _person(approval, "approved_or_denied_by")
    if approval.get("status") != "successful" or not name:
        raise BadInput(
            "not_approved",
            f"The approval {str(approval.get('name') or '')[:80]} is {str(approval.get('status') or 'unknown')[:20]}.",
            "Nothing is done on its account.",
            "Have it approved, or look why this job runs at all.",
        )
    return {
        "approved_by": name,
        "approved_at": str(approval.get("finished") or ""),
        "requested_by": _person(workflow, "created_by"),
        "name": str(approval.get("name") or ""),
    }


def _about(node: Mapping[str, Any], what: str) -> str:
    """Return what a node says about its job: ``type`` or ``status``; empty if it says nothing."""
    return str(((node.get("summary_fields") or {}).get("job") or {}).get(what) or "")


def _person(what: Mapping[str, Any], role: str) -> str:
    return str(((what.get("summary_fields") or {}).get(role) or {}).get("username") or "")
