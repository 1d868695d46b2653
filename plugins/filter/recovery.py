# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which scenario 3 goes from an assessment to a repair and its validation."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import (
    data_judgement,
    plan_document,
    plan_of_all,
    why_not_to_recover,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverysource import (
    corrupt_since,
    without_source,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "corrupt_since": corrupt_since,
            "data_judgement": data_judgement,
            "plan_document": plan_document,
            "plan_of_all": plan_of_all,
            "why_not_to_recover": why_not_to_recover,
            "without_source": without_source,
        }
