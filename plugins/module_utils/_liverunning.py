# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is under way at the moment, and for how long, for the live view. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livetext import clock, hosts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean

# What ends sooner is shown only when it has ended.
SLOW_SECONDS = 1.0


@dataclass
class _Doing:
    began: float
    name: str
    limit: float | None
    so_far: str = ""


class Running:
    """Tasks that have begun on a host and not ended; as many as there are forks."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._doing: dict[tuple[str, str], _Doing] = {}

    def clear(self) -> None:
        """Forget all of it: a play has ended."""
        self._doing.clear()

    def began(self, at: float, host: str, task: str, name: str, limit: float | None) -> None:
        """Begin a task on a host; ``limit`` is how many seconds it may take."""
        self._doing[host, task] = _Doing(at, name, limit)

    def told(self, host: str, task: str, so_far: str) -> None:
        """Take in how far a task is on a host."""
        doing = self._doing.get((host, task))
        if doing is not None and so_far:
            doing.so_far = clean(so_far, 200)

    def ended(self, host: str, task: str) -> float | None:
        """End a task; return when it began, None if that was not seen."""
        doing = self._doing.pop((host, task), None)
        return None if doing is None else doing.began

    def text(self, at: float) -> str:
        """Return what has been under way longest, if it is slow: what, where, for how long, and its time limit."""
        slow = [(doing.began, host, doing) for (host, _task), doing in self._doing.items()]
        slow = [row for row in slow if at - row[0] >= SLOW_SECONDS]
        if not slow:
            return ""
        began, _host, longest = min(slow, key=lambda row: row[0])
        where = hosts([host for _began, host, doing in slow if doing.name == longest.name])
        limit = f", at most {clock(longest.limit)}" if longest.limit else ""
        others = len({doing.name for _began, _host, doing in slow}) - 1
        more = f", and {others} more" if others else ""
        # The figures first: a narrow terminal cuts the rest.
        so_far = f"{longest.so_far}: " if longest.so_far else ""
        return f"for {clock(at - began)}{limit}: {so_far}{clean(longest.name, 200)} [{where}]{more}"
