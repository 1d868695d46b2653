# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal over SSH on every tier of an application that works: green, timed, and everything as before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playbooks.application import Application
from tests.playbooks.place import BLOCK, Site
from tests.playbooks.runner import Run

COMPANIES, ON = 200, 60
BRIEF: dict[str, Any] = {
    "kanban_watch_minutes": {"scenario1": 0.2},
    "kanban_gate_interval": 2,
    "kanban_sweep_seconds": 5,
    "kanban_rehearse_rows": 9,
}


def rows(site: Site) -> str:
    """Return all that people made, as text."""
    names = ("Companies", "Tags", "Tickets", "TicketTags", "ErrorLogs")
    return "\n".join(site.psql("db1", f'SELECT t::text FROM "{name}" AS t ORDER BY 1') for name in names)


def rehearse(site: Site, application: Application, scenario: str, *options: str) -> Run:
    variables = {**application.variables, **BRIEF, "kanban_rehearse_share": 0.5}
    extra = {"kanban_rehearse": scenario}
    return site.run("rehearse", *options, whole=True, variables=variables, extra=extra, timeout=500)


@pytest.mark.drill
def test_scenarios_1_and_3_are_rehearsed_on_every_tier(site: Site, application: Application) -> None:
    before = rows(site)
    for scenario in ("scenario1", "scenario3"):
        run = rehearse(site, application, scenario)
        assert run.rc == 0, run.output
        assert f"REHEARSED: {scenario}, and all is as before." in run.screen
        assert f"db1: {COMPANIES // 2 - ON} tenants switched on for it" in run.screen
        assert "Time to disable feature flag: " in run.screen
        assert (rows(site), site.redis("GET", BLOCK)) == (before, "")
    assert "9 of duplicate in public.TicketTags; 9 of orphan in public.Tags" in run.screen
