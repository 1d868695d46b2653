# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary dies in the middle of scenario 3 and its synchronous replica takes over: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.failovers import EXTRA, HASTY, Estate, People, hosts, stopped_at
from tests.playbooks.place import ON, TENANTS
from tests.playbooks.test_writes import MOVES, refused

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]


@pytest.fixture
def estate(hosts_can_be_made: None, tmp_path: Path) -> Iterator[Estate]:
    with hosts(tmp_path, synchronous=True) as made:
        yield made


def test_nothing_that_was_acknowledged_is_lost_and_no_prior_value(estate: Estate) -> None:
    with People(estate) as people:
        running = estate.start("scenario3", variables=HASTY, extra=EXTRA, whole=True)
        with stopped_at(estate, running, f"{ON} tenants switched off in"):
            # What is acknowledged from here on waited for the replica, and with it all that came before: the kill.
            people.have(5)
            estate.fail_over()
            assert estate.on("db2") == 0
            people.have(5)
        run = running.wait(timeout=700)
        people.have(5)
        assert people.missing() == set()
    assert len(people.acknowledged) > 30
    assert (estate.on("db2"), refused(estate, "db2")) == (0, list(MOVES))
    # What was kept as evidence beside the kill is on the host that died.
    assert run.rc != 0, run.output
    assert f"CONTAINED: Kanban V2 is off for all {TENANTS} tenants ({ON} were switched off now)" in run.screen
    assert "the kill holds on the server that took over" in run.screen
    assert f"no prior value is missing: the kill had switched off {ON} on db1, and {ON} are recorded here" in run.screen
    assert "LOST" not in run.screen
    assert "NOT WELL: no evidence of db1" in run.screen
