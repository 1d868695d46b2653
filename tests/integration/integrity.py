# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's checks on a data set, and what holds for each result."""

from __future__ import annotations

from typing import Any

from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.dataset import DataSet

CHECKS: list[dict[str, Any]] = [
    {
        "name": "orphan_tags",
        "kind": "orphan",
        "table": "Tags",
        "column": "companyId",
        "references": {"table": "Companies", "column": "id"},
    },
    {
        "name": "invalid_lanes",
        "kind": "invalid_reference",
        "table": "Tickets",
        "column": "kanbanLane",
        "tenant": "companyId",
        "references": {"table": "Lanes", "column": "id"},
    },
    {"name": "tickets_without_company", "kind": "null_reference", "table": "Tickets", "column": "companyId"},
    {
        "name": "duplicate_ticket_tags",
        "kind": "duplicate",
        "table": "TicketTags",
        "columns": ["ticketId", "tagId"],
        "column": "ticketId",
        "references": {"table": "Tickets", "column": "id", "tenant": "companyId"},
    },
]
NAMES = [check["name"] for check in CHECKS]
SMALL: dict[str, Any] = {"tenants": 400, "tickets": 3000}


def load(db: Database, **shape: Any) -> DataSet:
    data = DataSet(**{**SMALL, "corruption": True, **shape})
    with db.connect() as session:
        data.load(session)
    return data


def look(modules: Modules, check: bool = False, **options: Any) -> Result:
    result = modules.ok("integrity_info", check, **{"checks": CHECKS, **options})
    assert not result["changed"]
    assert [one["name"] for one in result["checks"]] == [one["name"] for one in options.get("checks", CHECKS)]
    for one in result["checks"]:
        # A check that is not counted says why, and has no count.
        assert (one["count"] is None) == (one["status"] in ("not_applicable", "timeout", "failed")), one
        assert one["why"] or one["count"] is not None, one
    return result


def by_name(result: Result) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in result["checks"]}


def statuses(result: Result) -> dict[str, str]:
    return {one["name"]: one["status"] for one in result["checks"]}


def find(db: Database, check: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the result of one check."""
    found: dict[str, Any] = look(db.modules(), checks=[{"name": check["kind"], **check}], **options)["checks"][0]
    return found
