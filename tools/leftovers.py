"""End what an earlier run has left running: ``python3 -m tools.leftovers NAME=VALUE``.

What a run starts has its environment, also in sessions of its own, so an entry of that finds it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")


def marked(mark: str) -> dict[int, str]:
    """Return the processes that have this entry, ``NAME=VALUE``, in their environment: numbers and commands.

    Without this process and those above it, which may have been started with it too.
    """
    own, found = _above(os.getpid()), {}
    for path in PROC.glob("[0-9]*"):
        # OSError: it has ended by itself, or is somebody else's.
        with contextlib.suppress(OSError):
            if int(path.name) not in own and mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(path.name)] = command.decode(errors="replace").strip()
    return found


def end_marked(mark: str, seconds: float = 10) -> dict[int, str]:
    """Kill processes that have this entry, and what they start meanwhile; return those that were killed.

    Killed, not interrupted: what they would take down may be another run's by now.

    :param seconds: how long to wait until all have ended.
    """
    deadline = time.monotonic() + seconds
    ended: dict[int, str] = {}
    while (found := marked(mark)) and time.monotonic() < deadline:
        ended |= found
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return ended


def _above(pid: int) -> set[int]:
    """Return a process and all above it."""
    pids = set()
    while pid:
        pids.add(pid)
        # The name, which comes before, may contain anything.
        pid = int((PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return pids


def main(arguments: Sequence[str] | None = None) -> int:
    """End them and say which; return 1 if one has not ended."""
    (mark,) = sys.argv[1:] if arguments is None else arguments
    for pid, command in end_marked(mark).items():
        print(f"leftovers: ended process {pid}: {command[:100]}")
    left = marked(mark)
    for pid, command in left.items():
        print(f"leftovers: process {pid} cannot be ended: {command[:100]}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
