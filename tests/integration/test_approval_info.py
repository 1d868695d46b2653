# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who approved, asked of a server with AWX's API, and the recovery that relies on this and on nobody's word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.integrity import load
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_recovery import Place, hash_of
from tests.playbooks.runner import Run
from tests.support.awxapi import Awx, awx

READER = "t0ken-of-the-reader"


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Awx]:
    with awx(tmp_path) as running:
        yield running


def workflow(controller: Awx, launched_by: str = "rui", approved_by: str = "") -> Any:
    """Add a run of the workflow that has reached the recovery; ``approved_by`` approves it with their own token."""
    (run,) = controller.seed(("workflow_jobs", {"launched_by": launched_by}))
    (approval,) = controller.seed(("workflow_approvals", {"name": "Approve the plan"}))
    # More nodes than fit on one page, and ours last.
    nodes: list[dict[str, Any]] = [{"job": None, "success_nodes": []} for _one in range(220)]
    nodes += [
        {"job": 501, "success_nodes": [90_221]},
        {"job": approval["id"], "job_type": "workflow_approval", "success_nodes": [90_222, 90_223]},
        {"job": 502, "success_nodes": []},
        {"job": 503, "success_nodes": [], "job_status": "successful"},
    ]
    rows = [{**node, "id": 90_000 + number, "workflow_job": run["id"]} for number, node in enumerate(nodes)]
    controller.seed(*(("workflow_job_nodes", row) for row in rows))
    if approved_by:
        controller.send(f"/workflow_approvals/{approval['id']}/approve/", {}, "POST", f"t0ken-of-{approved_by}")
    return {"workflow_job_id": run["id"], "job_id": 502}


def asks(controller: Awx, **more: str) -> Modules:
    """Return modules in the environment of a job that has the reader's credential."""
    return Modules({}, {**controller.environment, "CONTROLLER_OAUTH_TOKEN": READER, **more})


def test_it_names_who_approved_and_who_asked_for_it(controller: Awx) -> None:
    ids = workflow(controller, approved_by="ana")
    before = controller.written
    found = asks(controller).ok("approval_info", **ids)
    assert (found["approved_by"], found["requested_by"], found["changed"]) == ("ana", "rui", False)
    assert (found["approved_at"], found["name"]) == ("2026-11-25T03:00:00Z", "Approve the plan")
    # A user with a password works as well.
    by_name = {"CONTROLLER_OAUTH_TOKEN": "", "CONTROLLER_USERNAME": "admin", "CONTROLLER_PASSWORD": "p4ssword-of-awx"}
    assert asks(controller, **by_name).ok("approval_info", check=True, **ids)["approved_by"] == "ana"
    assert controller.written == before
    assert READER not in str(found)


def test_where_it_is_not_known_it_fails_and_says_what_to_do(controller: Awx) -> None:
    ids = workflow(controller)
    asks(controller).fails("not_approved", "approval_info", **ids)
    asks(controller).fails("no_approval", "approval_info", **{**ids, "job_id": 501})
    asks(controller).fails("job_not_running", "approval_info", **{**ids, "job_id": 503})
    asks(controller).fails("not_of_the_workflow", "approval_info", **{**ids, "job_id": 1})
    refused = asks(controller).fails("refused", "approval_info", **{**ids, "workflow_job_id": 4711})
    assert refused["status_code"] == 404
    wrong = asks(controller, CONTROLLER_OAUTH_TOKEN="t0ken-of-nobody").fails("refused", "approval_info", **ids)
    assert wrong["status_code"] == 401
    assert "t0ken-of-nobody" not in str(wrong)
    Modules({}).fails("no_address", "approval_info", **ids)
    asks(controller, CONTROLLER_OAUTH_TOKEN="").fails("no_login", "approval_info", **ids)
    asks(controller, CONTROLLER_HOST="http://192.0.2.1").fails("key_in_the_clear", "approval_info", **ids)
    asks(controller, CONTROLLER_HOST="http://127.0.0.1:1").fails("no_answer", "approval_info", **ids)
    asks(controller).fails("bad_deadline", "approval_info", deadline=0, **ids)


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """The plan's damage."""
    return Place(db, load(db), directory)


def recover(place: Place, controller: Awx, ids: Any, monkeypatch: Any, **more: Any) -> Run:
    """Run what the workflow's job runs, with what AWX and the earlier jobs pass to it."""
    for name, value in {**controller.environment, "CONTROLLER_OAUTH_TOKEN": READER}.items():
        monkeypatch.setenv(name, value)
    awx_says = {"awx_workflow_job_id": ids["workflow_job_id"], "awx_job_id": ids["job_id"], "awx_user_name": "rui"}
    return place.run(kanban_recovery="surgical", **awx_says, **more)


@pytest.mark.drill
def test_a_recovery_in_a_workflow_goes_by_what_awx_says(place: Place, controller: Awx, monkeypatch: Any) -> None:
    stopped = place.run()
    assert stopped.rc == 0, stopped.output
    ids = workflow(controller, approved_by="ana")
    # A name that somebody passed in anyway does not count.
    done = recover(place, controller, ids, monkeypatch, kanban_plan_hash=hash_of(stopped), kanban_approved_by="rui")
    assert done.rc == 0, done.output
    assert "Approved by ana at 2026-11-25T03:00:00Z (Approve the plan); asked for by rui." in done.text
    assert place.db.rows("SELECT DISTINCT approved_by FROM kanban_rollback.repairs") == [("ana",)]
    assert READER not in done.output


@pytest.mark.drill
def test_who_asked_for_a_recovery_does_not_approve_it(place: Place, controller: Awx, monkeypatch: Any) -> None:
    stopped = place.run()
    plan = {"kanban_plan_hash": hash_of(stopped)}
    own = workflow(controller, approved_by="rui")
    refused = recover(place, controller, own, monkeypatch, kanban_approved_by="ana", **plan)
    assert refused.rc == 2, refused.output
    assert "rui may not approve what rui does" in refused.text
    silent = recover(place, controller, {**own, "workflow_job_id": 4711}, monkeypatch, kanban_approved_by="ana", **plan)
    assert silent.rc == 2, silent.output
    assert "AWX answered 404" in silent.text
    assert place.db.rows("SELECT count(*) FROM kanban_rollback.repairs") == [(0,)]
    glass = {"kanban_break_glass_what": ["approval"], "kanban_break_glass_reason": "nobody else is awake"}
    alone = recover(place, controller, own, monkeypatch, **glass, **plan)
    assert alone.rc == 0, alone.output
    assert place.db.rows("SELECT DISTINCT approved_by FROM kanban_rollback.repairs") == [("rui",)]
    data = place.db.rows("SELECT data FROM kanban_rollback.events WHERE event = 'override'")
    assert [row[0]["reason"] for row in data] == ["nobody else is awake"]
