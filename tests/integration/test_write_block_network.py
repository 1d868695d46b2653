# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to Redis: dead, frozen, another protocol, TLS, sockets. Each fault has a name and ends by its deadline."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.blocks import HELD, Place
from tests.integration.module import Modules
from tests.integration.redisplace import over_tls
from tests.support import processes
from tests.support.redis_server import Certificates, Redis


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with Place.started() as made:
        yield made


@pytest.fixture
def redis(shared: Place) -> Place:
    shared.run("FLUSHALL")
    return shared


def test_a_server_that_is_not_there(redis: Place) -> None:
    port = processes.free_port()
    with redis.modules.start("write_block", login_port=port, deadline=1.5) as running:
        refused = running.result()
        assert 1 < running.seconds < 3.5
    assert refused["error"]["code"] == "unreachable"
    assert f"127.0.0.1:{port}" in refused["msg"]
    assert (refused["changed"], refused["uncertain"]) == (False, False)
    assert refused["tries"] > 3


def test_a_name_that_is_not_there_is_told_at_once(redis: Place) -> None:
    with redis.modules.start("write_block", login_host="no-such-host.invalid") as running:
        assert running.result()["error"]["code"] == "unreachable"
        assert running.seconds < 8
    redis.refused("unreachable", login_unix_socket="/nonexistent/redis.sock", deadline=1)


def test_a_server_that_takes_the_connection_and_never_answers(redis: Place) -> None:
    (pid,) = redis.server.pids()
    processes.send([pid], signal.SIGSTOP)
    try:
        with redis.modules.start("write_block", deadline=1.5) as running:
            refused = running.result()
            assert running.seconds < 3.5
        assert refused["error"]["code"] == "unreachable"
        assert redis.modules.run("write_block_info", deadline=1)["error"]["code"] == "unreachable"
    finally:
        processes.send([pid], signal.SIGCONT)


# Listens, sends a text to each client and, as long as that does not end a line, a byte now and then.
PEER = """
import socket, sys, time
says = sys.argv[1].encode().decode("unicode_escape").encode()
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        peer, address = listener.accept()
        peer.sendall(says)
        while not says.endswith(b"\\n"):
            time.sleep(0.2)
            peer.sendall(b"O")
        peer.close()
"""


@pytest.mark.parametrize(
    ("says", "code"),
    [("+", "unreachable"), ("HTTP/1.1 400 Bad Request\\r\\n", "not_redis"), ("-DENIED as is\\r\\n", "login_refused")],
    ids=["a byte now and then", "another protocol", "protected mode"],
)
def test_something_else_that_listens(redis: Place, says: str, code: str) -> None:
    """A peer that sends a byte now and then gets past every read timeout; the deadline holds all the same."""
    with subprocess.Popen([sys.executable, "-c", PEER, says], stdout=subprocess.PIPE, text=True) as peer:
        try:
            assert peer.stdout
            modules = redis.modules.having(login_port=int(peer.stdout.readline()), login_password=None)
            with modules.start("write_block", deadline=1.5) as running:
                refused = running.result()
                assert running.seconds < 3
        finally:
            peer.kill()
    assert refused["error"]["code"] == code, refused


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may have a name server of its own")
def test_a_name_server_that_is_silent(redis: Place, directory: Path) -> None:
    """The C library waits for a name server as long as it likes; the deadline holds all the same."""
    configuration = directory / "resolv.conf"
    configuration.write_text("nameserver 127.9.9.9\noptions timeout:20\n")
    mounted = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    prefix = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mounted, str(configuration)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.9.9.9", 53))
        modules = Modules(redis.modules.options, prefix=prefix)
        with modules.start("write_block", login_host="redis.internal", deadline=1.5) as running:
            refused = running.result()
            assert running.seconds < 5, "a new program takes a second to start"
        assert silent.recv(100)
    assert refused["error"]["code"] == "unreachable"
    assert "no answer" in refused["error"]["what"]


def test_a_unix_socket(directory: Path) -> None:
    path = directory / "redis" / "redis.sock"
    with Redis(directory / "redis", {"unixsocket": path}) as server:
        local = Place(server, {"login_unix_socket": str(path), "login_host": "no-such-host.invalid"})
        assert local.hold()["server"]["address"] == str(path)
        assert local.there() == HELD


def test_tls(directory: Path) -> None:
    ours, others = Certificates.make(directory / "ours"), Certificates.make(directory / "others")
    with over_tls(directory, ours, bind="127.0.0.1 127.0.0.2") as server:
        secure = Place(server, {"tls": True, "ca_certs": str(ours.ca)})
        assert secure.hold()["changed"] is True
        assert secure.hold(login_host="localhost")["changed"] is False
        assert secure.hold(ca_certs=None, validate_certs=False)["changed"] is False
        for options in (
            {"ca_certs": str(others.ca)},
            {"ca_certs": "/nonexistent/ca.crt"},
            {"ca_certs": None},
            {"login_host": "127.0.0.2"},
            {"client_cert_file": "/nonexistent/client.crt"},
        ):
            refused = secure.refused("tls_failed", **options)
            assert refused["tries"] == 1, options
        assert secure.hold(login_host="127.0.0.2", validate_certs=False)["changed"] is False
        secure.refused("unreachable", tls=False, deadline=1)
        assert secure.there() == HELD


def test_a_server_that_asks_for_the_clients_certificate(directory: Path) -> None:
    ours = Certificates.make(directory / "ours")
    with over_tls(directory, ours) as server:
        secure = Place(server, {"tls": True, "ca_certs": str(ours.ca)})
        secure.run("CONFIG", "SET", "tls-auth-clients", "yes")
        done = secure.hold(client_cert_file=str(ours.certificate), client_key_file=str(ours.key))
        assert done["changed"] is True
        assert secure.modules.run("write_block", deadline=1)["error"]["code"] in ("tls_failed", "unreachable")


def test_tls_to_a_server_that_speaks_none(redis: Place) -> None:
    assert redis.modules.run("write_block", tls=True, deadline=1)["error"]["code"] in ("tls_failed", "unreachable")
    assert redis.there() == {}
