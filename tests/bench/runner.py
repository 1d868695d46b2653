# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an entry's arms in turn and reduce their figures to rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .entry import CannotMeasure, Entry, Line, Sample, Settings, summary


@dataclass(frozen=True)
class Row:
    """One line of the table with its figures. ``spread``: least and greatest ratio (or figure) of a single run."""

    what: str
    unit: str
    ours: float
    baseline: float | None
    at_most: float | None
    spread: tuple[float, float]

    @property
    def value(self) -> float:
        """The value that is judged: the ratio of the medians, or the figure itself."""
        return self.ours if self.baseline is None else self.ours / self.baseline

    @property
    def met(self) -> bool | None:
        """Whether the limit is met; None if there is none."""
        return None if self.at_most is None else self.value <= self.at_most


@dataclass
class Report:
    """The outcome of one entry: its rows and every sample, or the reason why there are none."""

    entry: Entry
    rows: list[Row] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    why_not: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the report for the file that is kept."""
        rows = [{**vars(row), "value": row.value, "met": row.met} for row in self.rows]
        return {"name": self.entry.name, "rows": rows, "samples": self.samples, "why_not": self.why_not}


def measure(entry: Entry, settings: Settings) -> Report:
    """Run an entry; a failure becomes the report's ``why_not``, so that the other entries still run."""
    report = Report(entry)
    try:
        with entry.arms(settings) as arms:
            report.samples = {name: [] for name in arms}
            for number in range(settings.runs or entry.runs):
                # The first arm may find the machine in another state than the second, so alternate the order, too.
                names = list(arms) if number % 2 == 0 else list(reversed(list(arms)))
                for name in names:
                    sample = arms[name](number)
                    report.samples[name].append(sample)
                    told = ", ".join(f"{figure} {value:.2f}" for figure, value in sample.items())
                    print(f"  {entry.name} {number + 1} {name}: {told}", file=sys.stderr, flush=True)
    except Exception as error:  # a benchmark prints; the traceback helps only those who fix the entry
        known = isinstance(error, CannotMeasure)
        report.why_not = str(error) if known else f"{type(error).__name__}: {error}"
        return report
    report.rows = [_row(line, report.samples) for line in entry.lines]
    return report


def _row(line: Line, samples: Mapping[str, Sequence[Sample]]) -> Row:
    ours = _figures(line.ours, samples)
    if line.baseline is None:
        return Row(line.what, line.unit, summary(line.statistic, ours), None, line.at_most, (min(ours), max(ours)))
    baseline = _figures(line.baseline, samples)
    ratios = [one / other for one, other in zip(ours, baseline, strict=True)]
    figures = summary(line.statistic, ours), summary(line.statistic, baseline)
    return Row(line.what, line.unit, *figures, line.at_most, (min(ratios), max(ratios)))


def _figures(which: tuple[str, str], samples: Mapping[str, Sequence[Sample]]) -> list[float]:
    arm, figure = which
    return [sample[figure] for sample in samples[arm]]
