"""Play all drills several times: `python -m tools.rounds [--rounds 3] [pytest's arguments]`.

What a round prints goes through, and its JUnit file is `.cache/junit/drills-<round>.xml`. The table at the end has a
line for each drill, with what became of it and its seconds in each round. The exit status is 1 where one of them
failed, and where a round ran none.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from tools.gates import JUNIT, run

PASSED, FAILED, SKIPPED, ABSENT = "passed", "FAILED", "skipped", "-"
# For one round, in seconds: a round that hangs is a failure that somebody reads in the morning.
ROUND_SECONDS = 6 * 3600
_PYTEST = ["-m", "pytest", "tests", "-m", "drill", "--ignore=tests/unit"]

# By the name of a drill: what became of it, and its seconds.
Round = Mapping[str, tuple[str, float]]


def read(path: Path) -> Round:
    """Return what became of each drill by a JUnit file; nothing by one that is missing or cut off."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314 - our own file  # nosec B314
    except (FileNotFoundError, ElementTree.ParseError):
        return {}
    found: dict[str, tuple[str, float]] = {}
    for case in cases:
        name = f"{str(case.get('classname')).removeprefix('tests.')}::{case.get('name')}"
        state = PASSED
        if case.find("failure") is not None or case.find("error") is not None:
            state = FAILED
        elif case.find("skipped") is not None:
            state = SKIPPED
        # pytest writes a second case of the same name for an error in teardown.
        before, seconds = found.get(name, (state, 0.0))
        found[name] = FAILED if FAILED in (before, state) else state, seconds + float(case.get("time", 0))
    return found


def table(rounds: Sequence[Round]) -> list[str]:
    """Return the table: one line for each drill, one column for each round, and how many passed in each."""
    names = list(dict.fromkeys(name for played in rounds for name in played))
    width = max(len(name) for name in [*names, PASSED])
    lines = ["drill".ljust(width) + "".join(f"{f'round {n}':>16}" for n in range(1, len(rounds) + 1))]
    for name in names:
        cells = [played.get(name, (ABSENT, 0.0)) for played in rounds]
        lines.append(name.ljust(width) + "".join(f"{state:>9}{seconds:5.0f} s" for state, seconds in cells))
    counts = [sum(state == PASSED for state, _seconds in played.values()) for played in rounds]
    spent = [sum(seconds for _state, seconds in played.values()) for played in rounds]
    ends = zip(counts, spent, strict=True)
    return [*lines, "passed".ljust(width) + "".join(f"{count:>9}{seconds:5.0f} s" for count, seconds in ends)]


def held(rounds: Sequence[Round]) -> bool:
    """Whether each round played the same drills, some of them passed, and none failed."""
    states = [{state for state, _seconds in played.values()} for played in rounds]
    alike = all(played.keys() == rounds[0].keys() for played in rounds)
    return alike and all(PASSED in found and FAILED not in found for found in states)


def play(number: int, more: Sequence[str]) -> bool:
    """Play one round; whether pytest was content."""
    path = JUNIT / f"drills-{number}.xml"
    path.unlink(missing_ok=True)
    print(f"#### round {number} begins", flush=True)
    complaint = run([sys.executable, *_PYTEST, f"--junitxml={path}", *more], timeout=ROUND_SECONDS)
    print(f"#### round {number}: {complaint or 'passed'}", flush=True)
    return not complaint


def main() -> int:
    """Play them and print the table; 1 when it does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.rounds", description="Play all drills several times.")
    parser.add_argument("--rounds", type=int, default=3, help="how often (%(default)s)")
    options, more = parser.parse_known_args()
    # As Ctrl-C does, so that a round ends what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    content = [play(number, more) for number in range(1, options.rounds + 1)]
    rounds = [read(JUNIT / f"drills-{number}.xml") for number in range(1, options.rounds + 1)]
    print("", *table(rounds), sep="\n", flush=True)
    return 0 if all(content) and held(rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
