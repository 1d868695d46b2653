# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that tests have started so far, of files for which ran_by.yml names a documented command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.gates import end


@dataclass(frozen=True)
class Started:
    """A command, the file of the test that started it, and the playbook call that it is (None: it is none)."""

    argv: tuple[str, ...]
    file: str
    play: Any


STARTED: list[Started] = []


def note(argv: Sequence[str], cwd: Path) -> None:
    """Record a command that a test starts now, with the variables that its files hold now."""
    # pytest names the running test, also during its fixtures: tests/x.py::test_y (setup).
    file = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    # Tests of pure files also run without PyYAML, and run no command.
    if not file or find_spec("yaml") is None:
        return
    from tests.documents.claims import files
    from tests.documents.commands import play_of

    if file in files():
        words = tuple(map(str, argv))
        STARTED.append(Started(words, file, play_of(words, cwd)))


def run(
    argv: Sequence[str], cwd: Path, *, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Note a command and run it to its end."""
    note(argv, cwd)
    return _bounded(argv, cwd, env, timeout)


def run_line(
    line: str, cwd: Path, *, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Note a line and run it as a shell does."""
    note(line.split(), cwd)
    return _bounded(["sh", "-c", line], cwd, env, timeout)


def _bounded(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command; if it times out or its test is interrupted, end it with everything it has started."""
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            end([process])
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)
