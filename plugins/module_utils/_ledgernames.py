# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incidents of a ledger an id has stood for: a closed one's id, asked for again, gets a number."""

from __future__ import annotations

import re
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


def continued_as(cursor: Cursor, left: Left) -> str | None:
    """Return the name by which an incident goes on that could not be opened; None if it was closed after it was left.

    Ids of controllers come again within 86 seconds, so it may have the id of one that had been closed before.
    """
    *closed, (name, _closed) = namesakes(cursor, left.incident_id)
    closed_ago = cursor.row(queries.CLOSED_AGO, {"incident": closed[-1][0]})[0] if closed else None
    return name if closed_ago is None or left.age < closed_ago else None


def opened_as(cursor: Cursor, incidents: Iterable[str]) -> dict[str, str]:
    """Return the id that was asked for, for each incident to which the ledger gave a number.

    The number is only in the ledger: the write block and the run's own files keep that id. It is this incident's id as
    long as the ledger means this one by it: not if one with a lower number is open, and not once there is a newer one.
    """
    parts = {name: _NUMBERED.fullmatch(name) for name in incidents}
    asked = {name: part.group(1) for name, part in parts.items() if part}
    meant = {name: known_as(cursor, name)[-1:] for name in set(asked.values())}
    return {name: base for name, base in asked.items() if meant[base] == [name]}
