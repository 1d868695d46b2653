# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which playbooks decide: the tree of triage with its questions, and the matrix of scenario 2."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityfacts import integrity_facts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._matrix import scenario2_decision
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triage import triage_decision


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "integrity_facts": integrity_facts,
            "scenario2_decision": scenario2_decision,
            "triage_decision": triage_decision,
        }
