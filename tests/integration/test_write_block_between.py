# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis or the connection goes away mid-call, or somebody is faster: done once and reported as it was, or left open."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _block, _blockplan, _blockscript, _redis
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from tests.integration.blocks import HELD, KEY, OURS, OWNER, THEIRS, Place


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with Place.started(appendonly="yes") as made:
        yield made


@pytest.fixture
def redis(shared: Place) -> Place:
    shared.run("FLUSHALL")
    return shared


def test_a_redis_that_restarts_is_waited_for() -> None:
    with Place.started(appendonly="yes") as redis:
        redis.server.crash()
        with redis.modules.start("write_block") as running:
            time.sleep(0.5)
            assert running.runs
            redis.server.start()
            done = running.result()
        assert (done["changed"], done["held"]) == (True, True)
        assert redis.there() == HELD


@pytest.mark.parametrize("comes_back", [True, False], ids=["and comes back", "and stays so"])
def test_a_redis_that_falls_silent_with_the_change_in_hand(redis: Place, comes_back: bool) -> None:
    """Mute between looking and changing: the change was sent. What became of it is found out, or reported as open."""
    with redis.client() as client:
        client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        try:
            with redis.modules.start("write_block", deadline=6 if comes_back else 3.2) as running:
                time.sleep(2.9 if comes_back else 0)
                if comes_back:
                    client.execute_command("CLIENT", "UNPAUSE")
                result = running.result()
        finally:
            client.execute_command("CLIENT", "UNPAUSE")
    if comes_back:
        assert (result["changed"], result["held"], result["previous"]) == (True, True, None), result
        assert redis.there() == HELD
    else:
        assert result["error"]["code"] == "unreachable", result
        assert (result["uncertain"], result["changed"]) == (True, False)
        assert "may have been made" in result["error"]["why"]
    assert redis.hold()["held"] is True


# Passes one connection after the other on to the server. In the first it drops the question or the answer of the
# exchange that has the word, and hangs up.
PROXY = """
import select, socket, sys
port, word, drop = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    whole = False
    while True:
        with listener.accept()[0] as client, socket.create_connection(("127.0.0.1", port)) as server:
            cut = False
            while True:
                ready, _w, _x = select.select([client, server], [], [])
                data = ready[0].recv(65536)
                if ready[0] is client:
                    cut = not whole and word in data
                    if not data or (cut and drop == "question"):
                        break
                    server.sendall(data)
                elif cut or not data:
                    break
                else:
                    client.sendall(data)
            whole = whole or cut
"""


@pytest.mark.parametrize("drop", ["question", "answer"])
@pytest.mark.parametrize("word", ["EVAL", "CONFIG"], ids=["the change", "the reading back"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_connection_that_breaks_in_mid_call(redis: Place, word: str, drop: str, state: str) -> None:
    """Whether the change was made before the connection broke or after: it is made once and reported as it was."""
    if state == "absent":
        redis.set_by_hand(owner=OURS)
    command = [sys.executable, "-c", PROXY, str(redis.server.port), word, drop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout
            done = redis.hold(login_port=int(proxy.stdout.readline()), state=state)
        finally:
            proxy.kill()
    held = state == "present"
    assert (done["changed"], done["held"], done["renewed"]) == (True, held, False)
    assert (done["previous"] is None) is held
    assert redis.there() == (HELD if held else {})


@pytest.mark.parametrize("drop", ["question", "answer"])
def test_a_connection_that_breaks_while_anothers_block_is_prolonged(redis: Place, drop: str) -> None:
    began = time.monotonic()
    redis.set_by_hand(owner=THEIRS, seconds=500)
    command = [sys.executable, "-c", PROXY, str(redis.server.port), "EVAL", drop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout
            done = redis.hold(login_port=int(proxy.stdout.readline()))
        finally:
            proxy.kill()
    assert (done["changed"], done["prolonged"], done["owner"]) == (True, True, THEIRS)
    assert 499 - (time.monotonic() - began) <= done["previous"]["ttl_seconds"] <= 500
    assert redis.there() == {KEY: ("true", -1), OWNER: (THEIRS, -1)}


def test_a_connection_that_breaks_and_nobody_is_there_after(redis: Place) -> None:
    command = [sys.executable, "-c", PROXY.replace("whole = whole or cut", "cut and sys.exit()")]
    with subprocess.Popen(
        [*command, str(redis.server.port), "EVAL", "answer"], stdout=subprocess.PIPE, text=True
    ) as proxy:
        try:
            assert proxy.stdout
            refused = redis.refused("unreachable", login_port=int(proxy.stdout.readline()), deadline=1)
        finally:
            proxy.kill()
    assert (refused["changed"], refused["uncertain"]) == (False, True)
    assert redis.there() == HELD
    assert redis.hold()["changed"] is False


# The step itself, with something in between looking and changing.


class Between(_redis.Session):
    """A session during which somebody else does something, once, before its ``turn``-th exchange."""

    def __init__(self, redis: Place, turn: int, doing: Any) -> None:
        login = _redis.Login(host=redis.server.host, port=redis.server.port, password=redis.server.password)
        super().__init__(login, Deadline(10))
        self._turn, self._doing = turn, doing

    def ask(self, *commands: Any) -> list[Any]:
        self._turn -= 1
        if self._turn == 0:
            self._doing()
        return super().ask(*commands)


def wish(**changes: Any) -> _block.Wish:
    return _block.Wish(**{"key": KEY, "value": b"true", "owner": OURS.encode(), **changes})


CHANGES: dict[str, Callable[[Place], Any]] = {
    "taken": lambda redis: redis.set_by_hand(owner=THEIRS),
    "typed": lambda redis: redis.set_by_hand(),
    "longer": lambda redis: redis.set_by_hand(owner=OURS, seconds=900),
    "for ever": lambda redis: redis.set_by_hand(owner=OURS),
    "value": lambda redis: redis.run("SET", KEY, "1", "KEEPTTL"),
    "owner": lambda redis: redis.run("SET", OWNER, THEIRS, "KEEPTTL"),
    "owner's end": lambda redis: redis.run("PERSIST", OWNER),
    "type": lambda redis: (redis.run("DEL", KEY), redis.run("HSET", KEY, "a", "b")),
}


def by_script(session: Any, seen: _block.Seen, step: _blockplan.Step, asked: _block.Wish) -> bool:
    return _blockscript.swap(session, seen, step, asked, [])


HOW: dict[str, Callable[..., bool]] = {
    "script": by_script,
    "watch": _blockscript._watched,
    "watch, in its midst": _blockscript._watched,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("present", [True, False])
def test_nothing_is_done_to_what_was_not_seen(redis: Place, how: str, change: str, present: bool) -> None:
    redis.set_by_hand(owner=OURS, seconds=60)
    asked = wish(present=present, ttl_ms=120_000)
    turn = {"script": 2, "watch": 2, "watch, in its midst": 3}[how]
    session = Between(redis, turn, lambda: CHANGES[change](redis))
    try:
        seen = _blockscript.seen_from(session.ask(*_blockscript.looks(asked)))
        step = _blockplan.plan(seen, asked)
        assert step.write == ("hold" if present else "release")
        assert HOW[how](session, seen, step, asked) is False
        left = redis.there()
        assert left, "what somebody else did stays"
        CHANGES[change](redis)
        assert {key: value for key, (value, _left) in redis.there().items()} == {
            key: value for key, (value, _left) in left.items()
        }
    finally:
        session.close()


@pytest.mark.parametrize("how", ["script", "watch"])
def test_time_that_ran_on_is_no_change(redis: Place, how: str) -> None:
    redis.set_by_hand(owner=OURS, seconds=60)
    asked = wish(ttl_ms=120_000)
    session = Between(redis, 2, lambda: time.sleep(0.05))
    try:
        seen = _blockscript.seen_from(session.ask(*_blockscript.looks(asked)))
        assert HOW[how](session, seen, _blockplan.plan(seen, asked), asked) is True
    finally:
        session.close()
    assert 110_000 < redis.there()[OWNER][1] <= 120_000
