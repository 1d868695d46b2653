# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which an investigation becomes a file, and a part of the last screen."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._investigation import investigation_report
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsinvestigation import investigation_part


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "investigation_part": investigation_part,
            "investigation_report": investigation_report,
        }
