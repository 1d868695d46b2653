# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines, and lists in PostgreSQL's text form. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import time
from typing import Callable, Sequence


class Deadline:
    """A moment after which nothing is started."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._ends = self._started + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._ends - self._clock())

    @property
    def over(self) -> bool:
        """True when no time is left."""
        return self.left <= 0

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the start."""
        return round((self._clock() - self._started) * 1000)

    def slice(self, most: float, least: float = 0.05) -> float:
        """Return how long one step may take: ``most`` or the time left, but never too little to succeed."""
        return max(least, min(most, self.left))


def array_text(items: Sequence[str | None]) -> str:
    """Return a one-dimensional PostgreSQL array as text, ready for ``::text[]``."""
    quoted = ["NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items]
    return "{" + ",".join(quoted) + "}"
