# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from databases and logs in Markdown: shown as it is, never markup. Pure: neither Ansible nor a driver.

All foreign text is put into code, where Markdown knows no markup. What could end the code is made harmless: line ends,
backticks, and in a table the bar, which has no escape that works after a backslash. Control characters could move a
terminal's cursor or reverse the direction of writing, so they are replaced.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Sequence

INLINE, LONG = 120, 1000
_TICKS = re.compile("`+")
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
NOTHING = "–"


def visible(text: str) -> str:
    """Return text with control and invisible characters replaced, so that it moves no cursor. Blanks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if unicodedata.category(letter) in _INVISIBLE else letter for letter in text)


def clean(text: object, most: int) -> str:
    """Return text on one line, cut, without control and invisible characters."""
    seen = visible(" ".join(str(text).split())[: most + 1])
    return seen if len(seen) <= most else f"{seen[:most]}…"


def code(text: object, most: int = INLINE) -> str:
    """Return text as code within a line."""
    shown = clean(text, most)
    if not shown:
        return NOTHING
    ticks = "`" * (max((len(run) for run in _TICKS.findall(shown)), default=0) + 1)
    return f"{ticks} {shown} {ticks}" if "`" in shown else f"{ticks}{shown}{ticks}"


def block(text: object, most: int = LONG) -> str:
    """Return text as a line of code of its own: nothing in it can end the line, so nothing can end the code."""
    return f"        {clean(text, most) or NOTHING}"


def number(value: Any, digits: int = 0, unit: str = "") -> str:
    """Return a number for people; a dash for None, and for anything else that is not a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOTHING
    return f"{value:,.{digits}f}{f' {unit}' if unit else ''}"


def megabytes(value: Any) -> str:
    """Return bytes as megabytes."""
    return number(value / 1e6, 1, "MB") if isinstance(value, (int, float)) and not isinstance(value, bool) else NOTHING


def percent(value: Any, digits: int = 0) -> str:
    """Return a fraction from 0 to 1 as a percentage."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:.{digits}%}" if is_number else NOTHING


def word(value: Any) -> str:
    """Return yes, no or a dash."""
    return {True: "yes", False: "no"}.get(value, NOTHING) if isinstance(value, bool) else NOTHING


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table; the cells are Markdown already."""
    return [
        f"| {' | '.join(heads)} |",
        f"|{'|'.join(' --- ' for _head in heads)}|",
        *(f"| {' | '.join(cell.replace('|', '¦') for cell in row)} |" for row in rows),
        "",
    ]
