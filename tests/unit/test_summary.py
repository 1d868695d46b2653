"""Stages side by side: what is counted when one fails, dies or hangs, what is printed, what is left running."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.gates import ROOT
from tools.summary import BEGAN, spent

JUNIT = (
    """@mkdir -p .cache/junit; echo '<testsuite><testcase classname="$@" name="x"/></testsuite>' >.cache/junit/$@.xml"""
)
# first and beside meet: each waits for the other, which both can do only when they run at the same time.
MEET = (
    "touch $@.here; for n in $$(seq 100); do [ -e {other}.here ] && break; sleep 0.1; done; "
    "[ -e {other}.here ] || exit 5"
)
MAKEFILE = f"""
first:
>@{JUNIT}
>@echo one of first; {MEET.format(other="beside")}; sleep 0.3; echo two of first; touch first.done
second:
>@{JUNIT}
>@test -e first.done
beside:
>@{JUNIT}
>@echo RERUN test_y; echo one of beside; {MEET.format(other="first")}; sleep 1; echo two of beside
wrong:
>@mkdir -p .cache/junit
>@echo '<testcase classname="$@" name="x"><failure/></testcase>' >.cache/junit/$@.xml; exit 1
dies:
>@{JUNIT}
>@kill -9 $$PPID
nothing:
>@:
hangs:
>@{JUNIT}
>@trap 'sleep 0.3; touch $@.cleared; exit 2' INT; sleep 300 & echo $$PPID >hangs.pid; wait
sleeps:
>@exec sleep 300
""".replace("\n>", "\n\t")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of its own, with the stages above."""
    # It belongs to the run that these tests are part of.
    monkeypatch.delenv(BEGAN, raising=False)
    (tmp_path / "tools").mkdir()
    for name in ("__init__.py", "costs.py", "gates.py", "jobs.py", "summary.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    return tmp_path


def start(place: Path, *lanes: str, before: str = "pass") -> subprocess.Popen[str]:
    script = f"import sys; from tools import summary; {before}; sys.exit(summary.main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", script, *lanes], cwd=place, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def said(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    try:
        output, _none = process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode, output.splitlines()


def run(place: Path, *lanes: str, before: str = "pass") -> tuple[int, list[str]]:
    """Run stages and return the exit status and the lines that were printed."""
    with start(place, *lanes, before=before) as process:
        return said(process)


def test_stages_run_side_by_side_and_a_free_lane_takes_the_next(place: Path) -> None:
    status, lines = run(place, "--lanes", "2", "first", "beside", "second", before="summary.HEARTBEAT = 0.1")
    assert (status, lines[-1]) == (0, "3 passed, 0 failed"), lines
    # The output of each is in one piece.
    assert lines[lines.index("one of first") + 1] == "two of first"
    assert lines[lines.index("one of beside") + 1] == "two of beside"
    assert "first      0 min: one of first" in lines
    assert "tried twice: beside: test_y" in lines


@pytest.mark.parametrize(
    ("stages", "last", "said"),
    [
        (("wrong", "nothing", "second"), "1 passed, 3 failed", "nothing: ran no test"),
        (("first", "beside", "dies"), "3 passed, 1 failed", "dies: exit status -9"),
        (("wrong", "dies"), "1 passed, 2 failed", "dies: exit status -9"),
        (("no_such_target",), "0 passed, 1 failed", "no_such_target: exit status 2"),
    ],
)
def test_whatever_goes_wrong_is_counted_and_the_rest_runs(
    place: Path, stages: tuple[str, ...], last: str, said: str
) -> None:
    status, lines = run(place, "--lanes", "2", *stages)
    assert (status, lines[-1]) == (1, last), lines
    assert said in lines
    # Failed tests are named where a long log ends.
    assert [line for line in lines[-9:] if line.startswith("failed:")] == ["failed: wrong: wrong::x"] * (
        "wrong" in stages
    )


def test_the_time_is_for_all_and_what_was_not_reached_has_failed(place: Path) -> None:
    status, lines = run(place, "--lanes", "2", "hangs", "wrong", "sleeps", "second", before="summary.TOTAL_TIMEOUT = 1")
    assert (status, lines[-1]) == (1, "1 passed, 4 failed"), lines
    assert "hangs: not finished when 1 s were over" in lines
    assert any(line.startswith("second        never ran") for line in lines)
    assert (place / "hangs.cleared").exists()


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_all_and_counts_what_there_is(place: Path, way: signal.Signals) -> None:
    with start(place, "--lanes", "2", "hangs", "wrong") as process:
        wait_until((place / "hangs.pid").exists)
        process.send_signal(way)
        status, lines = said(process)
    assert (status, lines[-1]) == (1, "1 passed, 2 failed"), lines
    assert "hangs: interrupted" in lines
    assert (place / "hangs.cleared").exists()
    group = (place / "hangs.pid").read_text(encoding="utf-8").strip()
    assert wait_until(lambda: not living(group))


def living(group: str) -> list[str]:
    """Return the processes of a group that run; those that nobody has reaped yet do not count."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = path.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if its_group == group and state != "Z":
            found.append(path.parent.name)
    return found


def wait_until(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.05)
    return reached()


def test_the_whole_is_said_where_somebody_knows_when_it_began(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BEGAN, str(time.time() - 600))
    status, lines = run(place, "--lanes", "2", "first", "beside")
    assert (status, lines[-2:]) == (0, ["all of .ci/run: 10 minutes, of 38", "2 passed, 0 failed"])
    assert spent(0, 39 * 60) == "all of .ci/run: 39 minutes, of 38 TOO MANY"
