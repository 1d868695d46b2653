# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior values in a file: private, whole after a crash or a full disk, and nowhere that somebody else prepared."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import (
    DIRECTORIES,
    Change,
    PriorFile,
    directories,
    file_name,
    find_files,
    in_hand,
    list_files,
    read_file,
    retire,
)

NAME = "INC-20261125-001-0123456789ab.priors.jsonl"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's files, a file system of its own")


def batch(number: int, letters: int = 0) -> Change:
    """Return a batch with a number to know it by, and a prior value of that many letters."""
    return Change("disabled", "false", 1, f'{{"{number}"}}', f'{{"{"x" * letters}"}}')


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kanban_rollback"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_directory_and_file_are_this_users_alone_whatever_the_umask(place: Path) -> None:
    file = PriorFile(NAME, [place])
    assert file.path is None
    file.append(batch(1))
    assert file.path == place / NAME
    assert mode(place) == 0o700
    assert mode(place / NAME) == 0o600


def test_batches_are_read_as_they_were_written(place: Path) -> None:
    changes = [
        batch(1),
        Change("enabled", None, 0, '{"ç","{{ x }}","a\\"b"}', None, depths="{0,1}", marks='{"ab"}'),
        Change("restored", '"\ud83d"', 2, '{"two\nlines\u2028\x85\x0b"}', "{NULL,\\\\}"),
    ]
    file = PriorFile(NAME, [place])
    for change in changes:
        file.append(change)
    assert read_file(place / NAME) == changes
    assert len((place / NAME).read_bytes().splitlines()) == 3


def test_another_run_appends_to_what_is_there(place: Path) -> None:
    for number in range(3):
        PriorFile(NAME, [place]).append(batch(number))
    assert read_file(place / NAME) == [batch(number) for number in range(3)]


def test_a_torn_last_line_spoils_nothing_before_it(place: Path) -> None:
    file = PriorFile(NAME, [place])
    for number in range(3):
        file.append(batch(number))
    text = (place / NAME).read_bytes()
    last = text.splitlines(keepends=True)[-1]
    for cut in range(1, len(last) + 1):
        (place / NAME).write_bytes(text[:-cut])
        # If only its newline is missing, the line is still complete.
        assert read_file(place / NAME) == [batch(number) for number in range(3 if cut == 1 else 2)]


def test_a_torn_last_line_does_not_swallow_the_next_one(place: Path) -> None:
    PriorFile(NAME, [place]).append(batch(1))
    with (place / NAME).open("ab") as file:
        file.write(b'{"action": "disab')
    for number in (2, 3):
        PriorFile(NAME, [place]).append(batch(number))
    assert read_file(place / NAME) == [batch(1), batch(2), batch(3)]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file grow past ``size``: the write that meets it is done in part, as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_half_a_line_is_taken_back_when_no_more_can_be_written(place: Path) -> None:
    file = PriorFile(NAME, [place])
    file.append(batch(1))
    before = (place / NAME).read_bytes()
    with file_size_limit(len(before) + 40), pytest.raises(OSError, match="File too large") as refused:
        file.append(batch(2, letters=100))
    assert str(place) in str(refused.value)
    assert (place / NAME).read_bytes() == before
    file.append(batch(3))
    assert read_file(place / NAME) == [batch(1), batch(3)]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "tiny"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, timeout=10, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True, timeout=10)


@as_root
def test_a_full_disk_is_told_and_what_stands_there_stays(tiny_disk: Path) -> None:
    file = PriorFile(NAME, [tiny_disk])
    file.append(batch(1))
    with pytest.raises(OSError, match="No space left on device"):
        file.append(batch(2, letters=100_000))
    assert read_file(tiny_disk / NAME) == [batch(1)]
    file.append(batch(3))
    assert read_file(tiny_disk / NAME) == [batch(1), batch(3)]


@as_root
def test_where_one_disk_is_full_the_next_place_takes_it(tiny_disk: Path, place: Path) -> None:
    (tiny_disk / "filler").write_bytes(b"x" * 64 * 1024)
    file = PriorFile(NAME, [tiny_disk, place])
    file.append(batch(1))
    assert file.path == place / NAME
    assert [read_file(path) for path in find_files(NAME, [tiny_disk, place])][-1] == [batch(1)]


def world_writable(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def group_writable(path: Path) -> None:
    path.mkdir()
    path.chmod(0o770)


def somebody_elses(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)


def a_link(path: Path) -> None:
    path.with_name("target").mkdir(mode=0o700)
    path.symlink_to("target")


def a_file(path: Path) -> None:
    path.write_text("", encoding="utf-8")


@pytest.mark.parametrize(
    "prepared", [world_writable, group_writable, pytest.param(somebody_elses, marks=as_root), a_link, a_file]
)
def test_a_directory_that_is_not_ours_alone_is_passed_over(
    tmp_path: Path, place: Path, prepared: Callable[[Path], None]
) -> None:
    foreign = tmp_path / "foreign"
    prepared(foreign)
    with pytest.raises(OSError, match="foreign: "):
        PriorFile(NAME, [foreign]).append(batch(1))
    file = PriorFile(NAME, [foreign, place])
    file.append(batch(1))
    assert file.path == place / NAME
    assert not list(foreign.glob("*"))
    assert not (tmp_path / "target" / NAME).exists()


def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path, place: Path) -> None:
    place.mkdir(mode=0o700, parents=True)
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    (place / NAME).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        PriorFile(NAME, [place]).append(batch(1))
    assert victim.read_text(encoding="utf-8") == "precious"
    assert find_files(NAME, [place]) == []


def test_every_place_that_refused_is_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        world_writable(tmp_path / name)
    with pytest.raises(OSError, match=r"one: belongs to somebody else; .*two: belongs to somebody else"):
        PriorFile(NAME, [tmp_path / "one", tmp_path / "two"]).append(batch(1))


def test_files_are_found_in_every_place_in_reading_order(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b", "c")]
    for spot in (places[2], places[0]):
        PriorFile(NAME, [spot]).append(batch(1))
    assert find_files(NAME, places) == [places[0] / NAME, places[2] / NAME]
    assert find_files("other", places) == []


def test_the_newest_file_is_listed_first(place: Path) -> None:
    for age, name in enumerate(["c.priors.jsonl", "a.priors.jsonl", "b.priors.jsonl"]):
        PriorFile(name, [place]).append(batch(age))
        os.utime(place / name, (1_700_000_000 - age, 1_700_000_000 - age))
    (place / "notes.txt").write_text("", encoding="utf-8")
    listed = list_files([place, place / "missing"])
    assert [path.name[0] for path in listed] == ["c", "a", "b"]
    assert list_files([place], limit=1) == listed[:1]


def test_a_file_that_was_taken_over_is_kept_and_not_read_again(place: Path) -> None:
    PriorFile(NAME, [place]).append(batch(1))
    kept = retire(place / NAME)
    assert read_file(kept) == [batch(1)]
    assert mode(kept) == 0o600
    assert find_files(NAME, [place]) == []
    assert list_files([place]) == []


@pytest.mark.parametrize(
    ("incident", "start"),
    [
        ("INC-20261125-001", "INC-20261125-001-"),
        ("../../etc/passwd", "etc_passwd-"),
        ("a b\n{{ c }}", "a_b_c-"),
        ("...", "incident-"),
        ("", "incident-"),
        ("ç" * 300, "incident-"),
        ("x" * 300, "x" * 60 + "-"),
    ],
)
def test_a_file_name_is_readable_and_leads_nowhere_else(incident: str, start: str) -> None:
    name = file_name(incident, "7/1", "jsonb:Companies")
    assert name.startswith(start)
    assert Path(name).name == name
    assert len(name) < 100


def test_each_incident_database_and_flag_has_its_own_file() -> None:
    asked = [("a/b", "7/1", "f"), ("a b", "7/1", "f"), ("a/b", "7/2", "f"), ("a/b", "7/1", "g")]
    assert len({file_name(*names) for names in asked}) == len(asked)
    assert file_name(*asked[0]) == file_name(*asked[0])


def test_the_users_choice_of_place_comes_first() -> None:
    assert len(directories()) == len(DIRECTORIES)
    assert directories("~/here")[0] == Path.home() / "here"
    assert directories("~/here")[1:] == directories()


def test_what_is_kept_while_a_file_is_taken_over_goes_to_the_next_place(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    file = PriorFile(NAME, [first, second])
    file.append(batch(1))
    with in_hand(first / NAME):
        file.append(batch(2))
        retire(first / NAME)
    assert file.path == second / NAME
    assert (read_file(second / NAME), read_file(first / NAME)) == ([batch(2)], [])


def test_a_file_is_taken_over_by_one_run_at_a_time(place: Path) -> None:
    PriorFile(NAME, [place]).append(batch(1))
    with in_hand(place / NAME), pytest.raises(BlockingIOError), in_hand(place / NAME):
        pass


def test_a_file_that_could_not_be_renamed_is_not_taken_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PriorFile(NAME, [place]).append(batch(1))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OSError, match="cannot be written"), in_hand(place / NAME):
        pass
