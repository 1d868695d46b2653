# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that repairs put into quarantine go when their retention ends, and an undo says that they are gone."""

from __future__ import annotations

from typing import Any

from tests.integration.integrity import load
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT, PLAN, ready, repair, undo, whole

KEPT = "SELECT count(*) FROM kanban_rollback.quarantined"


def closed(db: Database, modules: Modules, days: int) -> None:
    """Close the incident as if it had been closed that many days ago."""
    modules.ok("write_fence", state="absent")
    db.modules(incident_id=INCIDENT).ok("incident", state="closed")
    age = "UPDATE kanban_rollback.incidents SET closed_at = clock_timestamp() - make_interval(days => %s)"
    db.rows(age, (days,))


def test_an_open_incidents_rows_stay_and_a_closed_ones_go(db: Database) -> None:
    load(db)
    modules = ready(db)
    rows = repair(modules)["quarantined"]
    purge: dict[str, Any] = {"state": "purged", "retention_days": 90}
    # Open, however old it is.
    db.rows("UPDATE kanban_rollback.incidents SET opened_at = clock_timestamp() - interval '900 days'")
    assert not db.modules().ok("ledger", **purge)["changed"]
    closed(db, modules, 89)
    assert not db.modules().ok("ledger", **purge)["changed"]
    closed(db, modules, 91)
    # Another ledger may still have it open.
    assert not db.modules().ok("ledger", keep=[INCIDENT], **purge)["changed"]
    expected = [{"incident_id": INCIDENT, "days": 91, "rows": rows}]
    planned = db.modules().ok("ledger", True, **purge)
    assert (planned["changed"], planned["purged"]) == (True, expected)
    assert db.value(KEPT) == rows
    modules.fails("no_open_incident", "integrity_repair", state="undone")
    after = whole(db)
    done = db.modules().ok("ledger", **purge)
    assert (done["changed"], done["purged"]) == (True, expected)
    assert db.value(KEPT) == 0
    assert whole(db) == after
    again = db.modules().ok("ledger", **purge)
    assert (again["changed"], again["purged"]) == (False, [])
    noted = db.rows("SELECT phase, data FROM kanban_rollback.events WHERE event = 'quarantine purged'")
    assert noted == [("report", {"rows": rows, "days": 91})]
    for check in (True, False):
        gone = modules.run("integrity_repair", check, state="undone")
        assert gone["error"]["code"] == "purged", gone
    assert whole(db) == after


def test_rows_that_are_gone_under_an_open_incident_are_no_nothing_to_do(db: Database) -> None:
    load(db)
    modules = ready(db)
    repair(modules, PLAN[3:4])
    db.rows("DELETE FROM kanban_rollback.quarantined")
    modules.fails("purged", "integrity_repair", state="undone")


def test_the_role_of_bootstrap_may_purge_and_a_ledger_of_before_has_nothing(db: Database) -> None:
    load(db)
    modules = ready(db)
    role = db.role("ops")
    db.modules().ok("ledger", grant_to=[role])
    repair(modules, PLAN[3:4])
    undo(modules)
    closed(db, modules, 91)
    assert db.modules(role).ok("ledger", state="purged", retention_days=90)["changed"]
    db.rows("DROP TABLE kanban_rollback.quarantined, kanban_rollback.repairs")
    assert not db.modules(role).ok("ledger", state="purged", retention_days=90)["changed"]
