# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry is: arms that run in turn, and lines that are read off their figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Sample = Mapping[str, float]
Arm = Callable[[int], Sample]

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / ".cache" / "bench"


class CannotMeasure(Exception):
    """Why an entry has no figures: something it needs is missing, or what it ran did not do what it should."""


@dataclass(frozen=True)
class Settings:
    """What the command line asks for. ``tenants``: of the large tables; ``runs``: None leaves it to each entry."""

    tenants: int = 1_000_000
    runs: int | None = None


@dataclass(frozen=True)
class Line:
    """One line of the table: a figure of one arm, compared with a figure of another arm if ``baseline`` names one.

    ``ours``, ``baseline``: the arm's name and the figure's. ``unit``: of both. ``at_most``: the limit, for the ratio if
    there is a baseline, else for the figure itself; None for a line that only explains another one.
    """

    what: str
    ours: tuple[str, str]
    unit: Literal["s", "MB"]
    at_most: float | None = None
    baseline: tuple[str, str] | None = None
    statistic: Literal["median", "p95"] = "median"


@dataclass(frozen=True)
class Entry:
    """A comparison. ``arms`` prepares the servers and yields the arms; leaving it removes everything it made."""

    name: str
    title: str
    arms: Callable[[Settings], AbstractContextManager[Mapping[str, Arm]]]
    lines: Sequence[Line]
    runs: int = 5


def p95(values: Sequence[float]) -> float:
    """Return the least value that 95 % of the values do not exceed; for fewer than 20 values that is the greatest."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * 95 // 100) - 1]


def summary(statistic: str, values: Sequence[float]) -> float:
    """Return the statistic of a line."""
    return p95(values) if statistic == "p95" else statistics.median(values)
