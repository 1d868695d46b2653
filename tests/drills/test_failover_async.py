# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary dies in the middle of scenario 3 with a part of its log that its asynchronous replica never got."""

from __future__ import annotations

import contextlib
import json
import re

import pytest

from tests.drills.drill import HASTY, Drill
from tests.drills.failovers import ON, ON_DB2, SAYS, ask_old_primary, cut_replication, fail_over, stopped_at
from tests.playbooks.runner import SWITCHED_OFF
from tests.rehearsal import record

# Two who never had it are switched on after the replica stops listening: it does not know of them.
_SWITCHED_ON = """UPDATE "Companies" SET settings = '{"kanbanV2Enabled": true}' WHERE id IN (1, 3)"""
_WHOSE = "SELECT DISTINCT unnest(tenants)::int FROM kanban_rollback.flag_changes WHERE action = 'disabled'"
# From the promotion to the second kill; the controller is frozen for most of it, and people go on for a while.
_BACK_SECONDS = 60
_EVENT = "SELECT data FROM kanban_rollback.events WHERE event = 'failover' AND source = 'feature_flag'"
_LEFT_AT = "SELECT split_part(pg_read_file('pg_wal/00000002.history'), chr(9), 2)"


def _failovers(drill: Drill) -> list[dict[str, object]]:
    """Return the failovers that the runs' journals have."""
    paths = sorted(drill.estate.incidents.glob("*/journal-*.jsonl"))
    lines = [line for path in paths for line in record.read(path)]
    return [line["data"]["details"]["failover"] for line in lines if "failover" in line["data"].get("details", {})]


@pytest.mark.drill
def test_failover_async(drill: Drill) -> None:
    """A lost kill is done again, and the loss is reported: of the log, and of who had the flag."""
    cut_replication(drill)
    drill.place.psql(_SWITCHED_ON)
    drill.estate.site.disconnect()
    running = drill.start(extra=HASTY)
    with stopped_at(drill, running, SWITCHED_OFF):
        fail_over(drill)
        assert drill.watch.looks[-1].on == ON, "the kill got across"
    left_at = drill.place.psql(_LEFT_AT)
    lost = f"NOT WELL: a part of the log of db1 is not on db2: from {left_at} to "
    says = [*SAYS, lost, "NOT WELL: 2 prior values were lost with db1.", "db2: fence proven for"]
    gone = "db1: no longer the primary, nothing is expected of it"
    run = drill.stop(running=running, fails=True, says=[*says, gone], returns=_BACK_SECONDS)
    (ended_at,) = set(re.findall(rf"{re.escape(lost)}([0-9A-F]+/[0-9A-F]+)", run.screen))
    told = json.loads(drill.place.psql(_EVENT))
    assert (told["host"], told["switched"], told["recorded"], told["lost_priors"]) == ("db1", ON + 2, ON, 2)
    assert [one["lost_priors"] for one in _failovers(drill)] == [2]
    drill.finish(extra=ON_DB2, undo=ON_DB2)
    assert "db2: 2 PRIOR VALUES WERE LOST" in drill.undone.screen
    with contextlib.closing(drill.estate.site.connect("db2")) as session:
        assert drill.crowd.verify(session).missing, "nothing that was acknowledged was lost: this shows nothing"
    here = set(drill.place.psql(_WHOSE).split())
    assert set(ask_old_primary(drill, _WHOSE).split()) - here == {"1", "3"}
    lies_between = f"SELECT '{left_at}'::pg_lsn < '{ended_at}'::pg_lsn AND '{ended_at}' <= pg_current_wal_lsn()"
    assert drill.estate.site.psql("db1", lies_between) == "t", (left_at, ended_at)
