# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row without a tenant, where the column of their ids may be NULL: switched off and put back as all others are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import wait_for
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_stores_rare import tenants

KINDS = {"text": ("on", "sim", "off"), "jsonb": ('{"on": true}', '{"on": "sim"}', '{"on": false}')}
KINDS["json"] = KINDS["jsonb"]
UNIQUE = ["integer UNIQUE", "integer", "text"]
HOLD = "SELECT FROM tenants WHERE id IS NULL FOR UPDATE"


def rows_of(kind: str) -> dict[str | None, Any]:
    on, sim, off = KINDS[kind]
    return {"1": on, "2": off, None: sim, "3": on}


def modes(db: Database) -> list[tuple[str | None, str | None]]:
    return [(row[0], row[1]) for row in db.rows("SELECT id::text, mode::text FROM tenants ORDER BY 1, 2")]


def table(db: Database, id_type: str, kind: str) -> Modules:
    return tenants(db, id_type, rows_of(kind), kind=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id_type", UNIQUE)
def test_all_brings_it_back(db: Database, id_type: str, kind: str) -> None:
    modules = table(db, id_type, kind)
    before = modes(db)
    done = modules.disable()
    assert (done["total"], done["enabled_before"], done["changed_count"], done["enabled_after"]) == (4, 3, 3, 0)
    undone = modules.restore()
    assert (undone["changed_count"], undone["enabled_after"], undone["missing"], modes(db)) == (3, 3, [], before)
    again = modules.restore()
    assert (again["changed"], again["changed_count"], again["already_count"]) == (False, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id_type", UNIQUE)
def test_it_comes_with_the_last_stage(db: Database, id_type: str, kind: str) -> None:
    modules = table(db, id_type, kind)
    before = modes(db)
    modules.disable()
    first = modules.restore(share=50)
    assert (first["stage"]["had_it"], first["enabled_after"]) == (3, 2)
    rest: dict[str, Any] = {"share": 100, "share_above": 50}
    plan = modules.restore(check=True, **rest)
    assert (plan["lacking"], plan["unreturned_count"]) == ([None], 1)
    assert modules.restore(**rest)["enabled_after"] == 1
    assert modes(db) == before
    assert modules.restore(check=True, **rest)["lacking"] == []
    withdrawn = modules.disable(withdrawn=True, **rest)
    assert (withdrawn["changed_count"], withdrawn["enabled_after"]) == (1, 0)
    modules.restore(share=100)
    assert modes(db) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id_type", UNIQUE)
def test_of_several_none_comes_back_and_they_are_named(db: Database, id_type: str, kind: str) -> None:
    modules = table(db, id_type, kind)
    _on, _sim, off = KINDS[kind]
    modules.disable()
    db.rows("INSERT INTO tenants VALUES (NULL, %s)", (off,))
    plan = modules.restore(check=True, share=100)
    assert (plan["changed_since"], plan["lacking"], plan["unreturned_count"]) == ([None], ["1", "3"], 2)
    undone = modules.restore(deadline=5)
    assert (undone["changed_count"], undone["changed_since"], undone["missing"]) == (2, [None], [])
    assert [mode for tenant, mode in modes(db) if tenant is None] == [off, off]
    db.rows("DELETE FROM tenants WHERE ctid = (SELECT max(ctid) FROM tenants WHERE id IS NULL)")
    assert modules.restore()["changed_count"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_gone_is_named(db: Database, kind: str) -> None:
    modules = table(db, "integer UNIQUE", kind)
    modules.disable()
    db.rows("DELETE FROM tenants WHERE id = 3 OR id IS NULL")
    plan = modules.restore(check=True, share=100)
    assert sorted(plan["missing"], key=str) == ["3", None]
    undone = modules.restore(deadline=5)
    assert (sorted(undone["missing"], key=str), undone["changed_count"]) == (["3", None], 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id_type", UNIQUE)
def test_one_that_somebody_holds_is_waited_for(db: Database, id_type: str, kind: str) -> None:
    modules = table(db, id_type, kind)
    before = modes(db)
    with db.transaction(HOLD), db.transaction("SELECT FROM tenants WHERE id::text = '3' FOR UPDATE"):
        done = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=3)
        assert (done["enabled_after"], [row["tenant"] for row in done["blocked"]]) == (2, ["3", None])
    with db.transaction(HOLD) as holder, modules.start("feature_flag", incident_id="INC-1") as running:
        wait_for(lambda: [mode for tenant, mode in modes(db) if tenant == "3"] == [KINDS[kind][2]], "the kill")
        holder.commit()
        assert running.result()["enabled_after"] == 0
    with db.transaction(HOLD), db.transaction("SELECT FROM tenants WHERE id::text = '3' FOR UPDATE"):
        undone = modules.fails("still_off", "feature_flag", incident_id="INC-1", state="restored", deadline=3)
        assert ([row["tenant"] for row in undone["blocked"]], undone["missing"]) == (["3", None], [])
    modules.restore()
    assert modes(db) == before


def test_one_that_is_no_json_fails_the_kill_by_its_name(db: Database) -> None:
    modules = tenants(db, "integer UNIQUE", {"1": '{"on": true}', None: "oops"}, kind="varchar")
    result = modules.fails("unreadable_settings", "feature_flag", incident_id="INC-1")
    assert (result["changed_count"], result["unreadable"]) == (1, [None])
