# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence beside containment: a process of its own that the kill neither waits for nor depends on.

It is forked before the kill connects, and connects only once the kill has its connection or has ended: the evidence
must not take the last free one. Whatever goes wrong here is reported as a warning.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
from dataclasses import asdict
from typing import Any, Callable, NoReturn

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, collect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import (
    ATTEMPTS,
    Moment,
    best,
    claim,
    find,
    places,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencepostgres import (
    PostgresSource,
    source_name,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._forked import give_way, let_go
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login

BESIDE = "beside_containment"
SECONDS = 10.0
MAX_BYTES = 32 * 1024 * 1024
# The kernel ends the process if even its own deadline does not.
ALARM_SECONDS = 30
# How much longer than its deadline the kill may take to connect or to end.
GO_SECONDS = 8.0
NICE = 10


class Beside:
    """A collection that was started, or the reason why not; nothing here raises or waits."""

    def __init__(self, channel: socket.socket | None = None, reason: str | None = None) -> None:
        self._channel = channel
        self._reason = reason

    def go(self) -> None:
        """Let the process connect: the kill has its own connection now."""
        try:
            if self._channel:
                self._channel.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It has ended already, and told() finds out why.

    def told(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a module's result with what is known so far about the evidence; unchanged if none was requested."""
        if self._channel is None and self._reason is None:
            return result
        evidence = {"started": False, "path": None, "pid": None, "reason": self._reason, **self._heard()}
        warnings = list(result.get("warnings", []))
        if not evidence["started"]:
            warnings.append(f"No evidence is being collected beside this: {evidence['reason']}")
        return {**result, "evidence": evidence, "warnings": warnings}

    def _heard(self) -> dict[str, Any]:
        if self._channel is None:
            return {}
        try:
            with self._channel:
                self._channel.setblocking(False)
                heard: dict[str, Any] = json.loads(self._channel.recv(8192))
                return heard
        except BlockingIOError:
            return {"started": True, "reason": "it had not said where by the end of this module"}
        except (OSError, ValueError):
            return {"reason": "its process ended at once"}


def start_beside(login: Login, moment: Moment, dest: str | None, deadline: float) -> Beside:
    """Start collecting PostgreSQL's evidence in a process of its own, if ``dest`` is given; never raises.

    :param deadline: seconds that the kill has.
    """
    if not dest:
        return Beside()
    try:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.fork()
            if pid == 0:
                _fork_again(theirs, lambda channel: _collect(login, moment, dest, channel, deadline + GO_SECONDS))
        _pid, status = os.waitpid(pid, 0)
    except OSError as error:
        return Beside(reason=f"no process could be started: {error.strerror or error}")
    if status != 0:
        ours.close()
        return Beside(reason="no process could be started")
    return Beside(ours)


def _fork_again(channel: socket.socket, work: Callable[[socket.socket], None]) -> NoReturn:
    """In the first child: leave the work to a grandchild, for which nobody has to wait."""
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            _be_alone(channel, work)
        status = 0
    finally:
        os._exit(status)


def _be_alone(channel: socket.socket, work: Callable[[socket.socket], None]) -> NoReturn:
    """In the grandchild: close what others wait for, wait for the kill's connection, do the work and exit."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.alarm(ALARM_SECONDS)
        give_way(NICE)
        os.chdir("/")
        os.umask(0o077)
        let_go(channel.fileno())
        work(channel)
    finally:
        os._exit(0)


def _collect(login: Login, moment: Moment, dest: str, channel: socket.socket, seconds: float) -> None:
    """Report where the evidence goes, wait until the kill has its connection or has ended, then collect.

    If it has done neither within ``seconds``, nothing is collected here, so that whoever asks later collects it.
    """
    where, source = places(dest, moment.incident_id), source_name(login)
    # One that is under way has not said yet of which stop it is, so it does not count.
    there = best(find(where, moment, source))
    if there:
        reason = "it is there already" if there.of_this_stop else f"there are {ATTEMPTS} collections already"
        _tell(channel, started=True, path=str(there.directory), reason=reason)
        return
    try:
        directory = claim(where, moment.label, source)
    except OSError as error:
        _tell(channel, reason=str(error))
        return
    folder = Folder(directory, MAX_BYTES)
    _tell(channel, started=True, path=str(directory))
    facts = {**asdict(moment), "source": PostgresSource.name, "taken": BESIDE}
    signal.alarm(math.ceil(seconds) + ALARM_SECONDS)
    if not _may_connect(channel, seconds):
        folder.lack("connection", f"the kill had neither connected nor ended after {seconds:g} s", again=True)
        folder.close(facts)
        return
    signal.alarm(ALARM_SECONDS)
    collect(folder, PostgresSource(login).parts, facts, SECONDS)


def _tell(channel: socket.socket, **what: Any) -> None:
    try:
        channel.sendall(json.dumps({**what, "pid": os.getpid()}).encode())
    except OSError:
        pass  # The kill has ended already; the evidence is taken anyway.


def _may_connect(channel: socket.socket, seconds: float) -> bool:
    """Wait until the kill gives its sign or has ended; return False if it does neither for so long."""
    channel.settimeout(seconds)
    try:
        channel.recv(1)
    except socket.timeout:
        return False
    except OSError:
        pass  # It has ended.
    finally:
        channel.close()
    return True
