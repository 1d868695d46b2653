# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by Barman, which streams the log of a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.backups import Barman, needs
from tests.integration.module import Result
from tests.integration.place import Database
from tests.support.servers import Postgres, workspace


@pytest.fixture(scope="module")
def barman() -> Iterator[Barman]:
    """A Barman that receives the log, with one backup."""
    needs("barman")
    with (
        workspace() as directory,
        Postgres(directory / "crm", {"log_min_messages": "fatal"}, fsync=False, unix_auth="trust") as server,
    ):
        made = Barman(directory, server)
        with made.receiving():
            made.take_in()
            made.tool("backup", "crm")
            yield made


def ask(barman: Barman, **options: Any) -> Result:
    source = {"kind": "barman", "server": "crm", "config": str(barman.config), "program": "barman"}
    if barman.account:
        source["user"] = barman.account.name
    changes = {name: options.pop(name) for name in ("server", "config") if name in options}
    return Database(barman.server, "postgres").modules().ok("backup_info", sources=[{**source, **changes}], **options)


def test_a_backup_counts_once_all_of_its_log_is_there(barman: Barman) -> None:
    early = ask(barman)
    assert early["newest"] is None
    assert "WAITING_FOR_WALS" in early["newest_why"]
    barman.settle()
    found = ask(barman, max_age=600)
    newest = found["newest"]
    system = str(barman.server.query("SELECT system_identifier FROM pg_control_system()")[0][0])
    assert (newest["kind"], newest["status"], newest["cluster"], found["recent"]) == ("barman", "DONE", system, True)
    assert newest["label"] in barman.tool("list-backups", "crm")
    started, ended = (datetime.fromisoformat(newest[name]).timestamp() for name in ("started", "ended"))
    assert started <= ended <= time.time()
    assert newest["age_seconds"] < 120
    assert found["archiver"]["healthy"] is None
    assert [one["application_name"] for one in found["archiver"]["receivers"]] == ["barman_receive_wal"]
    assert newest["reach"]["latest_by"] == "segment"


def test_a_moment_is_reached_once_its_log_is_filed(barman: Barman) -> None:
    barman.settle()
    time.sleep(1.1)
    moment = datetime.now(UTC).isoformat()
    assert ask(barman, before=moment)["point_in_time"]["possible"] is False
    time.sleep(1.1)
    barman.settle()
    found = ask(barman, before=moment)
    assert (found["point_in_time"]["possible"], found["lost_seconds"]) == (True, 0)
    assert found["point_in_time"]["label"] == found["before"]["label"]
    assert ask(barman, before="2026-01-01T00:00:00Z")["before"] is None


def test_another_cluster_and_another_server_are_told(barman: Barman, db: Database) -> None:
    barman.settle()
    source = {"kind": "barman", "server": "crm", "config": str(barman.config)}
    found = db.modules().ok("backup_info", sources=[source])
    assert found["newest"] is None
    assert "another cluster" in found["newest_why"]
    (unknown,) = ask(barman, server="erp")["sources"]
    assert (unknown["error"]["code"], "erp" in unknown["error"]["what"]) == ("barman_refused", True)
    (lost,) = ask(barman, config="/nonexistent.conf")["sources"]
    assert lost["error"]["code"] == "tool_failed"
