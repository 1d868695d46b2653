# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that turn answers into the facts that the decision tree and the matrix need."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _triagefacts


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "affected_facts": _triagefacts.affected_facts,
            "gate_facts": _triagefacts.gate_facts,
            "health_facts": _triagefacts.health_facts,
            "triage_records": _triagefacts.triage_records,
        }
