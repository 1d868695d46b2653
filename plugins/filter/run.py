# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which a run knows what time it is, and when it began."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._clock import epoch, run_began


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"epoch": epoch, "run_began": run_began}
