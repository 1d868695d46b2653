# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incidents of a ledger an id has stood for: a closed one's id, asked for again, gets a number."""

from __future__ import annotations

import re
import time
from math import inf
from typing import Iterable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Left
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as queries

# A name with such a number; the group is the id that was asked for, if the number is the ledger's.
_NUMBERED = re.compile(r"(.+)-(?:[2-9]|[1-9][0-9])", re.DOTALL)


def namesakes(cursor: Cursor, incident_id: str) -> list[tuple[str, bool | None]]:
    """Return incidents of one name, ``X``, ``X-2``, ``X-3``: the closed ones, then one that is open or yet to be made.

    Each comes with whether it is closed, None for the one that does not exist.
    """
    names: list[tuple[str, bool | None]] = []
    while not names or names[-1][1]:
        name = incident_id if not names else f"{incident_id}-{len(names) + 1}"
        found = cursor.rows(queries.CANONICAL, {"incident": name})
        names.append((found[0][0], found[0][1]) if found else (name, None))
    return names


def known_as(cursor: Cursor, incident_id: str) -> list[str]:
    """Return all incidents that an id or alias has stood for, oldest first: the closed ones, then the current one."""
    return [name for name, closed in namesakes(cursor, incident_id) if closed is not None]


def closed_at(cursor: Cursor, incident_id: str) -> float:
    """Return when an incident was closed, by this host's clock; infinity if it is open, again perhaps."""
    # Both moments of it are the server's: this host's clock may be off.
    ago: float | None = cursor.row(queries.CLOSED_AGO, {"incident": incident_id})[0]
    return inf if ago is None else time.time() - ago


def kept_since(cursor: Cursor, name: str, incident_id: str) -> float:
    """Return since when a file of one of an incident's names is about it: since the one before it was closed.

    In seconds since 1970 by this host's clock; 0 if there was none before it.
    """
    *before, last = known_as(cursor, name) or [incident_id]
    return closed_at(cursor, before[-1]) if before and last == incident_id else 0.0


def continued(cursor: Cursor, candidates: Iterable[Left]) -> tuple[Left, str] | None:
    """Return which incident goes on that could not be opened, and its name; None if each was closed after that.

    It may have the id of one that had been closed before: those of controllers come again within 86 seconds.
    """
    for left in candidates:
        *closed, (name, _none) = namesakes(cursor, left.incident_id)
        if not closed or left.at >= closed_at(cursor, closed[-1][0]):
            return left, name
    return None


def opened_as(cursor: Cursor, incidents: Iterable[str]) -> dict[str, str]:
    """Return the id that was asked for, for each incident to which the ledger gave a number.

    The number is only in the ledger: the write block and the run's own files keep that id. It is this incident's id as
    long as the ledger means this one by it: not if one with a lower number is open, and not once there is a newer one.
    """
    parts = {name: _NUMBERED.fullmatch(name) for name in incidents}
    asked = {name: part.group(1) for name, part in parts.items() if part}
    meant = {name: known_as(cursor, name)[-1:] for name in set(asked.values())}
    return {name: base for name, base in asked.items() if meant[base] == [name]}
