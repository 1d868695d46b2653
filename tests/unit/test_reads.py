# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns are read, by the profile's maps: a role gets these, so one too many is one that it should not see."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reads import check_queries, mends, reads

TABLES = {"companies": "Companies", "users": "", "error_logs": "ErrorLogs", "tags": "Tags"}
COLUMNS: dict[str, Any] = {
    "companies": {"id": "id", "name": "name", "settings": "settings"},
    "users": {"id": "id", "company": "companyId"},
    "error_logs": {"id": "id", "company": "companyId", "context": "context", "created_at": "createdAt"},
}


def test_the_ranking_reads_what_it_compares_and_shows() -> None:
    errors = {"table": "ErrorLogs", "columns": ["companyId", "context", "createdAt"], "key": False}
    owners = {"table": "Companies", "columns": ["id", "name"], "key": False}
    assert reads(TABLES, COLUMNS) == [errors, owners]
    assert reads(TABLES, COLUMNS, context=False)[0]["columns"] == ["companyId", "createdAt"]
    assert reads({**TABLES, "users": "Users"}, COLUMNS)[2] == {"table": "Users", "columns": ["companyId"], "key": False}
    assert reads({"error_logs": None}, {}) == []


def test_a_check_reads_its_columns_its_key_and_what_they_point_to() -> None:
    lanes = {"table": "Lanes", "column": "id"}
    check = {"kind": "invalid_reference", "table": "Tickets", "column": "lane", "tenant": "company"}
    assert reads({}, {}, [{**check, "references": lanes}]) == [
        {"table": "Tickets", "columns": ["lane", "company"], "key": True},
        {"table": "Lanes", "columns": ["id", "company"], "key": False},
    ]
    other = {**check, "references": {**lanes, "tenant": "owner"}}
    assert reads({}, {}, [other])[1]["columns"] == ["id", "owner"]
    # Duplicates are recognized by what is the same in them.
    twice = {"kind": "duplicate", "table": "Links", "columns": ["a", "b"], "column": "a", "references": lanes}
    assert reads({}, {}, [twice]) == [
        {"table": "Links", "columns": ["a", "b"], "key": False},
        {"table": "Lanes", "columns": ["id"], "key": False},
    ]


def test_each_kind_reads_what_its_options_name() -> None:
    board = {"table": "Tags", "column": "id", "tenant": "owner", "mark": "kanban", "through": "tag"}
    by_tag = {"kind": "cardless_ticket", "table": "Tickets", "column": "id", "tenant": "company", "time": "at"}
    assert reads({}, {}, [{**by_tag, "references": {"table": "Links", "column": "ticket"}, "lanes": board}]) == [
        {"table": "Tickets", "columns": ["id", "company"], "key": True},
        {"table": "Links", "columns": ["ticket", "tag"], "key": False},
        {"table": "Tags", "columns": ["id", "owner", "kanban"], "key": False},
        # The time is worth a look, but not a column that the check could not do without.
        {"table": "Tickets", "columns": ["at"], "key": False, "optional": True},
    ]
    foreign = reads({}, {}, [{**by_tag, "unless": "Lanes"}])
    assert [(read.get("optional"), read.get("unless")) for read in foreign] == [(True, "Lanes")] * 2
    hours = {"kind": "timeline", "table": "Tags", "time": "at"}
    assert reads({}, {}, [hours]) == [{"table": "Tags", "columns": ["at"], "key": False}]
    order = {"kind": "ordering", "table": "Tickets", "position": "n", "lane": ["lane"], "tenant": "company"}
    assert reads({}, {}, [order]) == [{"table": "Tickets", "columns": ["lane", "n", "company"], "key": False}]
    cross = {"kind": "cross_tenant", "table": "Links", "column": "ticket", "other_column": "tag"}
    ends = {
        "references": {"table": "A", "column": "a", "tenant": "x"},
        "other_references": {"table": "B", "column": "b"},
    }
    assert [(read["table"], read["columns"]) for read in reads({}, {}, [{**cross, **ends}])] == [
        ("Links", ["ticket", "tag"]),
        ("A", ["a", "x"]),
        ("B", ["b"]),
    ]


def test_a_query_of_a_users_own_is_read_by_itself() -> None:
    checks: list[dict[str, Any]] = [{"kind": "sql", "query": "SELECT id FROM t -- all\n; "}, {"kind": "orphan"}]
    assert reads({}, {}, checks) == []
    assert check_queries(checks) == ["SELECT count(*) FROM (\nSELECT id FROM t -- all\n) AS checked"]


def test_what_repairs_change_and_nothing_for_what_is_only_judged() -> None:
    checks: list[dict[str, Any]] = [
        {"name": "a", "kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"]},
        {"name": "b", "kind": "invalid_reference", "table": "Tickets", "column": "kanbanLane"},
        {"name": "c", "kind": "ordering", "table": "Tickets", "position": "kanbanOrder", "column": "id"},
        {"name": "d", "kind": "orphan", "table": "Tickets", "column": "companyId", "repair": {"action": "none"}},
        {"name": "e", "kind": "timeline", "table": "Tags"},
        {"name": "f", "kind": "orphan", "table": "", "column": "x"},
        {"name": "g", "kind": "duplicate", "table": "TicketTags", "columns": ["ticketId"], "unless": "Lanes"},
    ]
    assert mends(checks) == [
        {"table": "TicketTags", "delete": True, "columns": []},
        {"table": "Tickets", "delete": False, "columns": ["kanbanLane"]},
        {"table": "Tickets", "delete": False, "columns": ["kanbanOrder"]},
        # None of it is done if that table exists.
        {"table": "TicketTags", "delete": True, "columns": [], "unless": "Lanes"},
    ]
