# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a log of these tests."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logerrors import Wanted, pattern_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logfiles import (
    Earlier,
    Log,
    NotReadable,
    read_log,
)

MUCH = 1024 * 1024


@pytest.fixture
def logs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kanban-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def read(path: Path, *, since: float = 600, last: int = 100, most: int = MUCH, earlier: Earlier | None = None) -> Log:
    wanted = Wanted(pattern_of("p", "error"), None, time.time() - since, last)
    return read_log(str(path), wanted, most, earlier, Deadline(10))


def counts(log: Log, *, since: float = 600, last: int = 100) -> tuple[int, int]:
    found = log.counted.figures(Wanted(pattern_of("p", "error"), None, time.time() - since, last))
    return found["error_lines_in_last"], found["error_lines_since"]


def aged(path: Path, seconds: float) -> Path:
    os.utime(path, (time.time() - seconds, time.time() - seconds))
    return path


def state(path: Path) -> str:
    with pytest.raises(NotReadable) as refused:
        read(path)
    assert refused.value.reason
    return refused.value.state
