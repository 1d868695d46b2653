"""Run stages and count: `python -m tools.summary --lanes 2 rehearse hosts servers lint sanity unit`.

Each stage is a make target that leaves `.cache/junit/<stage>.xml`. So many run side by side as there are lanes: each
lane takes the next stage as soon as it has none, even if an earlier one has failed. Named with the longest first, they
all end at about the same time, however fast the machine is. A stage's output goes to `.cache/log/<stage>.log` and
is shown in one piece when the stage has ended; until then a line a minute says how far each is. The table at the end
comes after the names of the cases that failed, and of those that failed once and were retried. The last line is
`N passed, N failed`, alone, for people and machines.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.gates import CACHE, JUNIT, end, heed_signals, start, tell

# In seconds, for all stages: twice what they take on two cores that do nothing else, and room for slower ones. With
# what is installed before them it is under an hour and a half: a stage that hangs still leaves time for the count.
TOTAL_TIMEOUT = 5100
LOGS = CACHE / "log"
HEARTBEAT = 60
# What all of .ci/run may take at most, in minutes, on a bare machine of two cores; it passes its start in Unix time.
MINUTES = 45
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


class Stage:
    """One running make target. End its process, then `finish` it."""

    def __init__(self, name: str) -> None:
        """Start the process."""
        print(f"#### {name} begins", flush=True)
        self.name, self.log = name, LOGS / f"{name}.log"
        # Until something else is known.
        self.count, self.seconds, self.again, self.runs = Count(failed=1), 0.0, list[str](), True
        self._began = time.monotonic()
        self._junit = JUNIT / f"{name}.xml"
        self._junit.unlink(missing_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as out:
            self.process = start(["make", "--no-print-directory", name], stdout=out, stderr=subprocess.STDOUT)

    def tell(self) -> None:
        """Say in a line where it is."""
        tell(self.name, self.log, time.monotonic() - self._began)

    def finish(self, complaint: str = "") -> None:
        """Show its output and count its cases.

        A stage that fails without a failed case, or that runs no case at all, is one failure.
        """
        self.seconds, self.runs = time.monotonic() - self._began, False
        print(f"\n#### {self.name}: what it printed in {self.seconds:.0f} s", flush=True)
        said = self.log.read_bytes()
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()
        # In the format of pytest-rerunfailures.
        self.again = [line[6:].decode(errors="replace") for line in said.splitlines() if line.startswith(b"RERUN ")]
        if not complaint and self.process.returncode:
            complaint = f"exit status {self.process.returncode}"
        count = read_junit(self._junit)
        if not complaint and not (count.passed or count.failed):
            complaint = "ran no test"
        if complaint:
            print(f"{self.name}: {complaint}", flush=True)
        self.count = count if count.failed or not complaint else count + Count(failed=1)


def run(names: Sequence[str], lanes: int, timeout: float) -> list[Stage]:
    """Run stages, `lanes` at a time, for at most `timeout` seconds, and return those that were begun.

    An interruption ends them as the timeout does: all of them get the same minute to clean up.
    """
    begun: list[Stage] = []
    try:
        complaint = _watch(names, lanes, timeout, begun)
    except KeyboardInterrupt:
        complaint = "interrupted"
    finally:
        left = [stage for stage in begun if stage.runs]
        end([stage.process for stage in left])
    for stage in left:
        stage.finish(complaint)
    return begun


def _watch(names: Sequence[str], lanes: int, timeout: float, begun: list[Stage]) -> str:
    """Step until everything has ended or the time is over, and return what to say about stages that still run.

    What it begins it adds to the caller's list, which has to be known after an interruption, too.
    """
    began = told = time.monotonic()
    while (running := [stage for stage in begun if stage.runs]) or len(begun) < len(names):
        for stage in running:
            if stage.process.poll() is not None:
                end([stage.process])
                stage.finish()
        while sum(stage.runs for stage in begun) < lanes and len(begun) < len(names):
            begun.append(Stage(names[len(begun)]))
        now = time.monotonic()
        if now > began + timeout:
            return f"not finished when {timeout:.0f} s were over"
        if now > told + HEARTBEAT:
            told = now
            for stage in begun:
                if stage.runs:
                    stage.tell()
        time.sleep(0.2)
    return ""


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
    begun = run(options.stages, options.lanes, TOTAL_TIMEOUT)
    print()
    for stage in begun:
        for name in stage.again[:NAMED]:
            print(f"tried twice: {stage.name}: {name[:200]}")
        for name in stage.count.names[:NAMED]:
            print(f"failed: {stage.name}: {name[:200]}")
    total = Count()
    for name, stage in itertools.zip_longest(options.stages, begun):
        count, seconds = (stage.count, f"{stage.seconds:7.1f} s") if stage else (Count(failed=1), "never ran")
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
