# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of pg_stat_statements: which columns hold them, what passed between two readings, and what is worst.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError

# What is read, by our name, and the names it has had, newest first. The view itself is asked which of them it has: the
# extension's version decides, and it may lag behind after an upgrade of the server.
_NAMES: Mapping[str, Sequence[str]] = {
    "user_id": ("userid",),
    "database_id": ("dbid",),
    "queryid": ("queryid",),
    "query": ("query",),
    "calls": ("calls",),
    "total_ms": ("total_exec_time", "total_time"),
    "toplevel": ("toplevel",),
    "min_ms": ("min_exec_time", "min_time"),
    "max_ms": ("max_exec_time", "max_time"),
    "plan_ms": ("total_plan_time",),
    "rows": ("rows",),
    "shared_blks_hit": ("shared_blks_hit",),
    "shared_blks_read": ("shared_blks_read",),
    "temp_blks_written": ("temp_blks_written",),
    "read_ms": ("shared_blk_read_time", "blk_read_time"),
    "since": ("stats_since",),
}
_NEEDED = ("user_id", "database_id", "queryid", "query", "calls", "total_ms")
# What adds up over time; minimum and maximum do not.
_SUMS = ("calls", "total_ms", "plan_ms", "rows", "shared_blks_hit", "shared_blks_read", "temp_blks_written", "read_ms")

ORDERS = ("total", "mean", "max", "calls")


def columns_of(names: Sequence[str]) -> dict[str, str | None]:
    """Return the view's own name for each figure, None for one that it does not have; raises ServerError."""
    found = {ours: next((name for name in theirs if name in names), None) for ours, theirs in _NAMES.items()}
    missing = [_NAMES[ours][0] for ours in _NEEDED if found[ours] is None]
    if missing:
        raise ServerError(
            "unknown_columns",
            f"The view pg_stat_statements has no column {', '.join(missing)}.",
            "Which statements took the time is not known from it.",
            "See with \\d pg_stat_statements whether the view is the extension's own.",
        )
    return found


class Key(NamedTuple):
    """The key of one statement's figures; ``toplevel`` is None if there is no such column."""

    user_id: int
    database_id: int
    queryid: int
    toplevel: bool | None


@dataclass(frozen=True)
class Figures:
    """One statement's counters; None for what the extension does not have. Times in milliseconds."""

    key: Key
    calls: int
    total_ms: float
    min_ms: float | None = None
    max_ms: float | None = None
    plan_ms: float | None = None
    rows: int | None = None
    shared_blks_hit: int | None = None
    shared_blks_read: int | None = None
    temp_blks_written: int | None = None
    read_ms: float | None = None
    since: str | None = None

    @property
    def mean_ms(self) -> float:
        """Mean time of a call; 0 without calls."""
        return self.total_ms / self.calls if self.calls else 0.0

    def as_result(self) -> dict[str, Any]:
        """Return the figures as the module shows them. An id of 64 bits is text: not all readers can hold it."""
        shown = {name: value for name, value in vars(self).items() if name not in ("key", "since")}
        times = {name: _rounded(shown[name]) for name in ("total_ms", "min_ms", "max_ms", "plan_ms", "read_ms")}
        found = {**shown, **times, "mean_ms": _rounded(self.mean_ms), "stats_since": self.since}
        return {"queryid": str(self.key.queryid), "toplevel": self.key.toplevel, **found}


@dataclass(frozen=True)
class Reading:
    """The figures of one moment.

    :param at: seconds of the server's clock.
    :param whole_ms: the time of all statements, including those that were not asked for.
    :param hidden: number of statements whose text this role may not see.
    :param hidden_ms: their time.
    """

    at: float
    figures: Mapping[Key, Figures]
    whole_ms: float = 0.0
    hidden: int = 0
    hidden_ms: float = 0.0


@dataclass(frozen=True)
class Passed:
    """What passed: since the counters began, or between two readings.

    :param seconds: the time between the readings; None if there was only one.
    :param restarted: statements whose counters began again in between: for these it is what passed since then.
    :param gone: statements that are no longer there (evicted or reset): what passed for these is lost.
    """

    figures: Sequence[Figures]
    whole_ms: float
    hidden: int
    hidden_ms: float
    seconds: float | None = None
    restarted: int = 0
    gone: int = 0


def since_the_beginning(reading: Reading) -> Passed:
    """Return what passed since the counters began."""
    return Passed(list(reading.figures.values()), reading.whole_ms, reading.hidden, reading.hidden_ms)


def between(first: Reading, second: Reading) -> Passed:
    """Return what passed between two readings; statements that were not called in between are left out."""
    passed, restarted = [], 0
    for key, now in second.figures.items():
        before = first.figures.get(key)
        anew = before is not None and _is_anew(before, now)
        restarted += anew
        figures = now if before is None or anew else _minus(now, before)
        if figures.calls > 0:
            passed.append(figures)
    gone = sum(key not in second.figures for key in first.figures)
    # A reset makes sums smaller; what passed is then at least what was counted since.
    whole = second.whole_ms - first.whole_ms
    hidden = second.hidden_ms - first.hidden_ms
    return Passed(
        passed,
        max(whole, sum(figures.total_ms for figures in passed)) if whole >= 0 else second.whole_ms,
        second.hidden,
        hidden if hidden >= 0 else second.hidden_ms,
        max(0.0, second.at - first.at),
        restarted,
        gone,
    )


def _is_anew(before: Figures, now: Figures) -> bool:
    if before.since != now.since:
        return True
    return now.calls < before.calls or now.total_ms < before.total_ms


def _minus(now: Figures, before: Figures) -> Figures:
    changes: dict[str, Any] = {}
    for name in _SUMS:
        later, earlier = getattr(now, name), getattr(before, name)
        changes[name] = None if later is None or earlier is None else max(0, later - earlier)
    return replace(now, **changes)


_ORDER: Mapping[str, Callable[[Figures], float]] = {
    "total": lambda figures: figures.total_ms,
    "mean": lambda figures: figures.mean_ms,
    "max": lambda figures: figures.max_ms or 0.0,
    "calls": lambda figures: figures.calls,
}


def worst(passed: Passed, order_by: str, most: int, least_mean_ms: float) -> list[Figures]:
    """Return at most ``most`` statements, the worst first; equals are ordered by total time, then by id."""
    slow = [figures for figures in passed.figures if figures.mean_ms >= least_mean_ms]
    weight = _ORDER[order_by]

    def place(figures: Figures) -> tuple[float, float, Key]:
        return -weight(figures), -figures.total_ms, figures.key

    return sorted(slow, key=place)[:most]


def share(part_ms: float, whole_ms: float) -> float | None:
    """Return which part of the whole time this is, from 0 to 1; None if nothing took any."""
    return round(min(1.0, part_ms / whole_ms), 4) if whole_ms > 0 else None


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 3)
