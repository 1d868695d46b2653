# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence that the process of the kill raises once the flag is off: a process of its own would begin from nothing.

What it cannot do here in short is left to ``write_fence``, which has all the time that it is given, and says why.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import set_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FenceRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import asked_tables
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login

# Whoever waits for the kill's answer gave it its deadline and little more: after a long kill the fence has a task.
KILL_SECONDS = 5.0
RAISE_SECONDS = 3.0
_DONE = ("proven", "draining")


def raise_with_kill(
    login: Login, request: Request, incident_id: str, check_mode: bool, elapsed: float
) -> dict[str, Any] | None:
    """Return what ``write_fence`` would, None where it does not hold, or there was no time. Never raises.

    :param elapsed: seconds that the kill took.
    """
    if request.fence is None or elapsed > KILL_SECONDS:
        return None
    try:
        wanted = FenceRequest(
            tables=asked_tables(request.fence["tables"]),
            incident_id=incident_id,
            run_id=request.who.run_id,
            operator=request.who.operator,
            environment=request.who.environment,
            deadline=min(RAISE_SECONDS, request.deadline),
            drain=request.fence["drain"],
            on_blocked=request.on_blocked,
            on_replica=request.on_replica,
        )
        result, error = set_fence(login, wanted, check_mode)
    except Exception:
        # The flag is off, and how it was before is told by nobody but this module.
        return None
    holds = check_mode or result.get("skipped") or result["status"] in _DONE
    return result if error is None and holds else None
