# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is affected since a list was switched off: by the ledger's moment, and by the same rate of errors as before."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._matrix import scenario2_decision
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagefacts import affected_facts
from tests.integration.errors import Errors, warned
from tests.integration.module import Result
from tests.integration.place import Database
from tests.integration.test_affected_tenants_frozen import freeze

INCIDENT = {"incident_id": "INC-1"}
NAMES = ("table", "column", "path")


@pytest.fixture
def errors(db: Database) -> Errors:
    """Ten tenants that are on; two of them suffer."""
    made = Errors(db)
    made.companies(*range(1, 11))
    made.log(1, 40)
    made.log(2, 30)
    return made


def switch(errors: Errors, *, ago: float = 0) -> None:
    """Freeze the list and switch it off; ``ago`` moves all of it into the past."""
    freeze(errors, errors.rank(**INCIDENT))
    errors.db.modules(**{name: errors.options()[name] for name in NAMES}).disable("INC-1", tenants=["1", "2"])
    if ago:
        interval = f"interval '{ago} s'"
        errors.db.rows(f"UPDATE kanban_rollback.flag_changes SET at = at - {interval}")
        errors.db.rows(
            f"""UPDATE kanban_rollback.events SET
            at = to_char(at::timestamptz - {interval}, 'YYYY-MM-DD HH24:MI:SSOF'),
            data = CASE WHEN data ? 'since' THEN jsonb_set(data, '{{since}}', to_jsonb(
                to_char((data ->> 'since')::timestamptz AT TIME ZONE 'UTC' - {interval}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            )) ELSE data END"""
        )


def after(errors: Errors, **options: Any) -> Result:
    return errors.rank(**INCIDENT, since_switch=1, on_missing="report", **options)


def facts(told: Result) -> dict[str, Any]:
    return affected_facts(["db1"], [told])


def test_nine_errors_each_in_five_minutes_are_everybody(errors: Errors) -> None:
    """That is 108 an hour, and more than ten an hour is affected."""
    switch(errors, ago=300)
    for tenant in range(3, 11):
        errors.log(tenant, 9, ago=280, every=30)
    told = after(errors)
    assert (told["frozen"], told["more_than"], round(told["window"], -1)) == (False, 1, 300)
    assert (told["share"], facts(told)["known"]) == (1.0, True)
    few = {"known": True, "affected_on": 2, "on": 10, "share": 0.2}
    gate = {"verdict": "ok", "metrics": {"x": {"value": 1, "verdict": "ok"}}}
    assert scenario2_decision({"before": few, "after": facts(told), "gate": gate})["row"] == "most"


def test_the_window_is_since_the_switch_whoever_asks_when(errors: Errors) -> None:
    """Repeating the command is not a new switch, and the window is an hour at most."""
    switch(errors, ago=600)
    errors.log(3, 20, ago=550)
    told = after(errors)
    assert (round(told["window"], -1), told["affected_on_count"]) == (600, 1)
    errors.db.rows("UPDATE kanban_rollback.flag_changes SET at = at - interval '5 h'")
    assert (after(errors)["window"], after(errors)["more_than"]) == (3600, 10)
    # For an incident that has frozen nothing, the caller knows when the switch was.
    told = errors.rank(incident_id="INC-2", since_switch=360)
    assert (told["window"], told["more_than"]) == (360, 1)
    assert errors.rank(since_switch=0.01)["window"] == 1


def test_a_clock_that_is_behind_is_not_nobody(errors: Errors) -> None:
    """All still suffer; what they write is dated before the switch."""
    switch(errors, ago=300)
    for tenant in range(3, 11):
        errors.log(tenant, 100, ago=900, every=1)
    told = after(errors)
    assert "a clock is behind" in told["doubt"]
    assert (facts(told)["known"], "a clock is behind" in facts(told)["why"]) == (False, True)
    # One host's clock is right, and the others' errors are still missing from the count.
    errors.log(3, 30, ago=100)
    assert (after(errors)["affected_on_count"], facts(after(errors))["known"]) == (1, False)


def test_a_clock_that_is_ahead_is_not_everybody(errors: Errors) -> None:
    """Nobody suffers any more; what was written before the switch is dated after it."""
    switch(errors, ago=300)
    for tenant in range(3, 9):
        errors.log(tenant, 5, ago=-2400, every=60)
    told = after(errors)
    assert (told["affected_on_count"], "a clock is ahead" in told["doubt"]) == (6, True)
    gate = {"verdict": "ok", "metrics": {"x": {"value": 1, "verdict": "ok"}}}
    few = {"known": True, "affected_on": 2, "on": 10, "share": 0.2}
    decided = scenario2_decision({"before": few, "after": facts(told), "gate": gate})
    assert (decided["row"], decided["decision"]) == ("ok_not_counted", "hold")


def test_two_clocks_that_differ_by_a_moment_are_no_reason_to_doubt(errors: Errors) -> None:
    switch(errors, ago=300)
    errors.log(3, 1, ago=-2)
    assert after(errors)["doubt"] is None


def test_better_is_known_where_nothing_was_written_since(errors: Errors) -> None:
    switch(errors, ago=300)
    told = after(errors)
    assert (told["share"], told["doubt"], facts(told)["known"]) == (0.0, None, True)
    assert "No error was found" in facts(told)["note"]
    line = scenario2_decision({"before": facts(told), "gate": {"verdict": "ok"}, "after": facts(told)})["lines"][2]
    assert line.startswith(
        "Affected since the switch: 0 of 8 tenants that are on, 0 % (db1: No error was found: the newest"
    )
    # A row or two that were in flight during the ranking do not mean that a clock is behind.
    errors.log(3, 1, ago=310)
    assert after(errors)["doubt"] is None


def test_no_errors_and_nothing_to_compare_with_is_not_known(errors: Errors) -> None:
    told = errors.rank(since_switch=300)
    assert warned(told, "No error was found")
    assert (facts(told)["known"], "No list was frozen" in facts(told)["why"]) == (False, True)
    # A current error with another text is enough: the log can be read, and nobody has this error.
    errors.log(5, 1, context="billing", ago=10)
    told = errors.rank(since_switch=300)
    assert (told["doubt"], facts(told)["known"]) == (None, True)


@pytest.mark.parametrize("at", ["timestamp", "timestamptz"])
def test_times_without_a_zone_are_compared_alike(db: Database, at: str) -> None:
    made = Errors(db, at=at)
    made.companies(*range(1, 11))
    made.log(1, 40)
    made.log(2, 30)
    switch(made, ago=300)
    assert after(made)["doubt"] is None
    made.log(3, 100, ago=900)
    assert "100 errors were written" in after(made)["doubt"]
