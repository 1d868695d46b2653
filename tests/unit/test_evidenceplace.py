# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where evidence is kept: in a directory that only this user may enter, found again, never overwritten."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, LostConnection
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, collect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import (
    ATTEMPTS,
    Moment,
    Place,
    await_end,
    best,
    claim,
    find,
    places,
    safe_name,
)
from tests.unit.test_evidencefolder import FACTS, MUCH, as_root, fails, lines, made

STOP = Moment("INC-1")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state", ("incidents", "INC-1", "evidence"))


def world_writable(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def somebody_elses(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)


def a_link(path: Path) -> None:
    path.with_name("target").mkdir(mode=0o700)
    path.symlink_to("target")


def a_file(path: Path) -> None:
    path.write_text("", encoding="utf-8")


@pytest.mark.parametrize("prepared", [world_writable, pytest.param(somebody_elses, marks=as_root), a_link, a_file])
@pytest.mark.parametrize("depth", ["root", "below"])
def test_a_directory_that_is_not_ours_alone_is_passed_over(
    tmp_path: Path, place: Place, prepared: Callable[[Path], None], depth: str
) -> None:
    foreign = Place(tmp_path / "foreign", ("incidents", "x"))
    if depth == "below":
        foreign.root.mkdir(mode=0o700)
    prepared(foreign.root if depth == "root" else foreign.root / "incidents")
    with pytest.raises(OSError, match="foreign/incidents/x: "):
        claim([foreign], "t0", "a")
    assert claim([foreign, place], "t0", "a") == place.directory / "t0/a"
    assert not (tmp_path / "target" / "x").exists()


def test_nothing_is_written_over_and_attempts_have_an_end(place: Place) -> None:
    directories = [made(place, lines("a", number))[0] for number in range(ATTEMPTS)]
    numbered = [f"postgresql-db-{number}" for number in range(2, ATTEMPTS + 1)]
    assert [directory.name for directory in directories] == ["postgresql-db", *numbered]
    assert [(directory / "a").stat().st_size for directory in directories] == [100 * n for n in range(ATTEMPTS)]
    with pytest.raises(FileExistsError, match=f"{ATTEMPTS} collections are there already"):
        claim([place, Place(place.root.with_name("other"))], "t0", "postgresql-db")
    assert not place.root.with_name("other").exists()


def test_the_first_complete_one_is_found_wherever_it_lies(tmp_path: Path, place: Place) -> None:
    other = Place(tmp_path / "other")
    where = [place, other]
    assert best(find(where, STOP, "postgresql-db")) is None
    lost = LostConnection("lost_connection", "It was lost.", "why", "todo")
    made(place, lines("a", 1), fails("b", lost))
    made(place, fails("b", KanbanError("code", "what", "why", "todo")))
    assert best(find(where, STOP, "postgresql-db")) is None, "incomplete, or without a file"
    directory, _index = made(other, lines("a", 1))
    found = best(find(where, STOP, "postgresql-db"))
    assert found
    assert found.directory == directory
    assert best(find(where, Moment("INC-2"), "postgresql-db")) is None
    assert best(find(where, Moment("INC-1", "t1"), "postgresql-db")) is None
    assert best(find(where, STOP, "postgresql-other")) is None


def test_when_no_attempt_is_left_the_last_useful_one_is_returned(place: Place) -> None:
    lost = LostConnection("lost_connection", "It was lost.", "why", "todo")
    for number in range(ATTEMPTS):
        assert best(find([place], STOP, "postgresql-db")) is None
        made(place, lines("a", number), fails("b", lost))
    found = best(find([place], STOP, "postgresql-db"))
    assert found
    assert found.directory.name == f"postgresql-db-{ATTEMPTS}"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Moment("INC-1"), 1),
        (Moment("INC-1", run_id="1"), 0),
        (Moment("INC-1", scenario="scenario2"), 0),
        (Moment("INC-1", run_id="2", scenario="scenario1"), 1),
        (Moment("INC-1", run_id="1", scenario="scenario1"), None),
        (Moment("INC-1", run_id="3"), None),
    ],
    ids=["any", "run", "scenario", "run and scenario", "another scenario", "another run"],
)
def test_evidence_of_another_stop_does_not_count_while_attempts_are_left(
    place: Place, asked: Moment, expected: int | None
) -> None:
    def taken(run_id: str, scenario: str) -> Path:
        folder = Folder(claim([place], "t0", "postgresql-db"), MUCH)
        collect(folder, [lines("a", 1)], {**FACTS, "run_id": run_id, "scenario": scenario}, 5)
        return folder.directory

    there = [taken("1", "scenario2"), taken("2", "scenario1")]
    found = best(find([place], asked, "postgresql-db"))
    assert (found and found.directory) == (None if expected is None else there[expected])
    last = [taken("9", "scenario3") for _ in range(ATTEMPTS - 2)][-1]
    found = best(find([place], Moment("INC-1", run_id="3"), "postgresql-db"))
    assert found
    assert (found.directory, found.of_this_stop) == (last, False)


def test_one_under_way_is_waited_for_and_a_dead_one_is_not(place: Place) -> None:
    directory = claim([place], "t0", "postgresql-db")
    asked = ([place], STOP, "postgresql-db")
    started = time.monotonic()
    assert await_end(*asked, Deadline(10)) is None, "nobody is at it"
    folder = Folder(directory, MUCH)
    assert [one.under_way for one in find(*asked)] == [True]
    assert await_end(*asked, Deadline(0.3)) is None
    assert 0.3 <= time.monotonic() - started < 5
    thread = threading.Timer(0.3, lambda: collect(folder, [lines("a", 1)], FACTS, 5))
    thread.start()
    found = await_end(*asked, Deadline(10))
    thread.join()
    assert found
    assert (found.directory, found.complete) == (directory, True)
    assert [one.under_way for one in find(*asked)] == [False]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00"])
def test_an_index_that_cannot_be_read_is_none(place: Place, text: str) -> None:
    directory = claim([place], "t0", "postgresql-db")
    (directory / "index.json").write_text(text)
    assert best(find([place], STOP, "postgresql-db")) is None


def test_the_users_choice_of_place_comes_first_and_once() -> None:
    assert [place.directory.parts[-3:] for place in places(None, "INC-1")] == [("incidents", "INC-1", "evidence")] * 4
    assert places("~/here", "INC-1")[0].directory == Path.home() / "here"
    assert places("relative", "INC-1")[0].directory.is_absolute()
    assert len(places("/var/lib/kanban_rollback/incidents/INC-1/evidence", "INC-1")) == 4


@pytest.mark.parametrize(
    "text", ["../../etc", "a/b", "a b", "", ".", "..", "x" * 300, "ç", "{{ x }}", "a\n", ".hidden", "\udcff"]
)
def test_free_text_makes_a_name_of_its_own(text: str) -> None:
    name = safe_name(text)
    assert name == os.path.basename(name) != ""
    assert not name.startswith(".")
    assert len(name) < 80
    assert name != safe_name(text + "_")
    assert name not in (text, safe_name(text.replace("/", "_")) if "/" in text else None)


def test_a_plain_name_stays() -> None:
    assert safe_name("INC-20261125-042") == "INC-20261125-042"
