# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least-privileged role lacks one of its grants, each in turn: what does not need it is done, and the lack is said.

Nothing is open to PUBLIC, so that what is taken from the role is gone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drills.drill import HASTY, Drill
from tests.drills.grants import (
    BLIND,
    BY_NAME,
    ENDS,
    IDLE,
    JOINED,
    LACKS,
    NO_DUMP,
    NOT_COMPARED,
    READS_ALL,
    ROLE,
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
from tests.drills.ground import Ground
from tests.drills.judge import BOUND
from tests.drills.looks import Place
from tests.drills.test_row_held import HELD
from tests.playbooks.runner import CHECKOUT, Running, beside
from tests.rehearsal.estate import DATABASE, SETTINGS

_PASSWORD = "of-this-drill-alone"
# How the role that bootstrap.yml makes is logged in as.
_LEAST = {
    "kanban_postgresql_host": "localhost",
    "kanban_postgresql_user": ROLE,
    "kanban_postgresql_password": _PASSWORD,
}
_STOP = {**HASTY, **_LEAST}
# The next stop is of another incident.
_UNDO = {**_LEAST, "kanban_close": True}
# What other hosts would get besides has no part in this.
_MAKES = {"kanban_role_password": _PASSWORD, "kanban_redis_hosts": "none", "kanban_app_hosts": "none"}
# The application owns the database, and needs nothing of what everybody may do.
_CLOSE = f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC"
_OPEN = f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC"


@pytest.fixture
def least(drill: Drill) -> Drill:
    """A drill on a database where the role has everything by name, and reads everything besides."""
    drill.after(drill.place.psql, _OPEN)
    drill.place.psql(_CLOSE)
    made = drill.start("bootstrap", {**_MAKES, **BY_NAME}).wait(timeout=300)
    assert made.rc == 0, made.output
    drill.place.psql(f"GRANT {READS_ALL} TO {ROLE}")
    drill.note_what_is_there()
    return drill


@contextlib.contextmanager
def _without(drill: Drill, *grants: str) -> Iterator[None]:
    """Take grants away, which the role has, and give them back."""
    named = [filled(grant, drill.place) for grant in grants]
    there = granted(drill.place)
    assert there.issuperset(named), f"not granted: {set(named) - there}"
    drill.place.psql("; ".join(f"REVOKE {grant} FROM {ROLE}" for grant in named))
    try:
        yield
    finally:
        drill.place.psql("; ".join(f"GRANT {grant} TO {ROLE}" for grant in named))


def _stop(drill: Drill, lack: Lack) -> None:
    run = drill.stop(
        fails=lack.fails,
        says=lack.says,
        never=lack.never,
        bound=BOUND if lack.stops else None,
        extra=_STOP,
    )
    if not lack.stops:
        # NOT CONTAINED is so: each tenant is as it was, to the letter.
        assert drill.place.psql(SETTINGS) == drill.settings, "expected: nothing switched without the grant"
    unsaid = [words for words in lack.output if words not in run.text]
    assert not unsaid, f"expected: {unsaid}; found: {run.output}"


@pytest.mark.drill
@pytest.mark.parametrize("lacks", LACKS.values(), ids=LACKS.keys())
def test_grant_missing(least: Drill, lacks: Mapping[str, Lack]) -> None:
    """Each that the stop itself needs: with it, the second run of the incident is whole, and all of it is undone."""
    *_others, last = lacks
    for grant, lack in lacks.items():
        with _without(least, grant, *([READS_ALL] if lack.by_name else [])):
            _stop(least, lack)
        (least.finish if grant == last else least.go_back)(extra=_LEAST, undo=_UNDO)


@pytest.mark.drill
def test_grant_missing_after_the_stop(least: Drill) -> None:
    """What comes after the stop says so of each that it needs; one incident lacks them in turn."""
    least.stop(extra=_STOP)
    for grant, lack in TURNS.items():
        with _without(least, grant, READS_ALL):
            _stop(least, lack)
    least.finish(extra=_LEAST, undo=_UNDO)


@pytest.mark.drill
def test_grant_to_join_missing(least: Drill) -> None:
    """The second stop of an incident cannot write down by what other name the ledger knows it."""
    least.stop(extra=_STOP)
    least.let_names_differ()
    with _without(least, TO_JOIN):
        _stop(least, JOINED)
    least.finish(extra=_LEAST, undo=_UNDO)


@pytest.mark.drill
def test_grant_to_see_missing(least: Drill) -> None:
    """Who is at work cannot be seen: nobody is said to be, and that it is not known."""
    with _without(least, TO_SEE):
        _stop(least, BLIND)
    least.finish(extra=_LEAST, undo=_UNDO)


@pytest.mark.drill
def test_grant_to_end_missing(least: Drill) -> None:
    """Who holds a row was to be ended, and cannot be: it is said why, and nobody else waits for that."""
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
            extra={**_STOP, **ENDS, "kanban_deadline": 6},
        )
    least.finish(extra=_LEAST, undo=_UNDO)


@pytest.mark.drill
def test_what_a_stop_can_do_without(least: Drill) -> None:
    """Without everything that is excused the stop is whole, but for the dump where it reads by name."""
    with _without(least, *IDLE):
        _stop(least, Lack(fails=False))
    least.go_back(extra=_LEAST, undo=_UNDO)
    with _without(least, *IDLE, READS_ALL):
        _stop(least, Lack((*WELL, NO_DUMP, NOT_COMPARED), (UNSOUND,)))
    least.finish(extra=_LEAST, undo=_UNDO)


@pytest.fixture
def place(ground: Ground) -> Iterator[Place]:
    """A healthy estate without people, with nothing that everybody may do; the next that asks for it has it whole."""
    found = Place(ground.healthy())
    found.psql(_CLOSE)
    try:
        yield found
    finally:
        found.psql(_OPEN)


def _named(place: Place, *grants: Collection[str]) -> set[str]:
    return {filled(grant, place) for some in grants for grant in some}


@pytest.mark.drill
@pytest.mark.parametrize("made", [ENDS, BY_NAME], ids=["as-it-comes", "by-name"])
def test_each_grant_has_its_turn_or_a_reason(place: Place, made: Mapping[str, Any], tmp_path: Path) -> None:
    argv = [beside("ansible-playbook"), "-i", str(place.estate.inventory), "-e", json.dumps({**_MAKES, **made})]
    run = Running([*argv, str(CHECKOUT / "playbooks" / "bootstrap.yml")], tmp_path / "log").wait(timeout=300)
    assert run.rc == 0, run.output
    there, idle = granted(place), _named(place, IDLE)
    played = _named(place, *LACKS.values(), TURNS, [TO_JOIN, TO_SEE, TO_END])
    assert there - played - idle == set(), "no drill takes it away, and nothing excuses it"
    assert played & idle == set(), "both played and excused"
    if made == BY_NAME:
        assert (played | idle) - there == {READS_ALL, TO_END}, "not granted any more"
