# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No backup, an old one and a silent source are reported, each once; if none is to be asked, nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightbackup import backup_items
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import Item, Seen

Answer = dict[str, Any]
HOUR = 3600
SILENT = {"name": "pgbackrest main", "error": {"what": "No such stanza.", "why": "W.", "todo": "T."}}
NEWEST = {"label": "F1", "kind": "pgbackrest", "physical": True, "reach": {"age_seconds": 2 * HOUR}}


def answer(**more: Any) -> Answer:
    sound = {
        "sources": [{"name": "dumps", "error": None}],
        "recent": True,
        "recent_with_log": True,
        "newest": NEWEST,
        "newest_why": "",
        "furthest": NEWEST,
        "archiver": {"healthy": True, "why": ""},
    }
    return {**sound, **more}


def items(*answers: Answer, sources: Any = ("x",), writable: bool = True, cluster: str = "7/1") -> list[Item]:
    info = {"database": {"writable": writable, "cluster": cluster}}
    hosts = [
        Seen(f"db{number}", "db", {"ping": {"ping": "pong"}, "info": info, "sources": sources, "backup": one})
        for number, one in enumerate(answers, 1)
    ]
    return backup_items(hosts, HOUR)


def test_nothing_is_said_of_a_sound_one_nor_where_none_is_asked_for() -> None:
    assert items(answer()) == []
    assert items(answer(recent=False)) == [], "the log brings back what is younger"
    assert items({"skipped": True}, sources=[]) == []
    assert items({"skipped": True}, writable=False) == [], "a replica has its primary's"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"newest": None, "furthest": None, "newest_why": "There is no usable backup: 0 found."}, "There is no usable"),
        ({}, "is F1 (pgbackrest), whose data is 2.0 h old; at most 1.0 h are allowed."),
        ({"furthest": {**NEWEST, "reach": {"age_seconds": None}}}, "nobody can tell how old its data is"),
    ],
)
def test_none_or_an_old_one_keeps_the_place_from_being_ready(more: Answer, what: str) -> None:
    (item,) = items(answer(recent=False, recent_with_log=False, **more))
    assert (item.ok, item.must, item.host) == (False, True, "db1")
    assert what in item.what


def test_a_module_that_failed_or_was_never_asked_is_no_backup() -> None:
    (item,) = items({"failed": True, "msg": "bad option"})
    assert (item.must, item.what) == (True, "bad option")
    (item,) = items({})
    assert item.must
    assert "it was not asked" in item.what


def test_a_silent_source_and_a_log_that_is_not_archived_are_told_beside_a_sound_one() -> None:
    failing = {"healthy": False, "why": "archiving fails"}
    first, second = items(answer(sources=[SILENT], archiver=failing))
    assert (first.must, second.must) == (False, False)
    assert first.what == "Backups: pgbackrest main gave no answer: No such stanza."
    assert "archiving fails" in second.what
    assert items(answer(newest={**NEWEST, "physical": False}, archiver=failing)) == [], "a dump needs no log"


def test_one_of_two_hosts_of_a_database_has_its_backup() -> None:
    old = answer(recent=False, recent_with_log=False)
    assert items(old, answer()) == []
    assert [item.host for item in items(old, old)] == ["db1"]
