# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure that matters of each module, in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _livesteps
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import FIGURES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livesteps import figure

WRITABLE: dict[str, Any] = {"database": {"writable": True}}
KILL = {
    **WRITABLE,
    "changed_count": 1200,
    "contained_ms": 213,
    "enabled_after": 0,
    "enabled_before": 1200,
    "total": 1284,
}


@pytest.mark.parametrize(
    ("module", "result", "told"),
    [
        ("feature_flag", KILL, "1,284 of 1,284 tenants off in 0.21 s, 1,200 switched now"),
        ("feature_flag", {**KILL, "enabled_after": 3}, "1,281 of 1,284 tenants off in 0.21 s, 3 STILL ON"),
        (
            "feature_flag",
            {**KILL, "sweep": {"settled": True, "switched_again": 2}, "latch": {"raised": True}},
            "1,284 of 1,284 tenants off, 2 were written back and are off again, "
            "every earlier transaction has ended, latch up",
        ),
        ("feature_flag", {**KILL, "sweep": {"settled": False}}, "EARLIER TRANSACTIONS ARE STILL OPEN"),
        (
            "feature_flag",
            {**KILL, "enabled_before": 0, "enabled_after": 1200},
            "1,200 tenants are as before, 1,200 of 1,284 on",
        ),
        ("feature_flag", {**KILL, "database": {"writable": False}}, "nothing to do here, it is a replica"),
        ("feature_flag_info", {"enabled": 3, "total": 50}, "3 of 50 tenants are on"),
        (
            "write_fence",
            {"status": "proven", "tables": [{}, {}], "raised_ms": 33},
            "fence proven on 2 tables in 0.03 s",
        ),
        ("write_fence", {"status": "draining", "draining": [{}]}, "fence up, draining: 1 transaction still open"),
        ("write_fence", {"status": "not_fenced"}, "NOT FENCED"),
        ("write_fence", {"status": "absent", "changed": True}, "fence lowered"),
        ("write_fence", {"status": "absent", "changed": False}, "no fence stands"),
        ("write_block", {"held": True, "ttl_seconds": None}, "block held until it is released"),
        ("write_block", {"held": True, "ttl_seconds": 600, "replicas_acked": 2}, "for 600 s, 2 replicas have it"),
        ("write_block", {"held": False}, "block released"),
        ("write_block", {"held": True, "ours": False, "owner": "INC-9"}, "there already, by INC-9"),
        ("evidence", {"complete": True, "files": [{}] * 10}, "evidence complete, 10 files"),
        ("evidence", {"complete": False, "files": [], "missing": [{}]}, "evidence NOT COMPLETE, 0 files, 1 part could"),
        (
            "pg_dump",
            {"rows": 6_000_000, "bytes": 12_345_678, "tables": [{}] * 3, "verified": "toc"},
            "6,000,000 rows of 3 tables, 12.3 MB, proven by its table of contents",
        ),
        ("pg_dump", {"rows": 1, "bytes": 1, "tables": [], "verified": None}, "NOT PROVEN"),
        (
            "pg_dump",
            {"ansible_job_id": "j1", "started": 1, "finished": 0},
            "begun; it goes on if this terminal is lost",
        ),
        (
            "kill_proof_info",
            {"proven_count": 12, "processes": [{}] * 12, "serving_v2": 0, "max_seconds": 1.25},
            "12 of 12 processes on V1, the slowest 1.2 s after the commit",
        ),
        (
            "kill_proof_info",
            {"proven_count": 1, "processes": [{}] * 2, "serving_v2": 1, "committed_seconds_ago": 3.5},
            "1 STILL ON V2",
        ),
        ("kill_proof_info", {"proven_count": 0, "processes": [{}], "serving_v2": 1}, "0 of 1 process on V1, 1 on V2"),
        ("metric_gate", {"verdict": "degraded", "metrics": [{"name": "cpu", "verdict": "degraded"}]}, "are BAD: cpu"),
        (
            "integrity_info",
            {"status": "corrupt", "corrupt": True, "total_count": 24, "counts": {"a": 1, "b": 10, "c": 6, "d": 7}},
            "24 rows corrupt (10 b, 7 d, 6 c and 1 more)",
        ),
        ("integrity_info", {"status": "ok", "counts": {"a": 0}, "not_known": []}, "nothing corrupt in 1 check"),
        ("integrity_info", {"status": "unknown", "not_known": ["a", "b"]}, "2 checks gave no count"),
        ("integrity_repair", {"plan": {"total_rows": 21, "refused": [{}]}}, "a plan for 21 rows; 1 reason against"),
        (
            "integrity_repair",
            {"plan": {"total_rows": 21}, "repair_id": 1, "quarantined": 30},
            "21 rows mended, 30 in quarantine",
        ),
        ("integrity_repair", {"undone": [1]}, "1 repair undone"),
        (
            "pg_restore_tables",
            {"plan": {"tables": [{"missing": 5, "changed": 1, "newer": 2}]}},
            "5 rows missing, 1 rows changed, 2 rows newer in 1 table",
        ),
        ("pg_restore_tables", {"plan": {}, "repair_id": 2, "restored": 5, "quarantined": 5}, "5 rows are back"),
        ("cache_purge", {"purged": 4, "protected_kept": 1200, "complete": True}, "4 keys purged, 1,200 protected and"),
        ("cache_purge", {"purged": 4, "complete": False}, "NOT ALL KEYS WERE SEEN"),
        (
            "affected_tenants_info",
            {"measured": True, "affected_on_count": 5, "on_count": 50, "errors_total": 700, "frozen": True},
            "5 of 50 tenants with the flag on have errors, 700 in all; the list is frozen",
        ),
        ("backup_info", {"newest": None}, "NO USABLE BACKUP"),
        ("backup_info", {"newest": {"label": "f", "kind": "barman", "age_seconds": 7200}}, "f (barman), 2.0 h old"),
        ("smoke_test", {"passed": False, "failed_step": "move", "steps": [{}]}, "FAILED at the step move"),
        (
            "pm2_info",
            {"online": 3, "processes": [{}] * 4, "error_lines_recent": 1, "problems": ["x"]},
            "3 of 4 processes",
        ),
        (
            "recovery_point_info",
            {"accounted": True, "recovery_point": {"measured": True, "writes": 0}},
            "every row of the dump accounted for, 0 writes got past the fence",
        ),
        ("incident", {"lease": {"holder": "ana"}}, "the lease is held by ana"),
        ("incident_info", {"open": [{"incident_id": "INC-1"}]}, "open: INC-1"),
        (
            "preflight_info",
            {"checks": [{"ok": True}, {"ok": False, "name": "disk"}]},
            "1 of 2 checks met, not met: disk",
        ),
        ("journal_info", {"journals": [{"holds": True}, {"holds": False}]}, "1 of 2 journals hold"),
        ("redis_stats_info", {"ping_ms": 0.31}, "answers in 0.3 ms"),
        ("slow_queries_info", {"running_count": 2, "waiting": [{}]}, "2 run or sit idle for long, 1 wait for a lock"),
        ("status_page", {"actions": ["a"]}, "1 change on the page"),
        ("recovery_point_info", {"error": {"what": "No dump."}}, "No dump."),
        ("rehearsal_data", {"rows": 150, "removed": 0}, "150 rows planted"),
        ("rehearsal_data", {"rows": 3, "removed": 2, "gone": 1}, "2 rows taken away again, 1 were gone before"),
        ("notify", {"sent": [{}, {}], "not_sent": [{}]}, "2 sent, 1 NOT SENT"),
        ("notify", {"ansible_job_id": "1"}, "begun"),
        ("write_block", {"skipped": True, "skipped_reason": "a replica"}, "nothing to do here"),
    ],
)
def test_what_a_result_says(module: str, result: dict[str, Any], told: str) -> None:
    assert told in figure(module, result)


def test_a_plan_is_said_to_be_one() -> None:
    assert figure("feature_flag", KILL, True) == "1,200 of 1,284 tenants would be switched off"
    assert figure("write_fence", {"status": "absent", "changed": True}, True) == "fence would be raised"
    assert figure("write_fence", {"status": "proven", "changed": True}, True) == "fence would be lowered"
    assert figure("evidence", {"complete": False}, True) == "evidence would be kept"
    assert figure("cache_purge", {"purged": 2}, True) == "2 keys would be purged"


def test_items_of_a_loop_are_told_together() -> None:
    results = {"results": [{"enabled": 1, "total": 2}, {"enabled": 1, "total": 2}, {"enabled": 0, "total": 2}]}
    assert figure("feature_flag_info", results) == "1 of 2 tenants are on; 0 of 2 tenants are on"


@pytest.mark.parametrize("module", sorted({*_livesteps._SENTENCES, "ledger", "ansible.builtin.copy"}))
def test_a_result_that_holds_anything_is_no_error(module: str) -> None:
    assert "1,284" not in figure(module, {})
    whole = dict.fromkeys(["database", *KILL, *FIGURES.get(module, ()), "open", "tables", "plan", "checks", "newest"])
    values: list[Any] = [None, "text", -1, True, [1], [{}], {"a": None}, 1.5]
    for value in values:
        assert isinstance(figure(module, dict.fromkeys(whole, value)), str)


def test_every_module_with_figures_has_words() -> None:
    assert set(FIGURES) <= set(_livesteps._SENTENCES)
