# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter by which status.yml says whether anything is stopped."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._status import incidents_in, judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statusscreen import headline, shown


def status(
    tiers: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[Mapping[str, Any]]],
    version: str,
    now: float,
    rehearsed: Sequence[Any] = (),
    index: str = "",
    output: str = "screen",
) -> dict[str, Any]:
    """Return ``state``, ``exit_status``, ``headline`` and ``text``, which is what is printed."""
    found = judge(tiers, answers, rehearsed=[*rehearsed, *incidents_in(index)], version=version, now=now)
    said = {"headline": headline(found), "text": shown(found, output)}
    return {"state": found["state"], "exit_status": found["exit_status"], **said}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"status": status}
