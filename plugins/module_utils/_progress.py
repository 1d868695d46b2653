# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a repair or a restore is. Pure: neither Ansible nor a driver.

The work goes through steps, a step through checks or tables in order, and rows, if they are counted.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Iterator, Mapping, Sequence, TypeVar

# PostgreSQL's longest name, with its schema; it keeps what is told small enough for a single write.
LONGEST_NAME = 130
# Rows may be counted thousands of times a second.
SELDOM_SECONDS = 0.2

CHECK, TABLE = "check", "table"

Told = Mapping[str, Any]
Item = TypeVar("Item")


def nobody(_told: Told) -> None:
    """Ignore the progress."""


class Progress:
    """How far the work is; each change is reported at once, rows now and then."""

    def __init__(self, tell: Callable[[Told], None] = nobody, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the function that receives the progress; it may neither wait nor raise."""
        self._tell, self._clock = tell, clock
        self._now: dict[str, Any] = {}
        self._told_at = clock()

    def step(
        self, step: str, unit: str = "", of: int = 0, planned: int | None = None, planned_bytes: int | None = None
    ) -> None:
        """Begin a step.

        :param unit: what it goes through, ``CHECK`` or ``TABLE``; empty for none.
        :param of: how many of them.
        :param planned: how many rows, and ``planned_bytes`` about how many bytes, if known.
        """
        rows = None if planned is None else 0
        self._now = {"step": step, "unit": unit, "number": 0, "of": of, "name": "", "rows": rows, "planned": planned}
        self._now.update(bytes=None, planned_bytes=planned_bytes)
        self._say()

    def each(self, items: Sequence[Item], step: str, unit: str, planned: int | None = None) -> Iterator[Item]:
        """Go through a step, item by item."""
        self.step(step, unit, len(items), planned)
        for item in items:
            self.next(str(getattr(item, "name", item) if unit == CHECK else item))
            yield item

    def next(self, name: str) -> None:
        """Begin the next check or table of the step."""
        self._now.update(number=self._now.get("number", 0) + 1, name=name[:LONGEST_NAME])
        self._say()

    def rows(self, more: int) -> None:
        """Count rows that are done."""
        self._now["rows"] = (self._now.get("rows") or 0) + more
        if self._clock() - self._told_at >= SELDOM_SECONDS:
            self._say()

    def bytes(self, so_far: int) -> None:
        """Report how many bytes are there so far."""
        self._now["bytes"] = so_far
        self._say()

    def _say(self) -> None:
        self._told_at = self._clock()
        self._tell(dict(self._now))
