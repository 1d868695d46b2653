# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the sweep: has another server taken over since the kill, and which standbys have what is committed here."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgerprogress as progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failover import failover_since, kill_before
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place, Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wal import look_back, position_of, standbys_with

# Where this run's prior values are, so that the ledger can say how many it keeps.
_IN_LEDGER = ("ledger", "nothing to keep")


def look_after(
    place: Place, request: Request, position: Mapping[str, Any], incident_id: str | None, kept_in: str
) -> dict[str, Any]:
    """Return ``standbys`` and, if another server has taken over, ``failover``, which is an event of the incident.

    Never raises: what cannot be found out becomes a warning, because the flag is off by now.

    :param incident_id: as the ledger has it; None without a ledger.
    :param kept_in: where the sweep kept prior values.
    """
    found: dict[str, Any] = {}
    try:
        kill = kill_before(request.killed_on, place.server.cluster, position["timeline"])
        if kill:
            left, promotion = look_back(place.session(), position["timeline"])
            with place.session().transaction(READ_SECONDS) as cursor:
                knows = incident_id and kept_in in _IN_LEDGER
                recorded = progress.count_recorded(cursor, request.who.run_id) if knows else None
                told = failover_since(kill, str(position["timeline"]), left, promotion, recorded)
                found["failover"] = told
                if incident_id:
                    ledger.add_event(
                        cursor, incident_id, request.who.run_id, "contain", "feature_flag", "failover", told
                    )
        if position["lsn"]:
            found["standbys"] = standbys_with(place.session(), position["lsn"])
    except ServerError as error:
        place.warnings.append(f"What a failover means for this kill could not be told: {error.what}")
    return found


def taken_over_since(session: Session, incident_id: str) -> dict[str, Any] | None:
    """Return what is known if another server has taken over since an incident's last step, else None.

    A later run asks this, and has only the ledger to compare with. Raises ServerError.
    """
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        then, returned = progress.read_last_timeline(cursor, incident_id)
        now = position_of(cursor)["timeline"]
    if not then or not now or now <= then:
        return None
    left, promotion = look_back(session, now)
    kill = {"host": "", "timeline": then, "lsn": None, "switched": 0}
    told = failover_since(kill, now, left, promotion, None)
    names = ("from_timeline", "to_timeline", "forked_at", "last_commit_at")
    return {**{name: told[name] for name in names}, "returned": returned}
