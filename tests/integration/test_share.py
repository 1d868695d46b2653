# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting back a share of those that had the feature: always the same ones, whoever asks, and however often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, ON, population
from tests.integration.crowd import on as numbers_on
from tests.integration.flags import KEY, UUID
from tests.integration.ledgerless import without_ledger
from tests.integration.metrics import application
from tests.integration.module import Modules
from tests.integration.place import Database

# Ids in the order of the stages, by type: 9 comes before 10 as a number, and after it as text.
IDS: dict[str, list[str]] = {
    "integer": [str(i) for i in range(1, 21)],
    "uuid": [UUID.format(i) for i in range(1, 21)],
    "text": sorted([f"t{i}" for i in range(1, 19)] + ["Zé", "água"]),
}


def crowd(db: Database, kind: str, ids: list[str]) -> Modules:
    """Make a table whose tenants are all on except one in between, in an order that no stage has."""
    db.rows(f"CREATE TABLE companies (id {kind} PRIMARY KEY, settings jsonb)")
    for tenant in reversed(ids):
        db.rows(f"INSERT INTO companies VALUES (%s::{kind}, %s)", (tenant, ON))
    never = {"integer": "1000", "uuid": UUID.format(255), "text": "a"}[kind]
    db.rows(f"INSERT INTO companies VALUES (%s::{kind}, '{{}}')", (never,))
    return db.modules(**FLAG)


def on(db: Database) -> set[str]:
    return {row[0] for row in db.rows(f"SELECT id::text FROM companies WHERE settings -> '{KEY}' = 'true'")}


def figures(result: dict[str, Any]) -> tuple[int, int, int]:
    stage = result["stage"]
    return stage["had_it"], stage["before"], stage["tenants"]


@pytest.mark.parametrize("kind", IDS)
def test_stages_put_back_each_tenant_once_in_the_order_of_its_type(db: Database, kind: str) -> None:
    ids = IDS[kind]
    modules = crowd(db, kind, ids)
    before = db.snapshot("companies").texts
    modules.disable(latch=True)

    plan = modules.restore(share=10, check=True)
    assert (plan["changed_count"], figures(plan), on(db)) == (2, (20, 0, 2), set())
    first = modules.restore(share=10)
    assert (first["changed_count"], first["total"], first["enabled_after"], figures(first)) == (2, 2, 2, (20, 0, 2))
    assert on(db) == set(ids[:2])
    again = modules.restore(share=10)
    assert (again["changed"], again["enabled_after"], figures(again)) == (False, 2, (20, 0, 2))

    # Priors that are spent count as much as others: the next stage begins where this one ended.
    second = modules.restore(share=50, share_above=10)
    assert (second["changed_count"], figures(second)) == (8, (20, 2, 8))
    assert on(db) == set(ids[:10])
    last = modules.restore(share=100, share_above=50)
    assert (last["changed_count"], figures(last)) == (10, (20, 10, 10))
    assert db.snapshot("companies").texts == before


@pytest.mark.parametrize("kind", IDS)
def test_a_stage_is_taken_back_and_put_back_again_and_the_others_stay(db: Database, kind: str) -> None:
    ids = IDS[kind]
    modules = crowd(db, kind, ids)
    before = db.snapshot("companies").texts
    modules.disable()
    modules.restore(share=10)
    modules.restore(share=50, share_above=10)
    kills = db.modules().ok("incident_info")["kills"]
    plan = modules.disable(share=50, share_above=10, withdrawn=True, check=True)
    assert (plan["changed_count"], figures(plan)) == (8, (20, 2, 8))
    taken = modules.disable(share=50, share_above=10, withdrawn=True, settle=1)
    assert (taken["changed_count"], taken["enabled_after"]) == (8, 0)
    assert on(db) == set(ids[:2])
    told = db.modules().ok("incident_info", incident_id="INC-1")
    assert told["kills"] == kills, "what a return takes back itself is no kill"
    assert [event["event"] for event in told["events"]] == ["disabled", "restored", "restored", "withdrawn"]
    assert told["events"][-1]["phase"] == "re-enable"
    assert told["events"][-1]["data"]["share"] == 50

    assert modules.restore(share=50, share_above=10)["changed_count"] == 8
    modules.restore(share=100, share_above=50)
    assert db.snapshot("companies").texts == before


def test_the_first_tenant_leads_where_it_had_the_feature(db: Database) -> None:
    modules = population(db, 20)
    modules.disable()
    modules.restore(share=10, share_first="17")
    assert numbers_on(db) == [1, 17]
    modules.restore(share=50, share_above=10, share_first="17")
    assert numbers_on(db) == [*range(1, 10), 17]
    assert modules.restore(share=10, share_first="no number")["changed"] is False


def test_who_was_first_switched_on_under_the_incident_did_not_have_it(db: Database) -> None:
    modules = population(db, 10)
    db.rows("INSERT INTO companies VALUES (0, '{}')")
    modules.disable()
    modules.enable(tenants=["0"])
    modules.disable(tenants=["0"], withdrawn=True)
    assert figures(modules.restore(share=10)) == (10, 0, 1)
    assert numbers_on(db) == [1]


def test_the_latch_stays_for_the_others_until_it_is_lowered(db: Database) -> None:
    modules = population(db, 10)
    app = db.role("app", "SELECT, UPDATE ON companies")
    modules.disable(latch=True)

    def save(tenant: int) -> None:
        with db.as_role(app) as session, session.cursor() as cursor:
            cursor.execute("UPDATE companies SET settings = %s WHERE id = %s", (ON, tenant))

    modules.restore(share=50)
    modules.restore(share=100, share_above=50)
    modules.disable(tenants=["9"])
    save(9)
    save(1)
    assert 9 not in numbers_on(db)
    assert 1 in numbers_on(db)
    lowered = db.modules().ok("incident", incident_id="INC-1", latch="lowered")
    assert (lowered["latch_left"], lowered["kills"]) == ([], 2)
    save(9)
    assert 9 in numbers_on(db)
    assert db.modules().ok("incident_info")["open"], "the incident goes on"


def test_tenants_that_are_gone_or_held_or_changed_since_are_told_of_their_own_stage(db: Database) -> None:
    modules = population(db, 20)
    modules.disable()
    db.rows('DELETE FROM tickets WHERE "companyId" = 1')
    db.rows("DELETE FROM companies WHERE id = 1")
    db.rows("UPDATE companies SET settings = '{\"kanbanV2Enabled\": 7}' WHERE id = 3")
    stage = modules.restore(share=20)
    assert (figures(stage), stage["missing"], stage["changed_since"], stage["changed_count"]) == (
        (20, 0, 4), ["1"], ["3"], 2,
    )  # fmt: skip
    with db.transaction("SELECT FROM companies WHERE id = 6 FOR UPDATE"):
        failure = modules.fails(
            "still_off", "feature_flag", state="restored", incident_id="INC-1", share=40, share_above=20, deadline=1
        )
    assert failure["blocked"] == [{"tenant": "6", "pid": None}]
    assert failure["enabled_after"] == 3


def test_priors_of_a_file_count_like_those_of_the_ledger(db: Database, directory: Path) -> None:
    population(db, 20)
    modules = without_ledger(db, directory)
    modules.disable(tenants=["4", "5", "6"])
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])
    modules.disable()
    plan = modules.restore(share=10, check=True)
    assert (plan["changed_count"], figures(plan)) == (2, (20, 0, 2))
    modules.restore(share=20)
    modules.restore(share=40, share_above=20)
    assert numbers_on(db) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_incident_that_nobody_knows_has_no_stages(db: Database) -> None:
    modules = population(db, 5)
    modules.fails("unknown_incident", "feature_flag", state="restored", incident_id="INC-9", share=10)
    modules.fails("unknown_incident", "feature_flag", state="disabled", incident_id="INC-9", share=10, withdrawn=True)
    modules.fails("bad_share", "feature_flag", state="restored", incident_id="INC-9", share=10, share_above=10)
    refused = modules.run("feature_flag", state="restored", incident_id="INC-9", share=10, tenants=["1"])
    assert "mutually exclusive" in refused["msg"]
    assert numbers_on(db) == [1, 2, 3, 4, 5]


def test_the_default_of_all_tenants_comes_back_with_the_last_stage(db: Database) -> None:
    db.rows("CREATE TABLE settings (key text, value text, company integer)")
    db.rows("INSERT INTO settings SELECT 'kanban', 'enabled', g FROM generate_series(1, 4) AS g")
    db.rows("INSERT INTO settings VALUES ('kanban', 'enabled', NULL)")
    modules = db.modules(
        store="key_value", table="settings", tenant_column="company", key_column="key", key="kanban", column="value",
        enabled_value="enabled", disabled_value="disabled",
    )  # fmt: skip
    modules.disable(global_default=True)
    default = "SELECT value FROM settings WHERE company IS NULL"
    assert modules.restore(share=50)["changed_count"] == 2
    assert db.value(default) == "disabled"
    assert modules.restore(share=100, share_above=50)["changed_count"] == 3
    assert db.value(default) == "enabled"


def stages(db: Database) -> list[tuple[str, Any]]:
    told = db.modules().ok("incident_info", incident_id="INC-1", events=0)
    assert told["events"] == []
    return [(row["event"], row["share"]) for row in told["stages"]]


def test_stages_are_read_without_all_the_events_and_a_kill_ends_them(db: Database) -> None:
    modules = population(db, 5)
    modules.disable()
    assert stages(db) == []

    def note(event: str, share: int) -> None:
        db.modules().ok(
            "incident", incident_id="INC-1", event={"phase": "re-enable", "event": event, "data": {"share": share}}
        )

    note("stage begun", 10)
    note("stage passed", 10)
    note("something else", 10)
    note("stage failed", 50)
    modules.disable(tenants=["1"], withdrawn=True)
    assert stages(db) == [("begun", 10), ("passed", 10), ("failed", 50)]
    modules.disable()
    assert stages(db) == []
    note("stage begun", 10)
    assert stages(db) == [("begun", 10)]


def lease(db: Database) -> tuple[str, float]:
    row = db.rows(
        "SELECT run_id, extract(epoch FROM expires_at - clock_timestamp())::float8 FROM kanban_rollback.leases"
    )
    return (row[0][0], row[0][1]) if row else ("", 0.0)


def test_a_try_of_a_gate_renews_the_lease_of_its_run_and_of_no_other(db: Database, directory: Path) -> None:
    modules = population(db, 5)
    modules.disable()
    with application(directory) as app:
        app.says("metrics", {"errorRate": 0.02})

        def one(run_id: str, seconds: float = 500) -> dict[str, Any]:
            return db.modules().ok(
                "metric_gate", incident_id="INC-1", run_id=run_id, lease_seconds=seconds,
                metrics=[{"name": "error_rate", "url": f"{app.url}/metrics", "path": "errorRate"}],
                thresholds={"error_rate": {"max": 0.1}},
            )  # fmt: skip

        assert one("mine")["lease"] == {
            "held": False,
            "why": "The lease is no longer this run's: somebody gave it back.",
        }
        db.modules().ok("incident", incident_id="INC-1", run_id="mine", operator="ana", lease="held", lease_seconds=5)
        answer = one("mine")
        assert (answer["lease"], answer["kills"]) == ({"held": True, "why": ""}, 1)
        assert lease(db)[0] == "mine"
        assert lease(db)[1] > 400
        # It ran out and nobody wanted it: it is still this run's.
        db.rows("UPDATE kanban_rollback.leases SET expires_at = now() - interval '1 minute'")
        assert one("mine")["lease"]["held"]
        db.rows("UPDATE kanban_rollback.leases SET expires_at = now() - interval '1 minute'")
        db.modules().ok("incident", incident_id="INC-1", run_id="theirs", operator="rui", lease="held", lease_seconds=9)
        answer = one("mine")
        assert answer["lease"]["held"] is False
        assert "rui has it since" in answer["lease"]["why"]
        assert lease(db)[0] == "theirs"
        modules.disable(tenants=["1"])
        assert one("mine")["kills"] == 2
        assert "lease" not in one("mine", 0)


def test_a_validation_of_the_data_counts_until_somebody_switches_off_again(db: Database) -> None:
    modules = population(db, 5)
    modules.disable()

    def note(event: str, rows: int) -> None:
        given = {"phase": "validate", "event": event, "data": {"rows": rows}}
        db.modules().ok("incident", incident_id="INC-1", event=given)

    def told() -> Any:
        found = db.modules().ok("incident_info", incident_id="INC-1")["validation"]
        # Without an id, the only one that is open is meant.
        assert db.modules().ok("incident_info")["validation"] == found
        assert db.modules().ok("incident_info", incident_id="INC-NONE")["validation"] is None
        return found and (found["passed"], found["data"]["rows"])

    assert told() is None
    note("data validated", 1)
    assert told() == (True, 1)
    note("data not validated", 2)
    assert told() == (False, 2)
    note("data validated", 3)
    assert told() == (True, 3)
    modules.disable()
    assert told() is None
