# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves of whole rows in the text of statements. Pure: neither Ansible nor a driver.

An ORM that saves an object names every column, changed or not. A fence on some columns refuses what names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

SHOWN = 200
# A move of a card names the lane, the order and the time of change; what names this many more saves the whole row.
OTHERS = 3

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)'
_UPDATE = re.compile(
    rf"^\s*UPDATE\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)\s*\*?\s*(?:(?:AS\s+)?(?!SET\b){_NAME}\s+)?SET\s",
    re.IGNORECASE,
)
_COLUMN = re.compile(rf"\s*(?P<name>{_NAME})\s*=")
_END = re.compile(r"\b(?:WHERE|FROM|RETURNING)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Update:
    """An UPDATE statement: its table, as written and without its schema, and the columns that it sets."""

    table: str
    columns: tuple[str, ...]


def plain(name: str) -> str:
    """Return a name as the catalog has it: unquoted, or folded."""
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def read_update(query: str) -> Update | None:
    """Return what an UPDATE sets; None for any other statement."""
    found = _UPDATE.match(query)
    if not found:
        return None
    table = re.findall(_NAME, found["table"])[-1]
    columns = []
    for part in _assignments(query[found.end() :]):
        column = _COLUMN.match(part)
        if column:
            columns.append(plain(column["name"]))
    return Update(plain(table), tuple(columns))


def _assignments(text: str) -> list[str]:
    """Return the parts of a SET list: split at commas that stand in no bracket and no quotes, up to its end."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        letter = text[at]
        if letter in "'\"":
            end = text.find(letter, at + 1)
            at = len(text) if end < 0 else end
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif depth == 0 and letter == ",":
            parts.append(text[start:at])
            start = at + 1
        elif depth == 0 and letter in " \n\t" and _END.match(text, at + 1):
            break
        at += 1
    return [*parts, text[start:at]]


def saves_whole_row(update: Update, table: str, fenced: Sequence[str]) -> bool:
    """Tell whether an update of ``table`` names a fenced column among many others."""
    named = set(update.columns)
    return update.table == table and bool(named & set(fenced)) and len(named - set(fenced)) >= OTHERS


def cut(query: str) -> str:
    """Return a statement's text on one line of at most 200 characters."""
    text = " ".join(query.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
