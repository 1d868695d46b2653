# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server for all tests of the modules, a database for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.place import Database
from tests.support import accounts, pm2
from tests.support.servers import Postgres, workspace

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """The shared server. Its data need not outlive the machine."""
    settings = {"max_prepared_transactions": 10, "autovacuum": False, "log_min_messages": "fatal"}
    with (
        workspace(place=accounts.in_memory()) as directory,
        Postgres(directory / "shared", settings, fsync=False) as started,
    ):
        yield started


@pytest.fixture
def db(server: Postgres) -> Iterator[Database]:
    """An empty database that is dropped after the test, with the sessions that are left on it."""
    made = Database(server, f"kanban{next(_numbers)}")
    server.create_database(made.name)
    yield made
    made.drop()


@pytest.fixture
def default_role(db: Database) -> Iterator[str]:
    """A role with the name that bootstrap.yml gives it by default, which is that of the ledger's schema."""
    name = "kanban_rollback"
    db.roles[name] = "its-password"
    db.rows(f"CREATE ROLE {name} LOGIN PASSWORD 'its-password'")
    try:
        yield name
    finally:
        db.roles.pop(name)
        db.rows(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that every account may enter, removed after the test."""
    with workspace() as made:
        yield made


@pytest.fixture(scope="session")
def pm2_program() -> Iterator[Path]:
    """The program of a real pm2, installed once for all tests, where every account reaches it."""
    with workspace() as place:
        yield pm2.install(place)


@pytest.fixture
def pm2_daemon(pm2_program: Path, directory: Path) -> Iterator[pm2.Daemon]:
    """A pm2 daemon with a home of its own, stopped after the test."""
    with pm2.daemon(pm2_program, directory / "pm2") as made:
        yield made
