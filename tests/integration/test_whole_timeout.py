# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's or a database's limit for whole transactions (PostgreSQL 17) does not end ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crowd import FLAG, on, population, slow
from tests.integration.place import Database
from tests.integration.test_preflight_breakglass import psql, script_of
from tests.support.servers import Postgres

LIMIT = "ALTER DATABASE {name} SET transaction_timeout = '300ms'"


@pytest.fixture
def limited(server: Postgres, db: Database) -> Database:
    """A database whose transactions, each of which writes slow rows, may take 0.3 s."""
    if server.query("SHOW server_version_num")[0][0] < "170000":
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    population(db)
    slow(db, every=10, seconds=0.2)
    db.rows(LIMIT.format(name=db.name))
    return db


def test_a_stop_and_its_undo_outlast_it(limited: Database) -> None:
    modules = limited.modules(**FLAG)
    assert modules.disable(latch=True)["enabled_after"] == 0
    assert modules.restore()["enabled_after"] == 50
    assert len(on(limited)) == 50


def test_break_glass_outlasts_it(limited: Database, directory: Path) -> None:
    script = script_of(limited, directory, **FLAG)
    done = psql(limited, script)
    assert (done.rc, on(limited)) == (0, []), done.text
    undone = psql(limited, script, "-v", "undo=1")
    assert (undone.rc, len(on(limited))) == (0, 50), undone.text
