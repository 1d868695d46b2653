# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by pgBackRest: the newest, its age, what precedes a moment, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.backups import PgBackRest, needs
from tests.integration.module import Modules, Result, failed
from tests.integration.place import Database
from tests.support import processes
from tests.support.servers import workspace


@pytest.fixture(scope="module")
def backrest() -> Iterator[PgBackRest]:
    """A server that archives its log, with one full backup."""
    needs("pgbackrest")
    with workspace() as directory, PgBackRest(directory) as made:
        made.back_up()
        made.archived()
        yield made


def source(backrest: PgBackRest, **changes: Any) -> dict[str, Any]:
    return {"kind": "pgbackrest", "stanza": "main", "config": str(backrest.config), **changes}


def ask(backrest: PgBackRest, *sources: dict[str, Any], **options: Any) -> Result:
    given = list(sources) or [source(backrest)]
    return Database(backrest.server, "postgres").modules().ok("backup_info", sources=given, **options)


def text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def seconds(shown: str) -> float:
    return datetime.fromisoformat(shown).timestamp()


def server_now(backrest: PgBackRest) -> float:
    return float(backrest.server.query("SELECT extract(epoch FROM clock_timestamp())::float8")[0][0])


def test_the_newest_is_found_with_its_age_and_how_far_the_log_reaches(backrest: PgBackRest) -> None:
    last = backrest.archived()
    told = backrest.info()
    found = ask(backrest, max_age=3600)
    assert (found["changed"], found["complete"], found["newest_why"], found["recent"]) == (False, True, "", True)
    newest, own = found["newest"], told["backup"][-1]
    assert (newest["label"], newest["type"], newest["physical"]) == (own["label"], "full", True)
    assert (seconds(newest["started"]), seconds(newest["ended"])) == (
        own["timestamp"]["start"],
        own["timestamp"]["stop"],
    )
    assert newest["age_seconds"] == pytest.approx(time.time() - own["timestamp"]["stop"], abs=5)
    assert newest["cluster"] == found["cluster"] == str(told["db"][0]["system-id"])
    assert newest["reach"]["latest_by"] == "segment"
    assert seconds(newest["ended"]) <= seconds(newest["reach"]["latest"]) <= server_now(backrest)
    archiver = found["archiver"]
    assert (archiver["healthy"], archiver["why"], archiver["last_archived_wal"]) == (True, "", last)
    assert (archiver["behind_segments"], archiver["error"]) == (0, None)
    assert 0 <= archiver["last_archived_age_seconds"] < 60


def test_an_old_one_is_not_recent(backrest: PgBackRest) -> None:
    time.sleep(max(0.0, backrest.info()["backup"][-1]["timestamp"]["stop"] + 1.1 - time.time()))
    assert ask(backrest, max_age=1)["recent"] is False
    assert ask(backrest)["recent"] is None


def test_check_mode_is_the_same_and_nothing_changes(backrest: PgBackRest) -> None:
    before = sorted((str(path), path.stat().st_mtime_ns) for path in backrest.place.rglob("*"))
    modules = Database(backrest.server, "postgres").modules()
    found = modules.ok("backup_info", check=True, sources=[source(backrest)])
    assert (found["changed"], found["newest"]["label"]) == (False, backrest.info()["backup"][-1]["label"])
    assert sorted((str(path), path.stat().st_mtime_ns) for path in backrest.place.rglob("*")) == before


def test_a_moment_is_reached_once_the_log_after_it_is_archived(backrest: PgBackRest) -> None:
    backrest.archived()
    label = backrest.info()["backup"][-1]["label"]
    # Times of files are whole seconds.
    time.sleep(1.1)
    moment = server_now(backrest)
    early = ask(backrest, before=text(moment))
    assert early["before"]["label"] == early["point_in_time"]["label"] == label
    assert early["point_in_time"]["possible"] is False
    assert "pg_switch_wal" in early["point_in_time"]["why_not"]
    assert early["lost_seconds"] >= 1
    time.sleep(1.1)
    backrest.archived()
    late = ask(backrest, before=text(moment))
    assert (late["point_in_time"]["possible"], late["point_in_time"]["why_not"]) == (True, "")
    assert (late["before"]["label"], late["lost_seconds"]) == (label, 0)


def test_nothing_precedes_a_moment_before_the_first_backup(backrest: PgBackRest) -> None:
    first = backrest.info()["backup"][0]["timestamp"]
    for moment in (first["start"] - 1, first["stop"]):
        found = ask(backrest, before=text(moment))
        assert (found["before"], found["lost_seconds"]) == (None, None)
        assert found["before_why"].startswith("There is no usable backup that had ended before ")
        assert found["point_in_time"]["possible"] is False
        assert found["newest"] is not None


def test_of_several_the_one_that_precedes_is_told(backrest: PgBackRest) -> None:
    first = backrest.info()["backup"][-1]
    while time.time() < first["timestamp"]["stop"] + 1.1:
        time.sleep(0.1)
    second = backrest.back_up("incr")
    found = ask(backrest, before=text(first["timestamp"]["stop"] + 1))
    assert (found["newest"]["label"], found["newest"]["type"]) == (second, "incr")
    assert found["before"]["label"] == first["label"]


def test_an_archiver_that_fails_is_told_with_the_file_that_waits(backrest: PgBackRest) -> None:
    server = backrest.server
    backrest.archived()
    server.set_config(archive_command="false")
    try:
        server.query("INSERT INTO written VALUES (now())")
        (name,) = server.query("SELECT pg_walfile_name(pg_switch_wal())")[0]
        server.query("INSERT INTO written VALUES (now())")
        failing = "SELECT last_failed_wal = %s FROM pg_stat_archiver"
        assert processes.wait_until(lambda: bool(server.query(failing, (name,))[0][0]), 30)
        found = ask(backrest)
    finally:
        server.set_config(archive_command=backrest.push)
    archiver = found["archiver"]
    assert (archiver["healthy"], archiver["last_failed_wal"], archiver["behind_segments"]) == (False, name, 1)
    assert f"{name} could not be archived" in archiver["why"]
    assert archiver["unarchived_bytes"] > 0
    # The backup itself is as good as before.
    assert found["newest"]["usable"] is True
    backrest.archived()
    assert ask(backrest)["archiver"]["healthy"] is True


def test_a_server_that_archives_nothing_is_not_healthy(db: Database, directory: Path) -> None:
    found = db.modules().ok("backup_info", sources=[{"kind": "dumps", "path": str(directory)}])
    assert (found["archiver"]["healthy"], found["archiver"]["archive_mode"]) == (False, "off")
    assert found["newest"] is None
    assert found["newest_why"] == "There is no usable backup: 0 found."


def test_a_stanza_of_another_cluster_is_none_of_this_server(backrest: PgBackRest, db: Database) -> None:
    found = db.modules().ok("backup_info", sources=[source(backrest)], max_age=3600)
    assert (found["newest"], found["recent"], found["complete"]) == (None, False, True)
    assert "another cluster" in found["newest_why"]
    assert "another cluster" in found["sources"][0]["refused"][0]["why_not"]
    # Without a server to compare it with, it counts, and how far its log reaches is not known.
    alone = db.modules().ok("backup_info", sources=[source(backrest)], ask_server=False, before=text(time.time()))
    assert (alone["newest"]["usable"], alone["cluster"], alone["database"]) == (True, None, None)
    assert (alone["archiver"]["asked"], alone["archiver"]["healthy"]) == (False, None)
    assert (alone["point_in_time"]["possible"], alone["newest"]["reach"]["latest"]) == (None, alone["newest"]["ended"])
    assert "the server was not asked" in alone["point_in_time"]["why_not"]


def test_sources_without_an_answer_are_named_and_hide_no_other(backrest: PgBackRest, directory: Path) -> None:
    hangs = directory / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 45\n")
    hangs.chmod(0o755)
    wrong = {
        "bad_stanza": source(backrest, stanza="nope", name="the old one"),
        "no_program": source(backrest, program="pgbackrest-is-not-here"),
        "tool_failed": source(backrest, config="/nonexistent.conf"),
        "unreadable": {"kind": "dumps", "path": str(directory / "none")},
        "no_account": source(backrest, user="nobody-of-that-name"),
        "timeout": source(backrest, program=str(hangs)),
        "bad_answer": source(backrest, program="/bin/echo"),
    }
    started = time.monotonic()
    found = ask(backrest, *wrong.values(), source(backrest), timeout=3)
    assert time.monotonic() - started < 20
    assert [one["error"] and one["error"]["code"] for one in found["sources"]] == [*wrong, None]
    for one in found["sources"][:-1]:
        assert all(len(one["error"][part]) > 10 for part in ("what", "why", "todo")), one
    assert found["sources"][0]["name"] == "the old one"
    assert (found["complete"], found["newest"]["source"]) == (False, len(wrong))
    assert processes.matching(lambda arguments: "45" in arguments and arguments[0].endswith("sleep")) == []


def test_a_server_that_does_not_answer_is_told_and_hides_no_backup(backrest: PgBackRest) -> None:
    found = ask(backrest, source(backrest), login_port=1)
    assert (found["newest"]["usable"], found["archiver"]["healthy"]) == (True, None)
    assert found["archiver"]["error"]["code"] == "unreachable"


def test_what_cannot_be_asked_is_refused(db: Database, directory: Path) -> None:
    given: dict[str, Any] = {"sources": [{"kind": "dumps", "path": str(directory)}], "ask_server": False}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"before": "2026-11-25T03:14:07"}, "bad_moment"),
        ({"before": "yesterday"}, "bad_moment"),
        ({"sources": []}, "bad_option"),
        ({"timeout": 0}, "bad_option"),
        ({"tables": [""]}, "bad_option"),
        ({"limit": 1001}, "bad_option"),
    ]
    for changes, code in wrong:
        failed(db.modules().run("backup_info", **{**given, **changes}), code)
    assert db.modules().run("backup_info", sources=[{"kind": "barman"}])["failed"]


def test_a_role_that_may_not_list_the_log_still_knows_when_it_was_archived(backrest: PgBackRest) -> None:
    place = Database(backrest.server, "postgres")
    role = place.role("plain")
    try:
        given: dict[str, Any] = {"sources": [source(backrest)]}
        # After a failure, the time of the last archived file would say nothing.
        place.rows("SELECT pg_stat_reset_shared('archiver')")
        backrest.archived()
        found = place.modules(role).ok("backup_info", **given)
        assert (found["archiver"]["healthy"], found["newest"]["reach"]["latest_by"]) == (True, "archiver")
        place.rows(f"GRANT pg_monitor TO {role}")
        assert place.modules(role).ok("backup_info", **given)["newest"]["reach"]["latest_by"] == "segment"
    finally:
        place.rows(f"DROP ROLE {role}")


def test_the_log_makes_an_old_backup_go_far(backrest: PgBackRest) -> None:
    backrest.archived()
    now = time.time()
    stop = backrest.info()["backup"][-1]["timestamp"]["stop"]
    time.sleep(max(0.0, stop + 4 - now))
    backrest.archived()
    found = ask(backrest, max_age=3)
    assert (found["recent"], found["recent_with_log"]) == (False, True)
    assert found["furthest"]["label"] in {one["label"] for one in backrest.info()["backup"]}
    assert found["furthest"]["reach"]["age_seconds"] <= 3 < found["newest"]["age_seconds"]


def test_wal_g_is_asked_with_the_variables_of_a_directory(backrest: PgBackRest, directory: Path) -> None:
    """A script stands in for WAL-G, which is not available here: this tests the call and its answer, not the tool."""
    last = backrest.archived()
    system = backrest.info()["db"][0]["system-id"]
    stop = datetime.fromtimestamp(backrest.info()["backup"][-1]["timestamp"]["stop"], UTC).isoformat()
    listed = [{"backup_name": f"base_{last}", "wal_file_name": last, "finish_time": stop, "system_identifier": system}]
    shown = [{"id": 1, "end_segment": last, "missing_segments": [], "status": "OK"}]
    (directory / "env").mkdir()
    (directory / "env" / "WALG_FILE_PREFIX").write_text("/backups \nnot this\n")
    (directory / "list").write_text(json.dumps(listed))
    (directory / "show").write_text(json.dumps(shown))
    script = f"""#!/bin/sh
test "$WALG_FILE_PREFIX" = /backups || {{ echo "no prefix" >&2; exit 3; }}
test -z "$SECRET_OF_OURS" || exit 4
case "$1" in backup-list) cat {directory}/list;; wal-show) cat {directory}/show;; esac
"""
    (directory / "wal-g").write_text(script)
    (directory / "wal-g").chmod(0o755)
    asked = {"kind": "wal_g", "program": str(directory / "wal-g"), "env_dir": str(directory / "env")}
    place = Database(backrest.server, "postgres").modules()
    modules = Modules(place.options, {"SECRET_OF_OURS": "tr0ub4dor"})
    found = modules.ok("backup_info", sources=[asked])
    assert (found["sources"][0]["error"], found["newest"]["label"]) == (None, f"base_{last}")
    assert found["newest"]["reach"]["latest_by"] == "segment"
    (lost,) = modules.ok("backup_info", sources=[{**asked, "env_dir": None}])["sources"]
    assert lost["error"]["what"] == "wal-g ended with status 3: no prefix."
