# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows in a script of pg_dump or pg_restore, as bytes; nothing else in it is used. Neither Ansible nor a driver.

No part of a script is ever run. Anything between ``COPY ... FROM stdin;`` and ``\\.`` is data, and passes through as
it is: the server's COPY reads it, escapes and all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Collection, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import python_encoding

_NAME = rb'(?:"(?:[^"]|"")*"|[^"\s.(),;]+)'
_NAMES = _NAME + rb"(?:, " + _NAME + rb")*"
_PLACE = rb"(?:(" + _NAME + rb")\.)?(" + _NAME + rb")"
_COPY = re.compile(rb"COPY " + _PLACE + rb"(?: \(((?:" + _NAMES + rb")?)\))? FROM stdin;\r?")
_INSERT = re.compile(rb"INSERT INTO " + _PLACE + rb" ")
_CREATE = re.compile(rb"CREATE (?:UNLOGGED )?TABLE " + _PLACE + rb" \(")
_ATTACH = re.compile(rb"ALTER TABLE ONLY " + _PLACE + rb" ATTACH PARTITION " + _PLACE + rb" ")
_PATH = re.compile(rb"SET search_path = (" + _NAME + rb")")
_ENCODING = re.compile(rb"SET client_encoding = '([A-Za-z0-9_-]+)';")
_CONNECT = re.compile(rb"\\connect (?:-reuse-previous=on )?(" + _NAME + rb")")
_DBNAME = re.compile(rb"\\connect -reuse-previous=on \"dbname='((?:[^'\\]|\\.)*)'\"")
_STARTED = re.compile(rb"-- Started on ([0-9-]{10} [0-9:]{8}(?: [A-Z]+| [+-]\d+)?)")
_ONE_NAME = re.compile(_NAME)
# A line outside of COPY's rows that is longer than this has no meaning here: it is a row of an INSERT.
_LONGEST_LINE = 1 << 16
_END = b"\\."


@dataclass(frozen=True)
class Header:
    """Whose rows follow. ``columns`` are in the order of the fields; ``encoding`` is the server's name of theirs."""

    schema: str
    table: str
    columns: Sequence[str]
    encoding: str


@dataclass
class Script:
    """A script that is read once. Everything but the rows is in its fields when ``blocks`` has come to its end.

    ``inserts``: (schema, table) of rows that are written as INSERT; ``truncated``: it ends within rows; ``complete``:
    it has the line with which pg_dump ends; ``cluster``: it is from pg_dumpall, with several databases. ``created``:
    the tables whose definition it has; ``attached``: the partitioned table of each partition.
    """

    pieces: Iterator[bytes]
    encoding: str = "UTF8"
    database: str | None = None
    started: str | None = None
    complete: bool = False
    cluster: bool = False
    truncated: bool = False
    inserts: set[tuple[str, str]] = field(default_factory=set)
    created: set[tuple[str, str]] = field(default_factory=set)
    attached: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _schema: str = "public"
    _rest: bytes = b""
    _in_rows: bool = False
    _over: bool = False

    def blocks(self, wanted: Collection[tuple[str, str]] | None = None) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield each table's header with its rows, which have to be read before the next one is asked for.

        :param wanted: (schema, table) whose rows are given; others are skipped. None: all.
        """
        header = self._next_header()
        while header:
            rows = self._rows()
            if wanted is None or (header.schema, header.table) in wanted:
                yield header, rows
            for _piece in rows:  # What was not wanted, or not read to its end.
                pass
            header = self._next_header()

    def _more(self) -> bool:
        piece = next(self.pieces, None)
        self._over = piece is None
        self._rest += piece or b""
        return not self._over

    def _next_header(self) -> Header | None:
        while not self.truncated:
            cut = self._rest.find(b"\n")
            while cut < 0:
                if len(self._rest) > _LONGEST_LINE:
                    self._look(self._rest[:_LONGEST_LINE])
                    self._skip_line()
                elif not self._more():
                    self._look(self._rest)
                    return None
                cut = self._rest.find(b"\n")
            line, self._rest = self._rest[:cut], self._rest[cut + 1 :]
            found = _COPY.fullmatch(line)
            if found:
                self._in_rows = True
                schema, table, columns = found.groups()
                names = [self._name(name) for name in _ONE_NAME.findall(columns or b"")]
                return Header(self._name(schema) if schema else self._schema, self._name(table), names, self.encoding)
            self._look(line)
        return None

    def _skip_line(self) -> None:
        """Drop the rest of a line, except for its end."""
        while b"\n" not in self._rest:
            self._rest = b""
            if not self._more():
                return
        self._rest = self._rest[self._rest.index(b"\n") :]

    def _look(self, line: bytes) -> None:
        """Take in what a line says that is not part of a row."""
        if line.startswith(b"INSERT INTO "):
            found = _INSERT.match(line)
            if found:
                self.inserts.add(self._place(*found.groups()))
        elif line.startswith((b"CREATE ", b"ALTER TABLE ONLY ")):
            self._look_at_definition(line)
        elif line.startswith(b"SET "):
            path, encoding = _PATH.match(line), _ENCODING.match(line)
            if path:
                self._schema = self._name(path.group(1))
            if encoding:
                self.encoding = encoding.group(1).decode("ascii")
        elif line.startswith(b"\\connect "):
            named, whole = _CONNECT.match(line), _DBNAME.match(line)
            if whole:
                self.database = re.sub(r"\\(.)", r"\1", self._text(whole.group(1)))
            elif named:
                self.database = self._name(named.group(1))
        elif line.startswith(b"-- PostgreSQL database "):
            self.complete = self.complete or line.startswith(b"-- PostgreSQL database dump complete")
            self.cluster = self.cluster or b" cluster " in line
        elif line.startswith((b"-- Started on ", b"-- Completed on ")):
            started = _STARTED.match(line)
            if started:
                self.started = started.group(1).decode("ascii").strip()

    def _look_at_definition(self, line: bytes) -> None:
        created, attached = _CREATE.match(line), _ATTACH.match(line)
        if created:
            self.created.add(self._place(*created.groups()))
        elif attached:
            names = attached.groups()
            self.attached[self._place(*names[2:])] = self._place(*names[:2])

    def _rows(self) -> Iterator[bytes]:
        """Yield the rows that follow, without the line that ends them; called again, it goes on where it stopped."""
        while self._in_rows:
            if self._rest.startswith((_END + b"\n", _END + b"\r\n")):
                self._rest = self._rest[self._rest.index(b"\n") + 1 :]
                self._in_rows = False
                return
            cut = self._rest.find(b"\n" + _END + b"\n")
            if cut < 0:
                cut = self._rest.find(b"\n" + _END + b"\r\n")
            if cut >= 0:
                rows, self._rest = self._rest[: cut + 1], self._rest[cut + 1 :]
            else:
                # Whole lines only: the end of the rows may have been read only in part.
                whole = self._rest.rfind(b"\n") + 1
                rows, self._rest = self._rest[:whole], self._rest[whole:]
            if rows:
                yield rows
            elif not self._more():
                self._in_rows, self.truncated, self._rest = False, True, b""

    def partitions(self) -> dict[tuple[str, str], set[tuple[str, str]]]:
        """Return where the rows of each table lie whose definition is here: itself, or its partitions at the end."""
        found = {table: {table} for table in self.created if table not in self.attached.values()}
        for leaf in list(found):
            above = self.attached.get(leaf)
            while above in self.created:
                found.setdefault(above, set()).add(leaf)
                above = self.attached.get(above)
        return found

    def _place(self, schema: bytes | None, table: bytes) -> tuple[str, str]:
        return self._name(schema) if schema else self._schema, self._name(table)

    def _text(self, name: bytes) -> str:
        return name.decode(python_encoding(self.encoding), "replace")

    def _name(self, name: bytes) -> str:
        text = self._text(name)
        return text[1:-1].replace('""', '"') if text.startswith('"') else text
