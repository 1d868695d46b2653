# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller makes of a failover: on which servers the kill was committed, and the lines about it. Pure.

Apart from the facts (``_failover``), because a kill needs those alone, and reads and compiles what it imports on each
host.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failover import furthest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line

# The query for a person to run on the old primary.
_WHOSE = (
    "SELECT unnest(tenants) FROM kanban_rollback.flag_changes WHERE action = 'disabled' AND incident_id = '{incident}';"
)


def killed_on(
    names: Sequence[str], kills: Sequence[Answer], sweeps: Sequence[Answer], *more: Sequence[Answer]
) -> list[dict[str, Any]]:
    """Return the servers on which a kill was committed, as ``feature_flag`` takes them, and how far their log is known.

    :param names: the hosts; the other arguments are their answers in the same order, any of which may be missing.
    :param sweeps: if a server took over before the sweep, later comparisons are with that server.
    :param more: other answers that hold positions on these hosts, those of fences.
    """
    found = []
    for name, kill, sweep, *others in together(names, kills, sweeps, *more):
        acted = [one for one in (kill, sweep) if (one.get("position") or {}).get("timeline")]
        if not acted:
            continue
        last, failover = acted[-1], acted[-1].get("failover") or {}
        told = [*(one["position"] for one in acted), *others]
        recorded = failover.get("recorded")
        found.append(
            {
                "host": str(name),
                "cluster": last["database"]["cluster"],
                "timeline": last["position"]["timeline"],
                "lsn": furthest(
                    [one.get("lsn") for one in told if one.get("timeline") == last["position"]["timeline"]]
                ),
                "switched": int(acted[0].get("changed_count") or 0) if recorded is None else recorded,
                "incident_id": (last.get("incident") or {}).get("incident_id"),
                "file": next((one["priors"]["path"] for one in acted if (one.get("priors") or {}).get("path")), None),
            }
        )
    return found


def moved(still: Answer, last: Answer) -> bool:
    """Tell whether a host now leads to another primary than before: the kill has to be done and counted there.

    :param still: what ``feature_flag_info`` says in the end; ``last``: what the kill or the sweep said before.
    """
    if not (still.get("database") or {}).get("writable") or "database" not in last:
        return False
    then, now = (str((one.get("position") or {}).get("timeline") or "") for one in (last, still))
    return not last["database"]["writable"] or bool(then and now and then != now)


def failover_lines(name: str, answer: Answer) -> list[str]:
    """Return the lines about a database whose primary changed since the kill; empty if it did not.

    :param answer: that of the sweep that found it, or an event of the ledger with the same ``failover``.
    """
    failover = answer.get("failover")
    return [_took_over(name, failover, answer), *_priors(name, failover)] if failover else []


def earlier_lines(name: str, info: Answer) -> list[str]:
    """Return the lines of a later run: what earlier runs found, and that yet another server has taken over since.

    :param info: the result of ``incident_info``.
    """
    told = [line for failover in info.get("failovers") or [] for line in failover_lines(name, {"failover": failover})]
    since = info.get("taken_over")
    if not since:
        return told
    place, when = since["forked_at"], since["last_commit_at"]
    lost = f"from {place} on is LOST" if place else "is LOST from where on, the server does not tell"
    lost += f", what was committed there after {one_line(when)[:23]}Z" if when else ""
    return [
        *told,
        f"{name}: took over since the last step of the incident (timeline {since['from_timeline']} to "
        f"{since['to_timeline']}). What the incident has on record here is whole; the old log {lost}",
    ]


def lost_by(name: str, answer: Answer) -> list[str]:
    """Return what is certainly lost, one headline each."""
    failover = answer.get("failover") or {}
    lost = []
    if failover.get("lost_bytes"):
        lost.append(f"a part of the log of {one_line(failover['host'])} is not on {name}: {_range(failover)}")
    if failover.get("lost_priors"):
        lost.append(f"{failover['lost_priors']:,} prior values were lost with {one_line(failover['host'])}")
    return lost


def _range(failover: Mapping[str, Any]) -> str:
    when = failover["last_commit_at"]
    since = f", what was committed after {one_line(when)[:23]}Z" if when else ""
    lost = f"{failover['lost_bytes']:,} bytes"
    return f"from {failover['forked_at']} to {failover['known_lsn']} at least, {lost}{since}"


def _took_over(name: str, failover: Mapping[str, Any], answer: Answer) -> str:
    old = one_line(failover["host"])
    whom = "another server behind this name" if old == name else old
    line = f"{name}: took over from {whom} since the kill (timeline {failover['from_timeline']} to "
    line += f"{failover['to_timeline']})"
    if "enabled_after" in answer:
        again = f"{answer.get('changed_count', 0):,} were switched off again, {answer['enabled_after']:,} are on"
        line += f"; the kill was done and counted again here: {again}"
    if failover["lost_bytes"] is None:
        return f"{line}. Which part of the old log is LOST is not known: the server does not tell where it left it"
    if not failover["lost_bytes"]:
        return f"{line}. It had all of the log that this run knows of: it left it at {failover['forked_at']}"
    return f"{line}. LOST of the old log: {_range(failover)}"


def _priors(name: str, failover: Mapping[str, Any]) -> list[str]:
    """Return what became of prior values: none is lost, this many are, or it is not known."""
    switched, recorded, lost = failover["switched"], failover["recorded"], failover["lost_priors"]
    if lost is None:
        return [f"{name}: whether prior values were lost with the old primary is not known: the ledger did not tell"]
    old = one_line(failover["host"])
    counts = f"the kill had switched off {switched:,} on {old}, and {recorded:,} are recorded here"
    if not lost:
        return [f"{name}: no prior value is missing: {counts}"]
    found = [
        f"{name}: {lost:,} PRIOR VALUES WERE LOST: {counts}. Those tenants are off here, or not there at all, for what "
        "was done to them last is lost as well; the undo does not bring them back"
    ]
    if failover.get("file"):
        return [*found, f"They stand on {old} in {one_line(failover['file'])}: in that place here the undo reads them"]
    return [
        *found,
        f"They stand on the disk of {old}: keep it as it is (no pg_rewind, no new base backup). Started alone, without "
        "clients or replication, it says whose they are:",
        _WHOSE.replace("{incident}", one_line(failover.get("incident_id") or "").replace("'", "''")),
    ]


def standby_lines(name: str, answer: Answer) -> list[str]:
    """Return which standbys have the kill, if there are any: one without it would bring the flag back."""
    rows = answer.get("standbys") or []
    if not rows:
        return []
    if any(row["has"] is None for row in rows):
        return [f"{name}: which standbys have the kill is not known: grant pg_read_all_stats"]
    late = [f"{one_line(row['name'])} is {row['behind']:,} bytes behind" for row in rows if not row["has"]]
    line = f"{name}: the kill is on the disk of {len(rows) - len(late)} of {len(rows)} standbys"
    if not late:
        return [line]
    return [
        f"{line}: {', '.join(late[:SHOWN])}. Should it take over now, tenants come back on there: then type the same "
        "command again"
    ]
