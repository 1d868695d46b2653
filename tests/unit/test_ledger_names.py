# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which id an incident was opened under, if the ledger gave it a number: it may give back what bears that id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import incident_names
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Request, Work, find_incident_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as queries


class Ledger:
    """A ledger of incidents (name: whether it is closed), oldest first, and aliases, as a cursor reads it."""

    def __init__(self, incidents: dict[str, bool], aliases: dict[str, str]) -> None:
        self.incidents, self.aliases = incidents, aliases

    def rows(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        if query == queries.CANONICAL:
            name = values["incident"]
            name = name if name in self.incidents else self.aliases.get(name, "")
            return [(name, self.incidents[name])] if name in self.incidents else []
        assert query == queries.INCIDENTS
        return [
            (name, None, None, None, None, "", "" if closed else None, 1.0, [])
            for name, closed in reversed(self.incidents.items())
            if not (values["only_open"] and closed) and values["incident"] in (None, name)
        ]


def opened_as(*incidents: tuple[str, bool], **aliases: str) -> dict[str, str]:
    cursor: Any = Ledger(dict(incidents), {"INC-8" if name == "inc_8" else name: of for name, of in aliases.items()})
    rows = ledger.list_incidents(cursor)
    assert [ids_of(row)[-1] for row in rows] == [row["opened_as"] for row in rows]
    return {row["incident_id"]: row["opened_as"] for row in rows if row["opened_as"] != row["incident_id"]}


CLOSED, OPEN = True, False


@pytest.mark.parametrize(
    ("incidents", "expected"),
    [
        ([("INC-7", CLOSED), ("INC-7-2", OPEN)], {"INC-7-2": "INC-7"}),
        ([("INC-7", CLOSED), ("INC-7-2", CLOSED), ("INC-7-3", OPEN)], {"INC-7-3": "INC-7"}),
        # What bears INC-7 belongs to INC-7-2, which is open; somebody who typed INC-7-3 did not ask for INC-7.
        ([("INC-7", CLOSED), ("INC-7-2", OPEN), ("INC-7-3", OPEN)], {"INC-7-2": "INC-7"}),
        ([("INC-7", OPEN), ("INC-7-2", OPEN)], {}),
        ([("INC-7-2", CLOSED), ("INC-7-2-2", OPEN)], {"INC-7-2-2": "INC-7-2"}),
        # A team's own numbers, of months and of runs.
        ([("INC-2026", CLOSED), ("INC-2026-11", OPEN)], {}),
        ([("INC-20261128", CLOSED), ("INC-20261128-158", OPEN), ("INC-20261128-042", OPEN)], {}),
    ],
)
def test_the_id_that_was_asked_for_is_whose_it_means(incidents: list[tuple[str, bool]], expected: Any) -> None:
    assert opened_as(*incidents) == expected


def test_an_alias_of_a_closed_incident_that_was_asked_for_counts_as_its_id_does() -> None:
    assert opened_as(("INC-7", CLOSED), ("INC-8-2", OPEN), inc_8="INC-7") == {"INC-8-2": "INC-8"}


def test_a_repair_finds_the_fence_by_what_its_incident_was_opened_as_and_repairs_by_its_own_ids() -> None:
    @contextmanager
    def transaction(*_given: Any, **_named: Any) -> Iterator[Ledger]:
        yield Ledger({"INC-7": CLOSED, "INC-7-2": OPEN}, {})

    who = ledger.Who("INC-7-2", "run")
    place: Any = SimpleNamespace(transaction=transaction, state=SimpleNamespace(usable=True))
    work = Work(place, place, Request(who, "repaired"), Deadline(5))
    find_incident_of(work)
    assert (work.incident, work.names, work.held_as) == ("INC-7-2", ["INC-7-2"], ["INC-7-2", "INC-7"])


def test_the_write_block_of_an_incident_with_a_number_has_the_id_that_was_asked_for() -> None:
    answer: dict[str, Any] = {"incidents": [{"incident_id": "INC-7-2", "aliases": [], "opened_as": "INC-7"}]}
    assert incident_names([answer], {"incident_id": "INC-7-2"}) == ["INC-7", "INC-7-2"]
    # Other names of the closed incident of this id are not its names; one that is open elsewhere is the same incident.
    first = {"incident_id": "INC-7", "aliases": ["INC-A"], "opened_as": "INC-7"}
    answer["incidents"].append({**first, "closed_at": "2026-11-20T03:00:00Z"})
    assert incident_names([answer], {"incident_id": "INC-7-2"}) == ["INC-7", "INC-7-2"]
    elsewhere = {"incidents": [{**first, "closed_at": None}]}
    assert incident_names([answer, elsewhere], {"incident_id": "INC-7-2"}) == ["INC-7", "INC-7-2", "INC-A"]
