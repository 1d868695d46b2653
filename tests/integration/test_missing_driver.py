# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose Python has neither psycopg2 nor redis: every screen has one line to copy, and no traceback."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.integration.module import IMPORTED
from tests.playbooks.runner import Run

SYSTEM = Path("/usr/bin/python3")
LIBRARIES = {"psycopg2": "psycopg2-binary", "redis": "redis"}


@pytest.fixture
def bare(directory: Path) -> Path:
    """A Python of a host that has only its own library."""
    venv.create(directory / "python", symlinks=True)
    return directory / "python/bin/python"


def run(directory: Path, bare: Path, name: str) -> Run:
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(bare),
        "kanban_environment": "staging",
        "kanban_app_hosts": "none",
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_state_dir": str(directory / "state"),
        "kanban_dump_dir": str(directory / "dumps"),
    }
    hosts = playbook.inventory(directory, variables, db={"db1": {}}, redis={"redis1": {}})
    return playbook.run(directory, f"chatia.kanban_rollback.{name}", *hosts)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("status", 2),
        pytest.param("preflight", 2, marks=pytest.mark.drill),
        pytest.param("scenario3", 2, marks=pytest.mark.drill),
    ],
)
def test_a_screen_has_the_line_that_installs_it(directory: Path, bare: Path, name: str, status: int) -> None:
    done = run(directory, bare, name)
    assert done.rc == status, done.output
    assert "Traceback" not in done.output
    screen = done.output[done.output.rindex("PLAY RECAP") :] if name == "status" else done.screen
    for library, package in LIBRARIES.items():
        line = f"Type there: {bare} -m pip install {package} # bootstrap.yml does it on all hosts"
        assert f"The Python library {library} is missing for {bare}." in screen
        assert (line in screen, f"{line} {line}" in screen) == (True, False)


@pytest.mark.skipif(not SYSTEM.exists(), reason="the machine has no Python of its own")
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_distributions_python_takes_the_distributions_package(library: str) -> None:
    code = (
        "from ansible_collections.chatia.kanban_rollback.plugins.module_utils._driver import missing_driver\n"
        f"print(missing_driver('{library}', ModuleNotFoundError(name='{library}')).todo)"
    )
    env = {"PYTHONPATH": IMPORTED, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run([SYSTEM, "-c", code], env=env, check=True, capture_output=True, text=True, timeout=60)
    line = done.stdout.partition("Type there: ")[2].partition(" #")[0]
    program, *words = line.removeprefix("sudo ").split()
    assert words == ["install", "-y", f"python3-{library}"]
    if program == "apt-get":
        subprocess.run([program, "--simulate", *words], check=True, capture_output=True, timeout=60)
