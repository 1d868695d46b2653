# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that pages are made of: text, tables, bars, in HTML that needs no script and no network. Pure.

Foreign text enters only through ``text``, which makes it harmless; what other functions take is already HTML.
"""

from __future__ import annotations

import html
import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportstyle import STYLE

# No script may run, and nothing may be loaded, wherever the file is opened.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
LONG = 200
_TAG = re.compile(r"<[^>]*>")
# Text without a place for a line break may be broken anywhere.
_UNBROKEN = re.compile(r"\S{25}")


def text(value: object, most: int = LONG) -> str:
    """Return text from anywhere as HTML: on one line, truncated, shown but never interpreted."""
    return html.escape(clean(value, most), quote=True)


def words(value: str, most: int = 10000) -> str:
    """Return people's words as HTML; their line ends stay."""
    lines = value[:most].splitlines()
    return "\n".join(text(line, most) for line in lines) + ("…" if len(value) > most else "")


def page(title: str, language: str, body: str) -> str:
    """Return a whole page."""
    return (
        f'<!doctype html>\n<html lang="{text(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section(name: str, heading: str, body: str) -> str:
    """Return a section; ``name`` is one of our own words."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-h">\n<h2 id="{name}-h">{text(heading)}</h2>\n{body}\n</section>'
    )


def more(heading: str, body: str) -> str:
    """Return a part that is shown on demand, and on paper."""
    return f"<details>\n<summary>{text(heading)}</summary>\n{body}\n</details>"


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table; the first cell of a row is its heading. Roles are given because a phone shows rows as blocks.

    :param heads: text; ``rows``: cells in HTML; ``numbers``: right-aligned columns.
    """
    columns = [' class="n"' if place in numbers else "" for place in range(len(heads))]
    head = "".join(f'<th scope="col" role="columnheader"{kind}>{text(name)}</th>' for name, kind in zip(heads, columns))

    def kind(place: int, cell: str) -> str:
        return columns[place] or (' class="w"' if _UNBROKEN.search(_TAG.sub(" ", cell)) else "")

    body = "".join(
        '<tr role="row">'
        + "".join(
            f'<th scope="row" role="rowheader"{kind(0, cell)}>{cell}</th>'
            if place == 0
            else f'<td role="cell"{kind(place, cell)} data-label="{text(heads[place])}">{cell}</td>'
            for place, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<table role="table"><caption>{text(caption)}</caption>\n'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Return a list of names and values; the values are HTML."""
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{value}</dd>\n" for name, value in rows) + "</dl>"


def bars(name: str, title: str, described: str, rows: Sequence[Mapping[str, Any]], axis: Sequence[str] = ()) -> str:
    """Return bars to scale; each row has ``label``, ``start`` and ``width`` from 0 to 1, and ``kind``.

    A row with ``more`` is drawn into the row before it. Widths are in percent and text is in pixels, so that it is
    readable on a phone as well.
    """
    height, top = 36, 18 if axis else 0
    whole = top + height * sum(not row.get("more") for row in rows)
    parts = []
    for place, mark in enumerate(axis):
        at = place / max(1, len(axis) - 1)
        anchor = "start" if place == 0 else "end" if place == len(axis) - 1 else "middle"
        parts.append(f'<line class="grid" x1="{at:.2%}" x2="{at:.2%}" y1="{top}" y2="{whole}"/>')
        parts.append(f'<text class="axis" x="{at:.2%}" y="12" text-anchor="{anchor}">{text(mark)}</text>')
    y = top - height
    for row in rows:
        y += 0 if row.get("more") else height
        start, width = max(0.0, min(1.0, row["start"])), max(0.0, min(1.0, row["width"]))
        # Show even what took too little time to be visible at this scale.
        width = max(0.006, min(width, 1 - start)) if row["width"] > 0 or row.get("point") else 0.0
        start = min(start, 1 - width)
        if not row.get("more"):
            parts.append(f'<text x="0" y="{y + 14}">{text(row["label"], 60)}</text>')
            parts.append(f'<rect class="track" x="0" y="{y + 20}" width="100%" height="10" rx="3"/>')
        parts.append(
            f'<rect class="{row["kind"]}" x="{start:.3%}" y="{y + 20}" width="{width:.3%}" height="10" rx="3"/>'
        )
    return (
        f'<svg role="img" aria-labelledby="{name}-t {name}-d" height="{whole}">'
        f'<title id="{name}-t">{text(title)}</title><desc id="{name}-d">{text(described)}</desc>{"".join(parts)}</svg>'
    )


def spark(name: str, title: str, values: Sequence[float]) -> str:
    """Return a small line of values, the oldest on the left."""
    most = max(values, default=0.0) or 1.0
    gap = 140 / max(1, len(values) - 1)
    points = [(2 + place * gap, 28 - 24 * value / most) for place, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    last = points[-1] if points else (2, 28)
    return (
        f'<svg class="small" viewBox="0 0 144 32" role="img" aria-labelledby="{name}-t">'
        f'<title id="{name}-t">{text(title)}</title><polyline class="spark" points="{line}"/>'
        f'<circle class="dot" cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="3"/></svg>'
    )
