# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves of whole rows in the text of statements. Pure: neither Ansible nor a driver.

An ORM that saves an object names every column, changed or not. A fence on some columns refuses updates that name them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Sequence

SHOWN = 200
# Moving a card names the lane, the order and the time of change; an update naming this many others saves a whole row.
OTHERS = 3

# The order matters: what begins as a comment or a literal is one, and nothing inside it is a word.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<escaped>[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z))
    |(?P<literal>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z))
    |(?P<dollar>\$(?P<tag>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*|)\$)
    |(?P<quoted>"(?:[^"]|"")*(?:"|\Z))
    |(?P<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)
    |(?P<other>\$?\d+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# Others write no row (SELECT), are not run yet (EXPLAIN), or hold text that may run one day (CREATE, DO).
_WRITES = ("with", "update", "insert", "merge", "prepare")
_ENDS = ("where", "returning", "when", ";")


@dataclass(frozen=True)
class Update:
    """An update that a statement makes: its table and columns, named as in the catalog.

    ``schema`` is empty if none is written. ``inserts``: the same statement also inserts rows (an upsert), so it sets
    off the fence even when it updates nothing.
    """

    table: str
    columns: tuple[str, ...]
    schema: str = ""
    inserts: bool = False


class _Token(NamedTuple):
    """A token; a quoted name is never a keyword. ``text`` is a name as in the catalog, and empty for a literal."""

    kind: str
    text: str
    depth: int

    def of(self, *words: str) -> bool:
        """Tell whether the token is one of these keywords or signs."""
        return self.kind in ("word", "other") and self.text in words

    @property
    def is_name(self) -> bool:
        """Tell whether it can be the name of something."""
        return self.kind in ("word", "quoted")


_NOTHING = _Token("end", "", -1)


def plain(name: str) -> str:
    """Return a name as the catalog has it: unquoted, or folded."""
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _tokens(query: str) -> list[_Token]:
    """Return the tokens of a statement, without comments; ``depth`` counts brackets, and CASE as one."""
    found: list[_Token] = []
    at = depth = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if not match:
            break
        kind, text, at = str(match.lastgroup), match[0], match.end()
        if kind == "comment":
            at = _after_comment(query, at)
        elif kind == "dollar":
            end = query.find(text, at)
            at = len(query) if end < 0 else end + len(text)
            found.append(_Token("literal", "", depth))
        elif kind in ("escaped", "literal"):
            found.append(_Token("literal", "", depth))
        elif kind in ("word", "quoted"):
            token = _Token(kind, plain(text), depth)
            if token.of("end") and depth:
                depth -= 1
            found.append(token)
            depth += token.of("case")
        elif kind == "other":
            depth -= text in (")", "]")
            found.append(_Token(kind, text, depth))
            depth += text in ("(", "[")
    return found


def _after_comment(query: str, at: int) -> int:
    """Return where a comment ends; comments of PostgreSQL nest."""
    open_ones = 1
    while open_ones:
        edge = _COMMENT_EDGE.search(query, at)
        if not edge:
            return len(query)
        open_ones += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


def read_updates(query: str) -> list[Update]:
    """Return every update that a statement makes: alone, in a WITH, by ON CONFLICT or by MERGE."""
    tokens = _tokens(query)
    if not tokens or not tokens[0].of(*_WRITES):
        return []
    reader = _Reader(tokens)
    return [update for place in range(len(tokens)) for update in reader.update_at(place)]


class _Reader:
    """Reads one statement's tokens."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens

    def _at(self, place: int) -> _Token:
        return self._tokens[place] if 0 <= place < len(self._tokens) else _NOTHING

    def update_at(self, place: int) -> list[Update]:
        """Return the update whose UPDATE is the token at ``place``, if it is one."""
        if not self._at(place).of("update"):
            return []
        before = self._at(place - 1)
        if before.of("do"):
            head, inserts = self._head(place, "insert"), True
        elif before.of("then"):
            head = self._head(place, "merge")
            inserts = any(
                token.of("insert") and token.depth == before.depth and self._at(i - 1).of("then")
                for i, token in enumerate(self._tokens)
            )
        else:
            head, inserts = place, False
        if head is None:
            return []
        schema, table, names, after = self._target(head + 1)
        start = after if head == place else place + 1
        if not table or not self._at(start).of("set"):
            return []
        columns = self._set_list(start + 1, self._at(place).depth, names)
        return [Update(table, tuple(dict.fromkeys(columns)), schema, inserts)]

    def _head(self, place: int, word: str) -> int | None:
        """Return where the INSERT or MERGE around an UPDATE begins: its last word before the table."""
        depth = self._at(place).depth
        for i in range(place - 1, -1, -1):
            token = self._at(i)
            if token.depth < depth:
                return None
            if token.depth == depth and token.of(word) and self._at(i + 1).of("into"):
                return i + 1
        return None

    def _target(self, place: int) -> tuple[str, str, set[str], int]:
        """Return the schema and table at ``place``, the names that may qualify columns, and the place behind them."""
        if self._at(place).of("only"):
            place += 1
        bracket = self._at(place).of("(")
        place += bracket
        parts, place = self._dotted(place)
        place += bracket and self._at(place).of(")")
        place += self._at(place).of("*")
        names = {parts[-1]} if parts else set()
        place += self._at(place).of("as")
        if self._at(place).is_name and not self._at(place).of("set"):
            names.add(self._at(place).text)
            place += 1
        return (parts[-2] if len(parts) > 1 else "", parts[-1] if parts else "", names, place)

    def _dotted(self, place: int) -> tuple[list[str], int]:
        parts: list[str] = []
        while self._at(place).is_name:
            parts.append(self._at(place).text)
            place += 1
            if not self._at(place).of("."):
                break
            place += 1
        return parts, place

    def _set_list(self, place: int, depth: int, names: set[str]) -> list[str]:
        """Return the columns on the left of the assignments; their values are skipped."""
        columns: list[str] = []
        while True:
            if self._at(place).of("("):
                inner = place + 1
                while self._at(inner).is_name:
                    name, inner = self._column(inner, names)
                    columns.append(name)
                    inner = self._past(inner, depth + 1, (",", ")"))
                    if not self._at(inner).of(","):
                        break
                    inner += 1
            elif self._at(place).is_name:
                columns.append(self._column(place, names)[0])
            place = self._past(place, depth, (",",))
            if not self._at(place).of(","):
                return columns
            place += 1

    def _column(self, place: int, names: set[str]) -> tuple[str, int]:
        """Return a column's own name (the table's name may precede it, a field follow), and the place behind it."""
        parts, place = self._dotted(place)
        return (parts[1] if len(parts) > 1 and parts[0] in names else parts[0]), place

    def _past(self, place: int, depth: int, signs: Sequence[str]) -> int:
        """Return the next place at this depth with one of the signs, or where the list ends."""
        while True:
            token = self._at(place)
            if token is _NOTHING or token.depth < depth:
                return place
            if token.depth == depth and token.of(*signs, *_ENDS):
                return place
            # The FROM in IS DISTINCT FROM belongs to a comparison.
            if token.depth == depth and token.of("from") and not self._at(place - 1).of("distinct"):
                return place
            place += 1


def saves_whole_row(update: Update, schema: str, table: str, fenced: Sequence[str]) -> bool:
    """Tell whether an update names a fenced column of this table among many others, or also inserts rows."""
    if update.table != table or update.schema not in ("", schema):
        return False
    named = set(update.columns)
    return bool(named & set(fenced)) and (update.inserts or len(named - set(fenced)) >= OTHERS)


def cut(query: str) -> str:
    """Return a statement's text on one line of at most 200 characters."""
    text = " ".join(query.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
