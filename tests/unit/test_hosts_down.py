"""`make hosts-down`: an estate that cannot be removed keeps no other there, in lanes neither, and is reported."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Writes down what it is asked for, and fails at the one that is named in the file.
PYTHON = """#!/bin/sh
echo "$@" >> {told}
case "$*" in {fails}) exit 1;; esac
"""


def checkout(path: Path, told: Path, fails: str) -> None:
    for venv in (".venv", ".venv-rehearse"):
        python = path / venv / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON.format(told=told, fails=fails))
        python.chmod(0o755)
    for state in ("hosts", "rehearsal", "drills", "timings/estate"):
        (path / ".cache" / state).mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", path)


@pytest.mark.parametrize("where", ["here", "here/.cache/lanes/2"])
@pytest.mark.parametrize(
    ("fails", "status"),
    [("nothing", 0), *((f"*tests.{name}*", 2) for name in ("hosts", "rehearsal.run", "drills", "timed"))],
)
def test_all_estates_are_asked_for_whatever_becomes_of_one(tmp_path: Path, where: str, fails: str, status: int) -> None:
    told = tmp_path / "told"
    for place in ("here", "here/.cache/lanes/2"):
        checkout(tmp_path / place, told, fails if place == where else "nothing")
    argv = ["make", "-C", str(tmp_path / "here"), "hosts-down"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    each = [
        "-m tests.hosts --state .cache/hosts down",
        "-m tests.rehearsal.run --clear",
        "-m tests.drills down",
        "-m tests.timed --clear",
    ]
    assert told.read_text().splitlines() == each * 2
