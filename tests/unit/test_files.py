# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals and plans between a controller's disk and the ledgers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _files
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._filesdisk import FolderRequest, folder_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._history import together
from tests.unit.chronicles import INCIDENT

PLAN = f"plan-{'a' * 16}.json"
JOURNAL = "journal-20261125T000000.000000Z.jsonl"


def kept(name: str, text: str, when: str = "2026") -> dict[str, Any]:
    return {"name": name, "text": text, "at": when, "length": len(text)}


def test_each_comparison_has_a_name_of_its_own() -> None:
    assert all(_files.is_file(f"comparison{digest}.json") for digest in ("", f"-{'0' * 16}"))
    assert not _files.is_file("comparison-1.json")


@pytest.mark.parametrize(
    "name",
    [
        "words.md",
        "journal-.jsonl",
        "journal-../x.jsonl",
        "plan-A.json",
        "../plan-aaaaaaaaaaaaaaaa.json",
        "journal-a.jsonl\n",
        "",
        None,
    ],
)
def test_only_what_runs_write_is_such_a_file(name: Any) -> None:
    assert not _files.is_file(name)
    with pytest.raises(BadInput) as error:
        _files.wanted([{"name": name, "text": "x"}])
    assert error.value.code == "bad_name"


def test_what_is_wanted_is_bounded_and_can_be_kept() -> None:
    given = [{"name": PLAN, "text": "1"}, {"name": PLAN, "text": "\x002"}]
    assert _files.wanted(given) == [{"name": PLAN, "text": "�2"}]
    with pytest.raises(BadInput) as error:
        _files.wanted([{"name": PLAN, "text": "x" * (_files.LONGEST + 1)}])
    assert error.value.code == "too_long"


def test_a_journal_is_cut_at_a_lines_end_and_a_plan_is_whole_or_none() -> None:
    assert _files.bounded(JOURNAL, "ab\ncd\nef\n", 7) == "ab\ncd\n"
    assert _files.bounded(JOURNAL, "abcdefgh", 7) is None
    assert _files.bounded(PLAN, "abcdefgh", 7) is None
    assert _files.bounded(PLAN, "abcdefg", 7) == "abcdefg"


def test_of_several_ledgers_the_longest_journal_and_the_newest_plan_count() -> None:
    found = _files.newest(
        [
            kept(JOURNAL, "a\nb\n", "1"),
            kept(JOURNAL, "a\n", "2"),
            kept(PLAN, "old but long", "1"),
            kept(PLAN, "new", "2"),
            {"name": PLAN},
            kept("../x", "x"),
        ]
    )
    assert found == {JOURNAL: "a\nb\n", PLAN: "new"}


def folder(path: Path, *known: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
    return folder_of(FolderRequest(str(path), INCIDENT, list(known), **options), check)


def test_what_is_elsewhere_comes_here_and_nothing_is_written_over(tmp_path: Path) -> None:
    known = [kept(JOURNAL, "a\nb\n"), kept(PLAN, "{}")]
    assert folder(tmp_path, *known, check=True)["written"] == [JOURNAL, PLAN]
    assert not (tmp_path / INCIDENT).exists()
    done = folder(tmp_path, *known)
    assert (done["changed"], done["written"], done["keep"]) == (True, [JOURNAL, PLAN], [])
    assert done["here"] == {JOURNAL: 4, PLAN: 2}
    journal = tmp_path / INCIDENT / JOURNAL
    assert (journal.read_text(), journal.stat().st_mode & 0o777) == ("a\nb\n", 0o600)
    assert not folder(tmp_path, *known)["changed"]
    # It continues elsewhere; then that is another journal of the same name; then it continues here.
    assert folder(tmp_path, kept(JOURNAL, "a\nb\nc\n"))["written"] == [JOURNAL]
    assert folder(tmp_path, kept(JOURNAL, "x\nb\nc\nd\n"), kept(PLAN, "other"))["written"] == []
    journal.write_text("a\nb\nc\nd\nhalf a li")
    assert folder(tmp_path, kept(JOURNAL, "a\nb\nc\n"))["written"] == []
    assert (tmp_path / INCIDENT / PLAN).read_text() == "{}"


def test_what_lies_here_alone_is_to_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / INCIDENT
    directory.mkdir()
    (directory / JOURNAL).write_text("a\nb\nhalf a li")
    (directory / PLAN).write_text("{}")
    (directory / "words.md").write_text("people's own")
    (directory / "journal-link.jsonl").symlink_to(directory / JOURNAL)
    os.utime(directory / PLAN, (1, 1))
    # Newest first, and without a line that is still being written.
    assert folder(tmp_path)["keep"] == [{"name": JOURNAL, "text": "a\nb\n"}, {"name": PLAN, "text": "{}"}]
    assert [one["name"] for one in folder(tmp_path, since=100.0)["keep"]] == [JOURNAL]
    # The length that a ledger has tells what is new; of two ledgers the one that has less counts.
    there = [{"name": JOURNAL, "length": 4}, {"name": PLAN, "length": 2}]
    assert folder(tmp_path, *there)["keep"] == []
    assert [one["name"] for one in folder(tmp_path, *there, {"name": JOURNAL, "length": 2})["keep"]] == [JOURNAL]
    module = "ansible_collections.chatia.kanban_rollback.plugins.module_utils"
    monkeypatch.setattr(f"{module}._filesdisk.MOST_AT_ONCE", 4)
    full = folder(tmp_path)
    assert ([one["name"] for one in full["keep"]], full["left_out"]) == ([JOURNAL], [PLAN])
    assert folder(tmp_path, keep=False)["keep"] == []


def test_journals_leave_room_for_plans_and_one_that_is_there_may_grow() -> None:
    journals = [f"journal-{number}.jsonl" for number in range(_files.MOST)]
    plans = [f"plan-{number:016x}.json" for number in range(_files.MOST_OTHERS)]

    def asked(there: list[str], *names: str) -> tuple[list[str], list[str]]:
        taken, full = _files.with_room(there, [{"name": name, "text": "x"} for name in names])
        return [one["name"] for one in taken], full

    assert asked(journals, JOURNAL, PLAN, journals[0]) == ([PLAN, journals[0]], [JOURNAL])
    assert asked(journals[1:], JOURNAL, journals[0]) == ([JOURNAL], [journals[0]])
    assert asked([*journals, *plans], JOURNAL, PLAN) == ([], [JOURNAL, PLAN])
    assert asked(plans, JOURNAL, PLAN) == ([JOURNAL], [PLAN])


def test_one_that_nobody_reads_at_once_keeps_the_others_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "ansible_collections.chatia.kanban_rollback.plugins.module_utils"
    monkeypatch.setattr(f"{module}._filesdisk.LARGEST", 50)
    folder = tmp_path / INCIDENT
    folder.mkdir()
    huge, plan, other = folder / JOURNAL, folder / PLAN, folder / "comparison.json"
    huge.write_text("a line of 20 bytes\n" * 9)
    plan.write_text("{}")
    other.write_text("x" * 51)
    # A ledger has its beginning, and no more.
    known = [{**kept(JOURNAL, "a line of 20 bytes\n"), "length": 19}]
    found = folder_of(FolderRequest(str(tmp_path), INCIDENT, known), check_mode=False)
    texts = {one["name"]: one["text"] for one in found["keep"]}
    assert texts == {PLAN: "{}", JOURNAL: "a line of 20 bytes\n" * 2}
    assert (found["cut"], found["too_long"], found["written"]) == ([JOURNAL], ["comparison.json"], [])
    assert huge.stat().st_size == 9 * 19


def test_timings_of_one_incident_count_once_and_those_of_more_runs() -> None:
    def one(runs: int, incident: str = "INC-1", environment: str = "staging") -> dict[str, Any]:
        return {"incident_id": incident, "environment": environment, "runs": runs}

    assert together([one(1)], [one(2), one(1, environment="production")]) == [one(2), one(1, environment="production")]
    here = one(2)
    assert together([here], [one(2)])[0] is here
