# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of bootstrap.yml: a password that no log has, what a role reads, and who still needs what was installed."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._laiddown import who_needs_it
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reads import check_queries, mends, reads, restores
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._scram import scram_verifier


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "check_queries": check_queries,
            "mends": mends,
            "reads": reads,
            "restores": restores,
            "scram_verifier": scram_verifier,
            "who_needs_it": who_needs_it,
        }
