# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines, and texts and lists as PostgreSQL takes them. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Sequence

_UNSENDABLE = re.compile(r"[\x00\ud800-\udfff]")


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


def sendable(words: Any) -> Any:
    """Return people's own words as modules and PostgreSQL take them: without NUL, and without bytes that are no UTF-8.

    A terminal that writes Latin-1 sends such bytes. Ansible's modules end when they log them, before they do anything.
    """
    return _UNSENDABLE.sub("\ufffd", words) if isinstance(words, str) else words


def array_text(items: Sequence[str | None]) -> str:
    """Return a one-dimensional PostgreSQL array as text, ready for ``::text[]``."""
    quoted = ["NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items]
    return "{" + ",".join(quoted) + "}"
