# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of reenable.yml: what a return in stages begins with, whether a stage has passed, and the last screen."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _return, _returnjudge, _returnscreen


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "return_is_whole": _returnscreen.is_whole,
            "return_plan": _return.return_plan,
            "return_screen": _returnscreen.return_screen,
            "stage_data": _returnjudge.stage_data,
            "stage_stopped": _returnjudge.stage_stopped,
            "stage_switched": _returnjudge.stage_switched,
            "stage_verdict": _returnjudge.stage_verdict,
            "stage_withdrawn": _returnjudge.stage_withdrawn,
        }
