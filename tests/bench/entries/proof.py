# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of kill on twenty processes, each of which turns to V1 at its own moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.app_process import applications
from tests.support.processes import free_port

from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

PROCESSES = 20
# The first has turned by the time it is first asked; the last keeps its cache for some seconds.
FIRST, LAST = 0.2, 5.0
_OPTIONS: Mapping[str, Any] = {
    "path": "/flag",
    "serves_path": "v2",
    "off_when": [False],
    "pid_path": "pid",
    "deadline": 30,
}


def _measured(shared: bool) -> Sample:
    """Return the seconds that the proof adds to the slowest process: to its figure, and to its end.

    When the module's own clock began is not known from outside; the latest possible moment is assumed, so the figures
    are never too small.
    """
    with applications() as apps:
        committed = time.monotonic()
        moments = [committed + FIRST + (LAST - FIRST) * number / (PROCESSES - 1) for number in range(PROCESSES)]
        port = free_port() if shared else 0
        running = [apps.start([(0, "v2"), (moment, "v1")], port, shared) for moment in moments]
        where: dict[str, Any] = {"urls": [one.url for one in running]}
        if shared:
            where = {"url": running[0].url, "processes": PROCESSES}
        done = run_module("kill_proof_info", {**_OPTIONS, **where})
    result = done.result
    if not result["proven"] or result["proven_count"] != PROCESSES:
        raise CannotMeasure(f"{result['proven_count']} of {PROCESSES} processes were proven")
    began = done.started + done.seconds - result["elapsed_ms"] / 1000 - committed
    slowest = moments[-1] - committed
    return {
        "added": began + result["max_seconds"] - slowest,
        "end": began + result["elapsed_ms"] / 1000 - slowest,
        "asked": result["asked"],
    }


@contextmanager
def _arms(_settings: Settings) -> Iterator[Mapping[str, Arm]]:
    yield {"apart": lambda _number: _measured(False), "shared": lambda _number: _measured(True)}


ENTRY = Entry(
    "proof",
    f"proof of kill on {PROCESSES} processes, which turn to V1 one after the other within {LAST:g} s",
    _arms,
    (
        Line(
            "a port each: after the slowest has turned it is known, p95", ("apart", "added"), "s", 1.0, statistic="p95"
        ),
        Line("  median", ("apart", "added"), "s"),
        Line("  the whole module ends, the second look included", ("apart", "end"), "s"),
        Line("one port for all: the same, p95", ("shared", "added"), "s", 1.0, statistic="p95"),
        Line("  median", ("shared", "added"), "s"),
        Line("  the whole module ends, the second look included", ("shared", "end"), "s"),
    ),
)
