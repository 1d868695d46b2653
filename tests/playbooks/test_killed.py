# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies in the middle: what it began goes on or stops, and the same command again completes it."""

from __future__ import annotations

import contextlib

import pytest

from tests.hosts.host import until
from tests.playbooks.place import ON, TENANTS, Site


def complete(site: Site, before: str) -> None:
    """Run the same command again, and undo it."""
    run = site.run("scenario3", hosts=("db1",))
    assert (run.rc, site.on()) == (0, 0), run.output
    assert f"CONTAINED: Kanban V2 is off for all {TENANTS} tenants" in run.screen
    assert len(site.incidents()) == 1
    undone = site.run("reenable", hosts=("db1",), extra={"kanban_reenable": "all"})
    assert undone.rc == 0, undone.output
    assert f"{ON} of {TENANTS} have Kanban V2" in undone.screen
    assert site.rows() == before


@pytest.mark.drill
def test_killed_while_the_kill_is_at_work(site: Site) -> None:
    before = site.rows()
    running = site.start("scenario3", hosts=("db1",))
    # What was last seen on the terminal; tests/drills kills it after each task of the stop.
    running.says("Switch the flag off")
    running.kill()
    complete(site, before)


@pytest.mark.drill
def test_killed_while_the_kill_waits_for_a_row(site: Site) -> None:
    before = site.rows()
    with contextlib.closing(site.connect()) as session:
        session.cursor().execute('SELECT FROM "Companies" WHERE id = 3 FOR UPDATE')
        running = site.start("scenario3", hosts=("db1",), variables={"kanban_deadline": 4})
        until(lambda: site.on() == 1, "all others to be off", timeout=15)
        running.kill()
    # The module on the host has its own deadline; what it still does and what the next run does are one incident.
    complete(site, before)
