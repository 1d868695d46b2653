# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents: the first prior wins until it is spent; a list goes back; what has changed or is gone is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import ON, on, population
from tests.integration.flags import KEY
from tests.integration.place import Database

SIM = f'{{"{KEY}": "sim", "timezone": "UTC"}}'
ALL = list(range(1, 51))


def set_settings(db: Database, tenant: int, settings: str | None) -> None:
    db.rows("UPDATE companies SET settings = %s WHERE id = %s", (settings, tenant))


def settings_of(db: Database, tenant: int) -> str | None:
    value: str | None = db.value("SELECT settings::text FROM companies WHERE id = %s", (tenant,))
    return value


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_two_kills_of_one_incident_and_the_first_prior_wins(db: Database, kind: str) -> None:
    """Scenario 2 switches a few off, somebody switches two on again, scenario 1 switches all off: one incident."""
    modules = population(db, kind=kind)
    set_settings(db, 4, SIM)
    before = db.snapshot("companies")
    assert modules.disable(tenants=[3, 4, 5])["changed_count"] == 3
    set_settings(db, 3, ON)
    set_settings(db, 4, ON)
    assert modules.disable()["changed_count"] == 49
    undone = modules.restore()
    assert (undone["changed_count"], undone["changed_since"]) == (50, [])
    assert db.snapshot("companies").texts == before.texts


def test_a_kill_that_finds_nobody_says_when_the_incident_last_switched_somebody(db: Database) -> None:
    modules = population(db)
    first = modules.disable(tenants=[3, 4])
    assert (first["changed_count"], first["incident"]["switched_seconds_ago"]) == (2, None)
    db.rows("UPDATE kanban_rollback.flag_changes SET at = at - interval '900 seconds'")
    assert modules.disable()["incident"]["switched_seconds_ago"] is None
    db.rows("UPDATE kanban_rollback.flag_changes SET at = at - interval '600 seconds'")
    again = modules.disable()
    assert again["changed_count"] == 0
    assert 600 <= again["incident"]["switched_seconds_ago"] < 660
    # What another incident did does not count for this one.
    assert modules.disable(incident="INC-other")["incident"]["switched_seconds_ago"] is None


def test_a_prior_is_spent_by_a_restore_and_the_next_kill_writes_a_new_one(db: Database) -> None:
    modules = population(db)
    modules.disable()
    modules.restore()
    set_settings(db, 3, SIM)
    set_settings(db, 4, None)
    before = db.snapshot("companies")
    modules.disable()
    modules.restore()
    assert db.snapshot("companies").texts == before.texts


def test_a_list_goes_back_and_later_the_rest(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable()
    undone = modules.restore(tenants=[3, "5"])
    assert (undone["changed_count"], undone["total"], undone["enabled_after"]) == (2, 2, 2)
    assert on(db) == [3, 5]
    assert modules.restore(check=True)["changed_count"] == 48
    assert modules.restore()["changed_count"] == 48
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_a_flag_that_was_changed_since_is_left_alone_and_listed(db: Database, kind: str) -> None:
    modules = population(db, kind=kind)
    modules.disable()
    changed: dict[int, Any] = {3: SIM, 4: f'{{"{KEY}": 7}}', 5: "{}", 6: f'{{"{KEY}": null}}'}
    for tenant, settings in changed.items():
        set_settings(db, tenant, settings)
    set_settings(db, 7, ON)  # As it was before: nothing is left to do.
    theirs = db.snapshot("companies").of(*map(str, changed))
    undone = modules.restore()
    assert undone["changed_since"] == ["3", "4", "5", "6"]
    assert (undone["changed_since_count"], undone["changed_count"], undone["already_count"]) == (4, 45, 1)
    assert db.snapshot("companies").of(*map(str, changed)) == theirs
    again = modules.restore()
    assert (again["changed"], again["changed_since"]) == (False, ["3", "4", "5", "6"])


def test_settings_that_are_gone_altogether_count_as_changed(db: Database) -> None:
    modules = population(db)
    modules.disable()
    set_settings(db, 3, None)
    assert modules.restore()["changed_since"] == ["3"]
    assert settings_of(db, 3) is None


def test_tenants_that_were_deleted_are_listed(db: Database) -> None:
    modules = population(db)
    modules.disable()
    db.rows("DELETE FROM tickets")
    db.rows("DELETE FROM companies WHERE id IN (3, 4)")
    undone = modules.restore(deadline=1.5)
    assert (undone["missing"], undone["missing_count"]) == (["3", "4"], 2)
    assert (undone["changed_count"], undone["blocked"]) == (48, [])
    assert not modules.restore(deadline=1)["changed"]


def test_deleted_tenants_are_not_waited_for(db: Database) -> None:
    modules = population(db)
    modules.disable()
    db.rows("DELETE FROM tickets")
    db.rows("DELETE FROM companies WHERE id IN (3, 4)")
    assert modules.restore(deadline=4)["elapsed_ms"] < 3000


def test_a_tenant_that_is_held_is_put_back_when_it_is_free(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable()
    with db.transaction("UPDATE companies SET settings = settings WHERE id = 7"):
        options: dict[str, Any] = {"state": "restored", "incident_id": "INC-1", "deadline": 1.5}
        result = modules.fails("still_off", "feature_flag", **options)
        assert [row["tenant"] for row in result["blocked"]] == ["7"]
        assert (result["changed_count"], result["enabled_after"]) == (49, 49)
    assert modules.restore()["changed_count"] == 1
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("order", [("INC-A", "INC-B"), ("INC-B", "INC-A")])
def test_two_incidents_side_by_side(db: Database, order: tuple[str, str]) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable("INC-A", tenants=[1, 2, 3])
    done = modules.disable("INC-B")
    assert done["changed_count"] == 47
    assert [one["incident_id"] for one in done["incident"]["open_before"]] == ["INC-A"]
    counts = {"INC-A": 3, "INC-B": 47}
    for incident in order:
        assert modules.restore(incident)["changed_count"] == counts[incident]
    assert db.snapshot("companies").texts == before.texts


def test_two_flags_of_one_incident_do_not_mix(db: Database) -> None:
    population(db)
    db.rows("""UPDATE companies SET settings = settings || '{"other": true}'""")
    before = db.snapshot("companies")
    first = db.modules(table="companies", column="settings", path=[KEY])
    other = db.modules(table="companies", column="settings", path=["other"])
    first.disable()
    other.disable()
    assert first.restore()["changed_count"] == 50
    assert db.value("""SELECT count(*) FROM companies WHERE settings ->> 'other' = 'false'""") == 50
    other.restore()
    assert db.snapshot("companies").texts == before.texts


def test_an_id_from_the_controller_adopts_what_is_open(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable("INC-20261125-001", tenants=[1, 2])
    done = modules.disable("INC-20261125-007", incident_adopt=True)
    assert done["incident"]["incident_id"] == "INC-20261125-001"
    assert (done["incident"]["requested"], done["incident"]["opened_now"]) == ("INC-20261125-007", False)
    assert modules.restore("INC-20261125-007")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts
    told = db.modules().ok("incident_info", incident_id="INC-20261125-007")
    assert told["incidents"][0]["aliases"] == ["INC-20261125-007"]


def test_an_id_from_a_person_opens_its_own(db: Database) -> None:
    modules = population(db)
    modules.disable("INC-1", tenants=[1])
    done = modules.disable("INC-2")
    assert (done["incident"]["incident_id"], done["incident"]["opened_now"]) == ("INC-2", True)


def test_the_id_of_a_closed_incident_gets_a_number(db: Database) -> None:
    modules = population(db)
    modules.disable(tenants=[1, 2])
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    done = modules.disable(tenants=[3])
    assert (done["incident"]["incident_id"], done["incident"]["opened_now"]) == ("INC-1-2", True)
    again = modules.disable(tenants=[4])
    assert again["incident"]["incident_id"] == "INC-1-2"
    told = db.modules().ok("incident_info")["incidents"]
    assert [(one["incident_id"], one["opened_as"]) for one in told] == [("INC-1-2", "INC-1"), ("INC-1", "INC-1")]
    assert modules.restore("INC-1-2")["changed_count"] == 2
    assert on(db) == [tenant for tenant in ALL if tenant not in (1, 2)]


def test_the_second_incident_of_a_name_is_opened_once(db: Database) -> None:
    modules = db.modules()
    modules.ok("incident", incident_id="INC-1")
    modules.ok("incident", incident_id="INC-1", state="closed")
    opened = [modules.ok("incident", incident_id="INC-1")["opened_now"] for _time in range(2)]
    assert opened == [True, False]


def test_undo_with_the_id_that_was_typed_after_a_closed_one_of_the_same_name(db: Database) -> None:
    """The operator typed INC-1 for the kill, and will type INC-1 for the undo."""
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable()
    modules.restore()
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    assert modules.disable()["changed_count"] == 50
    assert modules.restore()["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_a_check_of_a_switch_opens_nothing(db: Database) -> None:
    modules = population(db)
    db.modules().ok("ledger")
    foreseen = modules.disable(check=True)["incident"]
    assert db.modules().ok("incident_info")["incidents"] == []
    assert (foreseen["incident_id"], foreseen["opened_now"]) == ("INC-1", True)
    # As the run itself then does: under the name of the open incident, and under a new one if the id was closed.
    modules.disable()
    joined = modules.disable("INC-9", check=True, incident_adopt=True)["incident"]
    assert (joined["incident_id"], joined["opened_now"], joined["in_ledger"]) == ("INC-1", False, True)
    modules.restore()
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    assert (
        modules.disable(check=True)["incident"]["incident_id"]
        == modules.disable()["incident"]["incident_id"]
        != "INC-1"
    )


def kills(db: Database) -> int | None:
    counted: int | None = db.modules().ok("incident_info")["kills"]
    return counted


def test_every_kill_is_counted_also_one_that_finds_nothing_and_nothing_else_is(db: Database) -> None:
    modules = population(db)
    assert kills(db) is None
    db.modules().ok("ledger")
    assert kills(db) == 0
    modules.disable(check=True)
    assert kills(db) == 0
    modules.disable()
    assert kills(db) == 1
    assert modules.disable()["changed"] is False
    assert kills(db) == 2
    modules.disable("INC-2")
    assert kills(db) == 3
    modules.disable(settle=2)  # A sweep of what is off already.
    modules.restore()
    db.modules().ok("incident", incident_id="INC-1", state="closed", event={"phase": "contain", "event": "disabled"})
    assert kills(db) == 3
    set_settings(db, 3, ON)
    modules.disable("INC-2", settle=2)  # A sweep that had to switch is a stop as well.
    assert kills(db) == 4


def test_users_of_those_who_were_switched_off_are_counted_or_it_is_said_why_not(db: Database) -> None:
    modules = population(db)
    db.rows('CREATE TABLE users AS SELECT g AS id, g % 60 AS "companyId" FROM generate_series(1, 600) AS g')
    assert modules.disable(tenants=[3, 4, 5])["changed_count"] == 3
    assert modules.disable(tenants=[5, 6])["changed_count"] == 1
    ask: dict[str, Any] = {"incident_id": "INC-1", "users_table": "Users"}
    told = db.modules().ok("incident_info", **ask)
    assert (told["users_count"], told["users_note"]) == (40, "")
    own = "SELECT count(*) FROM users WHERE id::text = ANY (%(tenants)s)"
    assert db.modules().ok("incident_info", **{**ask, "users_query": own})["users_count"] == 4
    # Unknown is not 0.
    for change, why in (
        ({"users_table": "Nobody"}, "Nobody"),
        ({"incident_id": "INC-2"}, "does not know the incident"),
        ({"users_query": "SELECT count(*), pg_sleep(9) FROM users"}, "timeout"),
        ({"users_query": "SELECT 'many'"}, "one whole number"),
    ):
        missing = db.modules().ok("incident_info", users_seconds=0.3, **{**ask, **change})
        assert missing["users_count"] is None
        assert why in missing["users_note"], missing["users_note"]
    assert "users_count" not in db.modules().ok("incident_info", incident_id="INC-1")
