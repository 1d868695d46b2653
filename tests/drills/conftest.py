# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures ``ground``, for the session, and ``drill``, for each test: healthy before it, fully judged after it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drills.drill import PEOPLE, RUN_SECONDS, Drill
from tests.drills.ground import KEEP, STATE, Ground
from tests.drills.judge import MOST_PATIENCE
from tests.drills.looks import Place
from tests.drills.watch import Watch
from tests.hosts.files import fleet_id
from tests.hosts.machine import locked

_SECONDS = 3 * RUN_SECONDS * MOST_PATIENCE
_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Let the fixture know how the test went."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each drill the time of three runs on a machine with other load."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("drill"):
            item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def ground(hosts_can_be_made: None) -> Iterator[Ground]:
    """The estate of all drills. KANBAN_HOSTS_KEEP=1 leaves it up, and reuses one that is up."""
    # A second session in the same checkout would remove the first one's hosts, so it waits.
    with locked(Path("/run") / f"kanban-drills-{fleet_id(STATE)}.lock", timeout=280):
        made = Ground()
        try:
            yield made
        finally:
            if not KEEP:
                made.remove()


@pytest.fixture
def drill(ground: Ground, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Drill]:
    """A healthy estate with people at work; a drill that passes must have called ``finish``."""
    estate = ground.healthy()
    fleet = estate.fleet
    addresses = [fleet[name].address for name in ("db1", "db2")]
    with Watch(addresses, estate.site.database, fleet.postgres_password) as watch:
        made = Drill(ground, Place(estate), tmp_path, estate.crowd("drill", PEOPLE), watch)
        try:
            made.begin()
            yield made
        finally:
            request.node.user_properties += made.figures.properties()
            made.clear()
    if request.node.stash.get(_PASSED, False):
        assert made.finished, "a drill ends with drill.finish(), which judges what it has left"
