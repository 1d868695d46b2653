# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""reenable.yml as a stage is taken back: nothing comes before it, and nobody stays on whom no watch has passed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.crowd import on
from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.returns import SECONDS, Return
from tests.integration.test_return_in_stages import screen
from tests.support.processes import wait_until

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def back(db: Database, directory: Path) -> Iterator[Return]:
    with application(directory / "answers") as app:
        yield Return(db, app, directory)


def test_a_stage_whose_metrics_are_bad_is_off_before_anything_else_is_looked_at(back: Return) -> None:
    back.variables.update(kanban_watch_minutes={"stage": 10}, kanban_stage_check_seconds=20)
    running = back.start()
    assert wait_until(lambda: back.samples > 0, SECONDS), running.output
    # The checks of the data would wait for this until their time is over.
    with back.db.connect() as session, session.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")
        back.app.says("metrics", {"errorRate": 7})
        run = running.wait(timeout=SECONDS)
    assert run.rc != 0, run.output
    told = screen(run)
    assert "the metrics of stage 10 %" in told
    assert "whether data is corrupt is not known" not in told
    assert "Processes, logs and data were not looked at again" in told
    assert (on(back.db), back.stages[-1]) == ([], ("failed", "stage 10 %"))


@pytest.mark.drill
def test_a_stage_that_was_begun_and_lost_is_off_with_a_test_that_does_not_pass(back: Return) -> None:
    back.variables.update(kanban_stages=[10, 50, 100], kanban_watch_minutes={"test": 0.05, "stage": 0.3})
    lost = back.start()
    try:
        assert wait_until(lambda: ("begun", "stage 50 %") in back.stages and len(on(back.db)) == 10, SECONDS), (
            lost.output
        )
    finally:
        lost.kill()
    back.db.rows("UPDATE kanban_rollback.leases SET expires_at = now()")
    # Nobody has the id 4711, which says nothing about the ten.
    run = back.run(kanban_reenable="test", kanban_test_tenant="4711")
    assert "stage 50 %: was begun and not ended, so its tenants may be on without a watch" in screen(run), run.output
    assert len(on(back.db)) == 10

    back.app.says("metrics", {"errorRate": 7})
    run = back.run(kanban_reenable="test", kanban_test_tenant="1")
    assert run.rc != 0, run.output
    told = screen(run)
    assert "STOPPED: test of 1 did not pass." in told
    assert "test of 1: its tenants are off again (1 were switched off)." in told
    assert "stage 50 %, which was begun and not ended: its tenants are off again, too (8 were switched off)." in told
    assert (on(back.db), back.stages[-2:]) == ([2], [("failed", "test of 1"), ("failed", "stage 50 %")])
    plan = back.run("--check")
    assert "stage 10 %, then stage 50 %, then stage 100 % would come; 1 of 20" in screen(plan), plan.output
