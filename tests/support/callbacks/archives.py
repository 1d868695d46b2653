# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what Ansible puts together to send, for all runs of the tests: each would make the same archives anew."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

from ansible import __version__, constants
from ansible.plugins.callback import CallbackBase
from ansible.utils.collection_loader import AnsibleCollectionConfig

DOCUMENTATION = """
name: archives
type: aggregate
short_description: keep the archives of modules between runs of the tests
description:
  - Ansible keeps the archives that it sends to hosts for one run. This lets the runs of one checkout share them while
    Ansible and the collection's files stay the same.
"""

KEPT = Path(__file__).resolve().parents[3] / ".cache" / "archives"
DAY = 86_400


def digest() -> str:
    """Return what the archives depend on: Ansible, its Python, and each file that a module may bring along."""
    found = hashlib.sha256(f"{__version__} {sys.prefix}".encode())
    for root in AnsibleCollectionConfig.collection_paths:
        for file in sorted(Path(root, "ansible_collections/chatia/kanban_rollback/plugins").rglob("*.py")):
            about = file.stat()
            found.update(f"{file} {about.st_mtime_ns} {about.st_size}\n".encode())
    return found.hexdigest()[:16]


def others_modules() -> bool:
    """Whether this run has modules from a directory of its own, which the digest does not know."""
    return any(any(Path(place).glob("*.py")) for place in constants.DEFAULT_MODULE_PATH)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Puts a link in the place where Ansible keeps its archives, before the first task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "archives"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Link this run's directory to the one that is kept, if the one who runs it may write there."""
        super().__init__()
        if others_modules():
            return
        kept = KEPT / digest()
        with contextlib.suppress(PermissionError):
            if not kept.exists():
                for old in KEPT.glob("*"):
                    if old.stat().st_mtime < time.time() - DAY:
                        shutil.rmtree(old, ignore_errors=True)
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(kept, os.W_OK):
            os.utime(kept)
            os.symlink(kept, Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))
