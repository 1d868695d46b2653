# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An incident is closed together with its latch or not at all, whichever role closes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import ON, on, population
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_dormant_latch import dormant
from tests.integration.test_stays_off import triggers

CLOSED: dict[str, Any] = {"incident_id": "INC-1", "state": "closed"}


def is_open(db: Database) -> bool:
    return bool(db.value("SELECT closed_at IS NULL FROM kanban_rollback.incidents WHERE incident_id = 'INC-1'"))


def turned_back(db: Database) -> bool:
    """Write the feature into one tenant as the application would; return whether the latch refused that."""
    db.rows("UPDATE companies SET settings = %s WHERE id = 3", (ON,))
    return 3 not in on(db)


def responder(db: Database) -> Modules:
    """Return modules of a role that may write the ledger, and owns nothing."""
    role = db.role("ops")
    db.modules().ok("ledger", grant_to=[role])
    return db.modules(role)


@pytest.mark.parametrize("looked", [{}, {"switched_off": 50}], ids=["at once", "as the undo does"])
def test_an_incident_whose_latch_is_another_roles_stays_open(db: Database, looked: dict[str, Any]) -> None:
    population(db).disable(latch=True)
    owner, other = db.modules(), responder(db)
    lacks = other.fails("missing_privilege", "incident", **CLOSED, **looked)
    assert (lacks.get("changed", False), is_open(db), turned_back(db)) == (False, True, True)
    assert lacks["error"]["what"].startswith("The latch of incident INC-1 is role postgres's")
    assert owner.ok("incident", **CLOSED, **looked)["changed"]
    assert (is_open(db), triggers(db), turned_back(db)) == (False, [], False)
    # Nothing is left to lower, so it is any role's to close.
    assert not other.ok("incident", **CLOSED)["changed"]


def test_a_stop_since_the_return_keeps_its_latch(db: Database) -> None:
    modules = population(db)
    modules.disable(latch=True)
    known = modules.restore()["switched_off"]
    modules.disable(latch=True, tenants=[3])
    lower = {"incident_id": "INC-1", "latch": "lowered", "switched_off": known}
    refused = db.modules().fails("stopped_again", "incident", **lower)
    assert refused["error"]["what"].startswith("The latch of INC-1 is not lowered: somebody stopped it again")
    assert (is_open(db), turned_back(db)) == (True, True)
    # Whoever has seen that stop may lower it, once nobody writes under it.
    seen = {**lower, "switched_off": known + 1}
    with db.transaction("SELECT FROM kanban_rollback.incidents FOR KEY SHARE"):
        assert "is as before" in db.modules().fails("busy", "incident", **seen)["error"]["what"]
    assert db.modules().ok("incident", **seen)["latch_left"] == []
    assert (is_open(db), turned_back(db)) == (True, False)


def test_the_latch_of_a_closed_incident_is_lowered_without_opening_another(db: Database) -> None:
    modules = population(db)
    modules.disable()
    db.modules().ok("incident", **CLOSED)
    assert db.modules().ok("incident", incident_id="INC-1", latch="lowered")["incident_id"] == "INC-1"
    assert db.rows("SELECT incident_id FROM kanban_rollback.incidents") == [("INC-1",)]


def test_an_incident_stays_open_until_the_role_may_lower_its_dormant_latch(db: Database) -> None:
    population(db)
    dormant(db).disable(latch=True)
    lowers = db.value("SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'lower\\_latch%'")
    (role,) = db.roles
    modules = db.modules(role)
    db.rows(f"REVOKE EXECUTE ON FUNCTION {lowers} FROM {role}")
    lacks = modules.fails("missing_privilege", "incident", **CLOSED)
    assert (is_open(db), turned_back(db)) == (True, True)
    grant = f"GRANT EXECUTE ON FUNCTION {lowers} TO {role};"
    assert grant in lacks["error"]["todo"]
    db.rows(grant)
    assert modules.ok("incident", **CLOSED)["latch_left"] == []
    assert (is_open(db), turned_back(db)) == (False, False)


def test_what_another_role_left_of_a_lowered_latch_does_not_fail_a_closing(db: Database) -> None:
    other = responder(db)
    other.ok("incident", incident_id="INC-1")
    db.rows("""CREATE FUNCTION kanban_rollback.latch_0123456789ab() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RETURN NEW; END'""")  # fmt: skip
    done = other.ok("incident", **CLOSED)
    assert (done["changed"], is_open(db), len(done["latch_left"])) == (True, False, 1)
