# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from pgBackRest, Barman and WAL-G. The first two printed these; WAL-G's follow its documentation."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backupbarman as barman
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backuppgbackrest as pgbackrest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backupwalg as wal_g
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

SYSTEM = "7712593511202629325"
# pgBackRest 2.55.1
STANZA: dict[str, Any] = {
    "archive": [
        {
            "database": {"id": 1, "repo-key": 1},
            "id": "17-1",
            "max": "000000010000000000000002",
            "min": "000000010000000000000001",
        }
    ],
    "backup": [
        {
            "archive": {"start": "000000010000000000000002", "stop": "000000010000000000000002"},
            "backrest": {"format": 5, "version": "2.55.1"},
            "database": {"id": 1, "repo-key": 1},
            "error": False,
            "info": {"delta": 23416814, "repository": {"delta": 23416814, "size": 23416814}, "size": 23416814},
            "label": "20261126-212155F",
            "lsn": {"start": "0/2000028", "stop": "0/2000120"},
            "prior": None,
            "reference": None,
            "timestamp": {"start": 1795728115, "stop": 1795728118},
            "type": "full",
        }
    ],
    "cipher": "none",
    "db": [{"id": 1, "repo-key": 1, "system-id": int(SYSTEM), "version": "17"}],
    "name": "main",
    "repo": [{"cipher": "none", "key": 1, "status": {"code": 0, "message": "ok"}}],
    "status": {"code": 0, "lock": {"backup": {"held": False}}, "message": "ok"},
}
MISSING = {
    "archive": [],
    "backup": [],
    "cipher": "none",
    "db": [],
    "name": "main",
    "repo": [{"cipher": "none", "key": 1, "status": {"code": 1, "message": "missing stanza path"}}],
    "status": {"code": 1, "lock": {"backup": {"held": False}}, "message": "missing stanza path"},
}


def stanza(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(STANZA), **changes}


def refusal(code: str, ask: Any, *arguments: Any) -> KanbanError:
    with pytest.raises(KanbanError) as caught:
        ask(*arguments)
    assert caught.value.code == code
    return caught.value


def test_pgbackrest_is_asked_so() -> None:
    assert pgbackrest.info_argv("/usr/bin/pgbackrest", "main", None, None) == [
        "/usr/bin/pgbackrest",
        "--stanza=main",
        "--output=json",
        "--log-level-console=off",
        "info",
    ]
    assert pgbackrest.info_argv("p", "main", "/etc/x.conf", 2)[1:3] == ["--config=/etc/x.conf", "--repo=2"]


def test_a_backup_of_pgbackrest() -> None:
    (one,), warnings = pgbackrest.parse_info(json.dumps([stanza()]), "main", 3)
    assert (one.label, one.started, one.ended, one.as_of) == ("20261126-212155F", 1795728115, 1795728118, 1795728118)
    assert (one.cluster, one.last_segment, one.size_bytes) == (SYSTEM, "000000010000000000000002", 23416814)
    assert (one.usable, one.physical, one.source, one.verified, warnings) == (True, True, 3, "catalog", [])


def test_a_backup_of_pgbackrest_with_errors_or_without_its_log_is_none() -> None:
    for change, why in (
        ({"error": True}, "errors"),
        ({"archive": {"start": None, "stop": None}}, "not in the archive"),
        (
            {"archive": {"start": "000000010000000000000002", "stop": "000000010000000000000003"}},
            "does not reach the end",
        ),
        ({"database": {"id": 2, "repo-key": 1}}, "does not reach the end"),
    ):
        found = stanza(backup=[{**STANZA["backup"][0], **change}])
        (one,), _warnings = pgbackrest.parse_info(json.dumps([found]), "main", 0)
        assert one.usable is False
        assert why in one.why_not


def test_after_an_upgrade_each_backup_is_of_its_own_cluster() -> None:
    second = {**STANZA["backup"][0], "label": "new", "database": {"id": 2, "repo-key": 1}}
    log = {"database": {"id": 2, "repo-key": 1}, "id": "18-2", "max": "000000010000000000000005", "min": "0" * 24}
    found = stanza(
        backup=[STANZA["backup"][0], second],
        archive=[*STANZA["archive"], log],
        db=[*STANZA["db"], {"id": 2, "repo-key": 1, "system-id": 42, "version": "18"}],
    )
    backups, _warnings = pgbackrest.parse_info(json.dumps([found]), "main", 0)
    assert [one.cluster for one in backups] == [SYSTEM, "42"]
    assert [one.last_segment for one in backups] == ["000000010000000000000002", "000000010000000000000005"]


def test_what_pgbackrest_warns_of() -> None:
    held = stanza(
        status={"code": 4, "lock": {"backup": {"held": True}}, "message": "different across repos"},
        repo=[
            {"key": 1, "status": {"code": 0, "message": "ok"}},
            {"key": 2, "status": {"code": 2, "message": "no valid"}},
        ],
    )
    backups, warnings = pgbackrest.parse_info(json.dumps([held]), "main", 0)
    assert len(backups) == 1
    assert "runs at this moment" in warnings[0]
    assert "repository 2: no valid" in warnings[1]
    empty = stanza(backup=[], status={"code": 2, "message": "no valid backups"})
    assert pgbackrest.parse_info(json.dumps([empty]), "main", 0) == ([], [])


def test_a_stanza_that_is_not_there() -> None:
    assert "missing stanza path" in refusal("bad_stanza", pgbackrest.parse_info, json.dumps([MISSING]), "main", 0).what
    refusal("no_stanza", pgbackrest.parse_info, "[]", "main", 0)
    for text in ("", "{}", "[1]", '[{"name": "main"}]', json.dumps([stanza(backup=[{"label": "x"}])])):
        refusal("bad_answer", pgbackrest.parse_info, text, "main", 0)


# Barman 3.13.3
LISTED = {
    "backup_id": "20261126T212211",
    "backup_type": "full",
    "end_time": "Thu Nov 26 21:22:13 2026",
    "end_time_timestamp": "1795728133",
    "retention_status": "-",
    "size": "38.5 MiB",
    "size_bytes": 40331504,
    "status": "DONE",
    "wal_size": "0 B",
    "wal_size_bytes": 0,
}
SHOWN: dict[str, Any] = {
    "backup_id": "20261126T212211",
    "backup_type": "full",
    "base_backup_information": {
        "backup_method": "postgres",
        "begin_time": "2026-11-26 21:22:11.090783+00:00",
        "begin_time_timestamp": "1795728131",
        "begin_wal": "000000010000000000000005",
        "end_time": "2026-11-26 21:22:13.678740+00:00",
        "end_time_timestamp": "1795728133",
        "end_wal": "000000010000000000000006",
    },
    "status": "DONE",
    "system_id": SYSTEM,
    "wal_information": {"last_available": "000000010000000000000007", "no_of_files": 1, "timelines": []},
}


def test_barman_is_asked_so() -> None:
    assert barman.list_argv("barman", "crm", None) == ["barman", "--format", "json", "list-backups", "crm"]
    assert barman.show_argv("barman", "crm", "/etc/b.conf", "2026") == [
        "barman",
        "--config",
        "/etc/b.conf",
        "--format",
        "json",
        "show-backup",
        "crm",
        "2026",
    ]


def test_a_backup_of_barman() -> None:
    (one,) = barman.parse_list(json.dumps({"crm": [LISTED]}), "crm", 1)
    assert (one.label, one.ended, one.usable, one.size_bytes) == ("20261126T212211", 1795728133, None, 40331504)
    barman.add_details(one, json.dumps({"crm": SHOWN}), "crm")
    assert one.started == pytest.approx(1795728131.090783)
    assert one.ended == one.as_of == pytest.approx(1795728133.678740)
    assert (one.cluster, one.last_segment, one.usable) == (SYSTEM, "000000010000000000000007", True)
    assert barman.parse_list('{"crm": []}', "crm", 0) == []


@pytest.mark.parametrize("status", ["WAITING_FOR_WALS", "FAILED", "STARTED", "EMPTY", "SYNCING", "RETRIEVING"])
def test_a_backup_of_barman_that_is_not_done_is_none(status: str) -> None:
    # For failed backups the list says no more than this.
    for row in ({**LISTED, "status": status}, {"backup_id": "x", "status": status}):
        (one,) = barman.parse_list(json.dumps({"crm": [row]}), "crm", 0)
        assert one.usable is False
        assert one.why_not
    (one,) = barman.parse_list(json.dumps({"crm": [LISTED]}), "crm", 0)
    barman.add_details(one, json.dumps({"crm": {**SHOWN, "status": status}}), "crm")
    assert one.usable is False


def test_what_barman_refuses() -> None:
    text = json.dumps({"_ERROR": ["Unknown server 'other'"]})
    assert "Unknown server 'other'" in refusal("barman_refused", barman.parse_list, text, "other", 0).what
    for answer in ("", "[]", "{}", '{"crm": [{}]}'):
        refusal("bad_answer", barman.parse_list, answer, "crm", 0)


# WAL-G, by the structures in its documentation
FULL = {
    "backup_name": "base_000000010000000000000002",
    "time": "2026-11-26T21:22:14.000000001Z",
    "wal_file_name": "000000010000000000000002",
    "storage_name": "default",
    "start_time": "2026-11-26T21:22:10.123456789Z",
    "finish_time": "2026-11-26T21:22:13.987654321Z",
    "date_fmt": "%Y-%m-%dT%H:%M:%S.%fZ",
    "hostname": "db1",
    "data_dir": "/var/lib/postgresql/17/main",
    "pg_version": 170012,
    "start_lsn": 33554472,
    "finish_lsn": 33554720,
    "is_permanent": False,
    "system_identifier": int(SYSTEM),
    "uncompressed_size": 23416814,
    "compressed_size": 4416814,
}
LINE: dict[str, Any] = {
    "id": 1,
    "parent_id": 0,
    "switch_point_lsn": 0,
    "start_segment": "000000010000000000000001",
    "end_segment": "000000010000000000000009",
    "segments_count": 9,
    "missing_segments": [],
    "segment_range_size": 9,
    "status": "OK",
}


def test_wal_g_is_asked_so() -> None:
    assert wal_g.list_argv("wal-g", None) == ["wal-g", "backup-list", "--detail", "--json"]
    assert wal_g.log_argv("wal-g", "/etc/w.json") == ["wal-g", "wal-show", "--detailed-json", "--config", "/etc/w.json"]


def test_a_backup_of_wal_g() -> None:
    (one,) = wal_g.parse_list(json.dumps([FULL]), 0)
    assert one.ended == pytest.approx(1795728133.987654, abs=1e-5)
    assert one.started == pytest.approx(1795728130.123456, abs=1e-5)
    assert (one.cluster, one.usable, one.facts["type"], one.size_bytes) == (SYSTEM, True, "full", 4416814)
    (delta,) = wal_g.parse_list(json.dumps([{**FULL, "backup_name": "base_0_D_0", "system_identifier": None}]), 0)
    assert (delta.facts["type"], delta.cluster) == ("delta", None)
    (bare,) = wal_g.parse_list(json.dumps([{name: FULL[name] for name in ("backup_name", "time", "wal_file_name")}]), 0)
    assert bare.ended == pytest.approx(1795728134.0)
    assert bare.started is None
    (endless,) = wal_g.parse_list(json.dumps([{**FULL, "finish_time": "", "time": "?"}]), 0)
    assert endless.usable is False


def test_wal_g_without_backups_or_sense() -> None:
    for text in ("", "\n", "null", "[]"):
        assert wal_g.parse_list(text, 0) == []
    for text in ("INFO: none", "{}x", "[1]", '[{"backup_name": "x"}]'):
        refusal("bad_answer", wal_g.parse_list, text, 0)
    refusal("bad_answer", wal_g.add_log, wal_g.parse_list(json.dumps([FULL]), 0), "no json")


@pytest.mark.parametrize(
    ("changes", "last", "usable", "warned"),
    [
        ({}, "000000010000000000000009", True, False),
        ({"missing_segments": ["000000010000000000000005"], "status": "LOST_SEGMENTS"}, None, True, True),
        # Segments missing from before the backup do not matter to it.
        ({"missing_segments": ["000000010000000000000001"]}, "000000010000000000000009", True, False),
        ({"end_segment": "000000010000000000000001"}, "000000010000000000000001", False, False),
        ({"id": 2}, None, False, False),
    ],
)
def test_the_log_of_wal_g(changes: dict[str, Any], last: str | None, usable: bool, warned: bool) -> None:
    backups = wal_g.parse_list(json.dumps([FULL]), 0)
    warnings = wal_g.add_log(backups, json.dumps([{**LINE, **changes}]))
    assert (backups[0].last_segment, backups[0].usable, bool(warnings)) == (last, usable, warned)
