# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""reenable.yml if a host is lost for one task, or a name means no host: what nobody confirmed is not taken for done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import on
from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.playbook import silent_where
from tests.integration.releases import BLOCK
from tests.integration.returns import ALL, Return
from tests.playbooks.runner import Run
from tests.support.servers import Redis

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]


@pytest.fixture
def back(db: Database, directory: Path) -> Iterator[Return]:
    with application(directory / "answers") as app:
        yield Return(db, app, directory)


@pytest.fixture
def redis(directory: Path) -> Iterator[Redis]:
    with Redis(directory / "redis") as started:
        yield started


def open_incidents(back: Return) -> int:
    return int(back.db.value("SELECT count(*) FROM kanban_rollback.incidents WHERE closed_at IS NULL"))


def test_a_misfire_is_undone_where_each_host_has_said_so(back: Return, redis: Redis) -> None:
    assert back.db.modules().ok("write_fence", tables=["tickets"], incident_id="INC-1")["status"] == "proven"
    with redis.client() as client:
        client.mset({BLOCK: "true", f"{{{BLOCK}}}:owner": "INC-1"})
    everybody = {
        "kanban_reenable": "all",
        "kanban_fence_tables": ["tickets"],
        "kanban_close": True,
        "kanban_redis_hosts": "redis",
    }
    login = {"host": redis.host, "port": redis.port, "password": redis.password}
    back.variables.update({f"kanban_redis_{name}": value for name, value in login.items()})

    def undo(db: dict[str, Any] | None = None, **more: Any) -> tuple[Run, list[int], bool, int]:
        run = back.run(db=db, redis=True, **{**everybody, **more})
        with redis.client() as client:
            held = client.get(BLOCK) is not None
        return run, on(back.db), held, open_incidents(back)

    # Somebody else may have the lease.
    run, *found = undo(silent_where("__reenable_info is defined and __reenable_leased is not defined"))
    assert (run.rc != 0, found) == (True, [[], True, 1]), run.output
    assert "The lease could not be taken, so somebody else may be at work" in run.screen

    # The application does not let through writes that the database may refuse.
    run, *found = undo(silent_where("__reenable_now is defined and __reenable_fence is not defined"))
    assert (run.rc != 0, found) == (True, [ALL, True, 1]), run.output
    assert "RESTORED IN PART" in run.screen, run.screen
    assert "the fence on db1 is not known to be lowered" in run.screen

    run, *found = undo(kanban_redis_hosts="typo")
    assert (run.rc != 0, found) == (True, [ALL, True, 1]), run.output
    assert "no write block is held" not in run.screen
    assert "the group 'typo' has no hosts" in run.screen

    run, *found = undo()
    assert (run.rc, found) == (0, [ALL, False, 0]), run.output


def test_a_return_whose_end_nobody_confirmed_is_not_said_to_be_over(back: Return) -> None:
    back.variables["kanban_stages"] = [100]
    in_the_end = silent_where("__reenable_last is defined and __reenable_ending is not defined")
    lost = back.run(db=in_the_end, kanban_close=True)
    assert (lost.rc != 0, on(back.db), open_incidents(back)) == (True, ALL, 1), lost.output
    assert "db1: whether the latch is lowered, and the incident closed, is not known: " in lost.screen
    assert "The incident is closed" not in lost.screen
    done = back.run(kanban_close=True)
    assert (done.rc, open_incidents(back)) == (0, 0), done.output
