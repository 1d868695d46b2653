"""Run stages one after the other and count: `python -m tools.summary lint sanity unit integration`.

Each stage is a make target that leaves `.cache/junit/<stage>.xml`. Later stages run when an earlier one fails. The
last line is `N passed, N failed`, alone, for people and machines; skipped tests stand in the table before it.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.gates import JUNIT, run

# In seconds, for all stages. Well under an hour and a half, so that a stage that hangs still leaves time for the count.
TOTAL_TIMEOUT = 4500


@dataclass(frozen=True)
class Count:
    """What one stage came to, in test cases."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        """Add two stages."""
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def read_junit(path: Path) -> Count:
    """Count the cases of a JUnit file. A case with an error, in its teardown too, has failed.

    A file that is missing or cut off counts as nothing: the stage's exit status then makes it a failure.
    """
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314 - our own file
    except (FileNotFoundError, ElementTree.ParseError):
        return Count()
    bad: set[tuple[str | None, str | None]] = set()
    skipped: set[tuple[str | None, str | None]] = set()
    names: set[tuple[str | None, str | None]] = set()
    for case in cases:
        # pytest writes a second case of the same name for an error in teardown.
        name = (case.get("classname"), case.get("name"))
        names.add(name)
        if case.find("failure") is not None or case.find("error") is not None:
            bad.add(name)
        elif case.find("skipped") is not None:
            skipped.add(name)
    skipped -= bad
    return Count(len(names - bad - skipped), len(bad), len(skipped))


def run_stage(stage: str, timeout: float) -> Count:
    """Run one make target for at most `timeout` seconds and count its cases.

    A stage that fails without a failed case, or that runs no case at all, is one failure.
    """
    junit = JUNIT / f"{stage}.xml"
    junit.unlink(missing_ok=True)
    complaint = run(["make", "--no-print-directory", stage], timeout=timeout)
    count = read_junit(junit)
    if not complaint and not (count.passed or count.failed):
        complaint = "ran no test"
    if complaint and not count.failed:
        print(f"{stage}: {complaint}")
        count += Count(failed=1)
    return count


def main(stages: Sequence[str]) -> int:
    """Run the stages, print the table and the count, return an exit status."""
    # A terminated run takes its fixtures down as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    deadline = time.monotonic() + TOTAL_TIMEOUT
    counts: dict[str, Count] = {}
    seconds: dict[str, float] = {}
    for stage in stages:
        print(f"\n#### {stage}", flush=True)
        began = time.monotonic()
        counts[stage] = run_stage(stage, max(deadline - began, 1))
        seconds[stage] = time.monotonic() - began
    print()
    for stage, count in counts.items():
        print(
            f"{stage:<12} {seconds[stage]:7.1f} s   passed {count.passed:5}   failed {count.failed:4}"
            f"   skipped {count.skipped:4}"
        )
    total = sum(counts.values(), Count())
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
