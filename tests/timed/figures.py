# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the seconds of many runs to the plan's table, against the objectives and against what is on record. Pure.

Seconds of two machines cannot be compared. So everything is also reported as a multiple of a ping over the same hosts,
measured in turn with the runs: the p95 of the runs over the p95 of the pings, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Samples = Mapping[str, Sequence[float]]
# What is recorded for each playbook: each figure as a multiple of a ping.
Ratios = Mapping[str, Mapping[str, float]]

PING = "ping"
# The plan's words, and a misfire's: from the command to the stop, to its proof, to the end, and back again.
WORDS = {
    "disabled": "Time to disable feature flag",
    "verified": "Time to verify",
    "total": "Total rollback time",
    "misfire": "A misfire undone",
    PING: "One ping on the same hosts",
}
STATISTICS = {"p50": 0.5, "p95": 0.95, "max": 1.0}
# By what share a ratio may differ from the one on record before it is reported as changed: two sessions of twenty runs
# on one machine differ by less.
NOISE = 0.15
# How many times their p50 the pings' p95 may be. On a machine that does something else meanwhile, chance decides which
# of the two finds it busy, ping or run: a ratio of those is neither judged nor put on record.
ALIKE = 1.5


@dataclass(frozen=True)
class Goal:
    """The limits of a figure. ``objective``: the profile's, in seconds, for every run; a run above it fails.

    ``seconds``, ``pings``: what its p95 has to reach, in seconds, and as a multiple of the pings' if they are alike.
    """

    objective: float | None = None
    seconds: float | None = None
    pings: float | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least value that at least this share of the values does not exceed. ``share``: above 0, at most 1."""
    ordered = sorted(values)
    # A product of floats may be a hair above a whole number (0.07 * 100), which would give the next value.
    return ordered[max(0, math.ceil(round(share * len(ordered), 9)) - 1)]


def statistics(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and max; nothing if there are no values."""
    return {name: percentile(values, share) for name, share in STATISTICS.items()} if values else {}


def ratios(samples: Samples) -> dict[str, dict[str, float]]:
    """Return each figure over the ping's, statistic by statistic, to two digits; nothing without a ping."""
    pings = statistics(samples.get(PING, ()))
    found = {name: statistics(samples[name]) for name in WORDS if name != PING and samples.get(name)}
    return {
        name: {which: round(figure[which] / pings[which], 2) for which in figure}
        for name, figure in found.items()
        if pings
    }


def uneven(samples: Samples) -> str:
    """Say why later ratios cannot be compared with these; empty if they can."""
    pings = statistics(samples.get(PING, ()))
    if not pings:
        return "there is no ping"
    told = f"pings took {pings['p50']:.1f} s (p50) to {pings['p95']:.1f} s (p95)"
    return f"{told}: the machine was busy with something else" if pings["p95"] > ALIKE * pings["p50"] else ""


def complaints(samples: Samples, goals: Mapping[str, Goal], runs: int) -> list[str]:
    """Say what fails a session: figures that some of the runs lack, objectives missed, and what is not reached.

    Without figures nothing is missed, so the first check is that there are as many as runs.
    """
    counts = {name: len(samples.get(name, ())) for name in (*goals, PING)}
    return [
        *(f"NOT MEASURED: {WORDS[name]}: in {count} of {runs} runs" for name, count in counts.items() if count < runs),
        *(f"NOT MET: {line}" for line in missed(samples, goals)),
        *(f"NOT REACHED: {words}" for words, reached in _reaches(samples, goals) if reached is False),
    ]


def unjudged(samples: Samples, goals: Mapping[str, Goal]) -> list[str]:
    """Say what the figures had to reach but cannot be judged by, and why; that fails nothing."""
    doubt = uneven(samples)
    return [f"NOT JUDGED: {words}: {doubt}" for words, reached in _reaches(samples, goals) if reached is None]


def missed(samples: Samples, goals: Mapping[str, Goal]) -> list[str]:
    """Say which objectives were missed, by how many runs."""
    told = []
    for name, goal in goals.items():
        values = samples.get(name, ())
        late = sum(goal.objective is not None and value > goal.objective for value in values)
        if late:
            told.append(f"{WORDS[name]}: {late} of {len(values)} runs took more than {goal.objective:g} s")
    return told


def table(samples: Samples, goals: Mapping[str, Goal], recorded: Ratios) -> list[str]:
    """Return a line for each figure, under a heading."""
    heads = ("p50", "p95", "max", "objective", "x ping (p95)", "to reach (p95)")
    lines = [_line("", heads)]
    found = ratios(samples)
    for name, words in WORDS.items():
        values = samples.get(name, ())
        if not values and name not in goals:
            continue
        measured = statistics(values)
        seconds = [f"{measured[which]:.1f} s" if measured else "-" for which in STATISTICS]
        goal, ratio = goals.get(name, Goal()), found.get(name, {})
        against = compared(ratio, recorded.get(name, {}))
        lines.append(_line(words, (*seconds, _objective(values, goal), against, _reached(samples, name, goal))))
    return lines


def compared(ratio: Mapping[str, float], recorded: Mapping[str, float]) -> str:
    """Say the p95 as a multiple of a ping, beside the one on record."""
    if not ratio:
        return "-"
    now = ratio["p95"]
    before = recorded.get("p95")
    if before is None:
        return f"{now:g} x, none recorded"
    change = "" if abs(now - before) <= NOISE * before else ", SLOWER" if now > before else ", faster"
    return f"{now:g} x, recorded {before:g} x{change}"


def _objective(values: Sequence[float], goal: Goal) -> str:
    if goal.objective is None:
        return "-"
    met = bool(values) and max(values) <= goal.objective
    return f"{goal.objective:g} s {'met' if met else 'NOT MET'}"


def _wanted(samples: Samples, name: str, goal: Goal) -> list[tuple[str, bool | None]]:
    """Return what a figure's p95 has to reach, with whether it does; None if that cannot be judged."""
    seconds = statistics(samples.get(name, ())).get("p95", math.inf)
    ratio = ratios(samples).get(name, {}).get("p95", math.inf)
    wanted: list[tuple[str, bool | None]] = []
    if goal.seconds is not None:
        wanted.append((f"{goal.seconds:g} s", seconds <= goal.seconds))
    if goal.pings is not None:
        wanted.append((f"{goal.pings:g} x ping", None if uneven(samples) else ratio <= goal.pings))
    return wanted


def _reaches(samples: Samples, goals: Mapping[str, Goal]) -> list[tuple[str, bool | None]]:
    return [
        (f"{WORDS[name]}: {words} (p95)", reached)
        for name, goal in goals.items()
        for words, reached in _wanted(samples, name, goal)
    ]


def _reached(samples: Samples, name: str, goal: Goal) -> str:
    said = {True: "yes", False: "NO", None: "not judged"}
    return ", ".join(f"{words} {said[reached]}" for words, reached in _wanted(samples, name, goal)) or "-"


def _line(words: str, cells: Sequence[str]) -> str:
    widths = (9, 9, 9, 15, 35, 31)
    return (words.ljust(30) + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))).rstrip()


def without_load(number: int, at_work: Sequence[bool]) -> str:
    """Return why a run does not count if some people were not at work to its end; empty if all were.

    :param at_work: of each crowd.
    """
    return "" if at_work and all(at_work) else f"run {number}: people were not at work to its end"
