# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failover means for a kill: which part of the log is lost, and how many prior values. Pure.

A log is lost entirely from one point on: the new primary has all of what was committed before that point, and nothing
of what came after it.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_HISTORY = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})\b")
# How many of a server's promotions are looked at, the newest ones.
_MOST = 50


def as_bytes(lsn: str | None) -> int | None:
    """Return a position in the log as a number of bytes; None for anything that is not one."""
    found = _LSN.fullmatch(lsn or "")
    return (int(found[1], 16) << 32) + int(found[2], 16) if found else None


def furthest(positions: Sequence[str | None]) -> str | None:
    """Return the furthest of several positions on one timeline."""
    known = [lsn for lsn in positions if as_bytes(lsn) is not None]
    return max(known, key=lambda lsn: as_bytes(lsn) or 0, default=None)


def left_by_history(text: str) -> dict[str, str]:
    """Return where each older timeline was left, from a server's history file: ``{"00000001": "0/301F108"}``."""
    found = [_HISTORY.match(line) for line in text.splitlines()]
    return {f"{int(row[1]):08X}": row[2] for row in [row for row in found if row][-_MOST:]}


def kill_before(kills: Sequence[Mapping[str, Any]], cluster: str, timeline: str | None) -> Mapping[str, Any] | None:
    """Return the kill that was committed on an older primary of this cluster, None if there was none.

    :param kills: as ``killed_on`` returns them.
    :param timeline: of this server now; None if it does not report it.
    """
    before = [kill for kill in kills if kill["cluster"] == cluster and str(kill["timeline"]) < (timeline or "")]
    return max(before, key=lambda kill: str(kill["timeline"]), default=None)


def failover_since(
    kill: Mapping[str, Any],
    timeline: str,
    left: Mapping[str, str],
    promotion: Mapping[str, Any],
    recorded: int | None,
) -> dict[str, Any]:
    """Return what became of a kill now that another server has taken over.

    :param left: where older timelines were left, as far as the server's history could be read.
    :param promotion: ``lsn`` and ``at`` of this server's own promotion.
    :param recorded: number of tenants whose prior values of this run are kept here now; None if not known.
    """
    then = str(kill["timeline"])
    # If there were two promotions since, the last one, which is this server's, says nothing about the first.
    direct = int(timeline, 16) == int(then, 16) + 1
    forked = left.get(then) or (promotion.get("lsn") if direct else None)
    known, fork = as_bytes(kill.get("lsn")), as_bytes(forked)
    return {
        "host": kill["host"],
        "incident_id": kill.get("incident_id"),
        "from_timeline": then,
        "to_timeline": timeline,
        "known_lsn": kill.get("lsn"),
        "forked_at": forked,
        "last_commit_at": promotion.get("at") if direct else None,
        "lost_bytes": None if known is None or fork is None else max(0, known - fork),
        "switched": kill["switched"],
        "recorded": recorded,
        "lost_priors": None if recorded is None else max(0, int(kill["switched"]) - recorded),
        "file": kill.get("file"),
    }
