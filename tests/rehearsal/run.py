# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Play scenarios of molecule/, each stage within its time: ``python -m tests.rehearsal.run scenario3 triage``.

``.cache/junit/rehearse.xml`` has a case for each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts.engine import what_is_missing
from tests.hosts.files import control_directory, fleet_id
from tests.hosts.fleet import leftovers, processes
from tests.hosts.machine import HostsError, locked
from tests.playbooks.runner import ANSIBLE, Running, beside
from tests.rehearsal.estate import STATE, take_down
from tests.rehearsal.record import RECORDS
from tests.rehearsal.stages import LIMITS, Stages
from tests.rehearsal.timings import Timings, table
from tools.gates import JUNIT, Result, heed_signals, write_junit
from tools.leftovers import end_marked, marked

# In the environment of everything that a rehearsal of this checkout starts; its value says where the estate is.
MARK = "KANBAN_REHEARSAL"
# The tests of molecule/ that say whether something was lost.
_LOST = re.compile(
    r"^(?:FAILED|ERROR) \S*(?:(?:/test_account|/test_dump|refused/test_controller|returned/test_databases)\.py::"
    r"|/test_(?:databases|application)\.py::test_(?:evidence|the_dump)_is_whole)",
    re.MULTILINE,
)
# Two rehearsals in one checkout would take each other's hosts away.
LOCK = Path("/run") / f"kanban-rehearsal-{fleet_id(STATE)}.lock"
SCENARIOS = ("scenario1", "scenario2", "scenario3", "triage")


@dataclass
class Played:
    """How a scenario went; ``problem`` is empty when it went well. ``stages``: each one's name and seconds.

    ``lost``: whether something that people were told was done is missing.
    """

    scenario: str
    seconds: float = 0.0
    problem: str = ""
    lost: bool = False
    stages: list[tuple[str, float]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return it for people, with the plan's table if a record was kept."""
        how = f"FAILED: {self.problem}" if self.problem else "passed"
        stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.stages)
        path = RECORDS / f"{self.scenario}.json"
        recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        fields = ("scenario", "run_id", "disabled", "verified", "total")
        told = ["no record was kept"]
        if recorded:
            told = [*table(Timings(*(recorded[name] for name in fields))), *recorded.get("findings", ())]
        return [f"{self.scenario} {how} in {self.seconds:.0f} s ({stages})", *(f"  {line}" for line in told)]


def is_lost(output: str) -> bool:
    """Whether pytest says in molecule's output that something was lost."""
    return _LOST.search(output) is not None


def play(scenario: str, limits: Mapping[str, float] | None = None) -> Played:
    """Play one scenario to its end, and leave nothing of it but its record and its log."""
    played, log = Played(scenario), RECORDS / f"{scenario}.log"
    (RECORDS / f"{scenario}.json").unlink(missing_ok=True)
    bin_first = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    running = Running(
        [beside("molecule"), "test", "--scenario-name", scenario, "--no-command-borders"],
        log,
        variables={
            "PATH": bin_first,
            "NO_COLOR": "1",
            MARK: str(STATE),
            "REHEARSAL_PYTHON": sys.executable,
            # People who watch see a stage when it begins.
            "PYTHONUNBUFFERED": "1",
        },
    )
    stages = Stages(LIMITS if limits is None else limits)
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            alive = True
            while alive and not played.problem:
                alive = running.alive
                said = file.read()
                print(said, end="", flush=True)
                stages.read(said, running.seconds)
                played.problem = stages.late(running.seconds)
                time.sleep(0.1)
        stages.end(running.seconds)
        if not played.problem and running.wait(timeout=running.seconds + 10).rc != 0:
            reason = f" ({stages.reason})" if stages.reason else ""
            played.problem = f"{stages.failed or 'molecule'} failed{reason}, see {log}"
        # Before the remains of a failed scenario are cleared away below: destroy itself has to leave nothing.
        if not played.problem and (left := left_behind(STATE)):
            played.problem = f"left behind: {', '.join(left)}"
    finally:
        played.seconds, played.stages, played.lost = running.seconds, stages.ended, is_lost(running.output)
        running.clear()
        take_down(STATE)
        for path in (ANSIBLE / "tmp").glob("molecule.*"):
            shutil.rmtree(path, ignore_errors=True)
    if left := leftovers(STATE / "hosts"):
        played.problem = played.problem or f"left behind: {', '.join(left)}"
    return played


def left_behind(state: Path, seconds: float = 10) -> list[str]:
    """Return what is left of a rehearsal that has ended: containers, networks, files, and processes.

    Its processes are those that it started, and those whose command names its hosts, because SSH's environment has no
    mark. ``seconds``: how long to wait for what has been told to end.
    """
    deadline = time.monotonic() + seconds
    while True:
        commands = {*marked(_mark(state)).values(), *processes(state / "hosts")}
        left = [*leftovers(state / "hosts"), *(f"process {command[:100]}" for command in sorted(commands))]
        left += [str(path) for path in (state, control_directory(state / "hosts")) if path.exists()]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def play_again(scenario: str, tries: int) -> list[Played]:
    """Play a scenario until it goes well, at most ``tries`` times, but never again once something was lost.

    The logs of failed tries are kept beside its log.
    """
    tried = [play(scenario)]
    while tried[-1].problem and not tried[-1].lost and len(tried) < tries:
        # In the words of pytest-rerunfailures: the count of all tests reports what was tried twice.
        print(f"RERUN rehearse::{scenario}: {tried[-1].problem}", flush=True)
        with contextlib.suppress(FileNotFoundError):
            (RECORDS / f"{scenario}.log").replace(RECORDS / f"{scenario}-{len(tried)}.log")
        tried.append(play(scenario))
    return tried


def end_what_is_left(state: Path) -> None:
    """Kill what a killed rehearsal has left running; whoever calls this holds the lock, so there is no other."""
    end_marked(_mark(state))


def _mark(state: Path) -> str:
    return f"{MARK}={state}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play scenarios one after the other; return 1 if one did not go well."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal.run", description="Play scenarios of molecule/.")
    parser.add_argument("scenario", nargs="*", default=[*SCENARIOS], help="scenario1, scenario2, scenario3, triage")
    parser.add_argument("--tries", type=int, default=1, help="play one that fails again, so many times in all (1)")
    parser.add_argument("--clear", action="store_true", help="play none: remove what a killed rehearsal has left")
    options = parser.parse_args(arguments)
    if unknown := set(options.scenario) - set(SCENARIOS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: there is {', '.join(SCENARIOS)}")
    heed_signals()
    (JUNIT / "rehearse.xml").unlink(missing_ok=True)
    played: list[Played] = []
    try:
        if missing := what_is_missing():
            raise HostsError(missing)
        RECORDS.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(LOCK, timeout=3600):
            end_what_is_left(STATE)
            if options.clear:
                take_down(STATE)
                return 0
            for scenario in options.scenario:
                played += play_again(scenario, options.tries)
    except HostsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was begun is taken down", file=sys.stderr)
        return 1
    print("\nRehearsed")
    for each in played:
        print(*each.lines(), sep="\n")
    # The last try of each scenario counts.
    last = {each.scenario: each for each in played}.values()
    write_junit("rehearse", [Result(each.scenario, each.seconds, each.problem) for each in last])
    return 1 if any(each.problem for each in last) else 0


if __name__ == "__main__":
    sys.exit(main())
