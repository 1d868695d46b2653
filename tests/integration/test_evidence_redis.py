# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of Redis: what it says about itself and its clients, never what is in its keys."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, Result
from tests.support.servers import Postgres, Redis

CUSTOMER = "a customer wrote this"
SECRET = "tr0ub4dor-and-3"


@pytest.fixture
def store(directory: Path) -> Iterator[Redis]:
    with Redis(directory / "redis", {"slowlog-log-slower-than": 0}) as server:
        with server.client() as client:
            client.set("contacts:17:unreads", CUSTOMER)
            client.set(f"sessions:{SECRET}", "x")
        yield server


def collector(server: Redis, directory: Path, **redis: Any) -> Modules:
    login = {"login_host": server.host, "login_port": server.port, "login_password": server.password, **redis}
    given = {"dest": str(directory / "evidence"), "incident_id": "INC-1", "sources": ["redis"], "redis": login}
    return Modules(given)


def content(result: Result, name: str) -> str:
    (path,) = [file["path"] for file in result["files"] if file["name"] == name]
    return Path(path).read_text()


def test_what_redis_says_and_nothing_of_its_keys(store: Redis, directory: Path) -> None:
    with store.client() as client:
        client.client_setname("whaticket-api")
        done = collector(store, directory, login_db=0).ok("evidence")
    assert (done["changed"], done["complete"], done["missing"]) == (True, True, [])
    assert "used_memory_human:" in content(done, "info.txt")
    assert "cmdstat_set:" in content(done, "info.txt")
    assert "name=whaticket-api" in content(done, "clients.txt")
    assert json.loads(content(done, "dbsize.json")) == {"keys": 2}
    slow = [json.loads(line) for line in content(done, "slowlog.jsonl").splitlines()]
    assert [entry["arguments"] for entry in slow if entry["command"] == "SET"] == [2, 2]
    everything = "".join(path.read_text() for path in (directory / "evidence").rglob("*") if path.is_file())
    for text in (CUSTOMER, SECRET, "unreads", store.password):
        assert text not in everything
    assert store.password not in json.dumps(done)
    assert collector(store, directory).ok("evidence")["changed"] is False


def test_a_user_who_may_not_ask_everything(store: Redis, directory: Path) -> None:
    with store.client() as client:
        client.execute_command("ACL", "SETUSER", "plain", "on", f">{SECRET}", "+info", "+dbsize", "+select")  # type: ignore[no-untyped-call]
    done = collector(store, directory, login_user="plain", login_password=SECRET).ok("evidence")
    assert {file["name"] for file in done["files"]} == {"info.txt", "dbsize.json", "index.json"}
    assert {one["part"] for one in done["missing"]} == {"clients", "slowlog"}
    assert SECRET not in json.dumps(done)


def test_a_redis_that_is_down_or_frozen_is_a_failure_in_time(store: Redis, directory: Path) -> None:
    (pid,) = store.pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        collector(store, directory).fails("no_evidence", "evidence", seconds=2)
        assert time.monotonic() - started < 4
    finally:
        os.kill(pid, signal.SIGCONT)
    store.crash()
    result = collector(store, directory).fails("no_evidence", "evidence")
    assert len(result["missing"]) == 4
    assert "refused" in result["missing"][0]["reason"]


def test_a_redis_that_is_down_costs_postgresql_nothing(store: Redis, server: Postgres, directory: Path) -> None:
    store.crash()
    login = {"login_host": server.host, "login_port": server.port, "login_password": server.password}
    both = Modules({**collector(store, directory).options, **login, "sources": ["redis", "postgresql"]})
    done = both.ok("evidence")
    assert {one["source"] for one in done["missing"] if one["part"] != "statements"} == {"redis"}
    assert {file["source"] for file in done["files"] if file["name"] != "index.json"} == {"postgresql"}
    store.start()
    again = both.ok("evidence")
    assert (again["changed"], len(again["unfinished"])) == (True, 1)
    assert {file["source"] for file in again["files"]} == {"redis", "postgresql"}
