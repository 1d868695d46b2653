# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an incident has got since its last kill, read from its events: data validated, stages of the return."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import failover
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledgerprogress as queries

# Events of a return in stages, and their names for a reader.
STAGE_EVENTS = {"stage begun": "begun", "stage passed": "passed", "stage failed": "failed"}
# Events of a validation of the data, and whether it passed.
VALIDATION_EVENTS = {"data validated": True, "data not validated": False}
# The phases whose events say that people were stopped, looked after or let go.
DONE_PHASES = ("assess", "contain", "release", "re-enable")


def read_stages(cursor: Cursor, incident_id: str) -> list[dict[str, Any]]:
    """Return what became of the stages of an incident's return since the last kill, oldest first."""
    values = {"incident": incident_id, "events": list(STAGE_EVENTS)}
    return [
        {**json.loads(data), "event": STAGE_EVENTS[event], "at": at}
        for event, at, data in reversed(cursor.rows(queries.STAGES, values))
    ]


def read_done(cursor: Cursor) -> list[dict[str, str]]:
    """Return what was done in the open incidents, oldest first: ``incident_id``, ``at``, ``phase`` and ``event``."""
    names = ("incident_id", "at", "phase", "event")
    return [dict(zip(names, row)) for row in reversed(cursor.rows(queries.DONE, {"phases": list(DONE_PHASES)}))]


def read_validation(cursor: Cursor, incident_id: str) -> dict[str, Any] | None:
    """Return the newest validation of the data that still counts: ``passed``, ``at`` and its ``data``; else None."""
    values = {"incident": incident_id, "events": list(VALIDATION_EVENTS)}
    for event, at, data in cursor.rows(queries.VALIDATION, values):
        return {"passed": VALIDATION_EVENTS[event], "at": at, "data": json.loads(data)}
    return None


def count_recorded(cursor: Cursor, run_id: str) -> int:
    """Return for how many tenants the ledger keeps prior values that a run took."""
    return int(cursor.row(failover.RECORDED, {"run": run_id})[0])


def read_failovers(cursor: Cursor, incident_id: str) -> list[dict[str, Any]]:
    """Return what runs of an incident found when another server had taken over, oldest first, each with ``at``."""
    rows = cursor.rows(failover.FAILOVERS, {"incident": incident_id})
    return [{**json.loads(data), "at": at} for at, data in reversed(rows)]


def read_last_timeline(cursor: Cursor, incident_id: str) -> tuple[str | None, bool]:
    """Return the timeline on which an incident last did something, and whether anybody has the feature again."""
    timeline, returned = cursor.row(failover.LAST_TIMELINE, {"incident": incident_id})
    return timeline, returned
