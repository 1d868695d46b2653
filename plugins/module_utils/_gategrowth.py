# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a series grows: the straight line through all samples of a watch, kept as sums. Pure.

A watch of hours has more samples than a result or an event can carry, and a slow leak shows only over all of them. The
sums are the line itself: no sample is dropped, and they are as small after a day as after a minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import Threshold
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import FIRST, NoSample, number


@dataclass(frozen=True)
class Line:
    """The sums over samples: ``t`` is the time since ``begin``, ``v`` the value; ``low`` and ``high`` bound ``t``."""

    begin: float = 0.0
    count: float = 0.0
    t: float = 0.0
    v: float = 0.0
    tt: float = 0.0
    tv: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def plus(self, at: float, value: float) -> Line:
        """Return the line with one more sample; ``at`` is by the clock of its host, so that a pause counts in full."""
        begin = self.begin if self.count else at
        time = at - begin
        return Line(
            begin,
            self.count + 1,
            self.t + time,
            self.v + value,
            self.tt + time * time,
            self.tv + time * value,
            min(self.low, time),
            max(self.high, time),
        )

    def growth(self, threshold: Threshold) -> float:
        """Return the growth in the form that the threshold wants; raises NoSample."""
        if self.count < threshold.least:
            raise NoSample(FIRST, f"growth takes {threshold.least} samples, and there are {self.count:.0f}")
        middle, mean = self.t / self.count, self.v / self.count
        spread = self.tt - self.t * middle
        if self.high <= self.low or spread <= 0:
            raise NoSample("clock", "the clock of its host stands still")
        slope = (self.tv - self.t * mean) / spread
        if threshold.growth == "per_minute":
            return number(slope * 60)
        start = mean + slope * (self.low - middle)
        if start <= 0:
            raise NoSample("no_growth", "it began at 0, so its growth is no percentage")
        return number(slope * (self.high - self.low) / start * 100)

    def as_sample(self) -> dict[str, float]:
        """Return the line in the form that a sample keeps."""
        return dict(vars(self))


def line_from(given: Any) -> Line | None:
    """Return the line that a sample keeps; None if it keeps none that can be used."""
    names = Line.__dataclass_fields__
    if not isinstance(given, Mapping):
        return None
    try:
        found = Line(**{name: float(given[name]) for name in names})
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return found if found.count >= 1 and all(map(math.isfinite, vars(found).values())) else None


def worse(whole: Line, recent: Line, threshold: Threshold) -> float:
    """Return the growth over the whole watch, or over its window if only that is bad; raises NoSample.

    Slow growth shows only in the former; growth that begins after a long calm shows first in the latter.
    """
    value = whole.growth(threshold)
    if not threshold.breaks(value) and recent.count >= threshold.least:
        newer = recent.growth(threshold)
        return newer if threshold.breaks(newer) else value
    return value
