# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants with several rows of the flag: only those asked for are switched, and each row comes back as it was."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.crowd import wait_for
from tests.integration.place import Database
from tests.integration.test_key_value import DOUBLED, make, settings, values

HOLD = """SELECT * FROM "Settings" WHERE "companyId" = 3 AND value = 'enabled' AND key = 'kanbanV2' FOR UPDATE"""


def _of(db: Database, tenant: int) -> list[str | None]:
    return [value for whose, value in values(db) if whose == tenant]


def test_a_kill_of_some_leaves_the_rows_of_others(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    done = modules.disable(tenants=["1"])
    assert (done["changed_count"], _of(db, 1), _of(db, 3)) == (1, ["disabled"], ["enabled", "sim"])
    # As the plan had it.
    assert modules.disable("INC-2", tenants=["3"], check=True)["changed_count"] == 1
    assert modules.disable("INC-2", tenants=["3"])["changed_count"] == 1
    assert _of(db, 3) == ["disabled", "disabled"]


def test_switching_one_on_leaves_the_rows_of_others(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    modules.disable()
    done = modules.enable(tenants=["2"])
    assert (done["enabled_before"], done["changed_count"]) == (0, 1)
    assert (_of(db, 2), _of(db, 3)) == (["enabled"], ["disabled", "disabled"])


def test_a_stage_that_is_withdrawn_leaves_those_of_an_earlier_one(db: Database) -> None:
    rows = [("kanbanV2", "enabled", tenant) for tenant in (1, 1, 2, 3, 4)]
    modules = make(db, rows=rows)
    modules.disable()
    modules.restore(share=25)
    modules.restore(share=100, share_above=25)
    modules.disable(share=100, share_above=25, withdrawn=True, settle=1)
    assert [_of(db, tenant) for tenant in (1, 2, 3, 4)] == [["enabled"] * 2, ["disabled"], ["disabled"], ["disabled"]]


@pytest.mark.parametrize(
    "rows", [DOUBLED, [("kanbanV2", "enabled", 3), ("kanbanV2", "disabled", 3)]], ids=["both on", "one on"]
)
def test_a_row_that_is_held_for_a_while_comes_back_as_it_was(db: Database, rows: list[Any]) -> None:
    modules = make(db, rows=rows)
    before = settings(db)
    with db.transaction(HOLD) as holder, modules.start("feature_flag", incident_id="INC-1") as running:
        # What is free of it is off already.
        wait_for(lambda: "sim" not in _of(db, 3), "the kill")
        time.sleep(1)
        holder.commit()
        done = running.result()
    # The default of all is one more that was switched, and no tenant.
    default = sum(tenant is None for _key, _value, tenant in rows)
    assert (done["enabled_after"], done["enabled_before"] + default) == (0, done["changed_count"]), done
    undone = modules.restore()
    assert (undone["changed_since"], settings(db).texts) == ([], before.texts)


def test_a_row_that_stays_held_is_named_and_comes_back_as_it_was(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    before = settings(db)
    with db.transaction(HOLD):
        done = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=3)
        assert (_of(db, 3), [row["tenant"] for row in done["blocked"]]) == (["disabled", "enabled"], ["3"])
    modules.disable()
    assert _of(db, 3) == ["disabled", "disabled"]
    modules.restore()
    assert settings(db).texts == before.texts


def test_a_held_row_that_is_off_already_hides_no_figure(db: Database) -> None:
    rows = [("kanbanV2", "enabled", 3), ("kanbanV2", "disabled", 3)]
    modules = make(db, rows=rows)
    with db.transaction("""SELECT * FROM "Settings" WHERE value = 'disabled' FOR UPDATE"""):
        done = modules.disable(deadline=5)
    assert (done["changed"], done["changed_count"], done["enabled_before"]) == (True, 1, 1)
    assert (done["priors"]["kept_in"], _of(db, 3)) == ("ledger", ["disabled", "disabled"])


@pytest.mark.parametrize("kind", ["text", "json"])
def test_many_of_them(db: Database, kind: str) -> None:
    on, sim = ("enabled", "sim") if kind == "text" else ('"enabled"', '"sim"')
    rows = [("kanbanV2", value, tenant) for tenant in range(1, 1501) for value in (on, sim)]
    modules = make(db, value_type=kind, rows=rows)
    before = settings(db)
    done = modules.disable()
    assert (done["enabled_before"], done["changed_count"], done["enabled_after"]) == (1500, 1500, 0)
    undone = modules.restore()
    assert (undone["changed_count"], undone["enabled_after"]) == (1500, 1500)
    assert settings(db).texts == before.texts


def test_one_of_two_rows_that_is_gone_does_not_hold_up_the_undo(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    modules.disable()
    db.rows("""DELETE FROM "Settings" WHERE ctid = (SELECT min(ctid) FROM "Settings" WHERE "companyId" = 3)""")
    undone = modules.restore(deadline=5)
    # Tenants 1 and 6, and the default of all.
    assert (undone["changed_since"], undone["changed_count"]) == (["3"], 3)
    assert undone["elapsed_ms"] < 4000


def test_json_figures_count_tenants(db: Database) -> None:
    rows = [("kanbanV2", value, tenant) for value, tenant in (('"enabled"', 1), ('"enabled"', 1), ('"disabled"', 2))]
    modules = make(db, value_type="json", rows=rows)
    assert modules.ok("feature_flag_info")["enabled"] == 1
    assert modules.disable(check=True)["changed_count"] == 1
    done = modules.disable()
    assert (done["total"], done["enabled_before"], done["changed_count"]) == (2, 1, 1)
    assert modules.restore()["enabled_after"] == 1


@pytest.mark.parametrize("kind", ["text", "json"])
def test_the_undo_of_very_many_keeps_its_deadline_without_an_index(db: Database, kind: str) -> None:
    modules = make(db, value_type=kind, rows=[])
    db.rows(f"""INSERT INTO "Settings" SELECT 'kanbanV2', v::{kind}, n, '2024-01-01', '2024-01-01'
                FROM generate_series(1, 12000) AS n, unnest(ARRAY['"enabled"', '"sim"']) AS v""")
    before = settings(db)
    modules.disable(deadline=60)
    started = time.monotonic()
    undone = modules.run("feature_flag", incident_id="INC-1", state="restored", deadline=10)
    assert time.monotonic() - started < 20
    # What there was no time for, the same call again goes on with.
    assert undone["changed_count"] + modules.restore(deadline=60)["changed_count"] == 12_000
    assert settings(db).texts == before.texts
