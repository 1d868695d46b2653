# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of these tests, and a site on them for each test.

The fleet is not the session's of tests/hosts: these tests need an independent second primary, and they break hosts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.composition import DEFAULT_STATE, composition
from tests.hosts.files import fleet_id
from tests.hosts.fleet import Fleet, up
from tests.hosts.machine import locked
from tests.playbooks.application import Application, running
from tests.playbooks.place import Site, make_templates


@pytest.fixture(scope="session")
def estate(hosts_can_be_made: None) -> Iterator[Fleet]:
    """A primary with a replica (db1, db2) and an independent primary (db3), each with the template database."""
    state = DEFAULT_STATE.with_name("hosts-playbooks")
    # A second run of these tests in the same checkout would take the first one's hosts away: it waits instead.
    with locked(Path("/run") / f"kanban-hosts-{fleet_id(state)}.tests.lock", timeout=280):
        running = up(state, composition("db3"))
        try:
            make_templates(running)
            yield running
        finally:
            if os.environ.get("KANBAN_HOSTS_KEEP") != "1":
                running.down()


@pytest.fixture
def site(estate: Fleet, tmp_path: Path) -> Iterator[Site]:
    """Databases of the test's own; hosts that it broke are mended afterwards."""
    made = Site(estate, tmp_path)
    try:
        made.make()
        yield made
    finally:
        made.clear()


@pytest.fixture
def application(site: Site) -> Iterator[Application]:
    """The staging application under pm2 on app1 and app2; the site's database is the application's meanwhile."""
    with running(site) as started:
        yield started


@pytest.fixture
def least(site: Site) -> dict[str, Any]:
    """The inventory's variables of a host whose database is reached as the role that bootstrap.yml made."""
    return {
        "ansible_become": False,
        "kanban_postgresql_host": site.fleet["db1"].address,
        "kanban_postgresql_user": "kanban_rollback",
        "kanban_postgresql_password": secrets.token_hex(16),
    }
