# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors at the end of a log: which lines, since when, and which messages. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logtext import message_of, text_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logtimes import Stamp, stamp_of, zone_of

MOST_MESSAGES = 20
# At most so many messages are told apart; a log that never repeats itself would have no limit.
_MOST_DISTINCT = 2000
# Only the newest so many errors of a log are examined for messages; more would cost seconds and add nothing.
_MOST_SHOWN = 2000
_MOST_PATTERN = 500

_FRAME = re.compile(r"\s+at\s")
_INDENTED = re.compile(r"\s|[}\])]")
_CARET = re.compile(r"\s*[\^~]+\s*$")
# pino's levels from "error" on; such a line need not contain the word.
_LEVEL = re.compile(r'"level"\s{0,4}:\s{0,4}[56]0\b')


def pattern_of(name: str, text: str) -> re.Pattern[str]:
    """Return a case-insensitive regular expression; raises BadInput."""
    try:
        if len(text) > _MOST_PATTERN:
            raise re.error(f"it has more than {_MOST_PATTERN} characters")
        return re.compile(text, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadInput(
            "bad_pattern",
            f"{name} is no regular expression: {error}.",
            "Errors would be counted wrongly, so nothing was looked at.",
            "Give one that Python's re reads; leave it out for the default.",
        ) from None


@dataclass(frozen=True)
class Wanted:
    """What counts as an error, and since when (seconds since 1970)."""

    errors: re.Pattern[str]
    ignored: re.Pattern[str] | None
    since: float
    last_lines: int
    local: float = 0.0
    secrets: Sequence[str] = ()


@dataclass(frozen=True)
class Tail:
    """The end of one file, which was last written at ``written_at``.

    ``cut``: it begins in the middle, at ``start``. ``known``: how much was there at ``known_at``, from an earlier look.
    """

    content: bytes
    written_at: float
    cut: bool = False
    start: int = 0
    known: int = 0
    known_at: float = 0.0


@dataclass(frozen=True)
class Error:
    """One line that is an error. ``latest``: when it was written at the latest; ``at``: when, if the log says so."""

    text: str
    latest: float
    at: float | None
    number: int


@dataclass
class _Line:
    text: str
    body: str
    stamp: Stamp | None
    end: int
    # Whether it may be a further line of the message above it.
    further: bool
    latest: float = 0.0
    at: float | None = None


@dataclass
class Counted:
    """What was found in a log; the ends of its files are added newest first."""

    lines: int = 0
    # Whether lines say when they were written; otherwise the file's own time has to do.
    dated: bool = False
    # Whether their time zone could not be determined: then they count as the newest that any zone makes them.
    assumed: bool = False
    positioned: bool = False
    # When the first line that was read was written at the latest.
    first_at: float | None = None
    zone: float | None = None
    # The zone in which they are shown: if it cannot be determined, the host's.
    shown_zone: float = 0.0
    errors: list[Error] = field(default_factory=list)

    def add(self, tail: Tail, wanted: Wanted) -> None:
        """Read the end of an older file. Never raises."""
        lines = _lines(tail)
        self._date(lines, tail, wanted.local)
        behind = self.lines
        hits = _hits(lines, wanted)
        self.errors += [
            Error(one.text, one.latest, one.at, behind + len(lines) - index)
            for index, one in ((index, lines[index]) for index in reversed(hits))
        ]
        self.lines += len(lines)
        if lines:
            self.first_at = lines[0].latest

    def _date(self, lines: Sequence[_Line], tail: Tail, local: float) -> None:
        """Set when each line was written: by its timestamp, by that of the next one, or by the file's time."""
        bare = [one.stamp for one in lines if one.stamp and not one.stamp.zoned]
        if bare and self.zone is None:
            zone, certain = zone_of(bare[-1], tail.written_at)
            self.assumed = not certain
            # The host's clock may have been set back: then its own zone makes lines newer than their file.
            self.zone = zone if certain else min(zone, local)
            self.shown_zone = zone if certain else local
        latest = tail.written_at
        for one in reversed(lines):
            if one.stamp:
                self.dated = True
                # No line is newer than its file.
                one.at = min(one.stamp.at - (0 if one.stamp.zoned else self.shown_zone), tail.written_at)
                latest = min(one.stamp.at - (0 if one.stamp.zoned else self.zone or 0), tail.written_at)
            one.latest = latest
            if one.end < tail.known:  # Its line end was there, so the line was whole.
                self.positioned = True
                one.latest = min(latest, tail.known_at)

    def figures(self, wanted: Wanted) -> dict[str, Any]:
        """Return the counts: among the last lines, since the moment, and both at once."""
        last = [error.number <= wanted.last_lines for error in self.errors]
        since = [error.latest >= wanted.since for error in self.errors]
        return {
            "last_lines_read": min(self.lines, wanted.last_lines),
            "error_lines_in_last": sum(last),
            "error_lines_since": sum(since),
            "error_lines_recent": sum(a and b for a, b in zip(last, since)),
            "since_by": self._since_by(),
        }

    def _since_by(self) -> str:
        if self.dated:
            return "local_timestamps" if self.assumed else "timestamps"
        return "position" if self.positioned else "mtime"

    def shown(self, wanted: Wanted) -> list[Error]:
        """Return the newest errors that are in one of the counts, oldest first."""
        found = [one for one in self.errors if one.number <= wanted.last_lines or one.latest >= wanted.since]
        return found[:_MOST_SHOWN][::-1]

    def reaches(self, wanted: Wanted) -> bool:
        """Return whether what was read goes back far enough for both counts."""
        return self.lines >= wanted.last_lines and self._reaches_since(wanted)

    def settles(self, wanted: Wanted) -> bool:
        """Return whether no older line can be both among the last lines and new."""
        return self.lines >= wanted.last_lines or self._reaches_since(wanted)

    def _reaches_since(self, wanted: Wanted) -> bool:
        return self.first_at is not None and self.first_at < wanted.since


def _lines(tail: Tail) -> list[_Line]:
    pieces = tail.content.split(b"\n")
    end, found = tail.start, []
    for index, piece in enumerate(pieces):
        begins, end = end, end + len(piece) + 1
        # The first one has lost its beginning; after the last line end there is nothing.
        lost = index == 0 and tail.cut and len(pieces) > 1
        if lost or (index == len(pieces) - 1 and not piece):
            continue
        text = text_of(piece)
        stamp = stamp_of(text)
        body = text[stamp.end :] if stamp else text
        further = not stamp or stamp.each_line
        found.append(_Line(text, body, stamp, begins + len(piece), further))
    return found


def _hits(lines: Sequence[_Line], wanted: Wanted) -> list[int]:
    """Return which lines are errors of their own: the lines of a stack trace belong to the line above them."""
    found, inside = [], False
    for index, one in enumerate(lines):
        if not one.body.strip() or _FRAME.match(one.body):
            continue
        if one.further and _INDENTED.match(one.body) and (inside or _points_at(lines, index + 1)):
            continue
        inside = bool(wanted.errors.search(one.text) or (one.text[:1] == "{" and _LEVEL.search(one.text)))
        if inside and not (wanted.ignored and wanted.ignored.search(one.text)):
            found.append(index)
    return found


def _points_at(lines: Sequence[_Line], index: int) -> bool:
    """Return whether a line only points at the one above it, as node does at the statement that threw."""
    return index < len(lines) and bool(_CARET.match(lines[index].body))


@dataclass
class Messages:
    """Distinct messages of several logs."""

    secrets: Sequence[str] = ()
    _found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, errors: Iterable[Error], name: str) -> None:
        """Add the errors of one log; ``name`` says whose they are."""
        for error in errors:
            body = error.text
            stamp = stamp_of(body)
            message = message_of(body[stamp.end :] if stamp else body, self.secrets)
            if message not in self._found and len(self._found) >= _MOST_DISTINCT:
                continue
            one = self._found.setdefault(message, {"count": 0, "names": set(), "first": None, "last": None})
            one["count"] += 1
            one["names"].add(name)
            if error.at is not None:
                one["first"] = error.at if one["first"] is None else min(one["first"], error.at)
                one["last"] = error.at if one["last"] is None else max(one["last"], error.at)

    def result(self) -> dict[str, Any]:
        """Return the most frequent messages, and how many distinct ones there are."""
        often = sorted(self._found.items(), key=lambda item: (-item[1]["count"], item[0]))[:MOST_MESSAGES]
        return {
            "messages": [
                {
                    "message": message,
                    "count": one["count"],
                    "names": sorted(one["names"]),
                    "first_seen": utc(one["first"]),
                    "last_seen": utc(one["last"]),
                }
                for message, one in often
            ],
            "distinct_count": len(self._found),
        }


def utc(moment: float | None) -> str | None:
    """Return a moment as text, for instance 2026-11-25T03:14:07Z."""
    if moment is None:
        return None
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
