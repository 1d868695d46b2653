# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which rehearse.yml decides whether it may begin, how it went, and what is not as before."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsal import (
    left_over,
    rehearsal_decision,
    rehearsal_place,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsalscreen import (
    rehearsal_back,
    rehearsal_notes,
    rehearsal_screen,
    rehearsal_verified,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "rehearsal_back": rehearsal_back,
            "rehearsal_decision": rehearsal_decision,
            "rehearsal_left": left_over,
            "rehearsal_notes": rehearsal_notes,
            "rehearsal_place": rehearsal_place,
            "rehearsal_screen": rehearsal_screen,
            "rehearsal_verified": rehearsal_verified,
        }
