# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which playbooks read answers and show the result."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import incident_to_undo, is_known
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import page_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import as_screen, extra_vars
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdict import verdict


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "error_page": page_of,
            "incident_to_undo": incident_to_undo,
            "is_known": is_known,
            "extra_vars": extra_vars,
            "screen": as_screen,
            "verdict": verdict,
        }
