# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A write block whose expiry is shorter than the stop lasts until it is first renewed, and is released as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.blocks import KEY, OURS, OWNER
from tests.integration.blocks import Place as Block
from tests.integration.crowd import population
from tests.integration.journals import Place
from tests.integration.place import Database


def test_a_block_with_a_short_expiry_is_held_until_it_is_renewed(db: Database, directory: Path) -> None:
    population(db)
    with Block.started() as redis, db.connect() as writer, writer.cursor() as cursor:
        given: dict[str, Any] = {
            "kanban_redis_hosts": "db1",
            "kanban_redis_host": redis.server.host,
            "kanban_redis_port": redis.server.port,
            "kanban_redis_password": redis.server.password,
            "kanban_write_block_ttl": 2,
            "kanban_incident_id": OURS,
            "kanban_reenable": "all",
        }
        # The sweep waits for it for its whole time.
        cursor.execute("INSERT INTO tickets DEFAULT VALUES")
        running = Place(db, directory).start("scenario3", **given)
        running.says("TASK [chatia.kanban_rollback.contain : Read the write block back]", timeout=120)
        assert redis.info()["ttl_seconds"] > 2
        run = running.wait(timeout=300)
        assert "the write block is held" in run.screen, run.output
        assert "write block on db1 is not known" not in run.screen
        assert redis.there()[OWNER][0] == OURS
        writer.rollback()
        undone = Place(db, directory).start("reenable", **given).wait(timeout=300)
        assert "no write block is held" in undone.screen, undone.output
        assert KEY not in redis.there()
