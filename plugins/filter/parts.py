# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which playbooks judge every step except the flag."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import (
    _answers,
    _failoverlines,
    _parts,
    _partscache,
    _partscomparison,
    _partsdata,
    _partsfence,
    _partsgate,
    _partsnames,
    _partsprobe,
    _partsprocesses,
    _partsrecovery,
    _partsrelease,
    _partsselective,
    _standing,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "assessment_part": _partsrecovery.assessment_part,
            "block_lost": _parts.block_lost,
            "block_part": _parts.block_part,
            "block_released_part": _partsrelease.block_released_part,
            "cache_part": _partscache.cache_part,
            "closed_part": _partsrelease.closed_part,
            "comparison_part": _partscomparison.comparison_part,
            "commit_moment": _partsprobe.commit_moment,
            "data_part": _partsdata.data_part,
            "decision_part": _partsselective.decision_part,
            "earlier_part": _standing.earlier_part,
            "dump_part": _parts.dump_part,
            "expected_hosts": _answers.expected_hosts,
            "evidence_part": _parts.evidence_part,
            "fence_lowered_part": _partsrelease.fence_lowered_part,
            "fence_part": _partsfence.fence_part,
            "gate_part": _partsgate.gate_part,
            "health_part": _partsprobe.health_part,
            "incident_names": _answers.incident_names,
            "killed_on": _failoverlines.killed_on,
            "last_known": _answers.last_known,
            "latest": _answers.latest,
            "led_now": _answers.led_now,
            "names_left": _answers.names_left,
            "names_parts": _partsnames.names_parts,
            "pause_part": _partsselective.pause_part,
            "primary_moved": _failoverlines.moved,
            "processes_part": _partsprocesses.processes_part,
            "proof_part": _partsprobe.proof_part,
            "ranking_part": _partsselective.ranking_part,
            "recovery_part": _partsrecovery.recovery_part,
            "v1_moment": _partsprobe.v1_moment,
            "walk_part": _partsprobe.walk_part,
            "watch_part": _partsselective.watch_part,
        }
