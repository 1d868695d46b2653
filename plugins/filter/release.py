# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which release.yml decides whether writes are released, and shows the result."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._release import release_decision, release_outcome
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._releasescreen import release_screen


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "release_decision": release_decision,
            "release_outcome": release_outcome,
            "release_screen": release_screen,
        }
