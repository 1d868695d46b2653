# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for the live view on what stops and keeps: flag, fence, block, evidence, dump, purge, proof. Pure."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livefields import (
    Result,
    count_of,
    joined,
    many,
    map_of,
    rows_of,
    seconds_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import megabytes, number


def flag_said(result: Result, plan: bool) -> str:
    """Return the outcome of a switch of tenants."""
    if "enabled_after" not in result:
        return ""
    total, on, switched = count_of(result.get("total")), count_of(result["enabled_after"]), result.get("changed_count")
    if on > count_of(result.get("enabled_before")):
        would = "would be" if plan else "are"
        return f"{number(switched)} tenants {would} as before, {on:,} of {total:,} on"
    if plan:
        return f"{number(switched)} of {total:,} tenants would be switched off"
    sweep, latch = map_of(result.get("sweep")), map_of(result.get("latch"))
    again = count_of(sweep.get("switched_again"))
    return joined(
        f"{total - on:,} of {total:,} tenants off{'' if sweep else seconds_of(result.get('contained_ms'))}",
        f"{on:,} STILL ON" if on else "",
        f"{switched:,} switched now" if count_of(switched) and not sweep else "",
        f"{again:,} were written back and are off again" if again else "",
        "every earlier transaction has ended" if sweep.get("settled") else "",
        "EARLIER TRANSACTIONS ARE STILL OPEN" if sweep.get("settled") is False else "",
        "latch up" if latch.get("raised") else "",
    )


def flag_info_said(result: Result, _plan: bool) -> str:
    """Return how many tenants are on."""
    return f"{number(result.get('enabled'))} of {number(result.get('total'))} tenants are on"


def fence_said(result: Result, plan: bool) -> str:
    """Return the state of the fence."""
    tables, open_ones = rows_of(result.get("tables")), rows_of(result.get("draining"))
    where = f" on {many(len(tables), 'table', 'tables')}" if tables else ""
    words = {
        "proven": f"fence proven{where}{seconds_of(result.get('raised_ms'))}",
        "draining": f"fence up{where}, draining: {many(len(open_ones), 'transaction', 'transactions')} still open",
        "unproven": f"fence up{where}, NOT PROVEN",
        "not_fenced": "NOT FENCED",
        "lowered": "fence lowered",
        "dormant": "fence dormant: it lets everything pass",
        "absent": "fence lowered" if result.get("changed") else "no fence stands",
    }
    status = str(result.get("status"))
    if plan and result.get("changed"):
        return f"fence would be {'raised' if status in ('absent', 'dormant', 'lowered') else 'lowered'}{where}"
    return words.get(status, "")


def block_said(result: Result, plan: bool) -> str:
    """Return the outcome of holding or releasing the write block."""
    if "held" not in result:
        return ""
    would, ends = "would be " if plan else "", result.get("ttl_seconds")
    if not result["held"]:
        return f"block {would}released"
    acked = result.get("replicas_acked")
    return joined(
        f"block {would}held {'until it is released' if ends is None else f'for {number(ends)} s'}",
        f"there already, by {result.get('owner') or 'nobody who says so'}" if result.get("ours") is False else "",
        "taken over" if result.get("taken_over") else "",
        "another incident's, prolonged" if result.get("prolonged") else "",
        "" if acked is None else f"{many(acked, 'replica has', 'replicas have')} it",
    )


def block_info_said(result: Result, _plan: bool) -> str:
    """Return the state of the write block."""
    if "held" not in result:
        return ""
    ends = result.get("ttl_seconds")
    if not result["held"]:
        return "no block is held"
    return f"block held{'' if ends is None else f', {number(ends)} s left'}"


def evidence_said(result: Result, plan: bool) -> str:
    """Return the outcome of keeping evidence."""
    if plan:
        return "evidence would be kept"
    if "complete" not in result:
        return ""
    files, missing = len(rows_of(result.get("files"))), len(rows_of(result.get("missing")))
    whole = "evidence complete" if result["complete"] else "evidence NOT COMPLETE"
    return joined(
        whole, many(files, "file", "files"), f"{many(missing, 'part', 'parts')} could not be had" if missing else ""
    )


def dump_said(result: Result, _plan: bool) -> str:
    """Return the outcome of a dump."""
    if result.get("rows") is None:
        return f"needs {megabytes(result['needed_bytes'])}" if "needed_bytes" in result else ""
    how = {"toc": "proven by its table of contents", "restore": "proven by restoring it"}
    return joined(
        f"{number(result['rows'])} rows of {many(len(rows_of(result.get('tables'))), 'table', 'tables')}",
        megabytes(result.get("bytes")),
        how.get(str(result.get("verified")), "NOT PROVEN"),
    )


def purge_said(result: Result, plan: bool) -> str:
    """Return the outcome of a purge."""
    if "purged" not in result:
        return ""
    kept = count_of(result.get("protected_kept"))
    return joined(
        f"{many(result['purged'], 'key', 'keys')} {'would be ' if plan else ''}purged",
        f"{kept:,} protected and kept" if kept else "",
        "" if result.get("complete", True) else "NOT ALL KEYS WERE SEEN",
    )


def proof_said(result: Result, _plan: bool) -> str:
    """Return the outcome of the proof of a kill."""
    known, on_v2, slowest = len(rows_of(result.get("processes"))), result.get("serving_v2"), result.get("max_seconds")
    if "proven_count" not in result:
        return ""
    # Before any incident nothing was killed, and being on V2 is as it should be.
    still = "STILL ON V2" if result.get("committed_seconds_ago") else "on V2"
    return joined(
        f"{number(result['proven_count'])} of {many(known, 'process', 'processes')} on V1",
        f"{on_v2:,} {still}" if count_of(on_v2) else "",
        f"the slowest {slowest:.1f} s after the commit" if isinstance(slowest, (int, float)) else "",
    )
