# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A collection on disk: private, never overwritten, bounded, with an index that comes last and tells the truth."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _evidencefolder, _evidenceplace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, Part, collect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import (
    Place,
    claim,
    read_index,
)

FACTS = {"incident_id": "INC-1", "label": "t0", "source": "postgresql", "taken": "on_request"}
MUCH = 1024 * 1024
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's files, a file system of its own")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state", ("incidents", "INC-1", "evidence"))


def made(place: Place, *parts: Part, seconds: float = 5, most: int = MUCH) -> tuple[Path, dict[str, Any]]:
    """Collect parts in a new directory; return it and the index, read from the disk."""
    directory = claim([place], "t0", "postgresql-db")
    index = collect(Folder(directory, most), parts, FACTS, seconds)
    assert read_index(directory) == index
    return directory, index


def lines(name: str, count: int, each: bytes = b"x" * 99 + b"\n") -> Part:
    def work(folder: Folder) -> None:
        folder.write(name, (each for _number in range(count)))

    return name, work


def fails(name: str, error: Exception, after: int = 0) -> Part:
    def chunks() -> Iterator[bytes]:
        for _number in range(after):
            yield b"kept\n"
        raise error

    def work(folder: Folder) -> None:
        folder.write(name, chunks())

    return name, work


def test_everything_is_this_users_alone_whatever_the_umask(place: Place) -> None:
    before = os.umask(0)
    try:
        directory, _index = made(place, lines("a", 1))
    finally:
        os.umask(before)
    for path in [place.root, *place.root.rglob("*")]:
        assert path.stat().st_mode & 0o7777 == (0o700 if path.is_dir() else 0o600), path
    assert directory == place.root / "incidents/INC-1/evidence/t0/postgresql-db"


def test_the_index_tells_what_lies_there(place: Place) -> None:
    directory, index = made(place, lines("a", 3), lines("empty", 0))
    assert (index["complete"], index["truncated"], index["missing"], index["incident_id"]) == (True, False, [], "INC-1")
    for entry in index["files"]:
        content = (directory / entry["name"]).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert [entry["bytes"] for entry in index["files"]] == [300, 0]
    assert sorted(path.name for path in directory.iterdir()) == ["a", "empty", "index.json"]


def test_a_part_that_fails_costs_the_others_nothing(place: Place) -> None:
    directory, index = made(
        place,
        lines("a", 1),
        fails("refused", KanbanError("code", "It was refused.", "why", "todo")),
        fails("ours", ZeroDivisionError("a mistake of ours")),
        fails("half", KanbanError("code", "It broke off.", "why", "todo"), after=2),
        lines("z", 1),
    )
    assert [entry["name"] for entry in index["files"]] == ["a", "half", "z"]
    assert [entry["truncated"] for entry in index["files"]] == [False, True, False]
    assert {one["part"]: one["reason"] for one in index["missing"]} == {
        "refused": "It was refused.",
        "ours": "ZeroDivisionError: a mistake of ours",
        "half": "It broke off.",
    }
    assert (directory / "half").read_bytes() == b"kept\nkept\n"
    assert index["complete"] is True


@pytest.mark.parametrize(
    "error",
    [
        LostConnection("lost_connection", "It was lost.", "why", "todo"),
        Timeout("lock_timeout", "It was locked.", "why", "todo"),
        ServerError("few_connections", "There were few.", "why", "todo"),
        OSError(28, "No space left on device"),
    ],
)
def test_what_another_try_could_bring_makes_it_incomplete(place: Place, error: Exception) -> None:
    _directory, index = made(place, lines("a", 1), fails("b", error))
    assert index["complete"] is False
    assert index["missing"][0]["reason"] == (
        error.what if isinstance(error, KanbanError) else "No space left on device"
    )


def test_a_part_that_hangs_is_left_behind_and_adds_nothing_later(place: Place) -> None:
    go_on, ended = threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"in time\n"
        go_on.wait(20)
        yield b"too late\n"

    def hang(folder: Folder) -> None:
        try:
            folder.write("slow", chunks())
        finally:
            with pytest.raises(OSError, match="time was over"):
                folder.write("afterwards", [b"x"])
            ended.set()

    started = time.monotonic()
    directory, index = made(place, lines("a", 1), ("slow", hang), lines("never", 1), seconds=0.3)
    assert time.monotonic() - started < 3
    go_on.set()
    assert ended.wait(10)
    assert [(entry["name"], entry["truncated"]) for entry in index["files"]] == [("a", False), ("slow", True)]
    assert (directory / "slow").read_bytes() == b"in time\n"
    assert index["files"][1]["sha256"] == hashlib.sha256(b"in time\n").hexdigest()
    assert {one["part"] for one in index["missing"]} == {"slow", "never"}
    assert index["complete"] is False
    assert sorted(path.name for path in directory.iterdir()) == ["a", "index.json", "slow"]


def test_time_that_is_over_begins_nothing(place: Place) -> None:
    def sleep(folder: Folder) -> None:
        time.sleep(0.3)

    _directory, index = made(place, ("sleep", sleep), lines("b", 1), seconds=0.2)
    assert index["files"] == []
    assert {one["part"] for one in index["missing"]} == {"sleep", "b"}


def test_each_file_and_all_together_are_bounded_at_a_line(place: Place) -> None:
    directory, index = made(place, *[lines(f"f{number}", 40) for number in range(5)], most=10_000)
    assert [entry["bytes"] for entry in index["files"]] == [2500, 2500, 2500, 2500, 0]
    assert all(entry["truncated"] for entry in index["files"])
    assert (directory / "f0").read_bytes().endswith(b"\n")
    assert len(index["missing"]) == 5
    assert "2500" in index["missing"][0]["reason"]
    assert "10000" in index["missing"][4]["reason"]


def test_it_takes_a_tenth_of_what_is_free_at_most(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evidencefolder, "free_share", lambda directory: 4000)
    _directory, index = made(place, lines("a", 40))
    assert index["files"][0]["bytes"] == 1000
    free = os.statvfs(place.directory).f_bavail * os.statvfs(place.directory).f_frsize
    assert 0.05 < _evidenceplace.free_share(place.directory) / free < 0.15


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, timeout=10, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True, timeout=10)


@as_root
def test_a_disk_that_fills_up_on_the_way_keeps_what_was_written(small_disk: Path) -> None:
    def fill(folder: Folder) -> None:
        # Other programs take all the space but a page for the index.
        (small_disk / "filler").write_bytes(b"x" * (4 * 1024 * 1024 - 5 * 4096))

    directory, index = made(Place(small_disk), lines("a", 10), ("fill", fill), lines("b", 400), lines("c", 1))
    told = {entry["name"]: entry for entry in index["files"]}
    assert (told["a"]["truncated"], told["b"]["truncated"]) == (False, True)
    assert {one["part"]: one["reason"] for one in index["missing"]}["b"] == "No space left on device"
    assert (directory / "b").stat().st_size == told["b"]["bytes"]
    assert index["complete"] is False


@as_root
def test_a_disk_without_space_is_passed_over(small_disk: Path, place: Place) -> None:
    (small_disk / "filler").write_bytes(b"x" * 3 * 1024 * 1024)
    assert claim([Place(small_disk), place], "t0", "a") == place.directory / "t0/a"


def test_a_link_in_the_files_place_is_not_followed(place: Place, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    directory = claim([place], "t0", "postgresql-db")
    (directory / "a").symlink_to(victim)
    index = collect(Folder(directory, MUCH), [lines("a", 1)], FACTS, 5)
    assert index["files"] == []
    assert victim.read_text() == "precious"


def test_what_yields_the_chunks_is_closed_before_the_part_goes_on(place: Place) -> None:
    """The generator may hold a cursor, and the part ends the cursor's transaction next."""
    seen: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            seen.append("closed")

    def cut(folder: Folder) -> None:
        folder.write("cut", chunks())
        seen.append("went on")

    def refused(folder: Folder) -> None:
        try:
            folder.write("cut", chunks())
        except FileExistsError:
            seen.append("refused")

    made(place, ("cut", cut), ("refused", refused), most=10_000)
    assert seen == ["closed", "went on", "closed", "refused"]


def test_a_file_is_not_written_over(place: Place) -> None:
    directory, index = made(place, lines("a", 2), ("again", lines("a", 1)[1]))
    assert (directory / "a").stat().st_size == index["files"][0]["bytes"] == 200
    assert [one["part"] for one in index["missing"]] == ["again"]


def test_reasons_are_one_line_that_can_be_printed(place: Place) -> None:
    ugly = KanbanError("code", "two\nlines\x1b[31m \u202e" + "x" * 1000, "why", "todo")
    directory, _index = made(place, fails("a", ugly))
    reason = json.loads((directory / "index.json").read_text())["missing"][0]["reason"]
    assert reason.isprintable()
    assert len(reason) == 300
