"""The tools that judge the project are judged too: what they count, what they refuse, what they leave running."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

from tools.gates import run
from tools.summary import Count, read_junit

JUNIT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="wrong"><failure message="x"/></testcase>
<testcase classname="a" name="not_here"><skipped message="x"/></testcase>
<testcase classname="a" name="teardown"/>
<testcase classname="a" name="teardown"><error message="x"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (JUNIT, Count(passed=1, failed=2, skipped=1, names=("a::teardown", "a::wrong"))),
        (JUNIT[:200], Count()),
        (None, Count()),
    ],
    ids=["whole", "cut off", "missing"],
)
def test_cases_are_counted_once(tmp_path: Path, text: str | None, count: Count) -> None:
    path = tmp_path / "junit.xml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert read_junit(path) == count


@pytest.mark.parametrize(
    ("script", "forbidden", "complaint"),
    [
        ("print('fine')", "^ERROR.*", ""),
        ("raise SystemExit(3)", "", "exit status 3"),
        ("print('ERROR: no')", "^ERROR.*", "printed: ERROR: no"),
    ],
)
def test_a_gate_fails_on_its_status_or_its_words(script: str, forbidden: str, complaint: str) -> None:
    assert run([sys.executable, "-c", script], forbidden=forbidden) == complaint


def test_a_gate_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 300 & echo $! > '{pid_file}'; wait"
    began = time.monotonic()
    assert run(["sh", "-c", script], timeout=1) == "not finished after 1 s"
    assert time.monotonic() - began < 30
    pid = int(pid_file.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """A process that has ended but was not yet reaped by init does not run."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(Path(sys.prefix).name != ".venv-unit", reason="holds in the environment of `make unit` only")
@pytest.mark.parametrize("name", ["ansible", "psycopg2", "psycopg", "redis"])
def test_neither_ansible_nor_a_driver_is_here(name: str) -> None:
    assert importlib.util.find_spec(name) is None
