# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What retention takes out of the quarantine: rows of incidents that were closed long ago, and never an open one's."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine as queries

PURGE_SECONDS = 120.0  # Rows by the hundred thousand go within seconds.
RUN = "retention"  # Each incident has a chain of its own for it.


def purge_quarantine(session: Session, days: float, keep: Sequence[str], check_mode: bool) -> list[dict[str, Any]]:
    """Remove, or in check mode count, what is over; raises ServerError, and then nothing of it is gone.

    Each row of the result has ``incident_id``, ``days`` since it was closed, and how many ``rows``.
    """
    values = {"days": days, "keep": list(keep)}
    shape = queries.PURGE_PLAN if check_mode else queries.PURGE_ROWS
    with session.transaction(PURGE_SECONDS, mode="READ ONLY" if check_mode else "READ WRITE") as cursor:
        found: list[dict[str, Any]] = []
        if cursor.row(queries.STATE, {})[0]:
            rows = cursor.rows(queries.PURGE + shape + queries.PURGED, values)
            found = [{"incident_id": one, "days": age, "rows": number} for one, age, number in rows]
        if not check_mode:
            for one in found:
                told = {"rows": one["rows"], "days": one["days"]}
                ledger.add_event(cursor, one["incident_id"], RUN, "report", "ledger", "quarantine purged", told)
    return found
