# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process does after it was forked to work beside its module."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._forked import give_way

AUTOGROUP = Path("/proc/self/autogroup")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not group processes by session")
def test_who_gives_way_gives_way_to_other_sessions_too() -> None:
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            give_way(7)
            os.write(writing, f"{os.nice(0)} {AUTOGROUP.read_text()}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        own, group = said.read().split(maxsplit=1)
    os.wait()
    assert (int(own) >= 7, group.split()[-1]) == (True, "7")
