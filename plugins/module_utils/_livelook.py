# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for the live view on reading, repairing and re-enabling: checks, plans, backups, metrics, incidents. Pure."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livefields import (
    SHOWN,
    Result,
    count_of,
    joined,
    many,
    map_of,
    rows_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import number


def integrity_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a count of corrupt data."""
    counts, unknown = map_of(result.get("counts")), len(rows_of(result.get("not_known")))
    found = [(name, count) for name, count in counts.items() if count_of(count)]
    left = f"{many(unknown, 'check', 'checks')} gave no count" if unknown else ""
    if result.get("status") == "ok":
        return joined(f"nothing corrupt in {many(len(counts), 'check', 'checks')}", left)
    if not result.get("corrupt"):
        return left or "nothing could be counted"
    found.sort(key=lambda pair: -pair[1])
    worst = joined(*(f"{count:,} {str(name).replace('_', ' ')}" for name, count in found[:SHOWN]))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return joined(f"{number(result.get('total_count'))} rows corrupt ({worst}{more})", left)


def repair_said(result: Result, plan: bool) -> str:
    """Return the outcome of a plan, a repair or its undo."""
    if "undone" in result and "plan" not in result:
        return f"{many(len(rows_of(result['undone'])), 'repair', 'repairs')} {'would be ' if plan else ''}undone"
    planned = map_of(result.get("plan"))
    rows, refused = count_of(planned.get("total_rows")), len(rows_of(planned.get("refused")))
    if result.get("repair_id") is None:
        why = f"; {many(refused, 'reason', 'reasons')} against it so far" if refused else ""
        return f"a plan for {many(rows, 'row', 'rows')}{why}" if rows else "nothing to repair"
    return f"{many(rows, 'row', 'rows')} mended, {number(result.get('quarantined'))} in quarantine"


def restore_said(result: Result, plan: bool) -> str:
    """Return the outcome of a comparison with a backup, a restore or its undo."""
    if "undone" in result and "plan" not in result:
        return f"{many(len(rows_of(result['undone'])), 'restore', 'restores')} {'would be ' if plan else ''}undone"
    tables = [map_of(table) for table in rows_of(map_of(result.get("plan")).get("tables"))]
    if result.get("repair_id") is not None:
        return f"{number(result.get('restored'))} rows are back, {number(result.get('quarantined'))} in quarantine"
    kinds = {kind: sum(count_of(table.get(kind)) for table in tables) for kind in ("missing", "changed", "newer")}
    compared = many(len(tables), "table", "tables")
    return f"{joined(*(f'{count:,} rows {kind}' for kind, count in kinds.items()))} in {compared}" if tables else ""


def gate_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a sample of metrics."""
    words = {"ok": "metrics are good", "degraded": "metrics are BAD", "unstable": "metrics are UNSTABLE"}
    metrics = [map_of(metric) for metric in rows_of(result.get("metrics"))]
    bad = [str(metric.get("name")) for metric in metrics if metric.get("verdict") != "ok"]
    verdict = str(result.get("verdict", ""))
    named = f": {joined(*bad[:SHOWN])}" if verdict != "ok" and bad else ""
    return f"{words.get(verdict, 'metrics gave NO DATA')}{named}" if verdict else ""


def affected_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a ranking."""
    if not result.get("measured"):
        return "nothing was measured"
    share = f"{number(result.get('affected_on_count'))} of {number(result.get('on_count'))} tenants with the flag on"
    frozen = "; the list is frozen" if result.get("frozen") else ""
    return f"{share} have errors, {number(result.get('errors_total'))} in all{frozen}"


def backup_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a search for backups."""
    newest = map_of(result.get("newest"))
    if not newest:
        return "NO USABLE BACKUP"
    age = newest.get("age_seconds")
    old = f", {number(age / 3600, 1)} h old" if isinstance(age, (int, float)) else ""
    return f"the newest usable backup: {newest.get('label')} ({newest.get('kind')}){old}"


def smoke_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a walk through the application."""
    steps = rows_of(result.get("steps"))
    if result.get("passed"):
        return f"all {many(len(steps), 'step', 'steps')} good"
    return f"FAILED at the step {result['failed_step']}" if result.get("failed_step") else ""


def pm2_said(result: Result, _plan: bool) -> str:
    """Return the outcome of reading processes and logs."""
    if "online" not in result:
        return ""
    wrong, recent = len(rows_of(result.get("problems"))), result.get("error_lines_recent")
    return joined(
        f"{number(result['online'])} of {many(len(rows_of(result.get('processes'))), 'process', 'processes')} online",
        "" if recent is None else f"{many(recent, 'new error line', 'new error lines')}",
        f"{many(wrong, 'problem', 'problems')}" if wrong else "",
    )


def point_said(result: Result, _plan: bool) -> str:
    """Return the outcome of the look at the recovery point."""
    point = map_of(result.get("recovery_point"))
    rows = (
        "every row of the dump accounted for" if result.get("accounted") else "ROWS OF THE DUMP ARE NOT ACCOUNTED FOR"
    )
    writes = point.get("writes")
    against = (
        "writes against the fence not measured"
        if not point.get("measured")
        else f"{number(writes)} writes got past the fence"
    )
    return joined(rows, against) if "accounted" in result else ""


def incident_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a write to an incident."""
    lease = map_of(result.get("lease"))
    if lease.get("holder"):
        return f"the lease is held by {lease['holder']}"
    return "opened" if result.get("opened_now") else ""


def incident_info_said(result: Result, _plan: bool) -> str:
    """Return which incidents are open."""
    if "open" not in result:
        return ""
    found = [str(map_of(row).get("incident_id")) for row in rows_of(result["open"])]
    return f"open: {joined(*found[:SHOWN])}" if found else "no incident is open"


def preflight_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a preflight."""
    checks = [map_of(check) for check in rows_of(result.get("checks"))]
    bad = [str(check.get("name")) for check in checks if check.get("ok") is False]
    met = sum(check.get("ok") is True for check in checks)
    return joined(f"{met} of {many(len(checks), 'check', 'checks')} met", f"not met: {joined(*bad)}" if bad else "")


def redis_stats_said(result: Result, _plan: bool) -> str:
    """Return the outcome of reading Redis."""
    return f"answers in {number(result.get('ping_ms'), 1)} ms"


def slow_said(result: Result, _plan: bool) -> str:
    """Return the outcome of reading slow statements."""
    waiting = len(rows_of(result.get("waiting")))
    return f"{number(result.get('running_count'))} run or sit idle for long, {waiting:,} wait for a lock"


def journals_said(result: Result, _plan: bool) -> str:
    """Return how many journals hold."""
    journals = [map_of(journal) for journal in rows_of(result.get("journals"))]
    whole = sum(bool(journal.get("holds")) for journal in journals)
    return f"{whole:,} of {many(len(journals), 'journal', 'journals')} hold"


def status_page_said(result: Result, _plan: bool) -> str:
    """Return the changes on the status page."""
    return f"{many(len(rows_of(result.get('actions'))), 'change', 'changes')} on the page"


def planted_said(result: Result, plan: bool) -> str:
    """Return what became of rows that are wrong on purpose."""
    would, left = "would be " if plan else "", count_of(result.get("left"))
    if count_of(result.get("removed")) or count_of(result.get("gone")) or left:
        gone = count_of(result.get("gone"))
        return joined(
            f"{number(result['removed'])} rows {would}taken away again",
            f"{gone:,} were gone before" if gone else "",
            f"{left:,} ARE STILL THERE" if left else "",
        )
    return f"{number(result.get('rows'))} rows {would}planted"


def messages_said(result: Result, plan: bool) -> str:
    """Return what became of messages."""
    told = {
        "would_send": "would be sent" if plan else "",
        "would_write": "would be written" if plan else "",
        "sent": "sent",
        "dry_run": "written and not sent",
        "not_sent": "NOT SENT",
        "unknown": "WITHOUT AN ANSWER",
    }
    counts = [(words, len(rows_of(result.get(name)))) for name, words in told.items() if words]
    return joined(*(f"{count:,} {words}" for words, count in counts if count))


def database_said(database: Mapping[str, Any], result: Result) -> str:
    """Return which database answered, and how many tenants are on there, if its first answer says so."""
    on = result.get("enabled_before", result.get("enabled"))
    tenants = f"{number(on)} of {number(result.get('total'))} tenants on" if on is not None else ""
    return joined(
        f"{database.get('name')} at {database.get('address')}",
        f"cluster {database.get('cluster')}",
        "a replica" if database.get("writable") is False else "",
        tenants,
    )
