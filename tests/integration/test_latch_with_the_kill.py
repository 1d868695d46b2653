# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latch goes up with the kill: what an application writes back after that does not come on, not for a moment."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import ON, on, population
from tests.integration.module import Modules, failed
from tests.integration.onscreen import seen
from tests.integration.place import Database
from tests.integration.test_dormant_latch import dormant
from tests.integration.test_stays_off import SAVE, triggers

AT_ONCE: dict[str, Any] = {"latch": True, "latch_wait": 0}


@pytest.mark.parametrize("installed", [False, True], ids=["on demand", "dormant"])
def test_nobody_who_is_counted_as_off_comes_on_again(db: Database, installed: bool) -> None:
    modules = population(db)
    modules = dormant(db) if installed else modules
    for incident in ("INC-1", "INC-2", "INC-3"):
        with db.connect("whaticket-api") as session, session.cursor() as cursor:
            with modules.start("feature_flag", incident_id=incident, **AT_ONCE) as running:
                # A page that many have open writes old settings back the whole time.
                while running.runs:
                    cursor.execute(SAVE)
                done = running.result()
            assert (done["latch"], done["enabled_after"]) == ({"raised": True, "reason": None}, 0), done
            assert on(db) == [], "it came on again after the kill had counted nobody"
        modules.restore(incident)
        assert 3 in on(db)


def test_a_writer_that_holds_the_table_is_left_to_the_sweep(db: Database) -> None:
    modules = population(db)
    with db.transaction("INSERT INTO companies VALUES (77, NULL)", application_name="import") as holder:
        done = modules.disable(**AT_ONCE)
        assert done["latch"]["raised"] is False
        assert "lock timeout" in done["latch"]["reason"]
        assert (done["enabled_after"], triggers(db)) == (0, [])
        assert not [warning for warning in done["warnings"] if "latch" in warning], "the sweep tells that"
        assert done["contained_ms"] < 2000
        holder.commit()
    swept = modules.disable(latch=True, settle=1)
    assert swept["latch"] == {"raised": True, "reason": None}


def test_it_is_waited_for_unless_that_is_left_to_the_sweep(db: Database) -> None:
    modules = population(db)
    with (
        db.transaction("INSERT INTO companies VALUES (77, NULL)", application_name="import") as holder,
        modules.start("feature_flag", incident_id="INC-1", latch=True, latch_wait=15) as running,
    ):
        time.sleep(2)
        holder.commit()
        done = running.result()
    assert done["latch"] == {"raised": True, "reason": None}, done


def test_what_was_written_but_not_committed_is_the_sweeps(db: Database) -> None:
    population(db)
    modules = dormant(db)
    modules.disable()
    with db.transaction(SAVE) as stale:
        done = modules.disable(**AT_ONCE)
        assert (done["enabled_after"], done["latch"]["raised"]) == (0, True)
        with modules.start("feature_flag", incident_id="INC-1", latch=True, settle=15) as running:
            time.sleep(1)
            stale.commit()
            swept = running.result()
    assert (swept["sweep"], on(db)) == ({"settled": True, "switched_again": 1, "waiting_for": []}, [])


def test_a_sweep_without_a_ledger_knows_that_the_latch_is_up(db: Database) -> None:
    modules = population(db)
    assert modules.disable(**AT_ONCE)["latch"]["raised"]
    with db.transaction("LOCK kanban_rollback.incidents"):
        swept = modules.disable(latch=True, settle=1)
    assert swept["latch"] == {"raised": True, "reason": None}, swept["warnings"]
    db.rows(SAVE)
    assert on(db) == []


def test_without_a_ledger_the_kill_does_not_speak_of_the_latch(db: Database, directory: Path) -> None:
    population(db)
    role = db.role("ops", "SELECT, UPDATE ON companies")
    modules: Modules = db.modules(role, table="companies", column="settings", path=["kanbanV2Enabled"])
    done = modules.disable(**AT_ONCE, state_dir=str(directory))
    assert done["latch"] == {"raised": False, "reason": "it needs the ledger, which could not be used"}
    assert not [warning for warning in done["warnings"] if "latch" in warning]
    told = modules.disable(latch=True, state_dir=str(directory))
    assert [warning for warning in told["warnings"] if "latch is not up" in warning]


@pytest.mark.parametrize(
    "odd", [pytest.param(None, id="empty", marks=pytest.mark.drill), pytest.param("perhaps", id="no word for it")]
)
def test_a_stop_is_whole_whatever_is_wrong_with_its_times_and_its_latch(
    db: Database, directory: Path, odd: str | None
) -> None:
    population(db)
    wrong = dict.fromkeys(("kanban_latch", "kanban_deadline", "kanban_sweep_seconds", "kanban_drain_seconds"), odd)
    run = seen(db, directory, "scenario3", **wrong, kanban_fence_tables=["tickets"])
    said = " ".join(" ".join(run.lines).split())
    assert on(db) == [], run.sent
    assert re.search(
        r"Switch the flag off \[db1\]: 50 of 50 tenants off in [0-9.]+ s, 50 switched now, latch up", said
    ), said
    assert "CONTAINED: Kanban V2 is off for all 50 tenants" in said
    assert re.search(r"the latch is up; every earlier transaction has ended", said)


@pytest.mark.parametrize("sees", [True, False], ids=["seen", "not seen"])
def test_it_waits_until_nobody_is_on_whom_it_could_turn_off_unrecorded(db: Database, sees: bool) -> None:
    population(db)
    modules = dormant(db)
    if not sees:
        # No second session, so nobody sees who holds the row.
        db.rows(f"ALTER ROLE {modules.options['login_user']} CONNECTION LIMIT 1")
    before = on(db)
    with db.transaction("TRUNCATE tickets", "DELETE FROM companies WHERE id = 3") as holder:
        done = failed(modules.run("feature_flag", incident_id="INC-1", latch=True, deadline=2), "still_on")
        assert (done["enabled_after"], done["latch"]["raised"]) == (1, False)
        with modules.start("feature_flag", incident_id="INC-1", latch=True, deadline=2, settle=15) as running:
            time.sleep(4)
            assert running.runs
            holder.cursor().execute("INSERT INTO companies VALUES (3, %s)", (ON,))
            holder.commit()
            swept = running.result()
    assert (swept["latch"], swept["sweep"]["settled"]) == ({"raised": True, "reason": None}, True), swept
    assert on(db) == []
    db.rows(f"ALTER ROLE {modules.options['login_user']} CONNECTION LIMIT -1")
    modules.restore("INC-1")
    assert on(db) == before


def test_it_does_not_wait_for_whoever_the_server_refuses_to_switch_off(db: Database) -> None:
    population(db)
    modules = dormant(db)
    db.rows("ALTER TABLE companies ADD CHECK (id <> 3 OR settings ->> 'kanbanV2Enabled' = 'true')")
    done = failed(modules.run("feature_flag", incident_id="INC-1", latch=True), "still_on")
    assert (done["enabled_after"], done["latch"]["raised"]) == (1, True)
