# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was acknowledged to clients, kept on their side, and compared with what the database has.

A line is written before a request is sent and another when its fate is known, so that even a killed load leaves no
write unrecorded. A write that was never answered may be there or not: either is right.

Of cards and tags only the last value is compared: a lost write that a later one replaced is not noticed. Each inbound
message is a row of its own in the database, and is looked for by itself.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"
MESSAGE = "message"

_TICKETS = 'SELECT id, "kanbanLane", "kanbanOrder", "lastMessage" FROM "Tickets" WHERE id = ANY(%(tickets)s)'
_MESSAGES = 'SELECT DISTINCT "ticketId", body FROM "Messages" WHERE "ticketId" = ANY(%(tickets)s)'
_TAGS = """
SELECT "ticketId", "tagId", count(*) FROM "TicketTags" WHERE "ticketId" = ANY(%(tickets)s) GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Entry:
    """One write: ``sets`` maps what it is about (``tag:TICKET:TAG``, ``lane:TICKET``, ``message:TICKET``) to its value.

    ``at``: Unix time at which it was sent; ``until``: at which its fate was known.
    """

    number: int
    at: float
    operation: str
    tenant: int
    sets: dict[str, Any]
    outcome: str = UNKNOWN
    status: int | None = None
    until: float | None = None


@dataclass
class Report:
    """The account against the database. ``missing``: acknowledged, but not so; ``unexpected``: tags there twice.

    ``acknowledged``: number of writes; ``checked``: last values of lanes, tags and last messages that were compared;
    ``messages``: acknowledged messages that were looked for one by one (none in a dump, which has no such table).
    ``lost``: messages that nobody took, even when they were sent once more in the end, and that are not there.
    ``lanes``: the missing cards that are elsewhere: lane and order as acknowledged, as found, and the line.
    """

    checked: int = 0
    acknowledged: int = 0
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    messages: int = 0
    lost: list[str] = field(default_factory=list)
    lanes: dict[str, tuple[list[Any], list[Any], str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing is missing, unexpected or lost."""
        return not self.missing and not self.unexpected and not self.lost


class Account:
    """The account in a file of JSON lines; an existing file is continued."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = max((entry.number for entry in read(path)), default=0)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # A killed load may have left half a line.
        if path.stat().st_size:
            os.write(self._file, b"\n")

    def sending(self, operation: str, tenant: int, sets: Mapping[str, Any]) -> int:
        """Note a write that is about to be sent, and return its number."""
        self._number += 1
        self._line(n=self._number, at=time.time(), op=operation, tenant=tenant, sets=sets)
        return self._number

    def answered(self, number: int, outcome: str, status: int | None) -> None:
        """Note what became of a write."""
        self._line(n=number, until=time.time(), outcome=outcome, status=status)

    def sync(self) -> None:
        """Flush everything to disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Flush everything to disk, and close the file."""
        self.sync()
        os.close(self._file)

    def _line(self, **what: Any) -> None:
        # One write without a buffer in between: the kernel has it before the request is sent.
        os.write(self._file, json.dumps(what).encode() + b"\n")


def read(path: Path) -> list[Entry]:
    """Return the entries of an account, in the order in which they were sent; none if there is no such file."""
    sent: dict[int, dict[str, Any]] = {}
    for line in _lines(path):
        sent.setdefault(line.pop("n"), {}).update(line)
    return [
        Entry(
            number=number,
            at=line["at"],
            operation=line["op"],
            tenant=line["tenant"],
            sets=line["sets"],
            outcome=line.get("outcome", UNKNOWN),
            status=line.get("status"),
            until=line.get("until"),
        )
        for number, line in sent.items()
    ]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for text in path.read_bytes().splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                # Half a line of a killed load: nothing was sent yet, or its fate is not known.
                continue
            yield line


def acknowledged(path: Path, *, since: float = 0.0, kanban_only: bool = False) -> list[Entry]:
    """Return the writes that were sent since a Unix time and acknowledged."""
    return [
        entry
        for entry in read(path)
        if entry.outcome == ACKNOWLEDGED and entry.at >= since and not (kanban_only and entry.operation == MESSAGE)
    ]


def expectations(entries: Collection[Entry]) -> dict[str, list[Any]]:
    """Return what may be found now for each thing that an acknowledged write was about: one value, or several.

    A later write that was not answered adds a value; before an acknowledged one, no value is known and none expected.
    """
    expected: dict[str, list[Any]] = {}
    for entry in entries:
        for thing, value in entry.sets.items():
            if entry.outcome == ACKNOWLEDGED:
                expected[thing] = [value]
            elif entry.outcome == UNKNOWN and value not in expected.get(thing, [value]):
                expected[thing].append(value)
    return expected


def doubted(entries: Collection[Entry], unheard: tuple[float, float] | None) -> Collection[Entry]:
    """Return an account in which the fate of everything that was acknowledged between two moments is unknown.

    If a server that is gone acknowledged a write before another could hear of it, the write may be there or not.
    """
    if unheard is None:
        return entries
    since, until = unheard
    return [replace(entry, outcome=UNKNOWN) if since <= (entry.until or 0) <= until else entry for entry in entries]


def verify(path: Path, session: connection, unheard: tuple[float, float] | None = None) -> Report:
    """Compare an account with the database, in one snapshot. The load and all its requests must have ended."""
    told = read(path)
    entries = doubted(told, unheard)
    tickets = {int(thing.split(":")[1]) for entry in told for thing in entry.sets}
    with session, session.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(_TICKETS, {"tickets": list(tickets)})
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_TAGS, {"tickets": list(tickets)})
        tags = {(ticket, tag): number for ticket, tag, number in cursor.fetchall()}
        cursor.execute(_MESSAGES, {"tickets": list(tickets)})
        there = {(f"message:{ticket}", text) for ticket, text in cursor.fetchall()}
    report = compare(entries, rows, tags)
    look_for_messages(report, told, entries, there)
    return report


def look_for_messages(
    report: Report, told: Collection[Entry], certain: Collection[Entry], there: Collection[tuple[str, str]]
) -> None:
    """Look for each inbound message by itself, and add what is not there to a report.

    ``told``: the account; ``certain``: the same, less what it may be wrong about (``doubted``). ``there``: each message
    that the database has, its ticket named as in ``Entry.sets``, and its text.
    """
    certainly = _messages(certain, ACKNOWLEDGED)
    report.messages = len(certainly)
    report.missing += [f"inbound {thing}: acknowledged {text!r}, not there" for thing, text in certainly - set(there)]
    # Nobody was told anything about a message that was on its way when the load was killed.
    unanswered = _messages([entry for entry in told if entry.until], UNKNOWN)
    never = unanswered - _messages(told, ACKNOWLEDGED) - set(there)
    report.lost += [f"inbound {thing}: {text!r} was never taken" for thing, text in never]


def _messages(entries: Collection[Entry], outcome: str) -> set[tuple[str, str]]:
    found = [entry for entry in entries if entry.operation == MESSAGE and entry.outcome == outcome]
    return {(thing, text) for entry in found for thing, text in entry.sets.items()}


def compare(
    entries: Collection[Entry],
    rows: Mapping[int, tuple[int | None, int | None, str | None]],
    tags: Mapping[tuple[int, int], int],
) -> Report:
    """Compare with what is there: lane, order and last message of tickets, and how often a ticket has a tag."""
    expected = expectations(entries)
    report = Report(len(expected), sum(entry.outcome == ACKNOWLEDGED for entry in entries))
    for thing, allowed in expected.items():
        kind, ticket, *tag = thing.split(":")
        if int(ticket) not in rows:
            report.missing.append(f"{thing}: the ticket is gone")
        elif kind == "tag":
            _compare_tag(report, thing, allowed, tags.get((int(ticket), int(tag[0])), 0))
        else:
            lane, order, message = rows[int(ticket)]
            found = [lane, order] if kind == "lane" else message
            if found not in allowed:
                report.missing.append(f"{thing}: acknowledged {allowed}, found {found}")
                if kind == "lane":
                    report.lanes[thing] = allowed, [lane, order], report.missing[-1]
    return report


def _compare_tag(report: Report, thing: str, allowed: list[bool], found: int) -> None:
    if bool(found) not in allowed:
        # A removal that was acknowledged and is not so is lost like any other write.
        report.missing.append(f"{thing}: acknowledged {allowed}, there {found} times")
    elif found > 1:
        report.unexpected.append(f"{thing}: there {found} times")
