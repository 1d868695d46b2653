# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbook and a ping in turn; after each run mend everything, put it back as it was and close the incident."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.hosts import files
from tests.hosts.machine import HostsError
from tests.playbooks.place import BLOCK
from tests.playbooks.runner import CHECKOUT
from tests.rehearsal import errors
from tests.rehearsal.estate import SETTINGS, Estate
from tests.rehearsal.steady import assert_hurts, on
from tests.rehearsal.timings import timings_of, undone_after
from tests.staging.app.misbehaviour import KEY, MEANINGS
from tests.staging.settings import DATA
from tests.timed.cases import Case
from tests.timed.figures import PING, without_load
from tests.timed.job import FACTS, TIMINGS, Job, Jobs

PLAYBOOKS = CHECKOUT / "playbooks"
_PING, _CLOSE = (Path(__file__).with_name(name) for name in ("ping.yml", "close.yml"))
# Tables that are fenced whole; these statements delete nothing.
_FENCED = 'DELETE FROM "TicketTags" WHERE false; DELETE FROM "Tags" WHERE false'


def what_is_left(estate: Estate, seconds: float = 30) -> str:
    """Return what a run has left changed, found without the collection; empty if nothing is.

    ``seconds``: the time for the replica to catch up.
    """
    deadline = time.monotonic() + seconds
    for host in ("db1", "db2"):
        while estate.site.psql(host, SETTINGS) != estate.kept_settings.strip():
            if time.monotonic() > deadline:
                return f"somebody's settings are not what they were at {host}"
            time.sleep(0.2)
    if estate.site.redis("EXISTS", BLOCK) != "0":
        return "the write block is held"
    if estate.site.redis("EXISTS", KEY) != "0":
        return "the application misbehaves"
    try:
        estate.site.psql("db1", _FENCED)
    except HostsError as error:
        return f"writes are refused: {error}"
    return ""


class CannotPutBackError(Exception):
    """Nothing more can be measured, because what a run has changed is still so."""


@dataclass
class Session:
    """Some runs of one playbook and their results. ``problems``: why runs do not count, one line each."""

    jobs: Jobs
    case: Case
    began: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}")
    samples: dict[str, list[float]] = field(default_factory=dict)
    stops: list[list[dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def measure(self, runs: int) -> None:
        """Do that many runs, each with a ping before or after it. Raises CannotPutBackError."""
        for number in range(1, runs + 1):
            # The first may find the machine in another state than the second, so they take turns in that, too.
            if number % 2:
                self._ping(number)
            self._scenario(number)
            if not number % 2:
                self._ping(number)
            self.loads.append(round(os.getloadavg()[0], 1))
            told = ", ".join(f"{name} {values[-1]:.1f} s" for name, values in self.samples.items() if values)
            print(f"  {number} of {runs}: {told}; load {self.loads[-1]}", file=sys.stderr, flush=True)

    def keep(self) -> Path:
        """Keep every figure in a separate file, and return its path."""
        path = TIMINGS / f"{self.began}-{self.case.playbook}.json"
        kept = {name: getattr(self, name) for name in ("began", "samples", "problems", "loads")}
        what = {"playbook": self.case.playbook, "scenario": self.case.scenario}
        files.write(path, json.dumps({**what, **FACTS, **kept}, indent=2) + "\n")
        return path

    def _ping(self, number: int) -> None:
        job = self._run(_PING, number, "ping")
        if not self._count(job.problem):
            self._sample(PING, job.seconds)

    def _scenario(self, number: int) -> None:
        for crowd in self.jobs.estate.crowds:
            if not crowd.at_work:
                # They go home on their own after a time.
                crowd.begin()
        self._break()
        job = self._run(PLAYBOOKS / f"{self.case.playbook}.yml", number, "stop", **self.case.extra)
        timings = timings_of(job.lines)
        # Looked at past the collection, before anything is put back.
        have, expected = on(self.jobs.estate, "db1"), self.case.left_on(DATA.expected_on())
        unlike = "" if have == expected else f"run {number}: {have} companies are on, and {expected} should be"
        idle = without_load(number, [crowd.at_work for crowd in self.jobs.estate.crowds])
        if not self._count(job.problem or self.case.strayed(timings) or unlike or idle) and timings is not None:
            for name in ("disabled", "verified", "total"):
                value = getattr(timings, name)
                if value is not None:
                    self._sample(name, value)
            self.stops.append(job.lines)
        self._put_back(number)

    def _break(self) -> None:
        """Break what the playbook needs broken, and wait until people feel it. Raises HostsError if they do not."""
        estate = self.jobs.estate
        if self.case.broken:
            estate.application.misbehave(**self.case.broken)
        if self.case.errors:
            errors.log(estate, self.case.errors)
        if self.case.hurts:
            assert_hurts(estate, *self.case.hurts)

    def _mend(self) -> None:
        """End the fault before anybody gets V2 back, and forget the errors: the next run would rank by them as well."""
        if self.case.broken:
            self.jobs.estate.application.misbehave(**dict.fromkeys(MEANINGS))
            errors.forget(self.jobs.estate)

    def _put_back(self, number: int) -> None:
        self._mend()
        job = self._run(PLAYBOOKS / "reenable.yml", number, "back", kanban_reenable="all")
        undone = undone_after(job.lines)
        if not self._count(job.problem) and undone is not None:
            self._sample("misfire", undone)
        self._count(self._run(_CLOSE, number, "close").problem)
        if left := what_is_left(self.jobs.estate):
            raise CannotPutBackError(f"after run {number} {left}")

    def _run(self, playbook: Path, number: int, part: str, **extra: Any) -> Job:
        incident = f"INC-TIMED-{self.began}-{number:02}"
        return self.jobs.run(playbook, f"{self.began}-{number:02}-{part}", incident, extra)

    def _count(self, problem: str) -> bool:
        if problem:
            self.problems.append(problem)
            print(f"  {problem}", file=sys.stderr, flush=True)
        return bool(problem)

    def _sample(self, name: str, seconds: float) -> None:
        self.samples.setdefault(name, []).append(round(seconds, 3))
