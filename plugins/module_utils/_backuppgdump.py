# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file from pg_dump says about itself: its list of contents, or its text. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Table

# What a script of one database, or of all, begins and ends with.
_KINDS = {b"database dump": b"database dump complete", b"database cluster dump": b"database cluster dump complete"}
_HEAD = re.compile(rb"\A--\r?\n-- PostgreSQL (database dump|database cluster dump)\r?\n--")
# After the end come comments and, in newer versions, the command that ends restricted mode.
_AFTER_END = re.compile(rb"(--[^\n]*|\\unrestrict \w+)?\s*")
_CREATED = re.compile(r"^; Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_FACT = r"^;\s+{}: (.*)$"
_ROWS = re.compile(r"^(\d+); \d+ \d+ TABLE DATA (\S+) (.+) \S+$", re.MULTILINE)
_NAME = rb'(?:"(?:[^"]|"")*"|[^\s."(;]+)'
_COPY = re.compile(rb"COPY (?:(" + _NAME + rb")\.)?(" + _NAME + rb") .*FROM stdin;")
_INSERT = re.compile(rb"INSERT INTO (?:(" + _NAME + rb")\.)?(" + _NAME + rb") ")
_CONNECT = re.compile(rb"""\\connect (?:-reuse-previous=on "dbname='(?P<quoted>[^']*)'"|(?P<plain>""" + _NAME + rb"))")
_STATEMENT = re.compile(rb"\n((?:COPY|INSERT INTO|\\connect) [^\n]*)(?=\n)")
_END_OF_ROWS = b"\n\\.\n"
# A longer line is not one that is looked for.
_LONGEST_LINE = 16 << 20
TAIL_BYTES = 4096


@dataclass(frozen=True)
class Listing:
    """What ``pg_restore --list`` says. ``created`` is the local time where the dump was made."""

    created: str | None
    database: str | None
    form: str
    rows: list[tuple[str, Table]]

    @property
    def tables(self) -> dict[str | None, list[Table]]:
        """The tables whose rows are in it, by database."""
        return {self.database: [table for _number, table in self.rows]}


def parse_listing(text: str) -> Listing | None:
    """Return what a list of contents says, or None if it is not one."""
    created = _CREATED.search(text)
    form = re.search(_FACT.format("Format"), text, re.MULTILINE)
    if not form:
        return None
    database = re.search(_FACT.format("dbname"), text, re.MULTILINE)
    rows = [(found.group(1), (found.group(2), found.group(3))) for found in _ROWS.finditer(text)]
    return Listing(created.group(1) if created else None, database.group(1) if database else None, form.group(1), rows)


def local_moment(text: str) -> float | None:
    """Return seconds since 1970 of a time that names no zone, taken to be in this host's."""
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None


def script_kind(head: bytes) -> bytes | None:
    """Return what the end of a script has to say, by its beginning; None if pg_dump did not write it."""
    found = _HEAD.match(head)
    return _KINDS[found.group(1)] if found else None


def is_ended(tail: bytes, end: bytes) -> bool:
    """Tell whether a script's last bytes are the end that it has to have, with only comments after it."""
    _before, found, after = tail.rpartition(b"\n-- PostgreSQL " + end)
    return bool(found) and all(_AFTER_END.fullmatch(line) for line in after.split(b"\n"))


class Script:
    """Reads a script in pieces and finds the tables whose rows are in it, by database.

    Everything between ``COPY`` and ``\\.`` is rows, whatever it looks like.
    """

    def __init__(self) -> None:
        self.tables: dict[str | None, list[Table]] = {}
        self.database: str | None = None
        self.tail = b""
        self._rest = b"\n"
        self._in_rows: bytes | None = None

    def feed(self, block: bytes) -> None:
        """Take in the next piece."""
        self.tail = (self.tail + block)[-TAIL_BYTES:]
        text, at = self._rest + block.replace(b"\r\n", b"\n"), 0
        while True:
            if self._in_rows is not None:
                end = text.find(_END_OF_ROWS, at)
                if end < 0:
                    self._rest = text[max(at, len(text) - len(_END_OF_ROWS) + 1) :]
                    return
                # The newline at the end may be the one before the next statement.
                at, self._in_rows = end + len(_END_OF_ROWS) - 1, None
            found = _STATEMENT.search(text, at)
            if not found:
                last = max(text.rfind(b"\n"), at)
                self._rest = text[last:] if len(text) - last < _LONGEST_LINE else b""
                return
            at = found.end()
            self._take(found.group(1))

    def _take(self, line: bytes) -> None:
        copy = _COPY.match(line)
        named = copy or _INSERT.match(line)
        connect = _CONNECT.match(line)
        if named:
            table = (_plain(named.group(1) or b""), _plain(named.group(2)))
            held = self.tables.setdefault(self.database, [])
            if not held or held[-1] != table:
                held.append(table)
        elif connect:
            self.database = _plain(connect.group("quoted") or connect.group("plain"))
        if copy:
            self._in_rows = copy.group(2)

    @property
    def cut_in(self) -> str | None:
        """The table within whose rows the text ended, or None."""
        return None if self._in_rows is None else _plain(self._in_rows)


def _plain(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text
