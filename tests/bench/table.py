# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that people read, and the file that is kept."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .entry import RESULTS, Settings
from .runner import Report, Row

HEADINGS = ("what", "ours", "baseline", "ratio", "single runs", "to reach", "met")


def table(reports: Sequence[Report]) -> str:
    """Return the table as text: a heading per entry, a line per row."""
    width = max([len(row.what) for report in reports for row in report.rows] + [len(HEADINGS[0])]) + 2
    lines = [_line(HEADINGS, width)]
    for report in reports:
        lines += ["", report.entry.title]
        if report.why_not:
            lines.append(f"  not measured: {report.why_not}")
        lines += [_line(_cells(row), width) for row in report.rows]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.baseline is None else f"{row.value:.2f}"
    unit = "x" if row.baseline is not None else row.unit
    target = "" if row.at_most is None else f"<= {row.at_most:g} {unit}"
    spread = f"{row.spread[0]:.2f} - {row.spread[1]:.2f}"
    baseline = "" if row.baseline is None else f"{row.baseline:.2f} {row.unit}"
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return row.what, f"{row.ours:.2f} {row.unit}", baseline, ratio, spread, target, met


def _line(cells: Sequence[str], width: int) -> str:
    what, *figures = cells
    sizes = (11, 11, 7, 18, 12, 5)
    return (
        "  " + what.ljust(width) + "".join(cell.rjust(size) for cell, size in zip(figures, sizes, strict=True))
    ).rstrip()


def keep(reports: Sequence[Report], settings: Settings, load: Sequence[float]) -> Path:
    """Write every figure to a new file in ``.cache/bench`` and return its path; ``load``: averages at the start."""
    now = datetime.now(UTC)
    content = {
        "at": now.isoformat(timespec="seconds"),
        "machine": {"processors": os.cpu_count(), "kernel": platform.release(), "load_at_start": list(load)},
        "settings": vars(settings),
        "entries": [report.as_json() for report in reports],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{now:%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
