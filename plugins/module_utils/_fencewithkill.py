# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence that the kill's process raises: beside a kill that has to wait, else after it.

A separate process would have to start from nothing. What cannot be done quickly here is left to ``write_fence``, which
has all the time that it is given, and says why.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import together
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place, Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login

if TYPE_CHECKING:
    from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FenceRequest

# The controller waits for the kill's answer for its deadline and 15 seconds more, and gives up a host that is silent
# by then. So a long kill leaves the proof to the fence's own task, and a server that falls silent is not waited for.
KILL_SECONDS = 5.0
RAISE_SECONDS = 3.0
ANSWER_SECONDS = 6.0
# One try beside the kill, and the time that the kill has before the next.
TRY_SECONDS, PAUSE_SECONDS = 0.5, 0.3


class FenceWithKill:
    """The fence of one stop. Never raises: the flag comes first, and only its module can report how it was before."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._early: dict[str, Any] = {}
        # Ansible might convert tables of another type for write_fence; its own task finds out.
        self._again_at = 0.0 if isinstance((request.fence or {}).get("tables"), list) else None

    def beside(self, place: Place, incident_id: str) -> None:
        """Raise what nobody blocks, on the kill's own session, between two of its waits."""
        if self._again_at is None or time.monotonic() < self._again_at:
            return
        self._again_at = None
        try:
            # Imported here and below, because nothing of the fence may come before the kill or prevent it.
            from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import (  # noqa: PLC0415
                raise_at_once,
            )

            done, may_do_more = raise_at_once(place, place.session(), self._wanted(incident_id, TRY_SECONDS))
            self._early = together(self._early, done)
        except ServerError:
            may_do_more = True  # It may have been the connection, which the kill opens again.
        except Exception:
            may_do_more = False
        if may_do_more:
            self._again_at = time.monotonic() + PAUSE_SECONDS

    def after(self, login: Login, kill: Mapping[str, Any], elapsed: float) -> dict[str, Any]:
        """Return ``feature_flag``'s fields about the fence, and whether anything was changed so far.

        :param kill: the module's result so far.
        :param elapsed: seconds that the kill took.
        """
        started = time.monotonic()
        fence = self._proven(login, kill) if elapsed <= KILL_SECONDS else None
        if self._early:
            fence = {**(fence or {"holds": False}), **together(self._early, fence or {})}
        took = round((time.monotonic() - started) * 1000)
        return {"fence": fence, "fence_ms": took, "changed": kill["changed"] or bool(fence and fence["changed"])}

    def _wanted(self, incident_id: str, deadline: float) -> FenceRequest:
        from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import (  # noqa: PLC0415
            FenceRequest,
        )
        from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import (  # noqa: PLC0415
            asked_tables,
        )

        request, asked = self._request, self._request.fence or {}
        return FenceRequest(
            tables=asked_tables(asked["tables"]),
            incident_id=incident_id,
            run_id=request.who.run_id,
            operator=request.who.operator,
            environment=request.who.environment,
            deadline=min(deadline, request.deadline),
            drain=asked["drain"],
            on_blocked=request.on_blocked,
            on_replica=request.on_replica,
        )

    def _proven(self, login: Login, kill: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what ``write_fence`` would, and whether it is proven; None without an answer."""
        if not isinstance((self._request.fence or {}).get("tables"), list):
            return None
        try:
            from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import (  # noqa: PLC0415
                set_fence,
            )

            known_as = kill.get("incident", {}).get("incident_id", self._request.who.incident_id)
            bounded = replace(login, not_after=time.monotonic() + ANSWER_SECONDS)
            result, error = set_fence(bounded, self._wanted(known_as, RAISE_SECONDS), check_mode=False)
        except Exception:
            return None
        # If a replica was a primary a moment ago, or the other way round, the fence's own task looks again.
        same = result.get("skipped", False) == kill.get("skipped", False)
        stands = result.get("skipped", False) or result["status"] in ("proven", "draining")
        return {**result, "holds": error is None and same and stands}
