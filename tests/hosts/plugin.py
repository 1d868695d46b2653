"""The pytest fixture `fleet`: put `pytest_plugins = ["tests.hosts.plugin"]` into a test module (or tests/conftest.py).

KANBAN_HOSTS_KEEP=1 leaves the hosts up after the tests. If hosts cannot be made, the tests are skipped with the
reason; with CI set they fail, because nobody reads there what was skipped.
"""

import os
from collections.abc import Iterator

import pytest

from tests.hosts.composition import DEFAULT_STATE
from tests.hosts.engine import what_is_missing
from tests.hosts.fleet import Fleet, up


@pytest.fixture(scope="session")
def hosts_can_be_made() -> None:
    """Skip if this machine cannot run hosts; fail instead if CI is set."""
    if missing := what_is_missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="session")
def fleet(hosts_can_be_made: None) -> Iterator[Fleet]:
    """The standard fleet, for the whole session: a test that breaks a host mends it, and makes its own databases."""
    running = up(DEFAULT_STATE)
    yield running
    if os.environ.get("KANBAN_HOSTS_KEEP") != "1":
        running.down()
