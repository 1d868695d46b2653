# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that an incident froze: what was shown is acted on and verified, whatever the errors do meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._matrix import scenario2_decision
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankwords import ranking_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagefacts import affected_facts
from tests.integration.errors import Errors, ids, warned
from tests.integration.module import Modules, Result
from tests.integration.place import Database

INCIDENT = {"incident_id": "INC-1"}
FLAG = ("table", "column", "path")


@pytest.fixture
def errors(db: Database) -> Errors:
    """Three tenants that are on; two of them have errors."""
    made = Errors(db)
    made.companies(1, 2, 3)
    made.log(1, 12)
    made.log(2, 11)
    return made


def freeze(errors: Errors, ranked: Result, incident: str = "INC-1", **options: Any) -> Result:
    """Freeze a list, as the role does."""
    event = {"phase": "assess", "event": "ranking frozen", "data": ranked["freeze"]}
    return errors.db.modules().ok("incident", incident_id=incident, event=event, **options)


def flag_of(errors: Errors) -> Modules:
    """Return modules that know the flag and nothing about errors."""
    return errors.db.modules(**{name: errors.options()[name] for name in FLAG})


def test_what_is_frozen_is_returned_whatever_comes(errors: Errors) -> None:
    first = errors.rank(**INCIDENT)
    assert first["frozen"] is False
    freeze(errors, first)
    # Worse tenants appear, one of the list is switched off, one is deleted: the list stays.
    errors.log(3, 500)
    errors.log(1, 5, ago=30)
    flag_of(errors).disable(tenants=["1"])
    errors.db.rows('DELETE FROM "Companies" WHERE id = 2')
    again = errors.rank(**INCIDENT)
    assert (again["frozen"], again["incident_id"], ids(again)) == (True, "INC-1", ["1", "2"])
    assert again["frozen_at"] >= first["database"]["now"]
    kept = [{name: value for name, value in row.items() if name != "errors_now"} for row in again["tenants"]]
    assert kept == first["tenants"]
    assert [row["errors_now"] for row in again["tenants"]] == [17, 11]
    figures = (
        "share",
        "affected_count",
        "affected_on_count",
        "on_count",
        "total",
        "since",
        "users_count",
        "errors_total",
    )
    assert [again[name] for name in figures] == [first[name] for name in figures]
    # The figures to decide by are current: those of the only tenant that is on, and has errors.
    assert (again["gone"], first["gone"], first["now"]) == (["2"], [], None)
    now = again["now"]
    assert (now["share"], now["affected_on_count"], now["on_count"], now["total"]) == (1.0, 1, 1, 2)
    # Without the incident it is an ordinary ranking.
    assert (errors.rank()["frozen"], ids(errors.rank())) == (False, ["3"])


def test_a_list_of_hours_ago_does_not_say_who_is_affected_now(db: Database) -> None:
    """Two of ten suffered and are off; by now all the others suffer."""
    errors = Errors(db)
    errors.companies(*range(1, 11))
    errors.log(1, 12)
    errors.log(2, 12)
    freeze(errors, errors.rank(**INCIDENT))
    flag_of(errors).disable(tenants=["1", "2"])
    few = affected_facts(["db1"], [errors.rank(**INCIDENT)])
    assert (few["known"], few["share"], scenario2_decision({"before": few})["row"]) == (True, 0.0, "ranked")
    for tenant in range(3, 11):
        errors.log(tenant, 500, ago=200, every=0.1)
    told = errors.rank(**INCIDENT)
    facts = affected_facts(["db1"], [told])
    assert (ids(told), told["share"], facts["share"]) == (["1", "2"], 0.2, 1.0)
    assert scenario2_decision({"before": facts})["row"] == "most"
    assert "db1: when this run began 8 of 8 tenants that were on were affected (100.0%)" in ranking_lines(told, "db1")


def test_the_first_list_counts_and_later_ones_are_history(errors: Errors) -> None:
    """Two controllers ranked at the same time; each froze what it saw."""
    one = errors.rank(**INCIDENT)
    errors.log(3, 500)
    two = errors.rank(**INCIDENT)
    freeze(errors, one, run_id="zz")
    freeze(errors, two, run_id="aa")
    assert (ids(two), ids(errors.rank(**INCIDENT))) == (["3", "1", "2"], ["1", "2"])


def test_an_event_without_a_list_freezes_nothing(errors: Errors) -> None:
    event = {"phase": "assess", "event": "ranking frozen", "data": {"tenants": "none"}}
    errors.db.modules().ok("incident", incident_id="INC-1", event=event)
    freeze(errors, errors.rank(**INCIDENT))
    errors.log(3, 500)
    assert ids(errors.rank(**INCIDENT)) == ["1", "2"]


def test_an_alias_is_the_same_incident(errors: Errors) -> None:
    freeze(errors, errors.rank(), aliases=["INC-OTHER"])
    errors.log(3, 500)
    assert errors.rank(incident_id="INC-OTHER")["frozen"] is True
    # An id that the controller made joins the open incident, a person's does not.
    assert errors.rank(incident_id="INC-NEW")["frozen"] is False
    assert ids(errors.rank(incident_id="INC-NEW", incident_adopt=True)) == ["1", "2"]


def test_a_closed_incident_begins_anew(errors: Errors) -> None:
    freeze(errors, errors.rank())
    errors.db.modules().ok("incident", incident_id="INC-1", state="closed")
    errors.log(3, 500)
    told = errors.rank(**INCIDENT, incident_adopt=True)
    assert (told["frozen"], ids(told)) == (False, ["3", "1", "2"])
    freeze(errors, told)
    errors.log(2, 900)
    told = errors.rank(**INCIDENT)
    assert (told["frozen"], told["incident_id"], ids(told)) == (True, "INC-1-2", ["3", "1", "2"])


def test_a_list_of_last_week_binds_nobody(errors: Errors) -> None:
    """The incident was never closed, and a run that names none joins it."""
    freeze(errors, errors.rank())
    shift = "to_char(at::timestamptz - interval '25 h', 'YYYY-MM-DD HH24:MI:SSOF')"
    errors.db.rows(f"UPDATE kanban_rollback.events SET at = {shift}")
    errors.log(3, 500)
    told = errors.rank(incident_id="INC-NEW", incident_adopt=True)
    assert (told["frozen"], ids(told)) == (False, ["3", "1", "2"])
    assert ids(errors.rank(**INCIDENT, frozen_age=30 * 3600)) == ["1", "2"]
    # The list that is frozen now counts, for this incident's later runs too.
    freeze(errors, told)
    errors.log(2, 900)
    assert (errors.rank(**INCIDENT)["frozen"], ids(errors.rank(**INCIDENT))) == (True, ["3", "1", "2"])


@pytest.mark.parametrize("share", [None, 50], ids=["all", "a first stage"])
def test_who_was_put_back_is_on_no_list(errors: Errors, share: int | None) -> None:
    """The incident continues; by now they are well and another suffers, whom the old list would never let in."""
    flag = flag_of(errors)
    freeze(errors, errors.rank(**INCIDENT))
    flag.disable(tenants=["1", "2"])
    errors.db.rows('DELETE FROM "ErrorLogs"')
    errors.log(3, 500)
    planned = flag.restore(check=True, share=share)
    assert (planned["changed_count"], ids(errors.rank(**INCIDENT))) == (1 if share else 2, ["1", "2"])
    flag.restore(share=share)
    told = errors.rank(**INCIDENT)
    assert (told["frozen"], told["frozen_at"], ids(told)) == (False, None, ["3"])
    # Those whose stage has not come are still off, and the list that is frozen now is for everybody.
    freeze(errors, told)
    errors.log(1, 900)
    assert (errors.rank(**INCIDENT)["frozen"], ids(errors.rank(**INCIDENT))) == (True, ["3"])


def test_an_undo_of_another_incident_ends_no_list(errors: Errors) -> None:
    flag = flag_of(errors)
    flag.disable("INC-OTHER", tenants=["3"])
    freeze(errors, errors.rank(**INCIDENT))
    flag.restore("INC-OTHER")
    errors.log(3, 500)
    assert ids(errors.rank(**INCIDENT)) == ["1", "2"]


def test_the_list_holds_where_the_errors_cannot_be_read_any_more(errors: Errors) -> None:
    freeze(errors, errors.rank())
    errors.db.rows('ALTER TABLE "ErrorLogs" RENAME TO gone')
    told = errors.rank(**INCIDENT)
    assert (told["frozen"], ids(told)) == (True, ["1", "2"])
    assert [row["errors_now"] for row in told["tenants"]] == [None, None]
    assert (told["now"], told["gone"]) == (None, [])
    facts = affected_facts(["db1"], [told])
    assert (facts["known"], "could not be counted" in facts["why"]) == (False, True)
    assert scenario2_decision({"before": facts})["row"] == "ranked_in_part"
    assert warned(told, "could not be read", "ErrorLogs")


def test_the_list_alone_waits_for_no_ranking(errors: Errors) -> None:
    """The switch waits for this list: current errors are not read, and nobody is ranked."""
    nothing = errors.rank(**INCIDENT, frozen="only")
    assert (nothing["measured"], nothing["frozen"], nothing["tenants"], nothing["share"]) == (False, False, [], None)
    assert nothing["why_not"] == "No list is frozen."
    first = errors.rank(**INCIDENT)
    freeze(errors, first)
    errors.db.rows('DELETE FROM "Companies" WHERE id = 2')
    with errors.db.connect() as session, session.cursor() as cursor:
        cursor.execute('BEGIN; LOCK TABLE "ErrorLogs"')
        told = errors.rank(**INCIDENT, frozen="only")
    assert (told["measured"], told["frozen"], ids(told), told["gone"]) == (True, True, ["1", "2"], ["2"])
    assert (told["now"], told["share"], told["warnings"]) == (None, first["share"], [])
    assert [row["errors_now"] for row in told["tenants"]] == [None, None]
    refused = errors.modules.run("affected_tenants_info", frozen="only")
    assert "incident_id" in refused["msg"]


def test_without_a_ledger_it_is_ranked_and_said(errors: Errors) -> None:
    told = errors.rank(**INCIDENT)
    assert (told["frozen"], told["ledger"]["present"]) == (False, False)
    assert warned(told, "frozen list", "there is none")
    assert not warned(errors.rank(), "frozen list")


def test_a_ledger_that_this_role_may_not_read(errors: Errors) -> None:
    freeze(errors, errors.rank())
    errors.role = errors.db.role("reader", 'SELECT ON "Companies", "ErrorLogs"')
    told = errors.rank(**INCIDENT)
    assert (told["frozen"], ids(told)) == (False, ["1", "2"])
    assert warned(told, "frozen list", "may not read it")
    errors.db.rows(f"GRANT USAGE ON SCHEMA kanban_rollback TO {errors.role}")
    assert warned(errors.rank(**INCIDENT), "frozen list", "permission denied")


def test_a_ledger_of_another_version_or_environment(errors: Errors) -> None:
    freeze(errors, errors.rank(), environment="staging")
    errors.fails("other_environment", **INCIDENT, environment="production")
    errors.db.rows("UPDATE kanban_rollback.meta SET value = '99' WHERE key = 'version'")
    told = errors.rank(**INCIDENT)
    assert told["frozen"] is False
    assert warned(told, "version 99")
