# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook loses its controller at one task, is started again, loses it at the next, and so on to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.playbooks.runner import Run, Running

_HEADER = re.compile(r"^(PLAY|TASK) \[(.*?)\] \*+\n", re.MULTILINE)
# A task that has printed nothing for this long is at work: a skipped one says so at once.
_AT_WORK_SECONDS = 0.3


# Words that every task has, for drills.
EACH = ("",)


def killed_in_turn(
    start: Callable[[], Running],
    left: Callable[[str], None],
    *,
    moments: Sequence[str] = EACH,
    since: str = "",
    most: int = 80,
    timeout: float = 200,
) -> tuple[Run, list[str]]:
    """Kill it at each task that is not skipped and has words of `moments`, from the play whose name begins `since` on.

    Every run but the last ends this way. `left` gets the name of the last task, and checks what the run has left;
    after that, whatever the run started on this machine is ended. Returns the last run, which ended by itself, and the
    tasks; fails if one of the moments had no task.
    """
    killed: list[str] = []
    while True:
        running = start()
        try:
            task = _at_work(running, _Due(since, moments, killed), timeout)
            if task is None:
                assert all(any(words in task for task in killed) for words in moments), killed
                return running.wait(timeout=timeout), killed
            assert len(killed) < most, f"more than {most} tasks: {killed}"
            running.kill()
            killed.append(task)
            left(task)
        finally:
            running.clear()


def tasks(output: str) -> Iterator[tuple[str, str, str]]:
    """Yield play, title and output of each task that has begun; more than once for a task on several hosts."""
    _before, *parts = _HEADER.split(output)
    play = ""
    for kind, title, said in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if kind == "PLAY":
            play = title
        else:
            yield play, title, said.strip()


@dataclass(frozen=True)
class _Due:
    """The tasks at which the playbook is to be killed."""

    since: str
    moments: Sequence[str]
    killed: Sequence[str]

    def tasks(self, output: str) -> Iterator[tuple[str, str]]:
        """Yield the name of each such task that has begun, with its play's name, and its output so far."""
        counts = not self.since
        for play, title, said in tasks(output):
            counts = counts or play.startswith(self.since)
            name = f"{play}: {title}"
            if counts and name not in self.killed and any(words in title for words in self.moments):
                yield name, said


def _at_work(running: Running, due: _Due, timeout: float) -> str | None:
    """Wait for a task at which it was not killed yet, and return its name; None if it ends without another."""
    last, begun = "", 0.0
    while running.alive:
        assert running.seconds < timeout, running.output
        silent = ""
        for name, said in due.tasks(running.output):
            if said and not said.startswith("skipping"):
                return name
            silent = "" if said else name
        if silent != last:
            last, begun = silent, time.monotonic()
        if silent and time.monotonic() > begun + _AT_WORK_SECONDS:
            return silent
        time.sleep(0.02)
    return None
