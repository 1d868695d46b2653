# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is chosen, what is not usable and why, and how far a log reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import (
    Backup,
    Wanted,
    ahead,
    asked_moment,
    furthest,
    has_table,
    is_young,
    moment_of,
    newest,
    point_in_time,
    system_identifier,
    utc,
    why_none,
    why_unfit,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuparchiver import (
    Archive,
    archiver_result,
    no_archiver,
    set_reach,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

HOUR = 3600.0
MB16 = 16 << 20
ARCHIVE = Archive(
    written={"000000010000000000000004": 950.0, "000000010000000000000009": 10.0},
    receivers=[],
    mode="on",
    has_command=True,
    in_recovery=False,
    archived_count=4,
    last_archived_wal="000000010000000000000004",
    last_archived_time=1000.0,
    failed_count=0,
    last_failed_wal=None,
    last_failed_time=None,
    stats_reset=0.0,
    now=1060.0,
    position=5 * MB16 + 100,
    segment_bytes=MB16,
)


def made(label: str, ended: float | None, **changes: Any) -> Backup:
    return Backup(
        **{"kind": "dumps", "source": 0, "label": label, "ended": ended, "as_of": ended, "usable": True, **changes}
    )


def physical(label: str, ended: float, **changes: Any) -> Backup:
    return made(label, ended, **{"kind": "pgbackrest", "physical": True, **changes})


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25T03:14:07Z",
        "2026-11-25t03:14:07z",
        "2026-11-25 03:14:07+00:00",
        "2026-11-25T00:14:07-03:00",
        "2026-11-25T00:14:07-0300",
        " 2026-11-25T03:14:07.000000000Z ",
    ],
)
def test_one_moment_in_each_spelling(text: str) -> None:
    assert moment_of(text) == 1795576447.0
    assert utc(moment_of(text)) == "2026-11-25T03:14:07Z"


def test_fractions_are_kept_up_to_microseconds() -> None:
    assert moment_of("2026-11-25T03:14:07.123456789Z") == pytest.approx(1795576447.123456, abs=1e-6)
    assert moment_of("2026-11-25T03:14:07.5Z") == 1795576447.5


@pytest.mark.parametrize("text", ["", "now", "2026-11-25T03:14:07", "2026-11-25", "2026-13-25T03:14:07Z", "1795576447"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    assert moment_of(text) is None
    with pytest.raises(BadInput) as caught:
        asked_moment("before", text)
    assert caught.value.code == "bad_moment"
    assert asked_moment("before", None) is None


def test_the_newest_usable_one_is_chosen() -> None:
    backups = [
        made("a", 100),
        made("c", 300, usable=False),
        made("b", 200),
        made("d", None),
        made("e", 250, usable=None),
    ]
    assert newest(backups) is backups[2]
    assert newest(backups, 200) is backups[0]
    assert newest(backups, 100) is None
    assert newest([]) is None


def test_a_table_is_found_by_its_exact_name_or_in_lower_case() -> None:
    held = [("public", "Tickets"), ("public", "tags"), ("crm", "a.b")]
    for name in ("Tickets", "public.Tickets", "Tags", "public.tags", "a.b", "crm.a.b"):
        assert has_table(held, name), name
    for name in ("tickets", "crm.Tickets", "TicketTags", "b", "public"):
        assert not has_table(held, name), name


@pytest.mark.parametrize(
    ("backup", "wanted", "why"),
    [
        (made("a", 1, database="crm", tables={"crm": [("public", "t")]}), Wanted("crm", ["t"], "1"), ""),
        (made("a", 1, database="crm", tables={"crm": []}), Wanted("erp"), "it is of database crm"),
        (made("a", 1, tables={None: [("public", "t")]}), Wanted("crm"), "it does not name its database"),
        (made("a", 1, tables={"crm": [], "erp": []}), Wanted("hr"), "it is of database crm, erp"),
        (made("a", 1, tables={"crm": [("p", "t")], "erp": [("p", "u")]}), Wanted("crm", ["u"]), "it has no rows of u"),
        (made("a", 1, tables={"crm": [("p", "t")], "erp": [("p", "u")]}), Wanted(None, ["u", "t"]), ""),
        (made("a", 1), Wanted(None, ["t"]), "it has no rows of t"),
        (made("a", 1, cluster="77"), Wanted(None, [], "78"), "it is of another cluster (77; the server's is 78)"),
        (physical("a", 1, cluster="77"), Wanted("crm", ["t"], "78"), "it is of another cluster"),
        (physical("a", 1, cluster="77"), Wanted("crm", ["t"], "77"), ""),
        (physical("a", 1), Wanted("crm", ["t"], "77"), ""),
        (physical("a", 1, cluster="77"), Wanted(), ""),
    ],
)
def test_why_a_backup_is_not_what_is_wanted(backup: Backup, wanted: Wanted, why: str) -> None:
    found = why_unfit(backup, wanted)
    assert found.startswith(why)
    assert bool(found) is bool(why)


def test_a_cluster_is_told_by_its_system_identifier_alone() -> None:
    assert system_identifier("7712593511202629325/16384") == "7712593511202629325"
    assert system_identifier("127.0.0.1:5432/16384") is None
    assert system_identifier(None) is None


def test_a_point_in_time_needs_a_backup_before_it_and_the_log_up_to_it() -> None:
    old = physical("old", 100, reaches_to=500.0)
    new = physical("new", 300, reaches_to=400.0)
    dump = made("dump", 450)
    found = point_in_time([dump, new, old], 500)
    assert (found["possible"], found["label"], found["why_not"]) == (True, "old", "")
    assert point_in_time([dump, new, old], 350)["label"] == "new"
    late = point_in_time([dump, new, old], 501)
    assert (late["possible"], late["label"]) == (False, "new")
    assert "reaches to 1970-01-01T00:08:20Z" in late["why_not"]
    none = point_in_time([dump, new, old], 100)
    assert (none["possible"], none["label"]) == (False, None)
    assert none["why_not"] == "no usable physical backup had ended before the moment"
    unknown = point_in_time([physical("x", 100, facts={"reach_unknown": "nobody said"})], 500)
    assert (unknown["possible"], unknown["label"]) == (None, "x")
    assert "nobody said" in unknown["why_not"]
    assert point_in_time([physical("x", 100, usable=False, reaches_to=900.0)], 500)["possible"] is False


def test_what_is_furthest_may_be_an_old_one_with_its_log() -> None:
    old, dump = physical("old", 100, reaches_to=500.0), made("dump", 450)
    assert furthest([dump, old]) is old
    assert newest([dump, old]) is dump
    assert furthest([made("x", 1, usable=False)]) is None
    assert old.as_result(600)["reach"]["age_seconds"] == 100
    assert old.as_result(600)["age_seconds"] == 500


def test_what_is_of_the_future_is_not_young() -> None:
    assert is_young(1000, 1000, 1)
    assert is_young(900, 1000, 100)
    assert not is_young(899, 1000, 100)
    assert not is_young(None, 1000, 100)
    assert not is_young(1000 + HOUR, 1000, 100)
    assert "later is of 1970" in ahead([made("later", 1000 + HOUR), made("now", 1001)], 1000)[0]
    assert ahead([made("now", 1001)], 1000) == []


def test_why_there_is_none_names_the_newest_and_silent_sources() -> None:
    sources: list[dict[str, Any]] = [{"name": "a", "error": None}, {"name": "b", "error": {"what": "It is not there."}}]
    bad = made("x", 100)
    bad.refuse("it is cut")
    assert why_none([bad], sources) == (
        "There is no usable backup: 1 found, of which the newest, x (1970-01-01T00:01:40Z), is none: it is cut; "
        "1 of 2 sources gave no answer: b: It is not there."
    )
    assert why_none([bad], [], 50) == "There is no usable backup that had ended before 1970-01-01T00:00:50Z: 0 found."


# The archiver


@pytest.mark.parametrize(
    ("changes", "healthy", "why"),
    [
        ({}, True, ""),
        ({"mode": "off"}, False, "archive_mode is off, and nobody"),
        (
            {"mode": "off", "receivers": [{"application_name": "barman_receive_wal"}]},
            None,
            "streamed to barman_receive",
        ),
        ({"has_command": False}, False, "neither archive_command nor archive_library"),
        ({"last_failed_time": 999.0, "failed_count": 3}, True, ""),
        (
            {"last_failed_time": 1001.0, "last_failed_wal": "5", "failed_count": 3},
            False,
            "archiving fails: 5 could not",
        ),
        ({"last_archived_time": None, "last_archived_wal": None}, None, "no file of the log was archived since"),
        ({"last_archived_time": None, "last_archived_wal": None, "last_failed_time": 1.0}, False, "none ever was"),
        ({"position": 8 * MB16 + 1}, True, ""),
        ({"position": 9 * MB16}, False, "4 full files of the log wait to be archived, and 3 may"),
        ({"in_recovery": True}, None, "a replica"),
        ({"in_recovery": True, "mode": "always"}, True, ""),
    ],
)
def test_an_archiver_is_healthy_or_it_says_why_not(changes: dict[str, Any], healthy: bool | None, why: str) -> None:
    found = archiver_result(replace(ARCHIVE, **changes), 3)
    assert found["healthy"] is healthy
    assert why in found["why"]
    assert bool(found["why"]) is (healthy is not True)


def test_figures_of_the_archiver() -> None:
    found = archiver_result(ARCHIVE, 3)
    assert (found["behind_segments"], found["unarchived_bytes"], found["last_archived_age_seconds"]) == (0, 100, 60)
    # A backup's history file is named after the log file that the backup began in.
    backup = replace(ARCHIVE, last_archived_wal="000000010000000000000003.00000028.backup")
    assert backup.behind == 1
    assert replace(ARCHIVE, last_archived_wal="00000002.history").behind is None
    # With files of this size, the last part of a name counts to 255, not to 2^32.
    assert ARCHIVE.number("0000000100000001000000FF") == 511
    assert replace(ARCHIVE, segment_bytes=1 << 30).number("000000010000000100000001") == 5
    assert set(no_archiver()) == set(found)
    assert no_archiver({"what": "It is down."})["why"] == "it is not known: It is down."


@pytest.mark.parametrize(
    ("last", "changes", "reaches", "by"),
    [
        ("000000010000000000000004", {}, 950.0, "segment"),
        # The file is gone; the time of its archiving serves as well, if no try ever failed.
        ("000000010000000000000004", {"written": {}}, 1000.0, "archiver"),
        ("000000010000000000000004", {"written": {}, "failed_count": 1}, None, None),
        ("000000010000000000000003", {"written": {}}, None, None),
        # A file with a later number is an old one that waits to be reused.
        ("000000010000000000000009", {}, None, None),
        ("000000010000000000000005", {"written": {"000000010000000000000005": 1050.0}}, None, None),
        (None, {}, None, None),
    ],
)
def test_how_far_a_log_reaches(
    last: str | None, changes: dict[str, Any], reaches: float | None, by: str | None
) -> None:
    backup = physical("x", 900.0, last_segment=last)
    set_reach(backup, replace(ARCHIVE, **changes))
    assert (backup.reaches_to, backup.reach_by) == (reaches, by)
    assert ("reach_unknown" in backup.facts) is (reaches is None)


def test_a_log_reaches_at_least_to_the_end_of_the_backup() -> None:
    backup = physical("x", 980.0, last_segment="000000010000000000000004")
    set_reach(backup, ARCHIVE)
    assert backup.reaches_to == 980.0
    alone = physical("x", 980.0, last_segment="000000010000000000000004")
    set_reach(alone, None)
    assert (alone.reaches_to, alone.latest) == (None, 980.0)
    dump = made("x", 980.0)
    set_reach(dump, ARCHIVE)
    assert (dump.reaches_to, dump.facts) == (None, {})
