# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The make commands that no build runs, in a copy of the checkout with its own environments."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import started
from tests.support import processes
from tools.tree import collection_copy

SECONDS = 1500
# The environments are made again, because their programs contain their own path.
pytestmark = [pytest.mark.drill, pytest.mark.timeout(2 * SECONDS)]


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with collection_copy() as made:
        # The demonstration's servers run as another user if this is root.
        made.parents[2].chmod(0o755)
        # git says which files are the project's.
        subprocess.run(["git", "init", "-q"], cwd=made, check=True, timeout=60)
        subprocess.run(["git", "add", "-A"], cwd=made, check=True, timeout=60)
        try:
            yield made
        finally:
            # The demonstration's servers outlive the command that started them, and their directory.
            make(made, "demo-down")


def make(copy: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAKE", "PYTEST"))}
    done = started.run(["make", *words], copy, env=env, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def servers(copy: Path) -> list[int]:
    """Return the processes whose command line names a path in the copy."""
    return processes.matching(lambda arguments: any(str(copy) in text for text in arguments))


def test_what_writes_files_writes_them(copy: Path) -> None:
    surveys = copy / "roles/awx/files/surveys.yml"
    before = surveys.read_bytes()
    surveys.write_text("---\n")
    make(copy, "awx")
    assert surveys.read_bytes() == before
    assert "NOT SIGNED" in make(copy, "build")
    (tarball,) = (copy / ".cache/dist").glob("*.tar.gz")
    assert tarball.stat().st_size > 100_000
    make(copy, "ee")
    assert (copy / ".cache/ee/Containerfile").is_file()
    assert list((copy / ".cache/ee").rglob(tarball.name))
    # Only a person can fix the last line, and it does not keep the rest from being fixed.
    odd, left = copy / "tools/odd.py", f"# {'long ' * 30}".rstrip()
    odd.write_text(f'"""Odd."""\nimport  sys\nprint( sys.argv )\n{left}\n')
    assert "E501" in make(copy, "fix")
    assert odd.read_text() == f'"""Odd."""\n\nimport sys\n\nprint(sys.argv)\n{left}\n'
    odd.unlink()


def test_what_takes_long(copy: Path) -> None:
    make(copy, "docs")
    assert (copy / ".cache/docs/html/index.html").is_file()
    shown = make(copy, "demo")
    assert "CONTAINED" in shown
    assert "\nReport: " in shown, shown[-5000:]
    shown = make(copy, "demo", "DEMO=corruption")
    assert re.search(r"-> repair undone, corrupt again 1,191; rows lost 0$", shown, re.MULTILINE), shown[-5000:]
    assert servers(copy)
    make(copy, "clean")
    assert not [name for name in (".venv", ".venv-demo", ".cache", ".ansible") if (copy / name).exists()]
    assert not servers(copy)
