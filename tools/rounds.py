"""Run all drills several times: `python -m tools.rounds [--rounds 3] [--lanes 1] [--faults] [--resume] [choice]`.

A round runs tests/drills file by file on one estate, then everything else that is too long for a build, some tests of
one directory at a time (`--faults` leaves that out). `--lanes 2` runs them on two estates at once, what took longest
first. JUnit files are `.cache/junit/drills-<round>-*.xml`. The table at the end has a line for each drill, with its
result and its seconds in each round. The exit status is 1 if a drill failed or was skipped, which is reported with the
reason, or if a round ran none. The choice is made in pytest's words (`-k`, `--deselect`). `--resume` continues with the
file in which an earlier call was stopped, and runs what was skipped; if anything that is played has been changed since
then, or is not committed, it begins anew.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import batched
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tools import lanes
from tools.gates import JUNIT, ROOT, heed_signals
from tools.jobs import Job

PASSED, FAILED, SKIPPED, ABSENT = "passed", "FAILED", "skipped", "-"
# For one file of drills, or what is run at a time of other tests, in seconds: a hang is a failure that somebody reads.
FILE_SECONDS = 3 * 3600
# Tests of another directory that are run at a time: a lane is done with them in half an hour or so.
TOGETHER = 40
DRILLS = "tests/drills"
_PYTEST = ["-m", "pytest", "-m", "drill"]
_BESIDE = ["tests", "--ignore=tests/unit", f"--ignore={DRILLS}"]
_PLAYED = JUNIT / "drills-played"
# What a drill runs or reads; the rest of the repository may change between two calls.
_READ = [
    *("plugins", "roles", "playbooks", "meta", "extensions", "molecule", "awx", "inventories", "tests", "requirements"),
    *("tools", "galaxy.yml", "pyproject.toml", "ansible.cfg", "Makefile", ".config", "docs/journal.schema.json"),
]
# It compares times with each other, so no lane runs beside it.
_ALONE = "test_scale"
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
    lines = ["drill".ljust(width) + "".join(f"{f'round {n}':>18}" for n in range(1, len(rounds) + 1))]
    for name in names:
        cells = [played.get(name, Played(ABSENT, 0.0)) for played in rounds]
        lines.append(name.ljust(width) + "".join(f"{one.state:>9}{one.seconds:7.0f} s" for one in cells))
    counts = [sum(one.state == PASSED for one in played.values()) for played in rounds]
    spent = [sum(one.seconds for one in played.values()) for played in rounds]
    ends = zip(counts, spent, strict=True)
    return [*lines, "passed".ljust(width) + "".join(f"{count:>9}{seconds:7.0f} s" for count, seconds in ends)]


def held(rounds: Sequence[Round], drills: Collection[str]) -> bool:
    """Whether each round ran all of these drills, at least one, and all passed: a skipped one proves nothing."""
    whole = all(played.keys() == set(drills) for played in rounds)
    return whole and all({one.state for one in played.values()} == {PASSED} for played in rounds)


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
    # Of a part that was played more than once, the last file counts.
    for path in sorted(JUNIT.glob(f"drills-{number}-*.xml"), key=_place):
        found.update(read(path))
    return found


def _place(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


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
    """Return, by JUnit file, what a round has not run yet: those of one file of drills, or some of another directory.

    A skipped drill counts as not run, because somebody may have installed what it needs since.
    """
    played = {name for name, one in of_round(number).items() if one.state != SKIPPED}
    parts: dict[str, list[str]] = {}
    for asked in [asked for name, asked in drills.items() if name not in played]:
        path = Path(asked.partition("::")[0])
        # Tests of one directory share what they make.
        part = path.stem if asked.startswith(f"{DRILLS}/") else path.parts[1]
        parts.setdefault(part, []).append(asked)
    # The files of an earlier call stay as they are; one that was stopped may have left none of an earlier place.
    played_at = {part: map(_place, JUNIT.glob(f"drills-{number}-{part}-*.xml")) for part in parts}
    return {
        f"drills-{number}-{part}-{place}.xml": list(together)
        for part, asked in parts.items()
        for place, together in enumerate(_together(asked), max(played_at[part], default=-1) + 1)
    }


def _together(asked: Sequence[str]) -> list[Sequence[str]]:
    """Return what is run at a time of what is asked for of one file of drills, or of one directory."""
    return [asked] if asked[0].startswith(f"{DRILLS}/") else list(batched(asked, TOGETHER))


def parts(number: int, drills: Mapping[str, str], seconds: Mapping[str, float]) -> list[Job]:
    """Return what is left of a round for lanes, what took longest first; what was never played comes before that."""
    found = left(number, drills)
    names = {asked: name for name, asked in drills.items()}

    def took(part: str) -> float:
        return sum(seconds.get(names[asked], FILE_SECONDS) for asked in found[part])

    return [
        Job(
            name.removesuffix(".xml"),
            [sys.executable, *_PYTEST, *found[name], f"--junitxml={JUNIT / name}"],
            _KEEP if found[name][0].startswith(f"{DRILLS}/") else {},
            FILE_SECONDS,
        )
        for name in sorted(found, key=took, reverse=True)
    ]


def of_played(faults: bool, *words: str) -> str:
    """Return the lines of a git command about what is played."""
    argv = ["git", *words, *_READ]
    output = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout  # noqa: S603
    lines = output.splitlines(keepends=True)
    return "".join(line for line in lines if not _is_beside(line.split()[-1], faults))


def _is_beside(path: str, faults: bool) -> bool:
    """Whether no drill runs it: documentation, and where faults alone are played the tests of other directories."""
    test = Path(path).name.startswith("test_") and not path.startswith(f"{DRILLS}/")
    return path.endswith(".md") or path.startswith("tests/unit/") or (faults and test)


def play(number: int, drills: Mapping[str, str], checkouts: Sequence[Path]) -> bool:
    """Run the rest of a round; return whether pytest was content."""
    print(f"#### round {number} begins", flush=True)
    seconds = {name: one.seconds for earlier in range(1, number + 1) for name, one in of_round(earlier).items()}
    found = parts(number, drills, seconds)
    alone = [part for part in found if part.name.startswith(f"drills-{number}-{_ALONE}-")]
    rest = [part for part in found if part not in alone]
    complaints = lanes.play(alone, checkouts[:1]) + lanes.play(rest, checkouts)
    print(f"#### round {number}: {'; '.join(complaints) or 'passed'}", flush=True)
    return not complaints


def begin(resume: bool, now: str) -> None:
    """Forget earlier results, unless the run is to be resumed and what is played is as it was."""
    JUNIT.mkdir(parents=True, exist_ok=True)
    if not (resume and _PLAYED.exists() and _PLAYED.read_text() == now):
        for path in JUNIT.glob("drills-[0-9]*.xml"):
            path.unlink()
    _PLAYED.write_text(now)


def main() -> int:
    """Run the rounds and print the table; return 1 if it does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.rounds", description="Play all drills several times.")
    parser.add_argument("--rounds", type=int, default=3, help="how often (%(default)s)")
    parser.add_argument("--faults", action="store_true", help=f"only {DRILLS}, and nothing else that takes long")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier call was ended")
    parser.add_argument("--lanes", type=int, default=1, help="estates at once, each needs a core (%(default)s)")
    options, more = parser.parse_known_args()
    heed_signals()
    drills = listed([DRILLS, *more]) | ({} if options.faults else listed([*_BESIDE, *more]))
    if not drills:
        raise SystemExit(f"there is no drill that {' '.join(more)} chooses")
    changed = of_played(options.faults, "status", "--porcelain")
    if changed and options.lanes > 1:
        raise SystemExit(f"further lanes play what is committed, so commit or stash this first:\n{changed}")
    if changed and options.resume:
        # By their names nobody can tell whether these are still what was played.
        print(f"begins anew, because this is not committed:\n{changed}", flush=True)
    begin(options.resume and not changed, of_played(options.faults, "ls-tree", "-r", "HEAD") + changed)
    numbers = range(1, options.rounds + 1)
    try:
        checkouts = lanes.checkouts(options.lanes)
        content = [play(number, drills, checkouts) for number in numbers]
    except KeyboardInterrupt:
        raise SystemExit("interrupted; --resume goes on where this was ended") from None
    finally:
        lanes.clear()
    # An earlier call may have chosen others, too.
    rounds = [{name: one for name, one in of_round(number).items() if name in drills} for number in numbers]
    print("", *table(rounds), *beyond(rounds), *skipped(rounds), sep="\n", flush=True)
    return 0 if all(content) and held(rounds, drills) else 1


if __name__ == "__main__":
    sys.exit(main())
