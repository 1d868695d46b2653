# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least-privileged role lacks each grant of the way back or scenario 2 in turn: the run is red and says which.

What it did nevertheless is checked from outside each time; with the grant given back the same command completes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import inf
from typing import Any

import pytest

from tests.drills.drill import RUN_SECONDS, Drill
from tests.drills.grants import READS_ALL
from tests.drills.grants_later import BACK, ELSEWHERE, RANK, RELEASE, STAGED, Later
from tests.drills.judge import UNDO_SECONDS, judge_again, judge_said, judge_undone, patience
from tests.drills.leastrole import LEAST, STOP, UNDO, make_role, without
from tests.drills.looks import WHOLE, WRITES, contradictions, refused
from tests.hosts.host import until
from tests.integration import undertaken
from tests.integration.test_grants import TO_REPAIR, TO_STOP_AND_LOOK
from tests.playbooks.place import BLOCK, IS_ON
from tests.playbooks.runner import Run
from tests.rehearsal import errors
from tests.rehearsal.estate import SETTINGS
from tests.staging.account import acknowledged
from tests.staging.settings import DATA

# A lease that cannot be given back expires soon.
_UNDO = {"kanban_reenable": "all", "kanban_reenable_deadline": 20}
_STAGES = {"kanban_stages": [100], "kanban_watch_minutes": {"stage": 0.05}}
_RANKS = {"kanban_sweep_seconds": 2, "kanban_watch_minutes": {"scenario2": 0.05}}
# Six companies that have V2.
_WORST = (4, 7, 10, 14, 17, 20)
_ON = f'SELECT count(*) FROM "Companies" WHERE {IS_ON}'
_INCIDENT = "SELECT incident_id FROM kanban_rollback.incidents"
_RELEASES = "SELECT string_agg(event, ', ') FROM kanban_rollback.events WHERE phase = 'release'"
_NO_LEASE = "SELECT NOT EXISTS (SELECT FROM kanban_rollback.leases WHERE expires_at > clock_timestamp())"


@pytest.fixture
def least(drill: Drill) -> Drill:
    """A drill as the least-privileged role."""
    return make_role(drill)


def _run(drill: Drill, playbook: str, extra: Mapping[str, Any]) -> Run:
    return drill.start(playbook, {**LEAST, **extra}).wait(timeout=RUN_SECONDS * patience())


def _stopped(drill: Drill) -> float:
    """Stop completely; return since when nobody may have moved a card. The drill's own stops follow in ``finish``."""
    running = drill.start(extra=STOP)
    run = running.wait(timeout=RUN_SECONDS * patience())
    since = time.time()
    # What follows are undos.
    drill.flag.judge(running, for_good=False)
    judge_again(run, WHOLE, contradictions(drill.place, run))
    return since


def _lacking(
    drill: Drill, playbook: str, extra: Mapping[str, Any], lacks: Mapping[str, Later], fenced_since: float = inf
) -> None:
    """Run it without each grant in turn, and judge what it says and, by looks from outside, what is true."""
    place = drill.place
    for grant, later in lacks.items():
        given = {**extra, "kanban_close": True} if later.closes else extra
        with without(drill, grant, *([READS_ALL] if later.by_name else [])):
            run = _run(drill, playbook, given)
        judge_said(run, fails=later.fails, says=later.says, contradicted=contradictions(place, run))
        if playbook == "reenable":
            assert run.incident == place.psql(_INCIDENT), (
                f"expected: the name that the ledger has; found: {run.incident}"
            )
        on = place.psql(_ON)
        as_meant = place.psql(SETTINGS) == drill.settings if later.on else on == "0"
        assert as_meant, f"without {grant} expected: {'as before' if later.on else 'nobody on'}; found: {on} on"
        found = sorted(refused(place)), place.redis("GET", BLOCK)
        expected = (sorted(WRITES), "true") if later.fenced else ([], "")
        assert found == expected, f"without {grant} expected to refuse writes: {expected}; found: {found}"
        if later.fenced:
            wrote = acknowledged(drill.crowd.path, since=fenced_since, kanban_only=True)
            assert not wrote, f"expected: no write of the board under the fence; found: {wrote[0]}"
        # A lease that could not be given back expires.
        until(lambda: place.psql(_NO_LEASE) == "t", "no lease to be held", timeout=90)


@pytest.mark.drill
def test_grant_missing_to_undo(least: Drill) -> None:
    """A misfire: the undo reports each missing grant that it needs, and with all of them it is complete."""
    since = _stopped(least)
    _lacking(least, "reenable", _UNDO, BACK, since)
    run = _run(least, "reenable", _UNDO)
    after = {"db1": least.place.psql(SETTINGS)}
    judge_undone(run, least.settings, after, contradictions(least.place, run), UNDO_SECONDS * patience())
    judge_said(run, fails=False, says=["the fence is lowered", "no write block is held"])
    least.finish(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_grant_missing_to_return(least: Drill) -> None:
    """Writes come back, then people in stages: a missing grant is reported, and with it the same commands go on."""
    since = _stopped(least)
    _lacking(least, "release", {}, RELEASE, since)
    found = least.place.psql(_RELEASES)
    assert not found, f"expected: on record that nothing was released or refused again; found: {found}"
    run = _run(least, "release", {})
    judge_said(run, fails=False, says=["RELEASED: "], contradicted=contradictions(least.place, run))
    assert refused(least.place) == [], "expected: writes to pass"
    _lacking(least, "reenable", _STAGES, STAGED)
    run = _run(least, "reenable", _STAGES)
    after = {"db1": least.place.psql(SETTINGS)}
    judge_undone(run, least.settings, after, contradictions(least.place, run), RUN_SECONDS * patience())
    least.finish(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_grant_missing_to_rank(least: Drill) -> None:
    """Who is affected is not known: nobody is switched off by guesswork. With the grant the six are."""
    least.after(errors.forget, least.estate)
    errors.log(least.estate, _WORST)
    _lacking(least, "scenario2", _RANKS, RANK)
    run = _run(least, "scenario2", _RANKS)
    judge_said(run, fails=False, says=["CONTAINED: Kanban V2 is off for the 6 tenants named"])
    # The claim is about those six only.
    named = least.place.psql(f"{_ON} AND id IN ({', '.join(map(str, _WORST))})")
    others = int(least.place.psql(_ON))
    assert (named, others) == ("0", DATA.expected_on() - len(_WORST)), (
        f"expected: the six off; found: {named}, {others}"
    )
    least.finish(extra=LEAST, undo=UNDO)


def test_what_no_drill_lacks_a_test_of_the_modules_takes_away() -> None:
    there = {**TO_STOP_AND_LOOK, **TO_REPAIR}
    wrong = {grant: name for grant, name in ELSEWHERE.items() if grant not in there[getattr(undertaken, name)]}
    assert wrong == {}, "expected: test_grants.py to take it away by the function that is named"
