# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One drill: its runs, its people and its watch, from a healthy estate to the judgment that nothing is left over."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.drills import kept, keptfiles, looks
from tests.drills.figures import Figures
from tests.drills.flag import Flag
from tests.drills.ground import Ground
from tests.drills.judge import (
    BOUND,
    LEAST_DUMPED,
    UNDO_SECONDS,
    excused_until,
    judge_again,
    judge_kept,
    judge_left,
    judge_lost,
    judge_nobody_wrote,
    judge_said,
    judge_undone,
    patience,
)
from tests.drills.leftovers import leftovers, of_runs
from tests.drills.watch import Watch
from tests.hosts.host import until
from tests.hosts.machine import HostsError
from tests.playbooks.runner import CHECKOUT, Run, Running, beside, extra_options, kept_in
from tests.rehearsal import record
from tests.rehearsal.estate import SETTINGS, Estate
from tests.rehearsal.people import Crowd
from tests.rehearsal.steady import sentinel
from tests.rehearsal.timings import stopped_at
from tests.staging.account import MESSAGE, acknowledged, expectations, read

# Less patience than by default with those who keep writing or stay in a transaction.
HASTY = {"kanban_drain_seconds": 2, "kanban_sweep_seconds": 2}
# The companies whose people work. Company 1 is that of the smoke test.
PEOPLE = range(2, 61)
# As in the profile.
EVIDENCE_SECONDS = 10
# A run that is not done by then hangs.
RUN_SECONDS = 240
_SETTLE_SECONDS = 12


@dataclass
class Drill:
    """What a test does: ``stop`` under its fault, and ``finish``, which mends the fault. Both judge."""

    ground: Ground
    place: looks.Place
    """The estate, and who takes writes on it, for looks past the network."""
    directory: Path
    crowd: Crowd
    watch: Watch
    settings: str = ""
    """What the undo has to bring back, to the letter."""
    settings_sql: str = SETTINGS
    """The query that has to return it."""
    running: list[Running] = field(default_factory=list)
    mending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    messages_wait: bool = False
    """Whether the fault itself keeps inbound messages from being taken until it is mended: they come in later."""
    unheard: tuple[float, float] | None = None
    """Between which moments a write may have been acknowledged that no server has any more."""
    undone: Run = field(init=False)
    """What the undo came to."""
    figures: Figures = field(default_factory=Figures)
    flag: Flag = field(init=False)
    finished: bool = False
    _present: set[str] = field(default_factory=set)
    _fenced_since: float | None = None
    _mended_at: float | None = None
    _kept: keptfiles.Kept = field(default_factory=keptfiles.Kept)

    def __post_init__(self) -> None:
        """Look at the flag by the watch."""
        self.flag = Flag(self.watch, self.figures)

    @property
    def estate(self) -> Estate:
        """Hosts, application and inventory."""
        return self.place.estate

    def begin(self) -> None:
        """Note what exists before, and wait until people are at work."""
        self.settings = self.settings or self.ground.settings
        self.note_what_is_there()
        self.crowd.begin()
        until(lambda: len(expectations(read(self.crowd.path))) >= LEAST_DUMPED, "people to be at work", timeout=30)
        until(lambda: bool(self.watch.looks), "the watch to see something", timeout=10)

    def note_what_is_there(self) -> None:
        """Count nothing that exists now as a leftover: a drill that installs the collection calls this after it."""
        self._present = leftovers(self.place)

    # --- The fault

    def fault(self, host: str, fault: Callable[[Any], None]) -> None:
        """Apply a fault of tests/hosts to a host; ``mend`` or the end of the drill undoes it."""
        self.mending.callback(self.estate.site.mend, host)
        self.estate.site.fault(host, fault)

    def after(self, mend: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Call ``mend`` when the fault is mended, however the drill ends; the last one given is called first."""
        self.mending.callback(mend, *arguments, **named)

    def redis_fails_over(self, to: str) -> None:
        """Wait until Sentinel has made another Redis the master; later looks are at that one."""
        leads = [self.estate.fleet[to].address, "6379"]
        until(lambda: sentinel(self.estate, "get-master-addr-by-name", "mymaster") == leads, "a failover", timeout=60)
        self.place.master = to

    def mend(self) -> None:
        """Undo all faults now."""
        self.mending.close()
        self._mended_at = time.time()

    # --- The playbook

    def start(
        self,
        playbook: str = "scenario3",
        extra: Mapping[str, Any] | None = None,
        around: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a playbook's command, with variables on the command line and in the environment, and go on."""
        argv = [beside("ansible-playbook"), "-i", str(self.estate.inventory)]
        # On a machine with other load, a host's evidence comes later than a run would wait for.
        given = {"kanban_evidence_seconds": round(EVIDENCE_SECONDS * patience()), **(extra or {})}
        log = self.directory / f"{len(self.running)}-{playbook}.log"
        argv += extra_options(given, log.with_suffix(".json"))
        argv.append(str(CHECKOUT / "playbooks" / f"{playbook}.yml"))
        self.running.append(Running(argv, log, variables={**kept_in(self.directory), **(around or {})}))
        return self.running[-1]

    def stop(
        self,
        *,
        fails: bool = False,
        says: Collection[str] = (),
        never: Collection[str] = (),
        bound: float | None = BOUND,
        most: int = 0,
        returns: float = 0,
        running: Running | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Run:
        """Stop under the fault, and judge 1. the flag and 3. the last screen.

        :param fails: whether it must end with one of judge.FAILED; with 0, it must claim all of a stop that is not
            in ``never``.
        :param says: words of the last screen, as on one line; ``never``: words that must not be there.
        :param bound: seconds from Enter until the primary says that at most ``most`` companies are on; None if
          there is no server to ask.
        :param returns: total seconds that the flag may be on again, as when a failover loses the kill.
        :param running: a run that ``start`` has already started.
        :param extra: variables on the command line.
        """
        if running is None:
            # During an incident the first command finds no connection open.
            self.estate.site.disconnect()
            running = self.start(extra=extra)
        run = running.wait(timeout=RUN_SECONDS * patience())
        ended = time.time()
        if bound is not None:
            self.flag.judge(running, bound=bound, most=most, returns=returns)
        claims = [] if fails else [words.strip() for words in looks.WHOLE if words not in never]
        self._judge_screen(run, fails=fails, says=[*says, *claims], never=never)
        self._kept.note(self.place, run)
        if looks.says_fenced(self.place, run):
            self._fenced_since = self._fenced_since or self._stopped_at(ended - run.seconds, ended)
        return run

    def _stopped_at(self, began: float, ended: float) -> float:
        """Return the Unix time at which the last run says that it was done with flag, fence and block.

        Its end if it does not say so, if a clock is off, or if the primary is gone.
        """
        found = [] if self.place.gone else record.journals(self.estate)
        said = stopped_at(record.read(found[-1])) if found else None
        return said if said is not None and began <= said <= ended else ended

    def _judge_screen(self, run: Run, **how: Any) -> None:
        judge_said(run, **how, contradicted=looks.contradictions(self.place, run))

    def finish(
        self,
        *,
        extra: Mapping[str, Any] | None = None,
        undo: Mapping[str, Any] | None = None,
        release: bool = False,
    ) -> Run:
        """Mend it, and judge 4. the second run, 5. the undo, 2. that nothing is lost and 6. that nothing is left over.

        Returns the second run.

        :param extra: variables of the second run. ``undo``: those of the undo. ``release``: run release.yml first.
        """
        self.mend()
        again = self.go_back(extra=extra, undo=undo, release=release)
        self._judge_lost()
        self._judge_left()
        self.finished = True
        return again

    def go_back(
        self,
        *,
        extra: Mapping[str, Any] | None = None,
        undo: Mapping[str, Any] | None = None,
        release: bool = False,
    ) -> Run:
        """Judge 4. the second run and 5. the undo, as ``finish`` does, when another stop follows in the same drill."""
        running = self.start(extra=extra)
        self.flag.judge_stayed(running.began)
        again = running.wait(timeout=RUN_SECONDS * patience())
        ended = time.time()
        self.flag.judge(running)
        judge_again(again, looks.WHOLE, looks.contradictions(self.place, again))
        self._kept.note(self.place, again)
        self._fenced_since = self._fenced_since or self._stopped_at(ended - again.seconds, ended)
        if release:
            released = self.start("release").wait(timeout=RUN_SECONDS * patience())
            judge_said(released, fails=False)
        self.flag.comes_back()
        self._undo(undo or {})
        self._fenced_since = None
        return again

    def _undo(self, extra: Mapping[str, Any]) -> None:
        self._judge_nobody_wrote()
        run = self.start("reenable", {"kanban_reenable": "all", **extra}).wait(timeout=RUN_SECONDS * patience())
        self.undone = run
        self.figures.undone.append(run.seconds)
        after = {self.place.primary: self.place.psql(self.settings_sql)}
        contradicted = looks.contradictions(self.place, run)
        judge_undone(run, self.settings, after, contradicted, UNDO_SECONDS * patience())
        # The ledger has them for good, by now including those that a file on the host had to keep.
        self._priors = kept.priors(self.place)

    def _judge_nobody_wrote(self) -> None:
        """Check that nobody was told since the proof of the fence that a card was moved."""
        if self._fenced_since is not None:
            judge_nobody_wrote(acknowledged(self.crowd.path, since=self._fenced_since, kanban_only=True))

    def _judge_lost(self) -> None:
        # People are at work to the end, and a message comes in after all.
        self.crowd.expect(MESSAGE, timeout=30)
        self.crowd.end()
        with contextlib.closing(self.estate.site.connect(self.place.primary)) as session:
            report = self.crowd.verify(session, self.unheard)
        self.figures.of(report)
        dumped = kept.in_dump(self.place, self.crowd, self.unheard)
        excused = excused_until(self._mended_at) if self.messages_wait else 0
        refused, unanswered = self.crowd.refused_messages(), self.crowd.unanswered_messages(since=excused)
        judge_lost(report, refused, unanswered, dumped, self._priors, kept.had_it(self.ground.settings))
        judge_kept(self._kept.lost(self.place))

    def _judge_left(self) -> None:
        found: set[str] = set()

        def nothing() -> bool:
            found.clear()
            found.update(leftovers(self.place) | of_runs(self.running))
            return found <= self._present

        # Processes that were told to end may need a moment.
        with contextlib.suppress(HostsError):
            until(nothing, "nothing to be left", timeout=_SETTLE_SECONDS, pause=1)
        judge_left(self._present, found)

    def clear(self) -> None:
        """Undo faults, end runs, send people home."""
        with contextlib.ExitStack() as all_of_it:
            all_of_it.callback(self.crowd.end, check=False)
            for run in self.running:
                all_of_it.callback(run.clear)
            all_of_it.callback(self.mend)
