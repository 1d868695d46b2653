# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball as users get it, built and installed by ansible-galaxy without downloading anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.playbooks.runner import beside, environment
from tools.tree import collection_copy


def build(directory: Path) -> Path:
    """Build the tarball into a directory that has none, and return its path."""
    with collection_copy() as copy:
        _galaxy("build", str(copy), "--output-path", str(directory), cwd=directory)
    (tarball,) = directory.glob("*.tar.gz")
    return tarball


def install(directory: Path) -> Path:
    """Return a new collections path, below a directory, that holds what the tarball brings."""
    target = directory / "collections"
    options = ["-p", str(target), "--offline"]
    _galaxy("install", str(build(directory)), *options, cwd=directory, ANSIBLE_COLLECTIONS_PATH=str(target))
    return target


def _galaxy(*words: str, cwd: Path, **variables: str) -> None:
    argv = [beside("ansible-galaxy"), "collection", *words]
    subprocess.run(argv, check=True, cwd=cwd, env=environment(**variables), timeout=120, capture_output=True)
