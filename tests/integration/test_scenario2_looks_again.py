# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario 2 watches for minutes; whether the tenants of the list are off is looked up after that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.errors import Errors
from tests.integration.flags import KEY
from tests.integration.journals import Place
from tests.integration.place import Database
from tests.playbooks.runner import Run

OTHERS = ("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")
PULSE = {
    "kanban_metrics": {**dict.fromkeys(OTHERS), "pulse": {"where": "db", "source": "sql", "query": "SELECT 0"}},
    "kanban_thresholds": {**dict.fromkeys(OTHERS), "pulse": {"max": 0.5, "consecutive": 3}},
}
NOTHING = {"kanban_metrics": dict.fromkeys(OTHERS), "kanban_thresholds": dict.fromkeys(OTHERS)}
# As the application's own screen does, while it is watched.
SWITCHED_ON = (
    f"""CREATE FUNCTION switched_on() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        UPDATE "Companies" SET settings = '{{"{KEY}": true}}' WHERE id = 1; RETURN NULL; END$$""",
    """CREATE TRIGGER switched_on AFTER INSERT ON kanban_rollback.events FOR EACH ROW
        WHEN (NEW.data ->> 'gate' = 'scenario2') EXECUTE FUNCTION switched_on()""",
)


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Twenty companies that are on; two of them suffer."""
    errors = Errors(db)
    errors.companies(*range(1, 21))
    errors.log(1, 40)
    errors.log(2, 30)
    return Place(db, directory)


def scenario2(place: Place, **more: Any) -> Run:
    given = {
        "kanban_flag": {},
        "kanban_gate_initial_delay": 0,
        "kanban_gate_interval": 1,
        "kanban_investigate_seconds": 1,
        "kanban_latch": False,
        "kanban_ranking": {"deadline": 10, "more_than": 10},
        "kanban_sweep_seconds": 1,
        "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.05},
        **more,
    }
    return place.run("scenario2", **given)


def off(place: Place) -> list[int]:
    rows = place.db.rows(f"""SELECT id FROM "Companies" WHERE settings -> '{KEY}' = 'false' ORDER BY 1""")
    return [row[0] for row in rows]


@pytest.mark.drill
def test_who_is_on_again_after_the_watch_is_not_said_to_be_off(place: Place) -> None:
    place.db.modules().ok("ledger")
    for statement in SWITCHED_ON:
        place.db.rows(statement)
    run = scenario2(place, **PULSE)
    assert off(place) == [2], run.output
    assert "HOLD: better" in run.screen, run.output
    assert run.rc == 2, run.output
    assert "NOT CONTAINED: 1 of 2 tenants that could be counted still have Kanban V2." in run.screen
    assert "db1: 1 of the 2 tenants of the list are on (1), 0 cannot be read." in run.screen

    place.db.rows("DROP TRIGGER switched_on ON kanban_rollback.events")
    again = scenario2(place, **PULSE)
    assert (off(place), again.rc, again.incident) == ([1, 2], 0, run.incident), again.output
    assert "CONTAINED: Kanban V2 is off for the 2 tenants named (1 were switched off now)" in again.screen
    assert "NOT" not in again.screen


def test_a_database_that_is_silent_after_the_watch_is_not_known_any_more(place: Place) -> None:
    """Also if nothing could be watched, for lack of metrics."""
    silent = playbook.silent_where("__selective_not_verified is defined and __contain_still is not defined")
    run = scenario2(place, **NOTHING, **silent, kanban_investigate_second=9)
    assert off(place) == [1, 2], run.output
    unread = "kanban_investigate_second is no variable of this collection"
    assert f"IGNORED: {unread}, so nothing reads it; is kanban_investigate_seconds meant?" in run.screen, run.output
    assert f"[WARNING]: {unread}" in run.text.partition("TASK [")[2].partition("TASK [")[0], "with the first task"
    assert run.rc == 2, run.output
    assert "NOT WELL: the list on db1 is not known to be off" in run.screen, run.output
    assert "CONTAINED: Kanban V2 is off for the 2 tenants named" not in run.screen
    assert "db1: it gave no answer in the end, so nobody knows whether it holds" in run.screen
