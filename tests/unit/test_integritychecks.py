# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several checks say together: nothing that was not counted ever passes as good."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import (
    Against,
    Check,
    Finding,
    Lanes,
    Reference,
    check_from,
    checks_from,
    summary,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityspec import CHECK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlsingle import flaw_of

STATUSES = ("ok", "corrupt", "not_applicable", "timeout", "failed")
TABLE = {"name": "orphan_tags", "kind": "orphan", "table": "Tags"}


def finding(name: str, status: str, count: int | None = None) -> Finding:
    counted = {"ok": 0, "corrupt": 3}.get(status) if count is None else count
    return Finding(Check(name, "orphan", "Tags"), status=status, count=counted)


@given(st.lists(st.sampled_from(STATUSES), max_size=6))
def test_ok_is_said_only_where_all_that_apply_have_counted(statuses: list[str]) -> None:
    result = summary([finding(f"c{i}", status) for i, status in enumerate(statuses)])
    assert result["corrupt"] is ("corrupt" in statuses)
    assert result["complete"] is not ({"timeout", "failed"} & set(statuses) != set())
    assert (result["status"] == "ok") is (set(statuses) in ({"ok"}, {"ok", "not_applicable"}))
    assert (result["status"] == "corrupt") is result["corrupt"]
    assert len(result["not_known"]) + len(result["not_applicable"]) + len(result["counts"]) == len(statuses)
    assert result["total_count"] == 3 * statuses.count("corrupt")


@pytest.mark.parametrize(
    ("count", "tolerate", "status"), [(0, 0, "ok"), (1, 0, "corrupt"), (5, 5, "ok"), (6, 5, "corrupt")]
)
def test_what_is_tolerated(count: int, tolerate: int, status: str) -> None:
    found = Finding(Check("a", "orphan", "Tags", tolerate=tolerate), count=count)
    found.judge()
    assert found.status == status
    assert ("tolerated" in found.why) == (status == "ok" and count > 0)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInput("missing_table", "No table.", "", ""), "not_applicable"),
        (BadInput("missing_column", "No column.", "", ""), "not_applicable"),
        (BadInput("ambiguous_table", "Two tables.", "", ""), "failed"),
        (ServerError("missing_privilege", "Denied.", "", ""), "failed"),
        (Timeout("lock_timeout", "Gave up.", "", ""), "timeout"),
    ],
)
def test_why_there_is_no_count(error: BadInput | ServerError, status: str) -> None:
    found = finding("a", "ok")
    found.fail(error, "Held by pid 7.")
    assert (found.status, found.why) == (status, f"{error.what} Held by pid 7.")


def test_a_check_keeps_what_was_given_and_defaults_the_rest() -> None:
    assert check_from(TABLE) == Check("orphan_tags", "orphan", "Tags", severity="critical", null_is="orphan")
    whole = check_from(
        {
            **TABLE,
            "column": "companyId",
            "columns": ["a", "b"],
            "references": {"table": "Companies", "column": "id"},
            "tenant": None,
            "tolerate": 7,
            "null_is": "ignored",
            "severity": "low",
        }
    )
    assert (whole.columns, whole.tolerate, whole.null_is, whole.severity) == (("a", "b"), 7, "ignored", "low")
    assert whole.references
    assert whole.references.tenant is None
    with pytest.raises(BadInput, match="option tenant"):
        whole.needed("tenant")


def test_names_are_unique_and_nothing_is_no_check() -> None:
    with pytest.raises(BadInput, match="same name: orphan_tags"):
        checks_from([TABLE, TABLE])
    with pytest.raises(BadInput, match="No check"):
        checks_from([])


def test_maps_and_lists_become_what_a_check_has() -> None:
    check = check_from(
        {
            **TABLE,
            "share": "0",
            "window_hours": "12",
            "tolerate": "3",
            "lane": ["a"],
            "lanes": {"table": "Tags", "column": "id", "mark": None, "through": "tagId"},
            "against": {"ids": ["1"], "rows": None},
            "other_references": {"table": "Tags", "column": "id", "tenant": "companyId"},
            "unless": "",
            "repair": {"action": "delete"},
        }
    )
    assert (check.share, check.window_hours, check.tolerate, check.lane, check.unless) == (0.0, 12, 3, ("a",), None)
    assert check.lanes
    assert (check.lanes.mark, check.lanes.mark_value, check.lanes.through) == (None, "1", "tagId")
    assert check.against
    assert (check.against.ids, check.against.rows, check.against.manifest) == (("1",), None, None)
    assert check.other_references
    assert check.other_references.tenant == "companyId"


def test_the_options_of_a_check_are_those_of_its_spec() -> None:
    """A field without an option could not be given, and an option without a field would have no effect."""
    assert {field.name for field in fields(Check)} == set(CHECK) - {"repair"}
    for name, made in (("references", Reference), ("lanes", Lanes), ("against", Against)):
        assert {field.name for field in fields(made)} == set(CHECK[name]["options"]), name
    for field in fields(Check):
        default = CHECK[field.name].get("default")
        assert default is None or default == field.default, field.name


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("SELECT 1", ""),
        ("SELECT ')' AS \"(\", $a$;)$a$, E'\\')' -- ;)\n, (1) /* ; ( /* ) */ */", ""),
        ("SELECT 1; ", "more than one"),
        ("SELECT 1) AS t; COMMIT; SELECT * FROM (SELECT 1", "more than one|brackets"),
        ("SELECT 1) AS t UNION (SELECT 2", "brackets"),
        ("SELECT (1", "brackets"),
        ("SELECT 'a", "without an end"),
        ("SELECT $x$ a", "without an end"),
        ("SELECT 'a\\' = '; COMMIT --'", "backslash"),
        ("", "empty"),
    ],
)
def test_a_query_that_would_leave_its_brackets_is_none(text: str, flaw: str) -> None:
    said = flaw_of(text)
    assert bool(said) is bool(flaw), said
    assert re.search(flaw, said)
