# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""break-glass.sql contains first and waits afterwards; its lines for the write block, typed as shown, hold it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import on, population
from tests.integration.place import Database
from tests.integration.test_preflight_breakglass import psql, script_of
from tests.support.redis_server import Certificates, Redis
from tests.support.sentinel import Sentinel

KEY = "kanban:it's \\ held"


def test_the_fence_waits_for_no_tenant_that_somebody_holds(db: Database, directory: Path) -> None:
    modules = population(db)
    db.modules().ok("ledger")
    db.modules().ok("write_fence", state="dormant", tables=["tickets"])
    script = script_of(db, directory, **modules.options, write_block_key=KEY, redis_hosts=[{"name": "redis1"}])
    # How many tenants are on when the fence is raised, and how many still are when everything was tried.
    db.rows("CREATE TABLE seen (at timestamptz, fenced boolean, id int)")
    db.rows("""CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen SELECT clock_timestamp(), EXISTS (SELECT FROM pg_proc AS p
          WHERE p.proname ~ '^fence_[0-9a-f]{12}$' AND p.prosrc ~ 'write-protected'), OLD.id;
        RETURN NEW; END $$""")  # fmt: skip
    db.rows("CREATE TRIGGER note BEFORE UPDATE ON companies FOR EACH ROW EXECUTE FUNCTION note()")
    with db.transaction("SELECT FROM companies WHERE id IN (7, 8) FOR UPDATE"):
        done = psql(db, script)
    assert done.rc == 3
    assert on(db) == [7, 8]
    steps = [
        "Off: every tenant whose row is free",
        "The write block: now",
        "The fence:",
        "Off: what was held",
        "STILL ON",
    ]
    places = [done.text.find(step) for step in steps]
    assert -1 not in places, done.text
    assert places == sorted(places)
    assert db.value("SELECT count(*) FROM seen WHERE NOT fenced") == 48
    assert psql(db, script).rc == 0
    assert {fenced for (fenced,) in db.rows("SELECT fenced FROM seen WHERE id IN (7, 8)")} == {True}


def shown(db: Database, directory: Path, told: str, **host: Any) -> str:
    """Return the one line for the write block that the script shows while it runs."""
    modules = population(db)
    options = {"write_block_key": KEY, "redis_hosts": [{"name": "redis1", **host}]}
    script = script_of(db, directory, **modules.options, **options)
    done = psql(db, script)
    assert done.rc == 0, done.text
    (line,) = [line.strip() for line in done.text.splitlines() if told in line]
    # The same line is at the top of the file, for those who read before they type.
    assert f"-- {line}" in " ".join(script.read_text(encoding="utf-8").split()).replace("--   ", "-- ")
    return line


def typed(line: str, **secrets: str) -> str:
    """Type a line in a shell as a person would, with the passwords that were read into it."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **secrets}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stderr == "", done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", ["address", "socket", "tls"])
def test_the_line_holds_the_block(db: Database, directory: Path, way: str) -> None:
    certificates = Certificates.make(directory / "certificates") if way == "tls" else None
    socket = directory / "redis/r.sock"
    config = {"unixsocket": socket} if way == "socket" else {}
    with Redis(directory / "redis", config, certificates=certificates) as server, server.client(db=2) as opened:
        client: Any = opened
        host: dict[str, Any] = {"login_host": server.host, "login_port": server.port, "login_db": 2}
        host["login_user"] = "ops"
        client.execute_command("ACL", "SETUSER", "ops", "on", ">secret", "~kanban:*", "+set", "+select")
        if way == "socket":
            host["login_unix_socket"] = str(socket)
        if certificates:
            host.update(tls=True, ca_certs=str(certificates.ca))
        line = shown(db, directory, "SET 'kanban", **host)
        assert "secret" not in line
        assert typed(line, REDISCLI_AUTH="secret") == "OK"
        assert client.get(KEY) == "true"


@pytest.mark.parametrize("closed", [True, False], ids=["a Sentinel with a password", "without"])
def test_the_line_asks_a_sentinel_for_the_master(db: Database, directory: Path, closed: bool) -> None:
    with Redis(directory / "redis") as server, Sentinel(directory / "sentinel", server) as sentinel:
        if not closed:
            with sentinel.client() as client:
                client.execute_command("ACL", "SETUSER", "default", "nopass")
        host = {"sentinels": [sentinel.address], "sentinel_name": sentinel.name, "login_db": 1}
        line = shown(db, directory, "get-master-addr-by-name", **host)
        secrets = {"SENTINEL_AUTH": sentinel.password} if closed else {}
        assert typed(line, REDISCLI_AUTH=server.password, **secrets) == "OK"
        with server.client(db=1) as client:
            assert client.get(KEY) == "true"
