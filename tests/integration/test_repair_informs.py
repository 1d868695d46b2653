# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that only inform: what a repair makes of their counts is told, and takes nothing back."""

from __future__ import annotations

from typing import Any

from tests.integration.place import Database
from tests.integration.repairs import plan, ready, undo, whole


def test_a_check_that_only_informs_takes_no_repair_back(db: Database) -> None:
    # Cards go that are tags of a company that is gone; tickets have none afterwards, which nothing can mend.
    for statement in (
        "CREATE TABLE companies (id integer PRIMARY KEY)",
        "CREATE TABLE tickets (id integer PRIMARY KEY, company integer NOT NULL DEFAULT 1)",
        "CREATE TABLE lanes (id integer PRIMARY KEY, company integer, kanban integer NOT NULL DEFAULT 1)",
        "CREATE TABLE cards (ticket integer, lane integer REFERENCES lanes ON DELETE CASCADE)",
        "INSERT INTO companies VALUES (1)",
        "INSERT INTO tickets SELECT generate_series(1, 30)",
        "INSERT INTO lanes VALUES (1, 1), (2, 9)",
        "INSERT INTO cards SELECT g, CASE WHEN g <= 10 THEN 2 ELSE 1 END FROM generate_series(1, 20) AS g",
    ):
        db.rows(statement)
    modules = ready(db, ["lanes"])
    orphans: dict[str, Any] = {
        "name": "orphan_lanes",
        "kind": "orphan",
        "table": "lanes",
        "column": "company",
        "references": {"table": "companies", "column": "id"},
    }
    cardless: dict[str, Any] = {
        "name": "without_card",
        "kind": "cardless_ticket",
        "table": "tickets",
        "column": "id",
        "tenant": "company",
        "share": 0,
        "references": {"table": "cards", "column": "ticket"},
        "lanes": {"table": "lanes", "column": "id", "mark": "kanban", "mark_value": "1", "through": "lane"},
    }
    before = whole(db, "tickets", "lanes", "cards")
    checks = [orphans, cardless]
    options: dict[str, Any] = {"max_fraction": 1.0, "approved_by": "ana"}
    planned = plan(modules, checks, max_fraction=1.0)
    found = modules.fails(
        "post_condition", "integrity_repair", checks=checks, plan_hash=planned["plan_hash"], **options
    )
    assert "without_card counts 20 after 10" in found["error"]["what"]
    assert "severity below critical" in found["error"]["todo"]
    checks = [orphans, {**cardless, "severity": "low"}]
    # Who is told of it is no part of the plan.
    done = modules.ok("integrity_repair", checks=checks, plan_hash=planned["plan_hash"], **options)
    assert "After the repair without_card counts 20 after 10: it only informs (low)" in " ".join(done["warnings"])
    undo(modules)
    assert whole(db, "tickets", "lanes", "cards") == before
