# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least-privileged role lacks each grant that a stop needs in turn: the rest is done and the lack reported."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drills.drill import Drill
from tests.drills.grants import (
    BLIND,
    BY_NAME,
    ENDS,
    JOINED,
    LACKS,
    NO_DUMP,
    NOT_COMPARED,
    READS_ALL,
    TO_END,
    TO_JOIN,
    TO_SEE,
    TURNS,
    UNSOUND,
    WELL,
    Lack,
    filled,
    granted,
)
from tests.drills.grants_later import IDLE
from tests.drills.ground import Ground
from tests.drills.judge import BOUND
from tests.drills.leastrole import CLOSE, LEAST, MAKES, OPEN, STOP, UNDO, make_role, without
from tests.drills.looks import Place
from tests.drills.names import let_names_differ
from tests.drills.test_row_held import HELD
from tests.playbooks.runner import CHECKOUT, Running, beside, extra_options
from tests.rehearsal.estate import SETTINGS


@pytest.fixture
def least(drill: Drill) -> Drill:
    """A drill as the least-privileged role."""
    return make_role(drill)


def _stop(drill: Drill, lack: Lack) -> None:
    run = drill.stop(
        fails=lack.fails,
        says=lack.says,
        never=lack.never,
        bound=BOUND if lack.stops else None,
        extra=STOP,
    )
    if not lack.stops:
        # NOT CONTAINED is true: each tenant is as it was, to the letter.
        assert drill.place.psql(SETTINGS) == drill.settings, "expected: nothing switched without the grant"
    unsaid = [words for words in lack.output if words not in run.text]
    assert not unsaid, f"expected: {unsaid}; found: {run.output}"


@pytest.mark.drill
@pytest.mark.parametrize("lacks", LACKS.values(), ids=LACKS.keys())
def test_grant_missing(least: Drill, lacks: Mapping[str, Lack]) -> None:
    """Each grant that the stop itself needs: with it, the incident's second run is complete, and all is undone."""
    *_others, last = lacks
    for grant, lack in lacks.items():
        with without(least, grant, *([READS_ALL] if lack.by_name else [])):
            _stop(least, lack)
        (least.finish if grant == last else least.go_back)(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_grant_missing_after_the_stop(least: Drill) -> None:
    """What comes after the stop reports each missing grant that it needs; one incident lacks them in turn."""
    least.stop(extra=STOP)
    for grant, lack in TURNS.items():
        with without(least, grant, READS_ALL):
            _stop(least, lack)
    least.finish(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_grant_to_join_missing(least: Drill) -> None:
    """The second stop of an incident cannot record the other name that the ledger knows it by."""
    least.stop(extra=STOP)
    let_names_differ(least)
    with without(least, TO_JOIN):
        _stop(least, JOINED)
    least.finish(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_grant_to_see_missing(least: Drill) -> None:
    """Sessions at work cannot be seen: none is reported, but that they are not known."""
    with without(least, TO_SEE):
        _stop(least, BLIND)
    least.finish(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_grant_to_end_missing(least: Drill) -> None:
    """The session that holds a row should be ended but cannot be: the run says why, and nobody else waits for it."""
    with contextlib.closing(least.estate.site.connect(application="invoicing")) as session:
        session.cursor().execute(f'SELECT FROM "Companies" WHERE id = {HELD} FOR UPDATE')
        least.stop(
            fails=True,
            says=[
                "NOT CONTAINED: 1 of 200 tenants that could be counted still have Kanban V2",
                f"Session {session.info.backend_pid} could not be ended: permission denied",
                "db1: fence proven for",
                "redis1: write block held by",
            ],
            most=1,
            extra={**STOP, **ENDS, "kanban_deadline": 6},
        )
    least.finish(extra=LEAST, undo=UNDO)


@pytest.mark.drill
def test_what_a_stop_can_do_without(least: Drill) -> None:
    """Without every grant it does not use the stop is complete, except for the dump if it reads by name."""
    with without(least, *IDLE):
        _stop(least, Lack(fails=False))
    least.go_back(extra=LEAST, undo=UNDO)
    with without(least, *IDLE, READS_ALL):
        _stop(least, Lack((*WELL, NO_DUMP, NOT_COMPARED), (UNSOUND,)))
    least.finish(extra=LEAST, undo=UNDO)


@pytest.fixture
def place(ground: Ground) -> Iterator[Place]:
    """A healthy estate without people and without privileges of PUBLIC, which are given back for the next test."""
    found = Place(ground.healthy())
    found.psql(CLOSE)
    try:
        yield found
    finally:
        found.psql(OPEN)


def _named(place: Place, *grants: Collection[str]) -> set[str]:
    return {filled(grant, place) for some in grants for grant in some}


@pytest.mark.drill
@pytest.mark.parametrize("made", [ENDS, BY_NAME], ids=["as-it-comes", "by-name"])
def test_each_grant_has_its_turn_or_a_reason(place: Place, made: Mapping[str, Any], tmp_path: Path) -> None:
    argv = [beside("ansible-playbook"), "-i", str(place.estate.inventory)]
    argv += extra_options({**MAKES, **made}, tmp_path / "given.json")
    run = Running([*argv, str(CHECKOUT / "playbooks" / "bootstrap.yml")], tmp_path / "log").wait(timeout=300)
    assert run.rc == 0, run.output
    there, idle = granted(place), _named(place, IDLE)
    played = _named(place, *LACKS.values(), TURNS, [TO_JOIN, TO_SEE, TO_END])
    assert there - played - idle == set(), "no drill takes it away, and no test of one module does"
    assert played & idle == set(), "a stop both says of it and can do without"
    if made == BY_NAME:
        assert (played | idle) - there == {READS_ALL, TO_END}, "not granted any more"
