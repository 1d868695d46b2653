# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore is asked for, which backup may be used, and in which order tables come."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._circles import in_circles, parents_first
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import (
    Asked,
    Compared,
    asked_from,
    late_error,
    other_database,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import About


def test_tables_are_names_or_maps() -> None:
    given = ["Tickets", {"name": "Tags", "tenant": "companyId", "created": ""}]
    assert asked_from(given) == [Asked("Tickets"), Asked("Tags", "companyId")]


@pytest.mark.parametrize("given", [[], ["a", "a"], [{"tenant": "x"}], [{"name": "a", "key": "id"}], [7], [""]])
def test_what_names_no_table_is_refused(given: list[Any]) -> None:
    with pytest.raises(BadInput) as told:
        asked_from(given)
    assert told.value.code == "bad_tables"


@pytest.mark.parametrize(
    ("taken", "since", "code"),
    [
        ("2026-11-25T05:44:59.999999Z", "2026-11-25T02:45:00-03:00", None),
        ("2026-11-25T05:45:00Z", "2026-11-25T02:45:00-03:00", "backup_too_late"),
        ("2026-11-25T05:45:00.000001Z", "2026-11-25 02:45:00-0300", "backup_too_late"),
        (None, "2026-11-25T02:45:00Z", "backup_time_unknown"),
        (None, None, None),
    ],
)
def test_a_backup_from_after_the_corruption_is_late(taken: str | None, since: str | None, code: str | None) -> None:
    found = late_error(About("file", "custom", "/backup", taken), since)
    assert (found.code if found else None) == code


@pytest.mark.parametrize("since", ["yesterday", "2026-11-25", "2026-11-25T02:45:00"])
def test_a_moment_without_a_zone_is_none(since: str) -> None:
    with pytest.raises(BadInput):
        late_error(About("file", "plain", "/backup"), since)


def test_whose_backup_it_is_as_far_as_it_tells() -> None:
    assert other_database(About("file", "plain", "/b"), "crm", "1/2") is None
    assert other_database(About("file", "custom", "/b", database="crm"), "crm", "1/2") is None
    assert other_database(About("file", "custom", "/b", database="old"), "crm", "1/2") is not None
    # One of our dumps says it exactly; the same name is not enough.
    assert other_database(About("dump", "directory", "/b", database="crm", cluster="1/3"), "crm", "1/2") is not None
    assert other_database(About("dump", "directory", "/b", database="crm", cluster="1/2"), "crm", "1/2") is None


def test_those_that_are_referred_to_come_first() -> None:
    order, left = parents_first([1, 2, 3, 4], {(1, 2), (2, 3), (4, 2), (3, 3)})
    assert (order, left) == ([3, 2, 1, 4], set())
    order, left = parents_first([1, 2, 3], {(1, 2), (2, 1), (3, 1)})
    assert order.index(1) < order.index(3)
    assert left == {(1, 2)}


def test_edges_that_lead_nowhere_are_in_no_circle() -> None:
    assert in_circles({(1, 2), (2, 3), (3, 3)}) == set()
    assert in_circles({(1, 2), (2, 1), (3, 1), (2, 4)}) == {(1, 2), (2, 1)}


def test_only_what_comes_back_is_a_part() -> None:
    compared = Compared("public.t", counts={"missing": 2, "deleted": 1, "newer": 5}, sums={"missing": ("1", "2")})
    (part,) = compared.parts(["missing"])
    assert (part.check, part.action, part.rows, part.sums) == ("missing", "insert", 2, ("1", "2"))
    shown = compared.as_result()
    assert (shown["missing"], shown["deleted"], shown["changed"], shown["newer"]) == (2, 1, 0, 5)
