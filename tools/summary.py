"""Run stages and count: `python -m tools.summary --lanes 2 rehearse hosts servers lint sanity unit`.

Each stage is a make target that leaves `.cache/junit/<stage>.xml`. As many run side by side as there are lanes. Named
with the longest first, they all end at about the same time, however fast the machine is. A line a minute says how far
each is. The table at the end comes after the names of the cases that failed, and of those that failed once and were
retried. The last line is `N passed, N failed`, alone, for people and machines.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools import costs
from tools.gates import JUNIT, ROOT, heed_signals
from tools.jobs import Ended, Job, Queue

# In seconds, for all stages: twice what they take on two cores that do nothing else, and room for slower ones. With
# what is installed before them it is under an hour and a half: a stage that hangs still leaves time for the count.
TOTAL_TIMEOUT = 5100
HEARTBEAT = 60
# What all of .ci/run may take at most, in minutes, on a bare machine of two cores; it passes its start in Unix time.
MINUTES = 38
BEGAN = "KANBAN_CI_BEGAN"
# How many cases of each stage are named.
NAMED = 20


@dataclass(frozen=True)
class Count:
    """The result of one stage, in test cases; `names` are those of the failed ones."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    names: tuple[str, ...] = ()

    def __add__(self, other: Count) -> Count:
        """Add two stages."""
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.names + other.names,
        )


def read_junit(path: Path) -> Count:
    """Count the cases of a JUnit file. A case with an error, also in its teardown, has failed.

    A file that is missing or truncated counts as nothing: the stage's exit status then makes it a failure.
    """
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314 - our own file  # nosec B314
    except (FileNotFoundError, ElementTree.ParseError):
        return Count()
    bad: set[str] = set()
    skipped: set[str] = set()
    names: set[str] = set()
    for case in cases:
        # pytest writes a second case of the same name for an error in teardown.
        name = f"{case.get('classname')}::{case.get('name')}"
        names.add(name)
        if case.find("failure") is not None or case.find("error") is not None:
            bad.add(name)
        elif case.find("skipped") is not None:
            skipped.add(name)
    skipped -= bad
    return Count(len(names - bad - skipped), len(bad), len(skipped), tuple(sorted(bad)))


@dataclass(frozen=True)
class Stage:
    """A stage that has ended; `again` are the cases that failed once and were retried."""

    count: Count
    seconds: float
    again: tuple[str, ...]


def counted(ended: Ended) -> Stage:
    """Count the cases of a stage. One that fails without a failed case, or that runs no case at all, is one failure."""
    count = read_junit(_junit(ended.name))
    complaint = ended.complaint or ("" if count.passed or count.failed else "ran no test")
    if complaint:
        print(f"{ended.name}: {complaint}", flush=True)
    # In the format of pytest-rerunfailures.
    again = (line[6:].decode(errors="replace") for line in ended.said.splitlines() if line.startswith(b"RERUN "))
    failed = Count(failed=1) if complaint and not count.failed else Count()
    return Stage(count + failed, ended.seconds, tuple(again))


def run(names: Sequence[str], lanes: int) -> dict[str, Stage]:
    """Run stages, one in each lane, until they or their time are over; return those that were begun, by name."""
    stages: dict[str, Stage] = {}

    def note(ended: Ended) -> None:
        stages[ended.name] = stage = counted(ended)
        costs.note("stage", ended.seconds, stage=ended.name, tests=stage.count.passed + stage.count.failed)

    shutil.rmtree(costs.COSTS, ignore_errors=True)
    for name in names:
        _junit(name).unlink(missing_ok=True)
    try:
        Queue([ROOT] * lanes, note, HEARTBEAT, TOTAL_TIMEOUT).run(
            [Job(name, ["make", "--no-print-directory", name], {costs.STAGE: name}) for name in names]
        )
    except KeyboardInterrupt:
        pass  # each stage that it ended says so, and has failed
    return stages


def _junit(name: str) -> Path:
    return JUNIT / f"{name}.xml"


def spent(began: float, now: float) -> str:
    """Say how long everything took since a Unix time, against the limit."""
    minutes = (now - began) / 60
    return f"all of .ci/run: {minutes:.0f} minutes, of {MINUTES}{' TOO MANY' if minutes > MINUTES else ''}"


def main(arguments: Sequence[str]) -> int:
    """Run the stages, print the table and the count, return an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.summary", description="Run stages and count.")
    parser.add_argument("--lanes", type=int, default=1, help="stages at once (%(default)s)")
    parser.add_argument("stages", nargs="+", help="make targets that leave a JUnit file, the longest first")
    options = parser.parse_args(arguments)
    heed_signals()
    stages = run(options.stages, options.lanes)
    print()
    for name, stage in stages.items():
        for case in stage.again[:NAMED]:
            print(f"tried twice: {name}: {case[:200]}")
        for case in stage.count.names[:NAMED]:
            print(f"failed: {name}: {case[:200]}")
    total = Count()
    for name in options.stages:
        begun = stages.get(name)
        count, seconds = (begun.count, f"{begun.seconds:7.1f} s") if begun else (Count(failed=1), "never ran")
        print(
            f"{name:<13} {seconds:>9}   passed {count.passed:5}   failed {count.failed:4}   skipped {count.skipped:4}"
        )
        total += count
    if began := os.environ.get(BEGAN):
        print(spent(float(began), time.time()))
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
