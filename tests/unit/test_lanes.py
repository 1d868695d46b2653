"""Parts of a round of drills that run side by side."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import jobs, lanes, rounds
from tools.jobs import Job
from tools.lanes import play
from tools.rounds import FILE_SECONDS

MARK = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); "
# It ends only if somebody else has begun meanwhile.
MEET = f"""{MARK}
import time
for _ in range(200):
    if pathlib.Path(sys.argv[2]).exists():
        sys.exit()
    time.sleep(0.05)
sys.exit(3)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two checkouts, and estates that say where they were removed."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(jobs, "LOGS", tmp_path / "log")
    monkeypatch.setattr(lanes, "_STAGGER", 0)
    monkeypatch.setattr(lanes, "_CLONE_DOWN", [sys.executable, "-c", "open('down', 'a').write('x')"])
    return tmp_path


def part(name: str, code: str, *words: object, timeout: float = 60) -> Job:
    return Job(name, [sys.executable, "-c", code, *map(str, words)], {}, timeout)


def test_two_lanes_run_side_by_side_and_take_down_what_they_used(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = [
        part("first", MEET, place / "a", place / "b"),
        part("second", MEET, place / "b", place / "a"),
        part("third", "import os; print('in', os.getcwd()); raise SystemExit(4)"),
    ]
    assert play(parts, [place / "one", place / "two"]) == ["third: exit status 4"]
    printed = capfd.readouterr().out
    assert [line for line in printed.splitlines() if "begins" in line][::2] == [
        "#### first begins, 1 of 3, in one",
        f"#### third begins, 3 of 3, in {'one' if 'in one' in printed.split('third begins')[1] else 'two'}",
    ]
    assert "#### third: what it printed in" in printed
    assert printed.split("third: what it printed")[1].splitlines()[1].startswith(f"in {place}")
    assert [(place / name / "down").read_text() for name in ("one", "two")] == ["x", "x"]


def test_one_lane_runs_one_after_the_other(place: Path) -> None:
    parts = [part("first", MEET, place / "a", place / "a"), part("second", "open('seen', 'w')")]
    assert play(parts, [place / "one"]) == []
    assert (place / "one" / "seen").exists()


def test_what_hangs_is_ended_and_the_next_one_is_run(place: Path) -> None:
    parts = [part("first", "import time; time.sleep(60)", timeout=0.5), part("second", MARK, place / "a")]
    assert play(parts, [place / "one"]) == ["first: not finished after 0 s"]
    assert (place / "a").exists()


def test_it_is_said_where_each_part_is(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lanes, "_HEARTBEAT", 0)
    parts = [part("first", "import time; print('half of it is done', flush=True); time.sleep(1)")]
    assert play(parts, [place / "one", place / "two"]) == []
    assert "first      0 min: half of it is done\n" in capfd.readouterr().out


def test_an_estate_that_stays_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_CLONE_DOWN", [sys.executable, "-c", "raise SystemExit(1)"])
    assert play([part("first", "")], [place / "one"]) == ["the estate of one is not down: exit status 1"]


def test_an_interruption_ends_what_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sleep, pid = time.sleep, place / "pid"

    def interrupted(seconds: float) -> None:
        sleep(seconds)
        if pid.is_symlink():
            monkeypatch.setattr(time, "sleep", sleep)
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    hangs = part("first", f"import os, time; os.symlink(str(os.getpid()), {str(pid)!r}); time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        play([hangs, part("second", MARK, place / "a")], [place / "one", place / "two"])
    assert not Path("/proc", pid.readlink()).exists()
    assert [(place / name / "down").read_text() for name in ("one", "two")] == ["x", "x"]
    assert "#### first: what it printed in" in capfd.readouterr().out


def test_the_lanes_do_not_begin_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_STAGGER", 2)
    when = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(time.monotonic()))"
    parts = [part(name, when, place / name) for name in "abc"]
    assert play(parts, [place / "one", place / "two"]) == []
    first, other, _third = sorted(float((place / name).read_text()) for name in "abc")
    assert other - first > 1.5


def test_where_nothing_is_left_to_play_nothing_is_removed(place: Path) -> None:
    assert play([], [place / "one"]) == []
    assert not (place / "one" / "down").exists()


def test_each_further_lane_has_a_checkout_of_what_is_committed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = place / "one"
    for argv in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "a"]):
        (root / "Makefile").write_text("link:\n\t@touch linked\n")
        subprocess.run(["git", *argv], cwd=root, check=True)
    (root / ".venv").mkdir()
    monkeypatch.setattr(lanes, "ROOT", root)
    monkeypatch.setattr(lanes, "_CLONES", place / "lanes")
    found = lanes.checkouts(2)
    assert found == [root, place / "lanes" / "2"]
    assert (found[1] / "linked").exists()
    assert (found[1] / ".venv").resolve() == root / ".venv"
    asked = ["git", "status", "--porcelain"]
    assert ".venv" not in subprocess.run(asked, cwd=found[1], check=True, capture_output=True, text=True).stdout
    # What a killed call has left goes first, its estate before it.
    monkeypatch.setattr(lanes, "_CLONE_DOWN", [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(SystemExit, match="its checkout stays"):
        lanes.clear()
    monkeypatch.setattr(lanes, "_CLONE_DOWN", [sys.executable, "-c", ""])
    lanes.clear()
    assert not (place / "lanes").exists()


def test_what_took_longest_begins_first_but_for_what_nobody_has_timed() -> None:
    drills = {f"drills.test_{name}::test_a": f"tests/drills/test_{name}.py::test_a" for name in ("row", "lag", "new")}
    seconds = {"drills.test_row::test_a": 40.0, "drills.test_lag::test_a": 90.0}
    found = rounds.parts(7, drills, seconds)
    assert [one.name for one in found] == ["drills-7-test_new-0", "drills-7-test_lag-0", "drills-7-test_row-0"]
    assert {one.timeout for one in found} == {FILE_SECONDS}


@pytest.mark.parametrize(
    ("path", "faults", "beside"),
    [
        ("tests/drills/README.md", False, True),
        ("tests/unit/strategies.py", False, True),
        ("tests/integration/test_latch.py", True, True),
        ("tests/integration/test_latch.py", False, False),
        ("tests/integration/database.py", True, False),
        ("tests/drills/test_row_held.py", True, False),
        ("roles/run/tasks/contain.yml", True, False),
    ],
)
def test_a_round_goes_on_where_only_what_it_does_not_play_has_changed(path: str, faults: bool, beside: bool) -> None:
    assert rounds._is_beside(path, faults) is beside
