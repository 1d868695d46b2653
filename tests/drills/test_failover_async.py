# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary dies in the middle of scenario 3 with a part of its log that its asynchronous replica never got."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.failovers import EXTRA, HASTY, Estate, People, hosts, stopped_at
from tests.playbooks.place import ON, TENANTS
from tests.playbooks.test_writes import MOVES, refused

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]
# Two who never had it are switched on after the replica has stopped listening: nothing there knows of them.
SWITCHED_ON = """UPDATE "Companies" SET settings = '{"kanbanV2Enabled": true}' WHERE id IN (1, 4)"""
WHOSE = "SELECT DISTINCT unnest(tenants)::int FROM kanban_rollback.flag_changes WHERE action = 'disabled'"
EVENT = "SELECT data FROM kanban_rollback.events WHERE event = 'failover' AND source = 'feature_flag'"
LEFT_AT = "SELECT split_part(pg_read_file('pg_wal/00000002.history'), chr(9), 2)"
# The old primary is gone for good.
ON_DB2 = {**EXTRA, "kanban_db_hosts": "db2"}


@pytest.fixture
def estate(hosts_can_be_made: None, tmp_path: Path) -> Iterator[Estate]:
    with hosts(tmp_path) as made:
        yield made


def test_a_kill_that_is_lost_is_done_again_and_the_loss_is_told(estate: Estate) -> None:
    with People(estate) as people:
        estate.cut_replication()
        before = estate.rows("db2")
        estate.psql("db1", SWITCHED_ON)
        people.have(50)
        running = estate.start("scenario3", variables=HASTY, extra=EXTRA, whole=True)
        with stopped_at(estate, running, f"{ON + 2} tenants switched off in"):
            people.have(5)
            estate.fail_over()
            assert estate.on("db2") == ON, "the kill got across"
            people.have(5)
        run = running.wait(timeout=700)
        people.have(5)
        lost = people.missing()
    assert 55 <= len(lost) < len(people.acknowledged), "nothing that was acknowledged was lost: this shows nothing"
    assert estate.on("db2") == 0
    assert refused(estate, "db2") == list(MOVES)
    assert run.rc != 0, run.output
    assert f"CONTAINED: Kanban V2 is off for all {TENANTS} tenants ({ON} were switched off now)" in run.screen
    assert f"NOT WELL: a part of the log of db1 is not on db2: from {estate.psql('db2', LEFT_AT)} to " in run.screen
    assert "NOT WELL: 2 prior values were lost with db1." in run.screen
    assert "db1: no longer the primary, nothing is expected of it" in run.screen
    assert "db2: fence proven for" in run.screen
    told = json.loads(estate.psql("db2", EVENT))
    assert (told["host"], told["switched"], told["recorded"], told["lost_priors"]) == ("db1", ON + 2, ON, 2)
    (journal,) = (estate.directory / ".local/state/kanban_rollback/incidents").glob("*/journal-*.jsonl")
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    kept = [line["data"]["details"]["failover"] for line in lines if "failover" in line["data"].get("details", {})]
    assert [one["lost_priors"] for one in kept] == [2]

    undone = estate.run(
        "reenable", extra={**ON_DB2, "kanban_reenable": "all"}, variables=HASTY, whole=True, timeout=400
    )
    assert undone.rc == 0, undone.output
    assert "db2: 2 PRIOR VALUES WERE LOST" in undone.screen
    assert estate.rows("db2") == before

    there, here = (set(found.split()) for found in (estate.old_primary(WHOSE), estate.psql("db2", WHOSE)))
    assert there - here == {"1", "4"}


def test_a_primary_that_dies_when_all_is_preserved_is_seen_before_the_last_screen(estate: Estate) -> None:
    running = estate.start("scenario3", variables=HASTY, extra=EXTRA, whole=True)
    with stopped_at(estate, running, "PLAY [5. Assess"):
        estate.caught_up()
        estate.fail_over()
    run = running.wait(timeout=700)
    # What was kept is on the host that died.
    assert run.rc != 0, run.output
    assert f"CONTAINED: Kanban V2 is off for all {TENANTS} tenants" in run.screen
    assert "db2: took over from db1 since the kill (timeline 00000001 to 00000002)" in run.screen
    assert "0 were switched off again, 0 are on. It had all of the log that this run knows of" in run.screen
    assert f"no prior value is missing: the kill had switched off {ON} on db1, and {ON} are recorded here" in run.screen
    assert "NOT WELL: no proven dump of db2" in run.screen
    assert (estate.on("db2"), refused(estate, "db2")) == (0, list(MOVES))
    again = estate.run("scenario3", extra=ON_DB2, variables=HASTY, whole=True, timeout=400)
    assert again.rc == 0, again.output
    assert (
        "Also: the fence is proven, no write block (there is no Redis), evidence is kept, the dump is proven"
        in again.screen
    )
