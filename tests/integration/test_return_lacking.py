# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""reenable.yml if a tenant loses the feature after its stage has passed: that is no whole return, and is mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.crowd import on
from tests.integration.flags import KEY
from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.returns import ALL, Return
from tests.integration.test_return_in_stages import screen

pytestmark = pytest.mark.timeout(1500)

OFF = f"UPDATE companies SET settings = '{{\"{KEY}\": false}}' WHERE id = %s"


@pytest.fixture
def back(db: Database, directory: Path) -> Iterator[Return]:
    with application(directory / "answers") as app:
        yield Return(db, app, directory)


def is_open(back: Return) -> bool:
    return bool(back.db.value("SELECT count(*) FROM kanban_rollback.incidents WHERE closed_at IS NULL"))


@pytest.mark.drill
def test_a_test_that_fails_after_its_stage_opens_that_stage_again_and_closes_nothing(back: Return) -> None:
    run = back.run()
    assert (run.rc, on(back.db)) == (0, ALL), run.output
    back.app.says("metrics", {"errorRate": 7})
    run = back.run(kanban_reenable="test", kanban_test_tenant="7", kanban_close=True)
    assert run.rc != 0, run.output
    assert "STOPPED: test of 7 did not pass. NOT WELL: the metrics of test of 7" in screen(run)
    assert "somebody stopped it again" not in screen(run)
    assert (7 in on(back.db), is_open(back)) == (False, True)

    back.app.says("metrics", {"errorRate": 0.02})
    plan = back.run("--check")
    assert "PLAN, nothing was changed: stage 100 % would come; 19 of 20" in screen(plan), plan.output
    run = back.run(kanban_close=True)
    assert run.rc == 0, run.output
    told = screen(run)
    assert "stage 100 % (again, for somebody lacked it): PASSED; 18 tenants of 20, 1 switched on by this run." in told
    assert "The incident is closed." in told
    assert (on(back.db), is_open(back)) == (ALL, False)
    assert back.db.snapshot("companies").texts == back.before
    again = [("begun", "stage 100 %"), ("passed", "stage 100 %")]
    assert back.stages[-3:] == [("failed", "test of 7"), *again]


@pytest.mark.drill
def test_a_return_that_somebody_fell_out_of_is_not_whole_until_that_one_is_back(back: Return) -> None:
    back.variables["kanban_stages"] = [100]
    assert back.run().rc == 0
    back.db.rows(OFF, (9,))
    run = back.run(kanban_close=True)
    assert run.rc != 0, run.output
    told = screen(run)
    assert "RETURNED 19 of 20 tenants that had Kanban V2. NOT WHOLE: 1 that had it is off." in told
    assert "NOT WELL: db1: off, and nobody is known to have changed it: 9." in told
    assert "-e kanban_incident_id=INC-1 -e kanban_reenable=test -e kanban_test_tenant=9" in told
    assert "ansible-playbook chatia.kanban_rollback.report -i" in told
    assert "Everybody has it back" not in told
    assert (is_open(back), back.is_free()) == (True, True)

    run = back.run(kanban_reenable="test", kanban_test_tenant="9")
    assert (run.rc, on(back.db)) == (0, ALL), run.output
    run = back.run(kanban_close=True)
    assert (run.rc, is_open(back)) == (0, False), run.output


@pytest.mark.drill
def test_who_was_changed_by_somebody_since_or_is_gone_keeps_no_return_from_being_whole(back: Return) -> None:
    back.variables["kanban_stages"] = [100]
    back.db.modules().ok("incident", incident_id="INC-1", latch="lowered")
    back.db.rows("UPDATE companies SET settings = '{}' WHERE id = 3")
    back.db.rows('DELETE FROM tickets WHERE "companyId" = 5')
    back.db.rows("DELETE FROM companies WHERE id = 5")
    for close in (False, True):
        run = back.run(kanban_close=close)
        assert run.rc == 0, run.output
        assert "RETURNED 18 of 20 tenants that had Kanban V2. Incident" in screen(run)
        assert screen(run).count("db1: 1 tenants were changed since and left alone: 3") == 1
        assert screen(run).count("db1: 1 tenants no longer exist: 5") == 1
    assert not is_open(back)


@pytest.mark.drill
def test_a_test_is_made_again_if_its_tenant_is_off_and_gives_back_what_that_one_had(back: Return) -> None:
    back.flag.restore()
    back.db.rows(OFF.replace("false", '"trial"'), (7,))
    settings = "SELECT settings::text FROM companies WHERE id = 7"
    before = back.db.value(settings)
    back.flag.disable(latch=True)
    tried = {"kanban_reenable": "test", "kanban_test_tenant": "7"}
    run = back.run(**tried)
    assert (run.rc, back.stages[-1]) == (0, ("passed", "test of 7")), run.output

    back.db.rows(OFF, (7,))
    run = back.run(**tried)
    assert run.rc == 0, run.output
    assert "test of 7 (again, for it was off): PASSED; 1 tenant, 1 switched on by this run." in screen(run)
    assert back.db.value(settings) == before
    assert "test of 7: passed before" in screen(run)

    back.db.rows("UPDATE companies SET settings = '{}' WHERE id = 7")
    run = back.run(**tried)
    assert run.rc != 0, run.output
    assert 'NOT WELL: db1: 7 had \\"trial\\", which is not what switching on writes' in screen(run)
    assert (back.stages[-1], on(back.db)) == (("failed", "test of 7"), [])
