"""Run all drills several times: `python -m tools.rounds [--rounds 3] [--faults] [--resume] [what to choose]`.

A round runs tests/drills file by file on one estate, then everything else that is too long for a build, directory by
directory (`--faults` leaves that out). Output is passed through; JUnit files are
`.cache/junit/drills-<round>-*.xml`. The table at the end has a line for each drill, with its result and its seconds
in each round. The exit status is 1 if a drill failed or was skipped, which is reported with the reason, or if a
round ran none. What to choose is said in pytest's words (`-k`, `--deselect`). `--resume` continues with the file in
which an earlier call on the same commit was stopped, and runs what was skipped.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tools.gates import JUNIT, ROOT, heed_signals, run

PASSED, FAILED, SKIPPED, ABSENT = "passed", "FAILED", "skipped", "-"
# For one file of drills, or one directory of other tests, in seconds: a hang is a failure that somebody reads.
FILE_SECONDS = 3 * 3600
DRILLS = "tests/drills"
_PYTEST = ["-m", "pytest", "-m", "drill"]
_BESIDE = ["tests", "--ignore=tests/unit", f"--ignore={DRILLS}"]
_COMMIT = JUNIT / "drills-commit"
# The next file uses the estate that is up.
_KEEP = {"KANBAN_HOSTS_KEEP": "1"}
_ID = re.compile(r"^(tests/[\w/]+)\.py::(.+)$", re.MULTILINE)


class Played(NamedTuple):
    """The result of a drill, its seconds, and why it was skipped.

    ``beyond``: what took longer than it may where nothing else loads the machine: bounds grow with its load.
    """

    state: str
    seconds: float
    why: str = ""
    beyond: str = ""


# By the name of a drill.
Round = Mapping[str, Played]


def read(path: Path) -> Round:
    """Return each drill's result from a JUnit file; nothing from one that is missing or truncated."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314 - our own file  # nosec B314
    except (FileNotFoundError, ElementTree.ParseError):
        return {}
    found: dict[str, Played] = {}
    # The one during which a call was stopped has no name.
    for case in [case for case in cases if case.get("name")]:
        name = f"{str(case.get('classname')).removeprefix('tests.')}::{case.get('name')}"
        state, why = PASSED, ""
        if case.find("failure") is not None or case.find("error") is not None:
            state = FAILED
        elif (skipped := case.find("skipped")) is not None:
            state, why = SKIPPED, skipped.get("message", "no reason is given")
        # pytest writes a second case of the same name for an error in teardown.
        before = found.get(name, Played(state, 0.0))
        state = FAILED if FAILED in (before.state, state) else state
        beyond = "; ".join(str(one.get("value")) for one in case.iter("property") if one.get("name") == "beyond")
        found[name] = Played(state, before.seconds + float(case.get("time", 0)), why, beyond)
    return found


def table(rounds: Sequence[Round]) -> list[str]:
    """Return the table: one line for each drill, one column for each round, and how many passed in each."""
    names = list(dict.fromkeys(name for played in rounds for name in played))
    width = max(len(name) for name in [*names, PASSED])
    lines = ["drill".ljust(width) + "".join(f"{f'round {n}':>16}" for n in range(1, len(rounds) + 1))]
    for name in names:
        cells = [played.get(name, Played(ABSENT, 0.0)) for played in rounds]
        lines.append(name.ljust(width) + "".join(f"{one.state:>9}{one.seconds:5.0f} s" for one in cells))
    counts = [sum(one.state == PASSED for one in played.values()) for played in rounds]
    spent = [sum(one.seconds for one in played.values()) for played in rounds]
    ends = zip(counts, spent, strict=True)
    return [*lines, "passed".ljust(width) + "".join(f"{count:>9}{seconds:5.0f} s" for count, seconds in ends)]


def held(rounds: Sequence[Round]) -> bool:
    """Whether each round ran the same drills, at least one, and all of them passed: a skipped one proves nothing."""
    alike = all(played.keys() == rounds[0].keys() for played in rounds)
    return alike and all({one.state for one in played.values()} == {PASSED} for played in rounds)


def skipped(rounds: Sequence[Round]) -> list[str]:
    """Say why drills were skipped, which is what this machine lacks: each reason once, with its drills."""
    kept: dict[str, dict[str, None]] = {}
    for name, one in (item for played in rounds for item in played.items()):
        if one.state == SKIPPED:
            kept.setdefault(one.why, {})[name] = None
    return [f"SKIPPED, so it does not hold: {why}: {', '.join(names)}" for why, names in kept.items()]


def beyond(rounds: Sequence[Round]) -> list[str]:
    """Say which drills passed by bounds that grew with the load alone."""
    return [
        f"PASSED BY A BOUND THAT GREW WITH THE LOAD, round {number}: {name}: {one.beyond}"
        for number, played in enumerate(rounds, 1)
        for name, one in played.items()
        if one.beyond and one.state == PASSED
    ]


def of_round(number: int) -> Round:
    """Return the result of each drill of a round, from all of its JUnit files."""
    found: dict[str, Played] = {}
    for path in sorted(JUNIT.glob(f"drills-{number}-*.xml")):
        found.update(read(path))
    return found


def listed(arguments: Sequence[str]) -> dict[str, str]:
    """Return the drills that pytest finds, as ``named`` does."""
    argv = [sys.executable, *_PYTEST, "--collect-only", "-q", *arguments]
    found = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    # 5: it finds none.
    if found.returncode not in (0, 5):
        raise SystemExit(f"pytest {' '.join(arguments)} finds no drills:\n{found.stdout}{found.stderr}")
    return named(found.stdout)


def named(output: str) -> dict[str, str]:
    """Return how to ask pytest for each drill, by the name that a JUnit file gives it."""
    return {
        f"{path.removeprefix('tests/').replace('/', '.')}::{name}": f"{path}.py::{name}"
        for path, name in _ID.findall(output)
    }


def left(number: int, drills: Mapping[str, str]) -> dict[str, list[str]]:
    """Return, by JUnit file, what a round has not run yet: one for each file of drills, and for each other directory.

    A skipped drill counts as not run, because somebody may have installed what it needs since.
    """
    played = {name for name, one in of_round(number).items() if one.state != SKIPPED}
    parts: dict[str, list[str]] = {}
    for asked in [asked for name, asked in drills.items() if name not in played]:
        path = Path(asked.partition("::")[0])
        # Tests of one directory share what they make.
        part = path.stem if asked.startswith(f"{DRILLS}/") else path.parts[1]
        parts.setdefault(part, []).append(asked)
    # The files of an earlier call stay as they are.
    earlier = {part: len(list(JUNIT.glob(f"drills-{number}-{part}-*.xml"))) for part in parts}
    return {f"drills-{number}-{part}-{earlier[part]}.xml": asked for part, asked in parts.items()}


def play(number: int, drills: Mapping[str, str]) -> bool:
    """Run the rest of a round; return whether pytest was content."""
    print(f"#### round {number} begins", flush=True)
    complaints = []
    try:
        for name, asked in left(number, drills).items():
            argv = [sys.executable, *_PYTEST, *asked, f"--junitxml={JUNIT / name}"]
            keep = _KEEP if asked[0].startswith(f"{DRILLS}/") else None
            complaint = run(argv, env=keep, timeout=FILE_SECONDS)
            complaints += [f"{name}: {complaint}"] if complaint else []
    finally:
        complaint = run([sys.executable, "-m", "tests.drills", "down"])
        complaints += [f"the estate is not down: {complaint}"] if complaint else []
    print(f"#### round {number}: {'; '.join(complaints) or 'passed'}", flush=True)
    return not complaints


def begin(resume: bool) -> None:
    """Forget earlier results, unless the run is to be resumed and nothing has changed since."""
    asked = [["rev-parse", "HEAD"], ["status", "--porcelain"]]
    state = "".join(
        subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout  # noqa: S603, S607
        for words in asked
    )
    JUNIT.mkdir(parents=True, exist_ok=True)
    if not (resume and _COMMIT.exists() and _COMMIT.read_text() == state):
        for path in JUNIT.glob("drills-[0-9]*.xml"):
            path.unlink()
    _COMMIT.write_text(state)


def main() -> int:
    """Run the rounds and print the table; return 1 if it does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.rounds", description="Play all drills several times.")
    parser.add_argument("--rounds", type=int, default=3, help="how often (%(default)s)")
    parser.add_argument("--faults", action="store_true", help=f"only {DRILLS}, and nothing else that takes long")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier call of this commit was ended")
    options, more = parser.parse_known_args()
    heed_signals()
    drills = listed([DRILLS, *more]) | ({} if options.faults else listed([*_BESIDE, *more]))
    if not drills:
        raise SystemExit(f"there is no drill that {' '.join(more)} chooses")
    begin(options.resume)
    numbers = range(1, options.rounds + 1)
    content = [play(number, drills) for number in numbers]
    rounds = [of_round(number) for number in numbers]
    print("", *table(rounds), *beyond(rounds), *skipped(rounds), sep="\n", flush=True)
    return 0 if all(content) and held(rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
