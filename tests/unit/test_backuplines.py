# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of backups: once for each database, before which moment, and what is unknown is reported as such."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuplines import (
    backup_lines,
    comes_back_text,
    incident_backup_lines,
    log_text,
    newest_text,
    when_it_began,
)

Answer = dict[str, Any]
HOUR = 3600
NEWEST = {
    "label": "F1",
    "kind": "pgbackrest",
    "physical": True,
    "reach": {"age_seconds": 2 * HOUR, "latest": "2026-11-25T08:00:00Z"},
}
MOMENT = "2026-11-25T03:00:00.123456Z"
POSSIBLE = {"possible": True, "why_not": "", "label": "F0", "kind": "pgbackrest"}
UNKNOWN = {"possible": None, "why_not": "W.", "label": "F0", "kind": "pgbackrest"}


def answer(cluster: str = "7/1", writable: bool = True, **more: Any) -> Answer:
    sound = {
        "sources": [{"name": "dumps", "error": None}],
        "recent": True,
        "recent_with_log": True,
        "newest": NEWEST,
        "newest_why": "",
        "furthest": NEWEST,
        "before": None,
        "before_why": "",
        "lost_seconds": None,
        "point_in_time": None,
        "archiver": {"healthy": True, "why": ""},
        "database": {"cluster": cluster, "writable": writable},
    }
    return {**sound, **more}


def check(name: str, kind: str, first_at: str | None, status: str = "corrupt") -> Answer:
    return {"name": name, "kind": kind, "status": status, "first_at": first_at}


def test_since_when_data_is_corrupt_is_for_checks_of_hours_to_tell_first() -> None:
    old, hour = "2019-01-01T00:00:00Z", "2026-11-25T03:00:00Z"
    assert when_it_began({}) == when_it_began({"checks": []}) == {"at": None, "check": None}
    assert when_it_began({"checks": [check("a", "orphan", None), check("b", "timeline", hour, "ok")]})["at"] is None
    rows = check("orphans", "orphan", old)
    assert when_it_began({"checks": [rows]}) == {"at": old, "check": "orphans"}
    found = {"checks": [rows, check("late", "mass_delete", "2026-11-25T04:00:00Z"), check("tags", "timeline", hour)]}
    assert when_it_began(found) == {"at": hour, "check": "tags"}


def test_the_log_and_the_newest() -> None:
    assert log_text(answer()) == "The log is archived as it should be."
    assert log_text(answer(archiver={"healthy": None, "why": "X"})) == "Whether the log is archived is not known: X."
    assert log_text(answer(archiver={"healthy": False, "why": "X"})).endswith("as it should be: X.")
    assert newest_text(answer(), 0).endswith("whose data is 2.0 h old.")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"point_in_time": POSSIBLE}, "comes back from F0 (pgbackrest) and its log, up to that moment."),
        ({"before": NEWEST, "lost_seconds": 5400}, "comes back from F1 (pgbackrest), less the last 1.5 h."),
        ({"before": NEWEST, "lost_seconds": 0}, "comes back from F1 (pgbackrest)."),
        (
            {"before": {**NEWEST, "reach_unknown": "X"}, "lost_seconds": 60, "point_in_time": UNKNOWN},
            "comes back from F1 (pgbackrest), less the last 1 min. How far its log goes is not known: X.",
        ),
        ({"before_why": "There is none."}, "DOES NOT COME BACK: There is none."),
    ],
)
def test_what_comes_back(more: Answer, text: str) -> None:
    assert comes_back_text(answer(**more)) == text


def test_triage_says_it_once_for_each_database() -> None:
    began = {"checks": [check("tags", "timeline", MOMENT)]}
    replica, primary = answer(writable=False), answer(point_in_time=POSSIBLE)
    assert backup_lines(["db2", "db1"], [replica, primary], [{}, began], HOUR) == [
        "db1: The newest usable backup is F1 (pgbackrest), whose data is 2.0 h old; at most 1.0 h are allowed.",
        "db1: The log is archived as it should be.",
        "db1: The data from before 2026-11-25T03:00:00Z, when it began as tags tells, comes back from F0 (pgbackrest) "
        "and its log, up to that moment.",
    ]
    lines = backup_lines(["db1", "db3"], [primary, answer("7/3", recent=False, recent_with_log=False)], [began], HOUR)
    assert lines[3].startswith("db3: NO BACKUP THAT IS YOUNG ENOUGH. The newest usable backup is F1")
    assert lines[5] == (
        "db3: No check tells when it began. The latest that comes back is the data of 2026-11-25T08:00:00Z."
    )
    none = answer(newest=None, furthest=None, newest_why="There is none.", recent=None, recent_with_log=None)
    assert backup_lines(["db1"], [none], [], 0)[::2] == [
        "db1: There is none.",
        "db1: No check tells when it began, and nothing comes back.",
    ]


def test_who_was_not_asked_is_told_and_where_nothing_was_to_be_asked_nothing_is() -> None:
    assert backup_lines(["db1", "db2"], [], [], HOUR) == []
    told = backup_lines(["db1", "db2"], [{"skipped": True, "skip_reason": "S"}, {"failed": True, "msg": "bad"}], [], 1)
    assert told == [
        "db1: It is not known what backups there are: it was not asked, because an earlier step got no answer here",
        "db2: It is not known what backups there are: bad",
    ]


def test_the_report_says_for_each_incident_what_precedes_it() -> None:
    first = {"incident_id": "INC-2", "opened_at": "2026-11-25T03:00:00Z", "closed_at": None}
    second = {**first, "incident_id": "INC-1", "closed_at": "2026-11-25T04:00:00Z"}
    asked = {
        "results": [
            {**answer(point_in_time=POSSIBLE), "item": first},
            {**answer(before_why="There is none."), "item": second},
        ]
    }
    # Another host of the same database has the same backups.
    assert incident_backup_lines(["db0", "db1", "db2"], [{}, asked, asked], HOUR)[2:] == [
        "db1: INC-2, opened 2026-11-25T03:00:00Z: the data from before it comes back from F0 (pgbackrest) and its log, "
        "up to that moment.",
        "db1: INC-1, opened 2026-11-25T03:00:00Z and closed 2026-11-25T04:00:00Z: the data from before it DOES NOT "
        "COME BACK: There is none.",
    ]
    assert incident_backup_lines(["db1"], [{"results": [{"failed": True, "msg": "bad", "item": first}]}], HOUR) == [
        "db1: It is not known what backups there are: bad"
    ]
