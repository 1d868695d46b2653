# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incident an undo means, from what the ledgers of all hosts know; it never guesses."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import incident_to_undo, is_known


def ledger(*incidents: tuple[str, ...]) -> dict[str, Any]:
    """Return a host's answer: per open incident its id and then its aliases."""
    return {"open": [{"incident_id": name, "aliases": list(aliases)} for name, *aliases in incidents]}


@pytest.mark.parametrize(
    ("answers", "incident"),
    [
        ([ledger(("INC-1",))], "INC-1"),
        ([ledger(("INC-1",)), ledger(("INC-1",))], "INC-1"),
        ([ledger(("INC-1",)), ledger(), {}], "INC-1"),
        ([ledger(("INC-1", "INC-2")), ledger(("INC-2",))], "INC-2"),
        # One ledger had closed an incident of that id, so it gave the new one a number.
        ([ledger(("INC-1",)), {"open": [{"incident_id": "INC-1-2", "aliases": [], "opened_as": "INC-1"}]}], "INC-1"),
    ],
)
def test_the_one_incident_that_all_ledgers_mean_is_taken(answers: list[dict[str, Any]], incident: str) -> None:
    assert incident_to_undo(answers) == {"agreed": True, "incident_id": incident, "why": "", "nothing": False}


@pytest.mark.parametrize(
    ("answers", "names"),
    [
        ([ledger(("INC-1",), ("INC-2",))], "INC-1, INC-2"),
        ([ledger(("INC-1",)), ledger(("INC-2",))], "INC-1, INC-2"),
        ([ledger(("INC-1",)), ledger(("INC-1",), ("INC-2",))], "INC-1, INC-2"),
        ([ledger(("INC-2",), ("INC-1",)), ledger(("INC-1",))], "INC-1, INC-2"),
        # A run that met two incidents gave both its own id as an alias; that does not make them one.
        ([ledger(("INC-1", "INC-3")), ledger(("INC-2", "INC-3"))], "INC-1, INC-2, INC-3"),
    ],
)
def test_where_several_are_open_a_person_must_name_one(answers: list[dict[str, Any]], names: str) -> None:
    found = incident_to_undo(answers)
    assert (found["agreed"], found["incident_id"]) == (False, "")
    assert names in found["why"]
    assert "-e kanban_incident_id=" in found["why"]


@pytest.mark.parametrize("answers", [[], [{}], [ledger(), ledger()]])
def test_where_none_is_open_nothing_is_undone(answers: list[dict[str, Any]]) -> None:
    found = incident_to_undo(answers)
    assert found["agreed"] is False
    assert "No incident is open" in found["why"]
    assert found["nothing"] is (answers == [ledger(), ledger()])


def test_an_incident_that_was_closed_with_tenants_off_is_named() -> None:
    left = {**ledger(), "left_off": [{"incident_id": "INC-7", "tenants": 1200}]}
    found = incident_to_undo([ledger(), left])
    assert "INC-7 was closed with 1,200 tenants off." in found["why"]
    assert found["nothing"] is False


def test_the_incident_that_a_person_named_is_taken_as_it_is() -> None:
    found = incident_to_undo([ledger(("INC-1",), ("INC-2",))], "INC-9")
    assert found == {"agreed": True, "incident_id": "INC-9", "why": "", "nothing": False}


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (ledger(("INC-1",)), True),
        (ledger(("INC-2", "INC-1")), True),
        ({"incidents": [{"incident_id": "INC-1", "aliases": []}], "open": []}, True),
        ({"prior_files": ["/var/lib/kanban_rollback/INC-1-0123456789ab.priors.jsonl"]}, True),
        ({"known_as": None, "open": [{"incident_id": "INC-1-2", "aliases": [], "opened_as": "INC-1"}]}, True),
        (ledger(("INC-2", "INC-3")), False),
        ({"prior_files": []}, False),
        ({}, False),
    ],
)
def test_a_host_knows_an_incident_by_id_alias_or_file(answer: dict[str, Any], known: bool) -> None:
    assert is_known(answer, "INC-1") is known
