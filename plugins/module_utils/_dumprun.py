# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running client programs: they end when the module ends, however that happens, and never outlast the deadline.

``run_command`` of Ansible's module object supports no deadline, no process group and no descriptor to keep open.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import IO, Callable, Iterator, Mapping, Sequence, Union

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpfailure import explain_end
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

Argv = Sequence[Union[str, bytes]]

LOOK_EVERY_SECONDS = 0.1
POLITE_SECONDS = 3.0
_PR_SET_PDEATHSIG = 1
_ASK_SECONDS = 20
_KEPT_BYTES = 20_000
_PIECE_BYTES = 1 << 20


def client_environment(password: str = "") -> dict[str, str]:
    """Return the environment for client programs: messages in English, the password where no other user sees it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PGCLIENTENCODING", "PGAPPNAME")}
    given = {"PGPASSWORD": password} if password else {}
    return {**kept, "LC_ALL": "C", "PG_COLOR": "never", **given}


def ask(argv: Argv) -> str:
    """Return what a short-running program writes to both streams; empty if it does not run or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=client_environment(),
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def listing(argv: Argv) -> bytes:
    """Return what a program writes to its standard output; raises KanbanError when it fails."""
    try:
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=client_environment(),
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_started(argv, error) from error
    if done.returncode:
        raise explain_end(_name(argv), done.returncode, done.stderr.decode("utf-8", "replace"))
    return done.stdout


@contextmanager
def child(
    argv: Argv, environment: Mapping[str, str], keep: int | None, ending: int, output: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in its own process group; leaving the block ends it and its children.

    :param keep: a descriptor that it and its children hold open: the lock that shows they are alive.
    :param output: where its standard output goes, ``subprocess.PIPE`` to read it.
    :param ending: the signal that asks it to end, and that the kernel sends it when this process dies. pg_dump passes
        a SIGTERM on to its workers and cancels their queries; after a SIGKILL they would go on.
    """
    parent = os.getpid()
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def prepare() -> None:
        os.umask(0o077)
        if prctl:
            prctl(_PR_SET_PDEATHSIG, ending)
            if os.getppid() != parent:  # The parent died before the call above took effect.
                os._exit(1)

    try:
        process = subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            env=dict(environment),
            pass_fds=() if keep is None else (keep,),
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - no thread of ours runs yet that could hold a lock
        )
    except OSError as error:
        raise _not_started(argv, error) from error
    try:
        yield process
    finally:
        _end(process, ending)


def _end(process: subprocess.Popen[bytes], ending: int) -> None:
    """End a process group, politely first: pg_dump then cancels what it runs on the server."""
    if process.poll() is None:
        process.send_signal(ending)
        try:
            process.wait(POLITE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def run_child(
    argv: Argv,
    environment: Mapping[str, str],
    keep: int,
    look: Callable[[], None],
    started: Callable[[], None] = lambda: None,
) -> None:
    """Run a program to its end; raises KanbanError if it fails. What ``look`` raises ends it and is passed on.

    :param look: called ten times a second.
    :param started: called once the program runs.
    """
    with child(argv, environment, keep, signal.SIGTERM) as process:
        started()
        said = Said(process.stderr)
        while process.poll() is None:
            said.read(LOOK_EVERY_SECONDS)
            look()
        said.read(0)
        if process.returncode:
            password = environment.get("PGPASSWORD")
            text = said.text.replace(password, "***") if password else said.text
            raise explain_end(_name(argv), process.returncode, text)


def read_child(argv: Argv, look: Callable[[], None]) -> Iterator[bytes]:
    """Yield what a program writes, in pieces of about 1 MB; raises KanbanError as ``run_child`` does.

    :param look: called for each piece, and ten times a second while there is none.
    """
    with child(argv, client_environment(), None, signal.SIGTERM, subprocess.PIPE) as process:
        said = Said(process.stderr)
        output = process.stdout.fileno() if process.stdout else -1
        pieces: list[bytes] = []
        while True:
            said.read(0)
            look()
            if not select.select([output], [], [], LOOK_EVERY_SECONDS)[0]:
                continue
            piece = os.read(output, _PIECE_BYTES)
            pieces.append(piece)
            if not piece or sum(map(len, pieces)) >= _PIECE_BYTES:
                yield b"".join(pieces)
                pieces = []
            if not piece:
                break
        while process.poll() is None:
            said.read(LOOK_EVERY_SECONDS)
            look()
        said.read(0)
        if process.returncode:
            raise explain_end(_name(argv), process.returncode, said.text)


class Said:
    """The last part of a program's standard error, read as it comes so that the program never blocks on it."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream
        self._end = b""
        if stream:
            os.set_blocking(stream.fileno(), False)

    @property
    def text(self) -> str:
        """The last part, from the start of a line."""
        cut = self._end.partition(b"\n")[2] if len(self._end) >= _KEPT_BYTES else self._end
        return cut.decode("utf-8", "replace")

    def read(self, seconds: float) -> None:
        """Read what is there, waiting at most this long for the first byte."""
        if self._stream is None:
            time.sleep(min(seconds, 0.01))
            return
        select.select([self._stream], [], [], seconds)
        while True:
            block = self._stream.read(65536)
            if block is None:
                return
            if not block:  # Every writer has closed it: the program is about to end.
                self._stream.close()
                self._stream = None
                return
            self._end = (self._end + block)[-_KEPT_BYTES:]


def _name(argv: Argv) -> str:
    return os.path.basename(os.fsdecode(argv[0]))


def _not_started(argv: Argv, error: Exception) -> KanbanError:
    return KanbanError(
        "client_not_started",
        f"{os.fsdecode(argv[0])} could not be run: {error}.",
        "Without it there is no dump. Nothing was kept.",
        "Check bin_dir and that the client programs are whole.",
    )
