# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result says beyond single figures, for the journal: rows by table, checks, metrics. Pure.

Only names that the profile gives (tables, checks, metrics) with numbers and words of ours; a name that is not plain is
left out with its figures. Nothing that people wrote into the database.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import is_figure, is_word

# At most so many tables, checks or metrics of one result: the length of a journal's line is limited.
MOST = 60
MOST_LETTERS = 200
_PLAIN = re.compile(r"[A-Za-z0-9_%][A-Za-z0-9_.$/:%-]{0,99}")
_PATH = re.compile(r"/[A-Za-z0-9_./@+=:,~-]{1,199}")
_LIST = re.compile(r"[0-9a-f]{16}")
_EVENT = re.compile(r"[a-z][a-z_ -]{0,59}")
_CHANGES = {"delete": "deleted", "update": "changed", "insert": "inserted"}

# What the roles hand on (set_stats), for AWX and for the journal.
EXIT = (
    "kanban_decision",
    "kanban_incident_id",
    "kanban_plan_hash",
    "kanban_rehearsed",
    "kanban_scenario",
    "kanban_severity",
    "kanban_verdict",
)

Details = Dict[str, Any]


def details(module: str, result: Mapping[str, Any]) -> Details:
    """Return what is kept of a module's result apart from its figures; empty for most modules.

    :param module: its short name, for instance ``integrity_repair``.
    """
    kept: Details = {}
    database = result.get("database")
    if isinstance(database, Mapping) and is_plain(database.get("cluster")):
        # By this, two hosts that lead to one database count once.
        kept["database"] = database["cluster"]
        if isinstance(database.get("writable"), bool):
            kept["writable"] = database["writable"]
    if module in _READERS:
        kept.update(_READERS[module](result))
    return kept


def is_plain(value: Any) -> bool:
    """Return whether it is a name without anything that could be markup, a template or a line end."""
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None


def _rows(given: Any) -> list[Mapping[str, Any]]:
    return [row for row in given if isinstance(row, Mapping)] if isinstance(given, list) else []


def _numbers(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return those of the fields that are numbers or null: what was not measured is not 0."""
    return {
        name: row[name]
        for name in names
        if name in row and (row[name] is None or (is_figure(row[name]) and not isinstance(row[name], (bool, str))))
    }


def _repaired(result: Mapping[str, Any]) -> Details:
    """Return rows by table: what a repair deleted, changed or inserted, or what an undo brought back.

    Also who approved it, a name as a person typed it; the operator's name is in the journal's first line.
    """
    return {**_rows_by_table(result), **_approver(result)}


def _approver(result: Mapping[str, Any]) -> Details:
    name = result.get("approved_by")
    return {"approved_by": name[:MOST_LETTERS]} if isinstance(name, str) and name.strip() else {}


def _rows_by_table(result: Mapping[str, Any]) -> Details:
    if "undone" in result:
        back = [
            {"table": row["table"], **_numbers(row, _CHANGES.values())}
            for row in _rows(result.get("tables"))
            if is_plain(row.get("table"))
        ]
        return {"undone": True, "tables": back[:MOST]}
    plan = result.get("plan")
    found: dict[str, dict[str, Any]] = {}
    for part in _rows(plan.get("parts")) if isinstance(plan, Mapping) else []:
        table, change, rows = part.get("table"), _CHANGES.get(str(part.get("action"))), part.get("rows")
        if change and is_plain(table) and isinstance(rows, int):
            counts = found.setdefault(str(table), {"table": table, "deleted": 0, "changed": 0, "inserted": 0})
            counts[change] += rows
    return {"tables": list(found.values())[:MOST]} if isinstance(plan, Mapping) else {}


def _checks(result: Mapping[str, Any]) -> Details:
    kept = [
        {"name": row["name"], "status": row["status"], **_numbers(row, ("count", "affected_tenants"))}
        for row in _rows(result.get("checks"))
        if is_plain(row.get("name")) and is_word(row.get("status"))
    ]
    return {"checks": kept[:MOST]} if kept else {}


def _metrics(result: Mapping[str, Any]) -> Details:
    kept = []
    for row in _rows(result.get("metrics")):
        if not is_plain(row.get("name")) or not is_word(row.get("verdict")):
            continue
        limit = row.get("threshold")
        found = {"name": row["name"], "verdict": row["verdict"], **_numbers(row, ("value",))}
        if isinstance(limit, Mapping):
            found.update(_numbers(limit, ("max", "min", "critical")))
            found.update({name: limit[name] for name in ("unit", "growth") if is_plain(limit.get(name))})
        kept.append(found)
    return {"metrics": kept[:MOST]} if kept else {}


def _evidence(result: Mapping[str, Any]) -> Details:
    """Return where evidence was put that could not be put into the incident's own directory."""
    given = result.get("elsewhere")
    places = [one for one in given if isinstance(one, str) and _PATH.fullmatch(one)] if isinstance(given, list) else []
    return {"elsewhere": places[:MOST]} if places else {}


def _point(result: Mapping[str, Any]) -> Details:
    point = result.get("recovery_point")
    if not isinstance(point, Mapping) or not isinstance(point.get("measured"), bool):
        return {}
    return {"point": {"measured": point["measured"], **_numbers(point, ("writes",))}}


def _flag(result: Mapping[str, Any]) -> Details:
    kept: Details = {}
    stage, sweep, latch = result.get("stage"), result.get("sweep"), result.get("latch")
    if isinstance(stage, Mapping):
        kept["stage"] = _numbers(stage, ("had_it", "before", "tenants"))
    if isinstance(sweep, Mapping):
        kept["sweep"] = {name: sweep[name] for name in ("settled", "switched_again") if is_figure(sweep.get(name))}
    if isinstance(latch, Mapping) and isinstance(latch.get("raised"), bool):
        kept["latch"] = latch["raised"]
    failover, position = result.get("failover"), result.get("position")
    if isinstance(position, Mapping) and is_plain(position.get("timeline")):
        kept["position"] = {name: position[name] for name in ("timeline", "lsn") if is_plain(position.get(name))}
    if isinstance(failover, Mapping):
        plain = ("host", "from_timeline", "to_timeline", "known_lsn", "forked_at", "last_commit_at")
        kept["failover"] = {name: failover[name] for name in plain if is_plain(failover.get(name))}
        kept["failover"].update(_numbers(failover, ("lost_bytes", "switched", "recorded", "lost_priors")))
    listed = result.get("list_id")
    if isinstance(listed, str) and _LIST.fullmatch(listed):
        # This distinguishes two lists of the same size.
        kept["list"] = listed
    return kept


def _incident(result: Mapping[str, Any]) -> Details:
    """Return the event put into the ledger (a word of the roles), and what is known of evidence and the latch."""
    kept: Details = _evidence(result)
    event = result.get("event")
    if isinstance(event, str) and _EVENT.fullmatch(event):
        kept["recorded"] = event
    if "latch_left" in result:
        kept["latch"] = bool(result["latch_left"])
    return kept


def _handed_on(result: Mapping[str, Any]) -> Details:
    stats = result.get("ansible_stats")
    data = stats.get("data") if isinstance(stats, Mapping) else None
    told = {name: data[name] for name in EXIT if is_plain(data.get(name))} if isinstance(data, Mapping) else {}
    return {"exit": told} if told else {}


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Details]] = {
    "ansible.builtin.set_stats": _handed_on,
    "evidence": _evidence,
    "feature_flag": _flag,
    "incident": _incident,
    "integrity_info": _checks,
    "integrity_repair": _repaired,
    "metric_gate": _metrics,
    "pg_restore_tables": _repaired,
    "recovery_point_info": _point,
}
