# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first judgment of a drill, by the looks of its watch: the flag is off within its bound, and stays off."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf

from tests.drills.figures import Figures
from tests.drills.judge import BOUND, judge_off, judge_stayed_off, patience
from tests.drills.watch import EVERY_SECONDS, Watch, most_on, off
from tests.playbooks.runner import Running


@dataclass
class Flag:
    """Judges 1. and keeps in ``figures`` how long it took."""

    watch: Watch
    figures: Figures
    _off_since: float | None = None

    def judge(
        self, running: Running, *, bound: float = BOUND, most: int = 0, returns: float = 0, for_good: bool = True
    ) -> None:
        """Judge it by the looks since a run's start; if the flag is not off yet, wait for it within the bound.

        :param bound: seconds from Enter until at most ``most`` companies are on.
        :param returns: total seconds that the flag may be on again.
        :param for_good: whether it has to be off until the command is typed again, as ``judge_stayed`` then judges.
        """
        grown = bound * patience()
        while (
            time.monotonic() < running.began + grown and off(self.watch.looks, running.began, inf, most).after is None
        ):
            time.sleep(EVERY_SECONDS)
        # The look that shows it may be one pause away.
        time.sleep(3 * EVERY_SECONDS)
        seen = off(self.watch.looks, running.began, inf, most)
        self.figures.off += [] if seen.after is None else [seen.after]
        self.figures.back += [(seen.lasted, returns)] if seen.lasted else []
        judge_off(seen, grown, most, returns * patience())
        if for_good and not most:
            self._off_since = self._off_since or time.monotonic()

    def judge_stayed(self, until: float) -> None:
        """Judge that nobody was on again since a stop: the second run, which begins then, would not show it."""
        if self._off_since is not None:
            judge_stayed_off(most_on(self.watch.looks, self._off_since, until))

    def comes_back(self) -> None:
        """Let people have it back from now on."""
        self._off_since = None
