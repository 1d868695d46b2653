# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incident a plan and a repair belong to: an approval is used once, and a repair is found again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.repairs import plan, ready, repair, undo, whole

ORPHANS: dict[str, Any] = {
    "name": "orphans",
    "kind": "orphan",
    "table": "tags",
    "column": "company",
    "references": {"table": "companies", "column": "id"},
}


@pytest.fixture
def modules(db: Database) -> Modules:
    """Return modules on tags of which one leads to no company, with the incident open."""
    db.rows("CREATE TABLE companies AS SELECT 1 AS id")
    db.rows("CREATE TABLE tags (id integer PRIMARY KEY, company integer)")
    db.rows("INSERT INTO tags VALUES (1, 9), (2, 1), (3, 1)")
    return ready(db, ["tags"])


def close(db: Database, incident: str) -> None:
    """Close an incident, as report.yml does days later."""
    db.modules(incident_id=incident).ok("incident", state="closed")


def test_an_approval_is_used_once(db: Database, modules: Modules) -> None:
    before = whole(db)
    approved = plan(modules, [ORPHANS])["plan_hash"]
    # A plan is the same under each id of its incident.
    db.modules(incident_id="INC-1").ok("incident", aliases=["INC-A"])
    assert plan(modules.having(incident_id="INC-A"), [ORPHANS])["plan_hash"] == approved
    modules.ok("integrity_repair", checks=[ORPHANS], plan_hash=approved)
    undo(modules)
    assert whole(db) == before
    modules.fails("plan_changed", "integrity_repair", checks=[ORPHANS], plan_hash=approved)
    modules.ok("write_fence", state="absent")
    other = modules.having(incident_id="INC-2", allow_unfenced=True)
    # A plan that is approved before its incident exists is valid for that incident.
    planned = plan(other, [ORPHANS])["plan_hash"]
    assert planned != approved
    db.modules(incident_id="INC-2").ok("incident")
    other.fails("plan_changed", "integrity_repair", checks=[ORPHANS], plan_hash=approved)
    assert other.ok("integrity_repair", checks=[ORPHANS], plan_hash=planned)["changed"]


@pytest.mark.parametrize("named", ["INC-1", "INC-A"], ids=["its id", "an alias"])
def test_what_was_repaired_before_the_incident_was_closed_comes_back(
    db: Database, modules: Modules, named: str
) -> None:
    before = whole(db)
    db.modules(incident_id="INC-1").ok("incident", aliases=["INC-A"])
    repair(modules, [ORPHANS])
    modules.ok("write_fence", state="absent")
    close(db, "INC-1")
    db.modules(incident_id=named).ok("incident")
    again = modules.having(incident_id=named, allow_unfenced=True)
    looked = undo(again, check=True)
    assert (looked["incident_id"], looked["undone"], looked["changed"]) == (f"{named}-2", [1], True)
    done = undo(again)
    assert [text for text in done["warnings"] if "of INC-1," in text], done["warnings"]
    assert whole(db) == before
    assert undo(again)["undone"] == []


def test_an_undo_does_not_reach_behind_repairs_of_its_own(db: Database, modules: Modules) -> None:
    repair(modules, [ORPHANS])
    modules.ok("write_fence", state="absent")
    close(db, "INC-1")
    db.modules(incident_id="INC-1").ok("incident")
    again = modules.having(allow_unfenced=True)
    db.rows("UPDATE tags SET company = 9 WHERE id = 2")
    before = whole(db)
    repair(again, [ORPHANS])
    assert undo(again)["undone"] == [2]
    assert undo(again)["undone"] == []
    assert whole(db) == before
    # Under an unrelated id nothing is undone, and a warning says where there would be something.
    db.modules(incident_id="INC-7").ok("incident")
    other = undo(modules.having(incident_id="INC-7"))
    assert other["undone"] == []
    assert [text for text in other["warnings"] if "are of INC-1: give that id" in text], other["warnings"]
