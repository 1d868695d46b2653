# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, wait for and end processes by id.

A server is recognized by its command line, which names a file of its own directory. So the next run finds everything
that a killed run has left, even if it was killed before it could note a process id, and an id that was given to
another process since is never mistaken for the server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_POLL_SECONDS = 0.02


def running(program: str, path: Path) -> list[int]:
    """Return the ids of processes of a program (``postgres``) that have the path among their arguments."""
    wanted = str(path)
    return matching(lambda arguments: wanted in arguments[1:] and os.path.basename(arguments[0]) == program)


def matching(condition: Callable[[list[str]], bool]) -> list[int]:
    """Return the ids of processes whose command line, as a list of arguments, meets a condition."""
    return [pid for pid, arguments in _command_lines() if condition(arguments) and alive(pid)]


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")


def _stat(pid: int) -> list[str]:
    # The name is in brackets and may contain spaces: the fields after it are state, parent id, ...
    return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def descendants(pid: int) -> list[int]:
    """Return the ids of a process's children, their children and so on, at this moment."""
    family: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                family.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = list(family.get(pid, []))
    for child in found:
        # The list grows during the loop: this is how grandchildren are included.
        found += family.get(child, [])
    return found


def alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended but that nobody has waited for does not."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return _stat(pid)[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition, for at most this many seconds, and return whether it came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def gone(pids: Iterable[int], seconds: float) -> bool:
    """Wait for processes to end, for at most this many seconds, and return whether all have."""
    pids = list(pids)
    return wait_until(lambda: not any(alive(pid) for pid in pids), seconds)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end(pids: Iterable[int], politely: Iterable[signal.Signals], seconds: float) -> None:
    """End processes and their descendants: each polite signal gets its share of the time, SIGKILL is the last.

    Polite signals go only to the processes themselves, which see to their children; SIGKILL goes to all.
    Raises TimeoutError if even that does not end them.
    """
    pids, politely = list(pids), list(politely)
    family = [*pids, *(child for pid in pids for child in descendants(pid))]
    for number in politely:
        send(pids, number)
        if gone(family, seconds / (len(politely) + 1)):
            return
    send(family, signal.SIGKILL)
    if not gone(family, seconds / (len(politely) + 1)):
        raise TimeoutError(f"processes {[pid for pid in family if alive(pid)]} do not end, not even by SIGKILL")


def remove_shared_memory(cluster: Path) -> None:
    """Remove the System V segment that a crashed PostgreSQL left; after a clean stop there is no ``postmaster.pid``.

    The segment's id may have been given to another program since: key and id must match, and nobody may be attached.
    """
    try:
        key, segment = (cluster / "postmaster.pid").read_text().splitlines()[6].split()
        lines = (_PROC / "sysvipc" / "shm").read_text().splitlines()[1:]
    except (OSError, IndexError, ValueError):
        return
    for fields in map(str.split, lines):
        if fields[:2] == [key, segment] and fields[6] == "0":
            subprocess.run(["ipcrm", "-m", segment], check=False, timeout=10)


def free_port() -> int:
    """Return a loopback port that was free a moment ago; whatever binds it later must be ready to try another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(argv: list[str], *, log: Path, cwd: Path, env: dict[str, str], account: dict[str, object]) -> int:
    """Start a program in a session of its own, its output appended to a log, and return its id."""
    with log.open("ab") as output:
        log.chmod(0o600)
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            # A Ctrl-C at the terminal is for the caller, which then stops the server in order.
            start_new_session=True,
            **account,  # type: ignore[call-overload]
        )
    # The object is not needed: processes are tracked by id, in the run that started them and in any later one.
    process.returncode = 0
    pid: int = process.pid
    return pid


@contextlib.contextmanager
def job_process(job_id: str) -> Iterator[None]:
    """Run a process that looks like one in which Ansible runs a job; ``job_id``: without what follows the dot."""
    argv = [sys.executable, "-c", "import time; time.sleep(600)", "async_wrapper.py", job_id]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def tail(log: Path, lines: int = 25) -> str:
    """Return the last lines of a log, or a note that there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) or "(the log is empty)"
    except OSError as error:
        return f"(no log: {error})"
