# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of a log are errors, since when, and how many messages they are."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logerrors import (
    Counted,
    Messages,
    Tail,
    Wanted,
    pattern_of,
)

NOW = datetime.datetime(2026, 11, 25, 3, 20, 0, tzinfo=datetime.UTC).timestamp()

# The way node prints an error that ends the process.
UNCAUGHT = b"""/srv/app/error.js:12
    throw new Error('boom 1');
    ^

Error: boom 1
    at error (/srv/app/error.js:12:11)
    at Object.<anonymous> (/srv/error.js:3:1) {
  code: 'ECONNREFUSED',
  [errors]: [ [Error: inner] ],
  [cause]: TypeError: inner error
      at inner (/srv/error.js:1:1)
}

Node.js v20.20.2
"""


def wanted(since: float = NOW - 600, last: int = 100, pattern: str = "error", ignored: str = "") -> Wanted:
    return Wanted(pattern_of("p", pattern), pattern_of("i", ignored) if ignored else None, since, last)


def figures(want: Wanted, *tails: Tail) -> dict[str, Any]:
    counted = Counted()
    for tail in tails:
        counted.add(tail, want)
    return counted.figures(want)


def at(seconds_ago: float, zone: float = 0) -> str:
    moment = datetime.datetime.fromtimestamp(NOW - seconds_ago + zone, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def texts(content: bytes, **options: Any) -> list[str]:
    counted, want = Counted(), wanted(**options)
    counted.add(Tail(content, NOW), want)
    return [error.text for error in counted.shown(want)]


def test_the_lines_of_a_stack_trace_are_no_errors_of_their_own() -> None:
    assert texts(UNCAUGHT) == ["/srv/app/error.js:12", "Error: boom 1"]
    assert texts(UNCAUGHT.replace(b"/srv/app/error.js:12\n", b"/srv/app/index.js:12\n")) == ["Error: boom 1"]
    prefixed = b"".join(b"2026-11-25T03:19:59: " + line + b"\n" for line in UNCAUGHT.splitlines())
    assert [text[21:] for text in texts(prefixed)] == ["/srv/app/error.js:12", "Error: boom 1"]


def test_an_indented_line_counts_where_no_error_stands_above_it() -> None:
    assert texts(b"started\n  error: cannot listen\n") == ["  error: cannot listen"]
    assert texts(b"[2026-11-25 03:19:59]   ERROR: one\n[2026-11-25 03:19:59]   ERROR: two\n") != []
    assert len(texts(b"[2026-11-25 03:19:59]   ERROR: one\n[2026-11-25 03:19:59]   ERROR: two\n")) == 2


def test_an_ignored_error_takes_its_trace_along() -> None:
    text = b"Error: expected\n  code: 'ERROR_X'\n    at error (x)\nError: other\n"
    assert texts(text, ignored="expected") == ["Error: other"]


def test_levels_of_pino_need_no_word() -> None:
    lines = (
        b'{"level":30,"msg":"fine"}\n{"level":50,"msg":"boom"}\n{"level":60,"msg":"bang"}\n{"level":500,"msg":"x"}\n'
    )
    assert len(texts(lines)) == 2
    assert texts(b'said "level":50\n') == []


def test_the_pattern_is_compared_without_regard_to_case() -> None:
    assert len(texts(b"ERROR\nTypeError: x\nWARN\nfatal\n")) == 2
    assert len(texts(b"ERROR\nTypeError: x\nWARN\nfatal\n", pattern="^(fatal|warn)")) == 2


@pytest.mark.parametrize("pattern", ["(", "x" * 501, "[", "(?P<a>", "*"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput, match="no regular expression"):
        pattern_of("error_pattern", pattern)


def test_the_last_lines_go_on_in_older_files() -> None:
    new, old = Tail(b"error 1\nfine\n", NOW), Tail(b"error 3\nerror 2\n", NOW - 100)
    assert figures(wanted(last=2), new, old)["error_lines_in_last"] == 1
    assert figures(wanted(last=3), new, old)["error_lines_in_last"] == 2
    found = figures(wanted(last=9), new, old)
    assert (found["error_lines_in_last"], found["last_lines_read"]) == (3, 4)


def test_timestamps_say_since_when() -> None:
    lines = "".join(f"{at(ago)}: error\n" for ago in (900, 601, 599, 1, 0)).encode()
    found = figures(wanted(), Tail(lines, NOW))
    assert (found["error_lines_since"], found["error_lines_in_last"], found["since_by"]) == (3, 5, "timestamps")
    assert figures(wanted(last=2), Tail(lines, NOW))["error_lines_recent"] == 2
    assert figures(wanted(since=NOW), Tail(lines, NOW))["error_lines_recent"] == 1


def test_another_zone_than_the_hosts_is_told_from_the_file() -> None:
    lines = "".join(f"{at(ago, zone=-3 * 3600)}: error\n" for ago in (900, 599, 0)).encode()
    found = figures(wanted(), Tail(lines, NOW + 0.2))
    assert (found["error_lines_since"], found["since_by"]) == (2, "timestamps")


@pytest.mark.parametrize("hours", [-3, 0, 5.5, 9])
@pytest.mark.parametrize("after", [2, 20, 400])
def test_fresh_errors_count_in_any_zone_whatever_was_written_after_them(hours: float, after: float) -> None:
    lines = "".join(f"{at(0, zone=hours * 3600)}: error\n" for _line in range(10)).encode()
    found = figures(wanted(), Tail(lines + b"something without a timestamp\n", NOW + after))
    assert (found["error_lines_recent"], found["error_lines_in_last"]) == (10, 10)
    assert found["since_by"] == ("timestamps" if after == 2 else "local_timestamps")


def test_old_errors_are_old_in_every_zone_that_there_is() -> None:
    # The file was written to 50 minutes after these lines: no zone in the world makes them newer than that.
    lines = f"{at(3000)}: error\n".encode() * 9 + b"more\n"
    assert figures(wanted(), Tail(lines, NOW))["error_lines_since"] == 0
    # For two hours there is such a zone, and nothing says that it is not this application's.
    lines = f"{at(7300)}: error\n".encode() * 9 + b"more\n"
    found = figures(wanted(), Tail(lines, NOW))
    assert (found["error_lines_since"], found["since_by"]) == (9, "local_timestamps")


def test_messages_are_shown_in_the_zone_of_the_host_where_none_can_be_told() -> None:
    counted, messages = Counted(), Messages()
    want = Wanted(pattern_of("p", "error"), None, NOW - 600, 100, local=3600)
    counted.add(Tail(f"{at(7300)}: error\nmore\n".encode(), NOW), want)
    messages.add(counted.shown(want), "api")
    assert messages.result()["messages"][0]["last_seen"] == "2026-11-25T00:18:20Z"


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    found = figures(wanted(), Tail(f"{at(-20)}: error\n".encode() * 6, NOW))
    assert found["error_lines_recent"] == 6


def test_lines_without_a_timestamp_are_as_old_as_the_next_one_at_the_least() -> None:
    between = f"{at(900)}: fine\nerror a\n{at(700)}: fine\nerror b\n".encode()
    found = figures(wanted(), Tail(between, NOW))
    # The one at the end may be as new as the file: it counts, because nothing says that it is old.
    assert (found["error_lines_since"], found["error_lines_in_last"]) == (1, 2)


def test_a_file_without_timestamps_has_its_own_time() -> None:
    assert figures(wanted(), Tail(b"error\n", NOW - 601))["error_lines_since"] == 0
    found = figures(wanted(), Tail(b"error\nerror\n", NOW - 599))
    assert (found["error_lines_since"], found["since_by"]) == (2, "mtime")


def test_what_was_there_at_an_earlier_look_is_not_newer_than_that() -> None:
    tail = Tail(b"error\nerror\nerror\n", NOW, known=12, known_at=NOW - 700)
    found = figures(wanted(), tail)
    assert (found["error_lines_since"], found["since_by"]) == (1, "position")
    # A line that was incomplete at that look counts as new.
    assert figures(wanted(), Tail(b"error\nerror\n", NOW, known=11, known_at=NOW - 700))["error_lines_since"] == 1
    # The end of a long file begins far after its beginning.
    cut = Tail(b"x\nerror\nerror\n", NOW, cut=True, start=1000, known=1008, known_at=NOW - 700)
    assert figures(wanted(), cut)["error_lines_since"] == 1


def test_a_line_that_lost_its_beginning_is_left_out_unless_it_is_all_there_is() -> None:
    assert figures(wanted(), Tail(b"ror error\nerror\n", NOW, cut=True))["error_lines_in_last"] == 1
    assert figures(wanted(), Tail(b"long error", NOW, cut=True))["error_lines_in_last"] == 1


def test_a_time_to_come_is_the_files() -> None:
    found = figures(wanted(), Tail(f"{at(-86400 * 300)}: error\nx\n".encode(), NOW - 601))
    assert found["error_lines_since"] == 0


def test_messages_are_counted_by_what_they_say() -> None:
    messages, counted, want = Messages(["tr0ub4dor"]), Counted(), wanted()
    lines = [f"{at(60 - number)}: Error: no ticket {number} for tr0ub4dor" for number in range(30)]
    lines += [f"{at(0)}: error {'x' * number}y" for number in range(1, 30)]
    counted.add(Tail("\n".join(lines).encode(), NOW), want)
    messages.add(counted.shown(want), "api")
    found = messages.result()
    assert (found["distinct_count"], len(found["messages"])) == (30, 20)
    assert found["messages"][0] == {
        "message": "Error: no ticket <n> for <secret>",
        "count": 30,
        "names": ["api"],
        "first_seen": "2026-11-25T03:19:00Z",
        "last_seen": "2026-11-25T03:19:29Z",
    }


def test_messages_without_end_are_counted_up_to_a_bound() -> None:
    messages, want = Messages(), wanted(last=9000)
    for log in range(2):
        counted = Counted()
        lines = [f"error {log * 'z'}{'x' * (number % 50)}{'y' * (number // 50)}" for number in range(2500)]
        counted.add(Tail("\n".join(lines).encode(), NOW), want)
        assert counted.figures(want)["error_lines_in_last"] == 2500
        shown = counted.shown(want)
        assert (len(shown), shown[-1].text) == (2000, lines[-1])
        messages.add(shown, "api")
    assert messages.result()["distinct_count"] == 2000


@given(
    st.lists(
        st.sampled_from([b"error", b"fine", b"", b"    at error (x)", b"\xff\x00", b"  error", b"}"]), max_size=30
    ),
    st.integers(1, 12),
)
def test_the_counts_agree_with_each_other(lines: list[bytes], last: int) -> None:
    want = wanted(last=last)
    content = b"\n".join(lines) + b"\n" if lines else b""
    found = figures(want, Tail(content, NOW))
    assert found["error_lines_recent"] <= min(found["error_lines_in_last"], found["error_lines_since"])
    assert found["error_lines_in_last"] <= found["last_lines_read"] == min(last, len(lines))
    # Never more than grep would count, and never fewer than the lines that begin with the word.
    tail = lines[-last:]
    assert found["error_lines_in_last"] <= sum(b"error" in line for line in tail)
    assert found["error_lines_in_last"] >= sum(line == b"error" for line in tail)


@given(st.lists(st.sampled_from([b"error", b"fine", b"", b"at error", b"\xff error"]), max_size=30), st.integers(0, 30))
def test_a_log_in_two_files_counts_as_in_one(lines: list[bytes], border: int) -> None:
    old, new = (b"".join(line + b"\n" for line in part) for part in (lines[:border], lines[border:]))
    want = wanted(last=10)
    assert figures(want, Tail(new, NOW), Tail(old, NOW)) == figures(want, Tail(old + new, NOW))
