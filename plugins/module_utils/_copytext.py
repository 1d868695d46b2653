# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as COPY writes them into a script: the columns that are wanted, piece by piece. Neither Ansible nor a driver."""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

Column = List[Optional[str]]

_NAME = rb'(?:"(?:[^"]|"")*"|[^"\s.(),]+)'
_COPY = re.compile(
    rb"^COPY " + _NAME + rb"\." + _NAME + rb" \((" + _NAME + rb"(?:, " + _NAME + rb")*)\) FROM stdin;\n", re.M
)
_ONE_NAME = re.compile(_NAME)
_ESCAPE = re.compile(r"\\(.)")
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_END = b"\\."
_NULL = "\\N"


class CopyRows:
    """Takes a script of one relation's rows in pieces, and returns the wanted columns of each piece.

    :param wanted: names of columns; one that the script lacks is an error (``schema_changed``).
    :param encoding: Python's name of the script's encoding; in all encodings that a server can have, ASCII is ASCII.
    """

    def __init__(self, table: str, wanted: Sequence[str], encoding: str) -> None:
        self._table = table
        self._wanted = wanted
        self._encoding = encoding
        self._rest = b""
        self._places: list[int] | None = None
        self._ended = False
        self.rows = 0

    def feed(self, piece: bytes) -> list[Column]:
        """Return the columns of the rows that are now complete, each a list of texts or None; raises KanbanError."""
        text = self._rest + piece
        if self._places is None:
            begin = _COPY.search(text)
            if begin is None or self._ended:
                self._rest = text
                return []
            self._places = self._find(begin.group(1))
            text = text[begin.end() :]
        cut = text.rfind(b"\n") + 1
        self._rest, lines = text[cut:], text[:cut].split(b"\n")[:-1]
        if self._ended:
            return []
        if _END in lines:
            self._ended = True
            lines = lines[: lines.index(_END)]
        if not lines:
            return []
        self.rows += len(lines)
        rows = [line.split(b"\t") for line in lines]
        return [self._texts([row[place] for row in rows]) for place in self._places]

    def _find(self, listed: bytes) -> list[int]:
        names = []
        for found in _ONE_NAME.findall(listed):
            name = found.decode(self._encoding)
            names.append(name[1:-1].replace('""', '"') if name.startswith('"') else name)
        missing = [name for name in self._wanted if name not in names]
        if missing:
            raise KanbanError(
                "schema_changed",
                f"The dump's {self._table} has no columns {', '.join(missing)}.",
                "What it was like then cannot be compared with what it is now.",
                "Compare them by hand: pg_restore --data-only --table writes the dump's rows.",
            )
        return [names.index(name) for name in self._wanted]

    def _texts(self, values: Sequence[bytes]) -> Column:
        # All at once: within a value, the end of a line is written as an escape.
        text = b"\n".join(values).decode(self._encoding)
        texts = text.split("\n")
        return list(texts) if "\\" not in text else [_value(one) for one in texts]


def _value(text: str) -> str | None:
    if "\\" not in text:
        return text
    return None if text == _NULL else _ESCAPE.sub(lambda found: _MEANT.get(found.group(1), found.group(1)), text)
