# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one dead host of many may cost a run: its connect timeout, once. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# Longer than the profile's, so that a second wait exceeds everything that is allowed below.
CONNECT_SECONDS = 20
# What a fork, ssh's own start and a busy machine add to one wait: 1.4 s were seen, twice.
_START_SECONDS = 5
# Two consecutive runs differ by as much without a dead host: one on these hosts takes 62 s, and the speed of a machine
# that carries all of them varies by a quarter from minute to minute (docs/timings.md).
_NOISE_SECONDS = 15


def too_much(whole: float, degraded: float, waited: Sequence[float]) -> list[str]:
    """Return what a dead host cost beyond its connect timeout once.

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
