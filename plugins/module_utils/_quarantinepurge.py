# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What retention removes from the ledger: quarantined rows and files of incidents closed long ago, never open ones."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import files, quarantine

PURGE_SECONDS = 120.0  # Hundreds of thousands of rows go within seconds.
RUN = "retention"  # Each incident has its own chain for it.


def purge_ledger(
    session: Session, days: float, keep: Sequence[str], check_mode: bool
) -> dict[str, list[dict[str, Any]]]:
    """Remove, or in check mode count, what has expired; raises ServerError, and then nothing of it is gone.

    Each row of ``purged`` has ``incident_id``, ``days`` since it was closed, and how many ``rows``; each of
    ``purged_files`` how many ``files``.
    """
    with session.transaction(PURGE_SECONDS, mode="READ ONLY" if check_mode else "READ WRITE") as cursor:
        given = (cursor, {"days": days, "keep": list(keep)}, check_mode)
        shape = quarantine.PURGE_PLAN if check_mode else quarantine.PURGE_ROWS
        rows = _purge(
            *given, quarantine.STATE, quarantine.PURGE + shape + quarantine.PURGED, "rows", "quarantine purged"
        )
        shape = files.PURGE_PLAN if check_mode else files.PURGE_FILES
        gone = _purge(*given, files.STATE, files.PURGE + shape + files.PURGED, "files", "files purged")
    return {"purged": rows, "purged_files": gone}


def _purge(
    cursor: Cursor, values: dict[str, Any], check_mode: bool, state: str, query: str, what: str, event: str
) -> list[dict[str, Any]]:
    if not cursor.row(state, {})[0]:
        return []
    found = [{"incident_id": one, "days": age, what: number} for one, age, number in cursor.rows(query, values)]
    if not check_mode:
        for one in found:
            told = {what: one[what], "days": one["days"]}
            ledger.add_event(cursor, one["incident_id"], RUN, "report", "ledger", event, told)
    return found
