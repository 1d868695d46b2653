# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The periods of a watch in which its gate was not ok, however long ago, and whether it was steady at its end. Pure.

A spell is a map of ``verdict``, ``from`` and ``to``, both in seconds watched.
"""

from __future__ import annotations

import math
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import NO_DATA, OK

Spell = Mapping[str, Any]

MOST_SPELLS = 20
# The part at the end of a watch that has to be steady, and how much of that may be a hiccup.
_END = 1 / 3
_HICCUP = 1 / 4


def added(spells: Sequence[Spell], result: Mapping[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Return the spells with the result of a try added, which was made after this many seconds.

    :param spells: those up to the previous try; if ``open`` is true, the last one reached up to that try.
    """
    found = [dict(spell) for spell in spells]
    last: dict[str, Any] = found[-1] if found else {}
    going = last.pop("open", False)
    verdict = result["verdict"]
    if verdict == OK or _nothing_yet(result):
        return found
    if going and last["verdict"] == verdict:
        last.update(to=seconds, open=True)
        return found
    begin = last["to"] if going else seconds
    found.append({"verdict": verdict, "from": begin, "to": seconds, "open": True})
    while len(found) > MOST_SPELLS:
        # The oldest become one, including the good time between them: the worst case is reported, and the end is exact.
        first, second, *rest = found
        found = [{**second, "from": first["from"]}, *rest]
    return found


def _nothing_yet(result: Mapping[str, Any]) -> bool:
    """Tell whether there is no data only because nothing could count so early."""
    silent = [metric for metric in result["metrics"] if metric["verdict"] == NO_DATA and not metric["ignored"]]
    hosts = [host for metric in silent for host in metric["hosts"]]
    return result["verdict"] == NO_DATA and bool(hosts) and not any(host["signs"] for host in hosts)


def steady(spells: Sequence[Spell], seconds: float) -> bool:
    """Tell whether the last third of a watch of this many seconds was good, except for hiccups of a quarter of it."""
    since = seconds * (1 - _END)
    shaken = sum(max(0.0, spell["to"] - max(since, spell["from"])) for spell in spells)
    return bool(shaken <= seconds * _END * _HICCUP)


def spells_from(given: Any) -> list[Spell]:
    """Return the spells that a try keeps; raises TypeError, KeyError or ValueError for anything else."""
    found: list[Spell] = []
    for one in given[-MOST_SPELLS:]:
        times = {name: float(one[name]) for name in ("from", "to")}
        if not all(map(math.isfinite, times.values())):
            raise ValueError("a time is no number")
        found.append({"verdict": str(one["verdict"]), **times, **({"open": True} if one.get("open") else {})})
    return found
