# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role observe asks hosts for samples and reads their answers."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _gatewords, _partsgate


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "gate_interrupted": _partsgate.gate_interrupted,
            "gate_metrics": _partsgate.gate_metrics,
            "gate_pick": _partsgate.gate_pick,
            "gate_progress": _gatewords.progress,
            "gate_samples": _partsgate.gate_samples,
            "gate_settled": _partsgate.gate_settled,
            "gate_steady": _partsgate.gate_steady,
            "gate_silent": _partsgate.gate_silent,
            "gate_unmeasured": _partsgate.gate_unmeasured,
        }
