# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line was written: the forms of timestamps that loggers of Node use, and their zones."""

from __future__ import annotations

import datetime
import time
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logtimes import Stamp, stamp_of, zone_of

AT = datetime.datetime(2026, 11, 25, 3, 14, 7, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "zoned", "body"),
    [
        ("2026-11-25T03:14:07: Error: boom", False, "Error: boom"),
        ("2026-11-25T03:14:07:     at f (/srv/a.js:1:2)", False, "    at f (/srv/a.js:1:2)"),
        ("2026-11-25 03:14:07 +00:00: boom", True, "boom"),
        ("2026-11-25T00:14:07.000-03:00 boom", True, "boom"),
        ("2026-11-25T03:14:07.000Z boom", True, "boom"),
        ("2026-11-25 03:14:07Zebra boom", False, "Zebra boom"),
        ("2026/11/25 03:14:07 boom", False, "boom"),
        ("[2026-11-25T03:14:07.000] [ERROR] default - boom", False, "[ERROR] default - boom"),
        ("[2026-11-25 03:14:07.000 +0000] ERROR: boom", True, "ERROR: boom"),
        ("ERROR [25-11-2026 03:14:07]: boom", False, "boom"),
        ("error: 25/11/2026, 03:14:07 boom", False, "boom"),
        ("[Nest] 1234  - 11/25/2026, 3:14:07 AM   ERROR [App] boom", False, "  ERROR [App] boom"),
        ("11/25/2026, 03:14:07 boom", False, "boom"),
        ("[25/Nov/2026:03:14:07 +0000] boom", True, "boom"),
        ("[1795576447000] ERROR: boom", True, "ERROR: boom"),
        ('{"level":50,"time":1795576447000,"msg":"boom"}', True, None),
        ('{"level":"error","timestamp":"2026-11-25T03:14:07.000Z","message":"boom"}', True, None),
        ('{"message":"boom\\n","timestamp":"2026-11-25T03:14:07","type":"err"}', False, None),
    ],
)
def test_the_forms_of_timestamps(line: str, zoned: bool, body: str | None) -> None:
    stamp = stamp_of(line)
    assert stamp is not None
    assert (stamp.at, stamp.zoned) == (AT, zoned)
    assert line[stamp.end :] == (line if body is None else body)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "boom",
        "Ticket created 2026-11-25 03:14:07 is wrong",
        "Error of 2026-11-25T03:14:07",
        "2026-13-25T03:14:07: boom",
        "2026-11-25T25:14:07: boom",
        "31/Foo/2026:03:14:07 +0000 boom",
        "1795576447 boom",
        "{}",
        '{"time":"soon"}',
        "{" * 3000,
    ],
)
def test_what_is_none(line: str) -> None:
    assert stamp_of(line) is None


def test_a_form_without_seconds_and_a_level_before_it() -> None:
    stamp = stamp_of("2026-11-25 03:14: boom")
    assert stamp is not None
    assert (stamp.at, stamp.to_second, stamp.each_line) == (AT - 7, False, True)


def test_only_the_stamp_of_pm2_stands_before_each_line() -> None:
    found = [stamp_of(f"2026-11-25T03:14:07{after} x") for after in (":", "", "]")]
    assert [stamp and stamp.each_line for stamp in found] == [True, False, False]


@pytest.mark.parametrize("hours", [-12, -3, 0, 3, 5.5, 5.75, 14])
@pytest.mark.parametrize("late", [0, 0.4, 4])
def test_the_zone_is_told_from_when_the_file_was_written(hours: float, late: float) -> None:
    assert zone_of(Stamp(AT + hours * 3600, False), AT + late) == (hours * 3600, True)


@pytest.mark.parametrize(
    ("off", "hours"), [(20, 0), (400, 0), (900, 0), (3590, 0), (3610, -1), (-20, 1), (15 * 3600, -12), (-86400, 14)]
)
def test_a_file_that_was_written_to_since_tells_only_how_new_a_line_can_be(off: float, hours: float) -> None:
    assert zone_of(Stamp(AT, False), AT + off) == (hours * 3600, False)


def test_every_zone_of_this_year_is_known() -> None:
    for name in zoneinfo.available_timezones():
        for month in range(1, 13):
            moment = datetime.datetime(2026, month, 15, 12, tzinfo=zoneinfo.ZoneInfo(name))
            offset = moment.utcoffset()
            assert offset is not None
            assert zone_of(Stamp(AT + offset.total_seconds(), False), AT) == (offset.total_seconds(), True), name


def test_a_clock_without_seconds_may_be_a_minute_late() -> None:
    assert zone_of(Stamp(AT, False, to_second=False), AT + 59 + 3600) == (-3600, True)
    assert zone_of(Stamp(AT, False, to_second=True), AT + 59 + 3600) == (-3600, False)


@given(st.text(max_size=300) | st.text("0123456789-/:. T[]{}(),+ZAMPerror", max_size=300))
def test_no_line_breaks_it(line: str) -> None:
    stamp = stamp_of(line)
    assert stamp is None or 0 <= stamp.end <= len(line)


@given(st.integers(1_000_000_000_000, 1_999_999_999_999), st.integers(-56, 56))
def test_a_moment_is_found_again_in_any_zone(milliseconds: int, quarters: int) -> None:
    zone = datetime.timezone(datetime.timedelta(minutes=15 * quarters))
    there = datetime.datetime.fromtimestamp(milliseconds / 1000, zone)
    stamp = stamp_of(f"{there.isoformat(timespec='milliseconds')}: x")
    assert stamp is not None
    assert stamp.zoned
    assert abs(stamp.at - there.timestamp()) < 0.002


@pytest.mark.parametrize(
    "line", ["[" * 100_000, " " * 100_000, "error " * 20_000, '"time":' * 20_000, "{" + " " * 99_999]
)
def test_long_lines_cost_nothing(line: str) -> None:
    started = time.monotonic()
    assert stamp_of(line) is None
    assert time.monotonic() - started < 0.5
