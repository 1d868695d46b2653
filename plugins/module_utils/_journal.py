# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run: lines of JSON with the fields and the hash chain of the ledger's events. Pure.

A line is an ``Event`` of ``_events`` with its hash. docs/journal.md describes the lines, docs/journal.schema.json is
their schema.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import PHASES, Event, break_of

# Incremented when the meaning of a line changes; the first line of a journal has it.
SCHEMA = 1
# The source of the recorder's own events; what a module did has the module's name as its source.
RECORDER = "recorder"
RUN_BEGAN, PLAY_BEGAN, TASK_ENDED, PLAY_ENDED, RUN_ENDED = (
    "run began",
    "play began",
    "task ended",
    "play ended",
    "run ended",
)
LONGEST_LINE = 65536
LONGEST_NAME = 200
# The fields of a module's result that are kept: counts, times, yes or no, a word of ours, a hash. Never text that
# somebody else wrote, so never a message, a name or a list.
FIGURES: Mapping[str, tuple[str, ...]] = {
    "affected_tenants_info": (
        "measured",
        "affected_count",
        "affected_on_count",
        "on_count",
        "total",
        "share",
        "users_count",
        "errors_total",
        "frozen",
        "elapsed_ms",
    ),
    "backup_info": ("recent", "lost_seconds", "complete", "elapsed_ms"),
    "cache_purge": ("complete", "flushed", "total", "scanned", "matched", "purged", "protected_kept", "elapsed_ms"),
    "evidence": ("complete", "truncated", "elapsed_ms"),
    "feature_flag": (
        "total",
        "enabled_before",
        "enabled_after",
        "changed_count",
        "blocked_count",
        "contained_ms",
        "elapsed_ms",
    ),
    "feature_flag_info": ("total", "enabled", "unreadable_count", "elapsed_ms"),
    "incident": ("opened_now", "kills"),
    "incident_info": ("kills", "latched_writes", "latched_tenants", "latched_passed", "users_count"),
    "integrity_info": ("status", "corrupt", "complete", "total_count", "elapsed_ms"),
    "integrity_repair": ("plan_hash", "fenced", "quarantined", "conflicts_count", "elapsed_ms"),
    "kill_proof_info": ("proven", "proven_count", "asked", "max_seconds", "committed_seconds_ago", "elapsed_ms"),
    "metric_gate": ("verdict", "settled", "watch", "try", "watched_seconds", "resumed", "ledger_kept", "kills"),
    "pg_dump": ("rows", "bytes", "verified", "toc_entries", "elapsed_ms"),
    "pg_restore_tables": ("plan_hash", "fenced", "restored", "quarantined", "conflicts_count", "elapsed_ms"),
    "pm2_info": ("ok", "online", "alive", "restarts", "complete", "error_lines_recent", "elapsed_ms"),
    "recovery_point_info": ("accounted", "elapsed_ms"),
    "rehearsal_data": ("rows", "removed", "gone", "left"),
    "redis_stats_info": ("ping_ms", "elapsed_ms"),
    "slow_queries_info": ("available", "running_count", "elapsed_ms"),
    "smoke_test": ("passed", "elapsed_ms"),
    "write_block": (
        "held",
        "ours",
        "renewed",
        "prolonged",
        "taken_over",
        "ttl_seconds",
        "replicas_acked",
        "elapsed_ms",
    ),
    "write_block_info": ("held", "ours", "ttl_seconds", "can_write", "elapsed_ms"),
    "write_fence": ("status", "raised_ms", "elapsed_ms"),
    "write_fence_info": ("status", "elapsed_ms"),
}
_WORD = re.compile(r"[a-z_]{1,40}")
_HASH = re.compile(r"[0-9a-f]{64}")
# The phase of what a role does; for other roles, the playbook decides.
_PHASE_OF_ROLE = {
    "contain": "contain",
    "selective": "contain",
    "preserve": "preserve",
    "assess": "assess",
    "triage": "assess",
    "investigate": "assess",
    "recover": "recover",
    "purge": "validate",
    "prove": "validate",
    "walk": "validate",
    "processes": "validate",
    "observe": "validate",
    "validate": "validate",
    "release": "release",
    "reenable": "re-enable",
    "verdict": "report",
    "report": "report",
    # An exercise belongs to none of an incident's own phases.
    "rehearse": "report",
}
_PHASE_OF_PLAYBOOK = {"triage": "assess", "release": "release", "reenable": "re-enable"}


def moment(at: float) -> str:
    """Return seconds since 1970 in the ledger's format: UTC, with microseconds."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def phase_of(role: str, playbook: str) -> str:
    """Return the phase of a task, by the short name of its role, or else of its playbook."""
    return _PHASE_OF_ROLE.get(role) or _PHASE_OF_PLAYBOOK.get(playbook, "contain")


def figures(module: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared fields of a module's result that are a number, yes or no, a word of ours or a hash.

    :param module: its short name, for instance ``feature_flag``.
    """
    return {name: result[name] for name in FIGURES.get(module, ()) if name in result and is_figure(result[name])}


def is_figure(value: Any) -> bool:
    """Return whether a value can be kept, whatever its field should hold: a value that Ansible hides cannot."""
    if isinstance(value, (bool, int)):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    return is_word(value) or (isinstance(value, str) and _HASH.fullmatch(value) is not None)


def is_word(value: Any) -> bool:
    """Return whether it is one word in lower case, as codes and verdicts are."""
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def line_of(event: Event) -> bytes:
    """Return an event as one line of a journal; only ASCII, so that no viewer breaks it."""
    text = json.dumps({**vars(event), "hash": event.hash}, separators=(",", ":"))
    return f"{text}\n".encode("ascii")


def event_of(line: bytes) -> tuple[Event, str]:
    """Return an event with the hash stored for it; raises ValueError for anything that is not a line of a journal."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("no object")
    stored = found.pop("hash", None)
    try:
        event = Event(**found)
    except TypeError as error:
        raise ValueError(str(error)) from None
    texts = (event.incident_id, event.run_id, event.at, event.source, event.event, event.previous, stored)
    if not all(isinstance(text, str) for text in texts) or event.phase not in PHASES:
        raise ValueError("a field of another kind")
    # 1.0 or true would compare equal to the expected sequence number.
    if not isinstance(event.seq, int) or isinstance(event.seq, bool) or not isinstance(event.data, dict):
        raise ValueError("a field of another kind")
    return event, str(stored)


@dataclass
class Reading:
    """What a journal says about itself.

    ``broken_at``: where its chain breaks, as ``broken_links`` says it; empty if it holds. ``cut``: its last line is
    incomplete, as left by a killed controller or a full disk, and is not counted. ``ended``: it has its run's end.
    """

    lines: int = 0
    incident_id: str = ""
    run_id: str = ""
    began_at: str = ""
    last_at: str = ""
    broken_at: str = ""
    cut: bool = False
    ended: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was changed or taken out before the last whole line."""
        return not self.broken_at

    def as_result(self) -> dict[str, Any]:
        """Return what a module shows about it."""
        return {**vars(self), "holds": self.holds}


def read_journal(lines: Iterable[bytes], see: Callable[[Event], None] | None = None) -> Reading:
    """Verify a journal line by line, as a file yields them, without keeping it in memory.

    :param see: called with each event that fits into the chain.
    """
    reading, previous, run = Reading(), "", "run"
    for line in lines:
        try:
            event, stored = event_of(line)
        except (ValueError, RecursionError):
            # Only the last line of a file can lack its line end.
            reading.cut = not line.endswith(b"\n")
            why = "" if reading.cut else "changed"
        else:
            run = reading.run_id or event.run_id
            why = break_of(event, stored, reading.lines + 1, previous)
            if reading.lines and (event.run_id, event.incident_id) != (reading.run_id, reading.incident_id):
                why = why or "changed"
        if why:
            reading.broken_at = f"{run}/{reading.lines + 1}: {why}"
        if why or reading.cut:
            break
        previous = stored
        _count(reading, event)
        if see is not None:
            see(event)
    return reading


def _count(reading: Reading, event: Event) -> None:
    if not reading.lines:
        reading.incident_id, reading.run_id, reading.began_at = event.incident_id, event.run_id, event.at
        reading.facts = {name: event.data.get(name) for name in ("playbook", "operator", "host", "check_mode")}
    reading.lines += 1
    reading.last_at = event.at
    reading.ended = event.event == RUN_ENDED
