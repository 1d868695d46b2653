# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line of a log was written, by its own words. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

# All offsets from UTC that exist, including summer times, in hours.
_ZONES = (
    *(-12, -11, -10, -9.5, -9, -8, -7, -6, -5, -4, -3.5, -3, -2.5, -2, -1, 0, 1, 2, 3, 3.5, 4, 4.5),
    *(5, 5.5, 5.75, 6, 6.5, 7, 8, 8.75, 9, 9.5, 10, 10.5, 11, 12, 12.75, 13, 13.75, 14),
)
# How long a logger may take from a line's timestamp to the file.
_LATE = 5.0
_MINUTE = 60.0

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# What may precede the timestamp: brackets, a level, a process id of NestJS. After anything else, a date is part of what
# the line says, for instance of a ticket. No two alternatives match the same text, so matching stays linear.
_BEFORE = (
    r"^(?:[\s\[\](){}<>|*-]|(?:trace|debug|verbose|info|notice|log|warn|warning|error|err|critical|fatal)\b:?"
    r"|nest\b\]?\s+[0-9]{1,10})*"
)
_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?P<fraction>[.,][0-9]{1,9})?)?"
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})(?![A-Za-z0-9]))?"
_AFTER = r"(?P<after>[\])]*:? ?)"
_FORMS = tuple(
    re.compile(_BEFORE + form + _AFTER, re.IGNORECASE)
    for form in (
        # pm2 --time, ISO 8601, log4js, pino-pretty
        rf"(?P<year>[0-9]{{4}})[-/](?P<month>[0-9]{{2}})[-/](?P<day>[0-9]{{2}})[T ]{_CLOCK}{_ZONE}",
        # NestJS and others by locale
        r"(?P<first>[0-9]{1,2})[-/.](?P<other>[0-9]{1,2})[-/.](?P<year>[0-9]{4}),? "
        rf"{_CLOCK}(?: ?(?P<half>[AP]M)\b)?{_ZONE}",
        # Web servers
        rf"(?P<day>[0-9]{{2}})/(?P<name>[A-Z]{{3}})/(?P<year>[0-9]{{4}}):{_CLOCK}{_ZONE}",
        # pino-pretty without a format
        r"(?P<milliseconds>1[0-9]{12})(?=[\s\]])",
    )
)
_JSON_KEY = re.compile(r'"(?:time|timestamp|@timestamp|ts|date)"\s{0,4}:\s{0,4}"?([^",}]{10,40})')
_JSON_NUMBER = re.compile(r"1[0-9]{9}(?:[0-9]{3})?(?:\.[0-9]+)?$")
_FIRST = 120
_JSON_FIRST = 2000


class Stamp(NamedTuple):
    """``at``: seconds since 1970, as if in UTC if ``zoned`` is false; ``end``: where the line goes on after it.

    ``each_line``: it is of pm2's kind, which precedes each line of a message, not the message.
    """

    at: float
    zoned: bool
    to_second: bool = True
    end: int = 0
    each_line: bool = False


def stamp_of(line: str) -> Stamp | None:
    """Return the timestamp that a line begins with, or that a JSON line has; None without one."""
    if line.lstrip()[:1] == "{":
        match = _JSON_KEY.search(line[:_JSON_FIRST])
        found = _of_json(match.group(1).strip()) if match else None
        return found._replace(end=0, each_line=False) if found else None
    for form in _FORMS:
        match = form.match(line[:_FIRST])
        if match:
            return _of_match(match)
    return None


def _of_json(text: str) -> Stamp | None:
    if _JSON_NUMBER.match(text):
        number = float(text)
        return Stamp(number / 1000 if number > 1e11 else number, True)
    match = _FORMS[0].match(text)
    return _of_match(match) if match else None


def _of_match(match: re.Match[str]) -> Stamp | None:
    part = match.groupdict()
    if part.get("milliseconds"):
        return Stamp(int(part["milliseconds"]) / 1000, True, end=match.end())
    month, day = _month_and_day(part)
    hour = int(part["hour"])
    if part.get("half"):
        hour = hour % 12 + (12 if part["half"].upper() == "PM" else 0)
    day_and_time = (int(part["year"]), month, day, hour, int(part["minute"]), int(part["second"] or 0))
    try:
        moment = datetime.datetime(*day_and_time, tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    at = moment.timestamp() + float("0." + (part["fraction"] or ".0")[1:])
    zone = part.get("zone")
    each_line = part["after"].startswith(":")
    return Stamp(at - (_offset(zone) if zone else 0), bool(zone), bool(part["second"]), match.end(), each_line)


def _month_and_day(part: dict[str, str]) -> tuple[int, int]:
    if part.get("name"):
        name = part["name"].lower()
        return (_MONTHS.index(name) + 1 if name in _MONTHS else 0), int(part["day"])
    if part.get("month"):
        return int(part["month"]), int(part["day"])
    # en-US writes 11/25/2026, 3:14 PM; elsewhere the day comes first.
    first, other = int(part["first"]), int(part["other"])
    return (first, other) if part.get("half") or other > 12 else (other, first)


def _offset(zone: str) -> int:
    if zone.upper() in ("Z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def zone_of(last: Stamp, written_at: float) -> tuple[float, bool]:
    """Return the offset from UTC, in seconds, of a log whose lines name no zone, and whether that is certain.

    An application may use a different zone than its host. Its last line was written when the file was, so the
    difference is the zone. If lines without a timestamp were written since, the zone is not certain: then it is the one
    that makes the lines as new as any zone does, because no line is newer than its file.

    :param last: the last line's timestamp, without a zone.
    :param written_at: when the file was last written, seconds since 1970.
    """
    ahead = last.at - written_at
    offset = next((hours * 3600.0 for hours in _ZONES if hours * 3600 >= ahead - 1.0), _ZONES[-1] * 3600.0)
    most = _LATE if last.to_second else _LATE + _MINUTE
    return offset, -1.0 <= offset - ahead <= most
