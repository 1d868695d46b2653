# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger is not removed over a stop that begins meanwhile, and its removal keeps no stop waiting."""

from __future__ import annotations

from tests.integration.crowd import on, population, wait_for, waiting_for_locks
from tests.integration.module import failed
from tests.integration.place import Database
from tests.integration.test_dormant_latch import dormant
from tests.integration.test_stays_off import SAVE, triggers

# As a stop does: first it opens its incident, then it records whom it switches, and raises the latch.
BEGIN = "INSERT INTO kanban_rollback.incidents (incident_id) VALUES ('INC-1')"
RECORD = """
INSERT INTO kanban_rollback.flag_changes (incident_id, flag, action, tenants, priors, depths, marks)
VALUES ('INC-1', 'f', 'disabled', '{3}', '{true}', '{1}', '{NULL}')
"""
TRIED = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'chatia%' AND query ~ '^(LOCK|ROLLBACK|DROP SCHEMA)'
"""


def test_a_stop_that_begins_while_a_latch_is_removed_keeps_its_record_and_its_latch(db: Database) -> None:
    population(db)
    dormant(db)
    raises = db.value("SELECT proname FROM pg_proc WHERE proname LIKE 'raise\\_latch%'")
    with db.transaction("SELECT FROM companies"):
        removal = db.modules().start("ledger", state="absent")
        wait_for(lambda: waiting_for_locks(db) == 1, "the removal waits for the latch's table")
        for statement in (BEGIN, RECORD, f"SELECT kanban_rollback.{raises}('INC-1')"):
            db.rows(statement)
    with removal:
        told = failed(removal.result(), "open_incidents")
    assert told["error"]["what"] == "Incidents are open in this ledger: INC-1."
    assert db.value("SELECT tenants FROM kanban_rollback.flag_changes") == ["3"]
    assert len(triggers(db)) == 2
    db.rows("""UPDATE companies SET settings = '{}' WHERE id = 3""")
    db.rows(SAVE)
    assert 3 not in on(db), "its latch is up"


def test_a_stop_that_is_just_opening_its_incident_is_seen_and_not_kept_waiting(db: Database) -> None:
    db.modules().ok("ledger")
    with db.transaction(BEGIN) as stop:
        removal = db.modules().start("ledger", state="absent")
        wait_for(lambda: db.value(TRIED), "the removal tries to drop the ledger")
        with db.connect() as other, other.cursor() as cursor:
            for _ in range(20):
                cursor.execute("SET lock_timeout = '300ms'; SELECT FROM kanban_rollback.incidents")
        stop.commit()
    with removal:
        failed(removal.result(), "open_incidents")
    assert db.has_ledger()


def test_a_ledger_that_stays_in_use_stays(db: Database) -> None:
    db.modules().ok("ledger")
    with db.transaction("SELECT FROM kanban_rollback.events"):
        told = db.modules().fails("busy", "ledger", state="absent")
    assert "The ledger is as before" in told["error"]["what"]
    assert db.modules().ok("ledger", state="absent")["changed"]
    assert not db.has_ledger()


def test_a_latch_that_is_up_under_a_closed_incident_goes_only_by_force(db: Database) -> None:
    population(db)
    dormant(db).disable(latch=True)
    # By somebody who has not seen that a stop was under way.
    db.rows("UPDATE kanban_rollback.incidents SET closed_at = now()")
    for check in (True, False):
        told = db.modules().fails("open_incidents", "ledger", check=check, state="absent")
        assert told["error"]["what"].endswith("though its incident is closed: INC-1.")
    assert (len(triggers(db)), db.has_ledger()) == (2, True)
    assert db.modules().ok("ledger", state="absent", force=True)["changed"]
    assert (triggers(db), db.has_ledger()) == ([], False)
