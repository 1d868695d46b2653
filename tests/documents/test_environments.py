# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments that the documentation tells people to make are downloaded and contain what they are for."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.documents import started
from tests.documents.commands import ROOT
from tests.playbooks.runner import environment

SECONDS = 900
pytestmark = [pytest.mark.drill, pytest.mark.timeout(2 * SECONDS)]


def type_lines(page: str, place: str, directory: Path) -> None:
    """Type the lines of a page that make an environment and install into it, in ``directory`` instead of ``place``."""
    text = (ROOT / "docs" / page).read_text()
    lines = re.findall(r"^ +(\S*(?:python3 -m venv|/pip) .*)", text, re.MULTILINE)
    assert lines
    # On this machine python3 may be older than the page asks for.
    env = environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for line in lines:
        assert place in line
        done = started.run_line(line.replace(place, str(directory)), directory.parent, env=env, timeout=SECONDS)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    # The page asks for the Python that the strictest of the packages asks for.
    asked = "import importlib.metadata as m; print(*(one.metadata['Requires-Python'] for one in m.distributions()))"
    needs = started.run([str(directory / "bin/python"), "-c", asked], directory.parent).stdout
    oldest = max(int(minor) for minor in re.findall(r">=3\.(\d+)", needs))
    assert f"Python 3.{oldest} or newer" in text


def test_the_host_that_hears_alerts(tmp_path: Path) -> None:
    type_lines("alerts.md", "/opt/kanban-rulebook", tmp_path / "rulebook")
    told = started.run([str(tmp_path / "rulebook/bin/ansible-rulebook"), "--version"], tmp_path)
    assert told.returncode == 0, told.stderr
    assert re.search(r"1\.3\.2", told.stdout)
    # Playbooks that act on a database or on Redis from here need these.
    drivers = started.run([str(tmp_path / "rulebook/bin/python"), "-c", "import psycopg2, redis"], tmp_path)
    assert drivers.returncode == 0, drivers.stderr


def test_what_readme_installs(tmp_path: Path) -> None:
    (line,) = re.findall(r"^python3 -m venv ~/.*", (ROOT / "README.md").read_text(), re.MULTILINE)
    env = environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    done = started.run_line(line.replace("~/kanban", str(tmp_path / "kanban")), tmp_path, env=env, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    lists = [str(tmp_path / "kanban/bin/ansible-galaxy"), "collection", "list", "community.postgresql"]
    told = started.run(lists, tmp_path, env=environment()).stdout
    ((major, minor),) = re.findall(r"community\.postgresql +(\d+)\.(\d+)", told)
    assert (int(major), int(minor)) >= (3, 10)


def test_what_applies_the_configuration_of_awx(tmp_path: Path) -> None:
    type_lines("awx.md", "~/awx-tools", tmp_path / "tools")
    lists = [str(tmp_path / "tools/bin/ansible-galaxy"), "collection", "list", "awx.awx"]
    told = started.run(lists, tmp_path, env=environment())
    assert re.search(r"awx\.awx +24\.6\.1", told.stdout), told.stdout + told.stderr
