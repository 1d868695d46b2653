# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure that matters in a module's result, in words, for the live view. Pure: neither Ansible nor a driver.

One function per module, in a table. Fields are those of the modules' RETURN; a missing one is left out, never guessed.
They contain no text from databases and applications except names, which the caller cleans.
"""

from __future__ import annotations

from typing import Callable, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _livelook as look
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _livestop as stop
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livefields import Result


def figure(module: str, result: Result, plan: bool = False) -> str:
    """Return the outcome of a module in a few words; empty if its result says nothing that matters.

    :param module: its short name, for instance ``feature_flag``.
    :param plan: whether nothing was changed (check mode), so that it only would be.
    """
    if "ansible_job_id" in result and not result.get("finished"):
        # Messages are sent alongside the run, whose end says what became of them.
        again = "it goes on if this terminal is lost, and the same command again finds it"
        return "begun" if module == "notify" else f"begun; {again}"
    if isinstance(result.get("results"), (list, tuple)) and module in _SENTENCES:
        each = [figure(module, item, plan) for item in result["results"] if isinstance(item, Mapping)]
        return "; ".join(dict.fromkeys(told for told in each if told))
    if _is_skipped(result):
        return "nothing to do here, it is a replica"
    told = _SENTENCES.get(module)
    said = told(result, plan) if told is not None else ""
    error = result.get("error")
    if isinstance(error, Mapping) and error.get("what"):
        # From a module that its task allows to fail.
        return f"{said}; {error['what']}" if said else str(error["what"])
    return said


def _is_skipped(result: Result) -> bool:
    database = result.get("database")
    replica = isinstance(database, Mapping) and database.get("writable") is False and "changed_count" in result
    return replica or (result.get("skipped") is True and ("skipped_reason" in result or "database" in result))


_SENTENCES: Mapping[str, Callable[[Result, bool], str]] = {
    "affected_tenants_info": look.affected_said,
    "backup_info": look.backup_said,
    "cache_purge": stop.purge_said,
    "evidence": stop.evidence_said,
    "feature_flag": stop.flag_said,
    "feature_flag_info": stop.flag_info_said,
    "incident": look.incident_said,
    "incident_info": look.incident_info_said,
    "integrity_info": look.integrity_said,
    "integrity_repair": look.repair_said,
    "journal_info": look.journals_said,
    "kill_proof_info": stop.proof_said,
    "metric_gate": look.gate_said,
    "notify": look.messages_said,
    "pg_dump": stop.dump_said,
    "pg_restore_tables": look.restore_said,
    "pm2_info": look.pm2_said,
    "preflight_info": look.preflight_said,
    "recovery_point_info": look.point_said,
    "redis_stats_info": look.redis_stats_said,
    "rehearsal_data": look.planted_said,
    "slow_queries_info": look.slow_said,
    "smoke_test": look.smoke_said,
    "status_page": look.status_page_said,
    "write_block": stop.block_said,
    "write_block_info": stop.block_info_said,
    "write_fence": stop.fence_said,
    "write_fence_info": stop.fence_said,
}
