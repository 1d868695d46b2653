# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules reach the database through PgBouncer, one server session per transaction: only the dump is not done."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.extensions import make_dsn

from tests.drills.drill import Drill
from tests.support.pgbouncer import PgBouncer
from tests.support.servers import workspace


@pytest.mark.drill
@pytest.mark.skipif(bool(PgBouncer.missing()), reason=str(PgBouncer.missing()))
def test_pooled(drill: Drill) -> None:
    fleet, database = drill.estate.fleet, drill.estate.site.database
    login = {"user": "postgres", "password": fleet.postgres_password}
    dsn = make_dsn(**login, host=fleet["db1"].address, port=5432, dbname=database)
    with workspace("kanban-pooler-") as directory:
        pooler = PgBouncer(directory, dsn)
        # The address at which hosts reach this machine.
        pooler.host = fleet["db1"].address.rpartition(".")[0] + ".1"
        with pooler:
            through: dict[str, Any] = {
                "kanban_postgresql_host": pooler.host,
                "kanban_postgresql_port": pooler.port,
                "kanban_postgresql_user": "postgres",
                "kanban_postgresql_password": fleet.postgres_password,
            }
            # A dump's snapshot belongs to one session, and a pooler gives sessions to others.
            drill.stop(
                fails=True,
                says=["the fence is proven", "the write block is held", "through a pooler"],
                never=["the dump is proven"],
                extra=through,
            )
    drill.finish()
