# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends of logs on a real disk: bounds, rotation, archives."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _logfiles
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logerrors import Wanted, pattern_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logfiles import (
    NotReadable,
    read_log,
)
from tests.unit.logs import MUCH, aged, counts, logs, read, state

__all__ = ["logs"]


def test_only_the_end_of_a_huge_log_is_read(logs: Path) -> None:
    log = logs / "api-error.log"
    with log.open("wb") as file:
        file.truncate(5 * 1024**3)
        file.seek(0, os.SEEK_END)
        file.write(b"\nerror 1\nerror 2\n")
    started = time.monotonic()
    found = read(log)
    assert time.monotonic() - started < 2
    assert counts(found) == (2, 2)
    assert found.complete is False, "what lies before may count too"


def test_a_line_of_ten_megabytes_costs_no_more_than_others(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_bytes(b"error " + b"x" * 10_000_000 + b"\nerror\n")
    started = time.monotonic()
    assert counts(read(log)) == (1, 1)
    assert counts(read(log, most=20_000_000)) == (2, 2)
    assert time.monotonic() - started < 2


def test_rotated_files_are_read_as_far_back_as_needed(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_text("error now\n")
    aged(logs / "api-error.log", 1)
    for name, age in (
        ("api-error.log.1", 100),
        ("api-error__2026-11-26_00-00-00.log", 200),
        ("api-error.log-20261125", 300),
    ):
        (logs / name).write_text(f"error in {name}\n")
        aged(logs / name, age)
    (logs / "api-error.log.2.gz").write_bytes(gzip.compress(b"error packed\n"))
    aged(logs / "api-error.log.2.gz", 400)
    for name in (
        "api-error.log.bak",
        "api-error-old.log",
        "api-out.log.1",
        "api-error.log.1.gz.part",
        "my-api-error.log.1",
    ):
        (logs / name).write_text("error elsewhere\n" * 50)
    found = read(log)
    assert counts(found) == (5, 5)
    assert [os.path.basename(path) for path in found.rotated] == [
        "api-error.log.1",
        "api-error__2026-11-26_00-00-00.log",
        "api-error.log-20261125",
        "api-error.log.2.gz",
    ]
    assert found.complete
    # There are enough lines, and beyond them only what is young enough is read.
    assert len(read(log, since=250, last=1).rotated) == 2
    assert read(log, since=0.01, last=1).rotated == []


def test_an_empty_log_after_rotation_is_no_log_without_errors(logs: Path) -> None:
    log = logs / "api-error.log"
    log.touch()
    (logs / "api-error.log.1").write_text("error\n" * 7)
    assert counts(read(log)) == (7, 7)


def test_a_damaged_archive_gives_what_it_has_and_is_said_to_lack(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_text("error\n")
    packed = gzip.compress("".join(f"error {number} {os.urandom(8).hex()}\n" for number in range(1000)).encode())
    for content in (packed[: len(packed) // 2], b"no archive", packed[:20]):
        (logs / "api-error.log.1.gz").write_bytes(content)
        found = read(log, last=5000)
        assert found.complete is False
        assert "damaged" in "".join(found.lacking)
        assert counts(found, last=5000)[0] >= 1
    assert counts(read(log, last=5000), last=5000)[0] < 1002


def test_what_lacks_counts_only_where_it_could_be_new_and_among_the_last(logs: Path) -> None:
    log, packed = logs / "api-error.log", logs / "api-error.log.1.gz"
    packed.write_bytes(b"no archive")
    log.touch()
    found = read(log)
    assert (counts(found)[1], found.complete, found.recent) == (0, False, False)
    # It was last written before that moment, so nothing in it is new.
    aged(packed, 900)
    found = read(log)
    assert (found.complete, found.recent) == (False, True)
    # There are enough lines, so nothing beyond them is looked for.
    aged(packed, 0)
    log.write_text("fine\n" * 100)
    found = read(log)
    assert (found.complete, found.recent) == (False, True)
    log.write_text("fine\n" * 99)
    assert read(log).recent is False
    packed.unlink()
    assert read(log).recent is True


def test_an_end_with_enough_lines_says_all_that_is_recent(logs: Path) -> None:
    log = logs / "api-out.log"
    log.write_text("fine, and long enough for a few of them to fill what is read of it\n" * 2000)
    assert (read(log, most=8192).complete, read(log, most=8192).recent) == (False, True)
    assert read(log, most=4096, last=100).recent is False


def test_more_rotated_files_than_are_read_are_said_to_lack(logs: Path) -> None:
    log = logs / "api-error.log"
    log.touch()
    for number in range(1, 8):
        aged_path = logs / f"api-error.log.{number}"
        aged_path.write_text("error\n")
        aged(aged_path, number * 10)
    found = read(log)
    assert (len(found.rotated), found.complete, found.recent) == (5, False, False)
    assert read(log, since=35).recent is True


def test_what_was_there_is_as_old_as_the_file_was_then(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_text("error\n" * 9)
    aged(log, 300)
    first = read(log)
    earlier = {"inode": first.inode, "size_bytes": first.size, "at": time.time(), "written_at": first.written_at}
    with log.open("a") as file:
        file.write("error\n")
    assert counts(read(log, since=200), since=200)[1] == 10, "nothing says that they are older"
    assert counts(read(log, since=200, earlier=earlier), since=200)[1] == 1


def test_an_archive_that_unpacks_without_end_is_given_up(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_text("error\n")
    with gzip.open(logs / "api-error.log.1.gz", "wb", compresslevel=1) as file:
        for _megabyte in range(100):
            file.write(b"\0" * 1024 * 1024)
    started = time.monotonic()
    found = read(log, most=100_000)
    assert time.monotonic() - started < 2
    assert (found.complete, counts(found)[0]) == (False, 1)


@pytest.mark.parametrize("how", ["moved", "cut"])
def test_a_log_that_is_rotated_while_it_is_read_is_read_again(
    logs: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    log = logs / "api-error.log"
    log.write_text("error\n" * 3)
    whole = _logfiles._tail
    rotations: list[int] = []

    def rotate_first(*arguments: object) -> object:
        if not rotations:
            rotations.append(1)
            if how == "moved":
                log.rename(logs / "api-error.log.1")
                log.write_text("error\n")
            else:
                shutil.copy(log, logs / "api-error.log.1")
                os.truncate(log, 0)
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(_logfiles, "_tail", rotate_first)
    assert counts(read(log))[0] == (4 if how == "moved" else 3)


def test_a_log_that_is_rotated_all_the_time_is_said_to_be_incomplete(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logs / "api-error.log"
    log.write_text("error\n")
    monkeypatch.setattr(_logfiles, "_is_changed", lambda *_arguments: True)
    found = read(log)
    assert found.complete is False
    assert "again and again" in found.lacking[0]


def test_what_was_known_of_the_file_is_not_new(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_text("error\nerror\n")
    first = read(log)
    earlier = {"inode": first.inode, "size_bytes": first.size, "at": time.time() - 700}
    with log.open("a") as file:
        file.write("error\n")
    assert counts(read(log, earlier=earlier)) == (3, 1)
    assert counts(read(log, earlier={**earlier, "inode": 1})) == (3, 3)
    os.truncate(log, 0)
    log.write_text("error\n")
    assert counts(read(log, earlier=earlier)) == (1, 1)


def test_what_is_no_log_is_said_to_be_none(logs: Path) -> None:
    assert state(logs / "none.log") == "missing"
    os.mkfifo(logs / "pipe.log")
    assert state(logs / "pipe.log") == "no_file"
    (logs / "directory.log").mkdir()
    assert state(logs / "directory.log") == "no_file"
    (logs / "log").write_text("x")
    assert state(logs / "log" / "x.log") == "forbidden"
    assert state(Path("/dev/null")) == "no_file"


def test_no_time_is_no_answer(logs: Path) -> None:
    log = logs / "api-error.log"
    log.write_text("error\n")
    wanted = Wanted(pattern_of("p", "error"), None, 0, 100)
    with pytest.raises(NotReadable) as refused:
        read_log(str(log), wanted, MUCH, None, Deadline(0))
    assert refused.value.state == "slow"
