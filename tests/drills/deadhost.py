# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one dead host of many may cost a run: its connect timeout, once. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# Longer than the profile's, so that waiting once more is more than all that is allowed below.
CONNECT_SECONDS = 20
# What a fork, ssh's own start and a busy machine add to one wait: 1.4 s were seen, twice.
_START_SECONDS = 5
# Two runs one after the other differ by as much with nobody dead: one on these hosts takes 62 s, and a machine that
# carries all of them changes its speed by a quarter from minute to minute (docs/timings.md).
_NOISE_SECONDS = 15


def too_much(whole: float, degraded: float, waited: Sequence[float]) -> list[str]:
    """Say what a dead host cost more than its connect timeout once.

    ``whole``, ``degraded``: seconds of a run without and with it. ``waited``: of each task that tried to reach it.
    """
    allowed = (
        (sum(waited), _START_SECONDS, "it was waited for"),
        (degraded - whole, _NOISE_SECONDS, "the run took longer by"),
    )
    return [
        f"{words} {seconds:.1f} s, of {CONNECT_SECONDS} and {more} s"
        for seconds, more, words in allowed
        if seconds > CONNECT_SECONDS + more
    ]
