# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is typed with make and no build runs, in a copy of the checkout with environments of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import started
from tools.tree import collection_copy

SECONDS = 1500
# The environments are made anew, for their programs name where they are.
pytestmark = [pytest.mark.drill, pytest.mark.timeout(2 * SECONDS)]


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with collection_copy() as made:
        # The demonstration's servers run as somebody else where this is root.
        made.parents[2].chmod(0o755)
        # What is the project's, git says.
        subprocess.run(["git", "init", "-q"], cwd=made, check=True, timeout=60)
        subprocess.run(["git", "add", "-A"], cwd=made, check=True, timeout=60)
        yield made


def make(copy: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAKE", "PYTEST"))}
    done = started.run(["make", *words], copy, env=env, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_writes_files_writes_them(copy: Path) -> None:
    surveys = copy / "roles/awx/files/surveys.yml"
    before = surveys.read_bytes()
    surveys.write_text("---\n")
    make(copy, "awx")
    assert surveys.read_bytes() == before
    make(copy, "build")
    (tarball,) = (copy / ".cache/dist").glob("*.tar.gz")
    assert tarball.stat().st_size > 100_000
    make(copy, "ee")
    assert (copy / ".cache/ee/Containerfile").is_file() or (copy / ".cache/ee/Dockerfile").is_file()
    odd = copy / "tools/odd.py"
    odd.write_text('"""Odd."""\nimport  sys\nprint( sys.argv )\n')
    make(copy, "fix")
    assert odd.read_text() == '"""Odd."""\n\nimport sys\n\nprint(sys.argv)\n'


def test_what_takes_long(copy: Path) -> None:
    make(copy, "docs")
    assert (copy / ".cache/docs/html/index.html").is_file()
    shown = make(copy, "demo")
    assert "CONTAINED" in shown
    make(copy, "clean")
    assert not [name for name in (".venv", ".venv-demo", ".cache", ".ansible") if (copy / name).exists()]
