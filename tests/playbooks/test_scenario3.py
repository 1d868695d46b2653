# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario 3 stops the feature everywhere, and a misfire is undone exactly."""

from __future__ import annotations

import re

import pytest

from tests.playbooks.place import ON, TENANTS, Site


def test_off_by_two_controllers_at_once_again_without_a_change_and_undone_exactly(site: Site) -> None:
    before = site.rows()
    both = [running.wait() for running in [site.start("scenario3") for _controller in range(2)]]
    first, second = both
    assert (first.rc, second.rc, site.on()) == (0, 0, 0), first.output + second.output
    assert first.incident == second.incident
    contained = rf"CONTAINED: Kanban V2 is off for all {TENANTS} tenants \((\d+) were switched off now\)"
    switched = [int(count) for run in both for count in re.findall(contained, run.screen)]
    assert (len(switched), sum(switched)) == (2, ON)
    for run in both:
        assert "environment staging" in run.screen
        assert "within the objective of 120 s" in run.screen
        assert "db2: a replica, nothing to do" in run.screen
        assert f"-e kanban_reenable=all -e kanban_incident_id={first.incident}" in run.screen

    again = site.run("scenario3")
    assert again.rc == 0, again.output
    assert "(0 were switched off now)" in again.screen
    assert (again.recap("db1")["changed"], again.incident) == (0, first.incident)
    assert site.incidents() == [first.incident]

    undone = site.run("reenable", extra={"kanban_reenable": "all"})
    assert undone.rc == 0, undone.output
    assert (
        f"RESTORED: {ON} tenants were put back as before the incident, {ON} of {TENANTS} have Kanban V2"
        in undone.screen
    )
    assert "within the objective of 60 s" in undone.screen
    assert undone.seconds < 60
    assert site.rows() == before


@pytest.mark.drill
def test_the_plan_changes_nothing_and_shows_the_tenants(site: Site) -> None:
    places = site.places()
    plan = site.run("scenario3", "--check", "--diff")
    assert plan.rc == 0, plan.output
    assert f"PLAN, nothing was changed: {ON} of {TENANTS} tenants would change" in plan.screen
    assert "the same command without --check" in plan.screen
    # The diff shows the first of them.
    assert "tenants_changed" in plan.output
    assert site.places() == places
    assert site.psql("db1", "SELECT to_regnamespace('kanban_rollback') IS NULL") == "t"


@pytest.mark.drill
def test_two_names_of_one_database_count_once(site: Site) -> None:
    twins = {"db1": {}, "db1-by-another-name": {"same_as": "db1"}}
    run = site.run("scenario3", hosts=twins)
    assert (run.rc, site.on()) == (0, 0), run.output
    assert f"off for all {TENANTS} tenants ({ON} were switched off now)" in run.screen
    assert len(site.incidents()) == 1
