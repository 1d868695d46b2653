# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which playbooks judge what was done beside the flag."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _answers, _parts


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {
            "block_part": _parts.block_part,
            "block_released_part": _parts.block_released_part,
            "dump_part": _parts.dump_part,
            "evidence_part": _parts.evidence_part,
            "fence_lowered_part": _parts.fence_lowered_part,
            "fence_part": _parts.fence_part,
            "incident_names": _answers.incident_names,
            "last_known": _answers.last_known,
            "latest": _answers.latest,
        }
