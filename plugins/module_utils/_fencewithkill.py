# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence that the kill's process raises once the flag is off: a separate process would have to start from nothing.

What cannot be done quickly here is left to ``write_fence``, which has all the time that it is given, and says why.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login

# The controller waits for the kill's answer for its deadline and 15 seconds more, and gives up a host that is silent
# by then. So a long kill leaves the fence to its own task, and a server that falls silent is not waited for.
KILL_SECONDS = 5.0
RAISE_SECONDS = 3.0
ANSWER_SECONDS = 6.0


def raise_with_kill(login: Login, request: Request, kill: Mapping[str, Any], elapsed: float) -> dict[str, Any]:
    """Return ``feature_flag``'s fields about the fence, and whether anything was changed so far. Never raises.

    :param kill: the module's result so far.
    :param elapsed: seconds that the kill took.
    """
    started = time.monotonic()
    fence = _raised(login, request, kill) if elapsed <= KILL_SECONDS else None
    took = round((time.monotonic() - started) * 1000)
    return {"fence": fence, "fence_ms": took, "changed": kill["changed"] or bool(fence and fence["changed"])}


def _raised(login: Login, request: Request, kill: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what ``write_fence`` would, and whether it is proven; None without an answer."""
    asked = request.fence or {}
    # Ansible might convert a value of another type for that module; its own task finds out.
    if not isinstance(asked.get("tables"), list):
        return None
    try:
        # Imported here, because nothing of the fence may come before the kill or prevent it.
        from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import (  # noqa: PLC0415
            set_fence,
        )
        from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import (  # noqa: PLC0415
            FenceRequest,
        )
        from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import (  # noqa: PLC0415
            asked_tables,
        )

        wanted = FenceRequest(
            tables=asked_tables(asked["tables"]),
            incident_id=kill.get("incident", {}).get("incident_id", request.who.incident_id),
            run_id=request.who.run_id,
            operator=request.who.operator,
            environment=request.who.environment,
            deadline=min(RAISE_SECONDS, request.deadline),
            drain=asked["drain"],
            on_blocked=request.on_blocked,
            on_replica=request.on_replica,
        )
        bounded = replace(login, not_after=time.monotonic() + ANSWER_SECONDS)
        result, error = set_fence(bounded, wanted, check_mode=False)
    except Exception:
        # The flag is off, and only this module can report how it was before.
        return None
    # If a replica was a primary a moment ago, or the other way round, the fence's own task looks again.
    same = result.get("skipped", False) == kill.get("skipped", False)
    stands = result.get("skipped", False) or result["status"] in ("proven", "draining")
    return {**result, "holds": error is None and same and stands}
