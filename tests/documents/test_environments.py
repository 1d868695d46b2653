# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that the documentation has people make: downloaded, and what they are for is there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.documents import started
from tests.documents.commands import ROOT

SECONDS = 900
pytestmark = [pytest.mark.drill, pytest.mark.timeout(2 * SECONDS)]


def type_lines(page: str, place: str, directory: Path) -> None:
    """Type the lines of a page that make an environment and install into it, there instead of in its own place."""
    text = (ROOT / "docs" / page).read_text()
    typed_there = re.findall(r"^ +(\S*(?:python3 -m venv|/pip) .*)", text, re.MULTILINE)
    lines = [line.split("  #")[0].strip() for line in typed_there]
    assert lines
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VIRTUAL_ENV"))}
    for line in lines:
        for typed in line.replace(place, str(directory)).split(" && "):
            done = started.run(typed.split(), directory.parent, env=env, timeout=SECONDS)
            assert done.returncode == 0, f"{typed}: {done.stdout}{done.stderr}"


def test_the_host_that_hears_alerts(tmp_path: Path) -> None:
    type_lines("alerts.md", "/opt/kanban-rulebook", tmp_path / "rulebook")
    told = started.run([str(tmp_path / "rulebook/bin/ansible-rulebook"), "--version"], tmp_path)
    assert told.returncode == 0, told.stderr
    assert re.search(r"1\.3\.2", told.stdout)


def test_what_applies_the_configuration_of_awx(tmp_path: Path) -> None:
    type_lines("awx.md", "~/awx-tools", tmp_path / "tools")
    told = started.run([str(tmp_path / "tools/bin/ansible-galaxy"), "collection", "list", "awx.awx"], tmp_path)
    assert re.search(r"awx\.awx +24\.6\.1", told.stdout), told.stdout + told.stderr
