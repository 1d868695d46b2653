"""What a killed `.ci/run` has left running ends when the next one begins, and so does one that lives: nobody else's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import accounts
from tests.support.accounts import MARK
from tests.support.processes import wait_until
from tools.leftovers import end_marked, marked

ROOT = Path(__file__).resolve().parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(120)"]
# Stand in for what installs, makes and tests. The first test run starts something in a session of its own, and hangs.
STANDS_IN = {
    "dpkg-query": "echo installed",
    "npm": "exit 0",
    "make": """
        [ "$1" = test ] || exit 0
        if [ -e begun ]; then echo tests run; exit 0; fi
        setsid sleep 120 </dev/null >/dev/null 2>&1 &
        echo $! >begun
        sleep 120""",
}


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes, and end them with their groups."""
    all_of_them: list[subprocess.Popen[str]] = []

    def start(argv: list[str], **more: str) -> subprocess.Popen[str]:
        all_of_them.append(subprocess.Popen(argv, env=os.environ | more, text=True, start_new_session=True))
        return all_of_them[-1]

    yield start
    for process in all_of_them:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(timeout=10)


def checkout(path: Path) -> Path:
    """A checkout with what `.ci/run` itself needs of it."""
    for name in (".ci/run", "tools/__init__.py", "tools/leftovers.py"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path / name)
    for name, script in {**STANDS_IN, "../.venv/bin/python": "exit 0"}.items():
        program = (path / "bin" / name).resolve()
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return path


@pytest.mark.parametrize("killed", [True, False])
def test_the_next_run_ends_one_that_was_killed_or_lives(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]], killed: bool
) -> None:
    mine, others = checkout(tmp_path / "mine"), started(SLEEP, **{MARK: str(tmp_path / "mine2")})
    path = f"{mine / 'bin'}{os.pathsep}{os.environ['PATH']}"
    earlier = started(["bash", str(mine / ".ci/run")], PATH=path)
    begun = mine / "begun"
    assert wait_until(lambda: begun.exists() and begun.read_text().endswith("\n"), 20)
    if killed:
        earlier.kill()
    left = int(begun.read_text())
    assert left in marked(f"{MARK}={mine}")
    again = subprocess.run(
        ["bash", str(mine / ".ci/run")],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "tests run"), again.stderr
    assert f"leftovers: ended process {left}: sleep 120" in again.stdout
    assert marked(f"{MARK}={mine}") == {}
    assert earlier.wait(timeout=10) == -signal.SIGKILL
    assert others.poll() is None


def test_what_asks_and_what_started_it_are_spared(started: Callable[..., subprocess.Popen[str]]) -> None:
    code = (
        "import os, subprocess, sys; sys.path.insert(0, sys.argv[1]); from tools.leftovers import end_marked;"
        "one = subprocess.Popen(['sleep', '120']); ended = end_marked('IT=here');"
        "raise SystemExit(list(ended) != [one.pid] or one.wait() != -9)"
    )
    above = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    within = started([sys.executable, "-c", above, sys.executable, "-c", code, str(ROOT)], IT="here")
    assert within.wait(timeout=30) == 0
    assert end_marked("IT=here") == {}


def test_a_server_of_the_tests_is_found_by_its_run_and_has_nothing_else_of_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.delenv(MARK, raising=False)
    bare = accounts.environment()
    monkeypatch.setenv(MARK, "/checkout")
    assert accounts.environment() == {**bare, MARK: "/checkout"}
    assert not {"PGHOST", MARK} & set(bare)
