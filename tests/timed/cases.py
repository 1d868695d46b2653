# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be timed, in one table: what is broken before a run, what is typed, and what its figures may be. Pure.

Nothing is broken that leaves corrupt rows: after each run everything is put back, and such rows would take another run
of scenario 3, which repairs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.rehearsal.timings import Timings
from tests.timed.figures import Goal

# The plan's limit for moving a card, in milliseconds, and companies that are on and for which it takes longer.
_DND_MS = 500.0
_SUFFER = (4, 7, 10, 14, 17, 20)


@dataclass(frozen=True)
class Case:
    """A playbook that is timed.

    ``scenario``: the one that it has to lead to. ``goals``: by figure. ``extra``: what is typed besides its name.
    ``broken``: how the application is told to misbehave; empty if the playbook asks for nothing before it stops.
    ``errors``: companies for which errors are logged, more for each than for the one before. ``hurts``: a figure of the
    application, with what it has to exceed before the command is typed.
    """

    playbook: str
    scenario: str
    goals: Mapping[str, Goal]
    extra: Mapping[str, Any] = field(default_factory=dict)
    broken: Mapping[str, Any] = field(default_factory=dict)
    errors: Sequence[int] = ()
    hurts: tuple[str, float] | None = None

    def left_on(self, before: int) -> int:
        """Return how many companies have the feature after the stop, of those who had it before."""
        # Only scenario 2 leaves it to those who do not suffer.
        return before - len(self.errors) if self.scenario == "scenario2" else 0

    def strayed(self, timings: Timings | None) -> str:
        """Say what a run led to, if that is not what is timed; empty if it is."""
        found = timings.scenario if timings else "nothing that it stopped"
        return "" if found == self.scenario else f"{self.playbook} came to {found}, and {self.scenario} is timed"


def cases(objectives: Mapping[str, float]) -> dict[str, Case]:
    """Return all cases by their playbook. ``objectives``: the profile's, in seconds by scenario."""
    validated = {"disabled": Goal(), "verified": Goal(objectives["scenario1"], seconds=60)}
    decided = {"disabled": Goal(), "verified": Goal(objectives["scenario2"])}
    stopped = {"disabled": Goal(objectives["scenario3"], seconds=15, pings=3), "verified": Goal()}
    # Measured from the triage command on: whoever types it does not know yet that it will be scenario 1.
    triaged = {"disabled": Goal(), "verified": Goal(objectives["scenario1"])}
    known = (
        # Its validation has to see sockets served again. Processes that crash would not hear that they are to stop it.
        Case("scenario1", "scenario1", validated, broken={"refuse_sockets": True}),
        # Without errors it would list nobody, and so switch nobody off. Its watch sees that cards are no longer slow.
        Case(
            "scenario2",
            "scenario2",
            decided,
            broken={"slow": 900, "tenants": _SUFFER},
            errors=_SUFFER,
            hurts=("dndP95Ms", _DND_MS),
        ),
        Case("scenario3", "scenario3", stopped),
        # Refused sockets are the P0 that triage recognizes last: neither counts nor health show them, so it watches the
        # metrics, several tries, before anything is stopped. The counts show corruption, before that watch, and slow
        # cards lead to scenario 2, for which there is half an hour. If processes crashed as well, chance would decide
        # whether one is there when its socket is tried, and so which scenario it is.
        Case("triage", "scenario1", triaged, extra={"kanban_triage_act": True}, broken={"refuse_sockets": True}),
    )
    every = {"total": Goal(), "misfire": Goal(objectives["misfire"], seconds=60)}
    return {case.playbook: replace(case, goals={**case.goals, **every}) for case in known}
