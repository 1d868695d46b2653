# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cache is purged, judged for the last screen. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import latest, together, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, VALIDATE, Part


def cache_part(
    names: Sequence[str], answers: Sequence[Answer], group: str, plan: bool = False, again: Sequence[Answer] = ()
) -> dict[str, Any]:
    """Judge the purge on every Redis.

    :param again: answers to a second purge, of what was cached meanwhile; no answer if there was none.
    :param group: pattern of the hosts; ``none`` if there is no Redis.
    :param plan: whether the answers are those of check mode.
    """
    # A cache that is older than the database makes an application show outdated data. That delays no containment.
    part = Part(VALIDATE, "the cache would be purged" if plan else "the cache is purged")
    if group == "none":
        part.kind, part.good = NOTHING, "no cache to purge (there is no Redis)"
        return part.as_result()
    if not names:
        part.bad.append(f"no cache is purged, for the group {group!r} has no hosts")
    purged, replicas = set(), []
    for name, answer, later in together(names, answers, latest([again])):
        server = answer.get("server") or {}
        if answer.get("skipped") and server:
            replicas.append((name, server.get("cluster")))
        elif answer.get("failed") or not answer.get("complete"):
            part.bad.append(f"the cache on {name} is not known to be purged")
            part.lines += _failure(name, answer)
        elif later and (later.get("failed") or not later.get("complete")):
            part.bad.append(f"what was cached on {name} since the purge is not known to be purged")
            part.lines += [_line(name, answer, plan), *_failure(name, later)]
        else:
            purged.add(server.get("cluster"))
            more = f"; {later['purged']:,} that were cached meanwhile as well" if later.get("purged") else ""
            part.lines.append(_line(name, answer, plan) + more)
    if names and not any(answer.get("server") or answer.get("failed") for answer in answers):
        part.good = "no cache is purged (kanban_cache_patterns is empty)"
    for name, cluster in replicas:
        part.lines.append(f"{name}: a Redis replica, its master purges for both")
        if cluster not in purged:
            part.bad.append(f"the master of {name} did not answer")
    for name, answer in together(names, answers):
        part.lines += [f"{name}: {text}" for text in warnings_of(answer)]
    return part.as_result()


def _line(name: str, answer: Answer, plan: bool) -> str:
    if not answer.get("server"):
        return f"{name}: no patterns are given, so nothing was purged from the cache"
    would = "would be " if plan else ""
    counts = [f"{row['purged']:,} of {one_line(row['pattern'])}" for row in answer.get("patterns", []) if row["purged"]]
    more = f" and {len(counts) - SHOWN} more patterns" if len(counts) > SHOWN else ""
    told = f" ({', '.join(counts[:SHOWN])}{more})" if counts else ""
    how = "flushed, protected keys and all" if answer.get("flushed") else "purged"
    kept = f", {answer['protected_kept']:,} protected kept" if answer.get("protected_kept") else ""
    took = "" if plan else f" in {answer.get('elapsed_ms', 0) / 1000:.1f} s"
    keys = "1 key" if answer.get("purged") == 1 else f"{answer.get('purged', 0):,} keys"
    return f"{name}: {keys} {would}{how}{told}{took}{kept}"


def _failure(name: str, answer: Answer) -> Iterator[str]:
    before = f"; {answer['purged']:,} keys were purged before" if answer.get("changed") and answer.get("purged") else ""
    yield f"{name}: cache NOT ACCOUNTED FOR: {why_not(answer)}{before}"
    lost = answer.get("would_lose") or {}
    if answer.get("failed") and lost.get("protected") and not answer.get("flushed"):
        for row in lost.get("patterns", [])[:SHOWN]:
            samples = ", ".join(map(one_line, row.get("samples", [])[:2]))
            yield f"{name}: a flush would lose {row['count']:,} keys of {one_line(row['pattern'])} ({samples})"
