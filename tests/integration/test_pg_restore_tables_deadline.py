# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore ends by its deadline: while it looks at a dump, while it reads one, while the server takes no more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.restores import backup, compare, figures, make, ready
from tests.integration.test_pg_restore_tables_sources import NOISE
from tests.support import processes
from tests.support.redis_server import Certificates
from tests.support.servers import Postgres

# More than any machine reads within a test.
_HUGE_BYTES = 1 << 40


def test_a_deadline_that_is_over(db: Database, directory: Path) -> None:
    make(db, *NOISE, "INSERT INTO noise SELECT g, repeat('x', 900) FROM generate_series(20001, 300000) AS g")
    modules = ready(db)
    source = backup(db, directory, "custom", "noise", arguments=["--compress=0"])
    result = modules.run("pg_restore_tables", check=True, source=source, tables=["noise"], deadline=1)
    assert result["error"]["code"] in ("deadline", "statement_timeout"), result
    assert processes.wait_until(lambda: not processes.matching(lambda arguments: source["path"] in arguments), 5)
    # A dump is read whole before any of it counts, and one of its files is made too large to wait for.
    dump = backup(db, directory, "dump", "noise")
    os.truncate(max(Path(dump["path"]).iterdir(), key=lambda file: file.stat().st_size), _HUGE_BYTES)
    began = time.monotonic()
    result = modules.run("pg_restore_tables", check=True, source=dump, tables=["noise"], deadline=2)
    assert result["error"]["code"] == "deadline", result
    assert time.monotonic() - began < 15


@contextmanager
def speaking_tls(server: Postgres, directory: Path) -> Iterator[None]:
    """Let the shared server speak TLS with those who want it."""
    made = Certificates.make(directory / "certificates")

    def speaks() -> bool:
        # A connection that is kept was made before.
        with server.connect() as session:
            return bool(session.info.ssl_in_use)

    server.set_config(ssl_cert_file=str(made.certificate), ssl_key_file=str(made.key), ssl="on")
    try:
        assert processes.wait_until(speaks, 10)
        yield
    finally:
        for name in ("ssl", "ssl_cert_file", "ssl_key_file"):
            server.query(f"ALTER SYSTEM RESET {name}")
        server.query("SELECT pg_reload_conf()")


@pytest.mark.parametrize("tls", [True, pytest.param(False, marks=pytest.mark.drill)], ids=["tls", "plain"])
def test_a_server_that_freezes_while_it_takes_the_rows(db: Database, directory: Path, tls: bool) -> None:
    make(db, "CREATE TABLE noise (id integer PRIMARY KEY, text text)")
    make(db, "INSERT INTO noise SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 200000) AS g")
    source = backup(db, directory, "custom", "noise", arguments=["--compress=0"])
    options: dict[str, Any] = {"source": source, "tables": ["noise"]}
    copying = """SELECT a.pid, s.ssl FROM pg_stat_activity AS a JOIN pg_stat_ssl AS s USING (pid)
                 WHERE datname = current_database() AND query LIKE 'COPY %%'"""
    modules = ready(db)
    with speaking_tls(db.server, directory):
        secure = modules.having(ssl_mode="require" if tls else "disable")
        with secure.start("pg_restore_tables", True, deadline=4, **options) as running:
            assert processes.wait_until(lambda: bool(db.rows(copying, ())) or not running.runs, 8)
            (pid, spoken) = db.rows(copying, ())[0]
            os.kill(pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                result = running.result(timeout=25)
                took = time.monotonic() - began
            finally:
                os.kill(pid, signal.SIGCONT)
        assert spoken is tls
        assert result["error"]["code"] in ("deadline", "lost_connection"), result
        assert took < 15
        assert processes.wait_until(lambda: not db.rows(copying, ()), 10)
        assert processes.matching(lambda arguments: source["path"] in arguments) == []
        # A server that does not freeze takes them all.
        assert figures(compare(secure, source, "noise"), "noise") == {}
