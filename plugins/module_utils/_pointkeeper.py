# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of a scratch instance: a process in a session of its own that makes it and removes it.

It has one end of a pipe whose other end only the module has. However the module ends, the pipe closes; then the
keeper ends all that it started and removes the directory. Needs neither Ansible nor a driver.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import select
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Collection, Iterator, Mapping, NoReturn

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _pointplace as place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import free_bytes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import Said, ask, child, listing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._forked import give_way, let_go
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointerrors import (
    disk_filled,
    out_of_time,
    recovery_failed,
    restore_failed,
    unusable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplan import (
    Stanza,
    has_arrived,
    parse_control,
    restore_argv,
    restore_command,
    settings_text,
    stopped_before,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._procfs import stat_of

_LOOK_SECONDS = 0.1
_PR_SET_CHILD_SUBREAPER = 36
_LEAST_PRIORITY = 19
# The longest wait for a frozen module after the deadline, and for a process that does not end.
_END_SECONDS = 30.0
# How often the restored amount is measured, and at most what part of the time that takes.
_MEASURE_SECONDS, _MEASURE_PART = 2.0, 0.05


@dataclass(frozen=True)
class Order:
    """What the keeper is to make. ``ends_at`` is the deadline by the monotonic clock, ``seconds`` its whole length.

    ``first`` and ``newest``: the first file of the log that the backup needs, and the last one in the archive.
    """

    stanza: Stanza
    account: pwd.struct_passwd
    environment: Mapping[str, str]
    without_secrets: Callable[[str], str]
    target: str
    timeline: int
    database: str
    others: Collection[str]
    postgres: str
    controldata: str
    major: int
    scratch_dir: str | None
    needed: int
    min_free: int
    first: str | None
    newest: str | None
    ends_at: float
    seconds: float


class _Over(Exception):
    """The module has ended, or does not need the instance any more."""


def keep(order: Order, life: int, report: int) -> NoReturn:
    """Run as the keeper, in a process that was forked for it; never returns.

    :param life: the reading end of the pipe, which shows when the module is gone.
    :param report: where to write messages, one line of JSON each.
    """
    status = 1
    try:
        os.setsid()
        let_go(life, report)
        _give_way()
        _become(order.account)
        signal.signal(signal.SIGTERM, _end)
        Keeper(order, life, report).run()
        status = 0
    finally:
        os._exit(status)


def _end(_number: int, _frame: Any) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Another one must not stop the clean-up.
    raise _Over


def _give_way() -> None:
    """Let everything else on the host come first: processor, disk, and memory when it runs out."""
    give_way(_LEAST_PRIORITY)
    ask(["ionice", "--class", "3", "--pid", str(os.getpid())])
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        pass
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)  # So that what a killed postmaster leaves behind can be ended.


def _become(account: pwd.struct_passwd) -> None:
    os.umask(0o077)
    if os.geteuid() != account.pw_uid:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.chdir("/")


class Keeper:
    """Makes the instance, reports on it, waits, and removes it."""

    def __init__(self, order: Order, life: int, report: int) -> None:
        self._order = order
        self._life = life
        self._report = report
        self._directory: Path | None = None
        self._measure_at = 0.0

    def run(self) -> None:
        """Do all of it; errors are reported, not raised."""
        try:
            self._make()
        except _Over:
            pass
        except KanbanError as error:
            told = {"code": error.code, "what": error.what, "why": error.why, "todo": error.todo}
            self._tell({"error": told, "details": error.details})
        except OSError as error:
            failed = unusable(str(self._directory or self._order.scratch_dir), error.strerror or error)
            told = {"code": failed.code, "what": failed.what, "why": failed.why, "todo": failed.todo}
            self._tell({"error": told, "details": {}})

    def _make(self) -> None:
        order = self._order
        parent = place.choose_parent(order.scratch_dir, order.account.pw_dir)
        place.sweep(parent)
        place.refuse_full(parent, order.needed, order.min_free)
        with place.claimed(parent) as (directory, lock), self._nothing_left():
            self._directory = directory
            self._tell({"made": str(directory)})
            for name in ("data", "socket", "tablespaces", "lock"):
                (directory / name).mkdir(mode=0o700)
            self._restore(directory, lock)
            self._tell({"step": "read the log up to the target"})
            control = self._configure(directory)
            with self._started(directory, lock, control) as (said, stopped):
                self._tell({"ready": {"socket": str(directory / "socket"), "stopped_before": stopped}})
                while time.monotonic() < order.ends_at + _END_SECONDS:
                    select.select([self._life], [], [], _LOOK_SECONDS)
                    said.read(0)
                    self._look()

    def _restore(self, directory: Path, lock: int) -> None:
        order = self._order
        argv = restore_argv(order.stanza, str(directory), order.database, order.others, order.target)
        with child(argv, order.environment, lock, signal.SIGTERM) as process:
            said = Said(process.stderr)
            while process.poll() is None:
                said.read(_LOOK_SECONDS)
                self._look()
                self._measure(directory)
                self._in_time("pgBackRest had not restored the backup", "")
            said.read(0)
            if process.returncode:
                raise restore_failed(order.without_secrets(said.text), str(directory))

    def _configure(self, directory: Path) -> Mapping[str, str]:
        """Replace production's settings with our own, whatever of them came with the backup."""
        order, data = self._order, directory / "data"
        control = parse_control(listing([order.controldata, str(data)]).decode("ascii", "replace"))
        command = restore_command(order.stanza, str(directory))
        try:
            text = settings_text(control, str(directory), command, order.target, order.timeline, order.major)
        except (KeyError, ValueError) as error:
            raise restore_failed(f"pg_control does not tell {error}", str(directory)) from error
        (data / "standby.signal").unlink(missing_ok=True)
        place.write(data / "postgresql.auto.conf", "")
        place.write(data / "recovery.signal", "")
        place.write(directory / "postgresql.conf", text)
        # Nobody else can enter the directory of the socket.
        place.write(directory / "pg_hba.conf", "local all all trust\n")
        place.write(directory / "pg_ident.conf", "")
        return control

    @contextmanager
    def _started(self, directory: Path, lock: int, control: Mapping[str, str]) -> Iterator[tuple[Said, str]]:
        """Start the instance and wait until it has reached the target; it ends at once when the block is left."""
        order, conf = self._order, directory / "postgresql.conf"
        argv = [order.postgres, "-D", str(directory / "data"), "-c", f"config_file={conf}"]
        # libpq's variables are defaults of the server as well.
        kept = {
            name: value
            for name, value in order.environment.items()
            if name.startswith("PGBACKREST_") or not name.startswith("PG")
        }
        with child(argv, kept, lock, signal.SIGQUIT) as process:
            said = Said(process.stderr)
            while not has_arrived(said.text) and process.poll() is None:
                said.read(_LOOK_SECONDS)
                self._look()
                self._in_time("the log had not been read up to the target", said.text)
            said.read(0)
            stopped = stopped_before(said.text)
            if process.poll() is not None or stopped is None:
                segment = int(control["Bytes per WAL segment"])
                text = order.without_secrets(said.text)
                raise recovery_failed(
                    text, str(directory), order.stanza, order.first, order.newest, segment, order.target
                )
            yield said, stopped

    def _look(self) -> None:
        """Raise if everything has to end: the module is gone, or the disk is about to be full."""
        if select.select([self._life], [], [], 0)[0]:
            raise _Over
        free = free_bytes(self._directory) if self._directory else self._order.min_free
        if free < self._order.min_free:
            raise disk_filled(str(self._directory), free, self._order.min_free)

    def _measure(self, directory: Path) -> None:
        """Report now and then how much is there."""
        began = time.monotonic()
        if began >= self._measure_at:
            self._tell({"bytes": place.bytes_in(directory)})
            now = time.monotonic()
            self._measure_at = now + max(_MEASURE_SECONDS, (now - began) / _MEASURE_PART)

    def _in_time(self, step: str, said: str) -> None:
        if time.monotonic() > self._order.ends_at:
            raise out_of_time(self._order.seconds, step, self._order.without_secrets(said))

    @contextmanager
    def _nothing_left(self) -> Iterator[None]:
        """End whatever was started and still runs when the block is left, however it was orphaned."""
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            until = time.monotonic() + _END_SECONDS
            while time.monotonic() < until:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
                try:
                    if os.waitpid(-1, os.WNOHANG) == (0, 0):
                        time.sleep(_LOOK_SECONDS)
                except ChildProcessError:
                    break

    def _tell(self, message: Mapping[str, Any]) -> None:
        try:
            os.write(self._report, (json.dumps(message) + "\n").encode())
        except OSError:
            pass  # Nobody listens any more.


def _children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and stat_of(int(name))[1:2] == [str(os.getpid())]:
            found.append(int(name))
    return found
