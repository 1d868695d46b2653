# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before a switch: the incident in the ledger, where priors are kept, and the plan that check mode shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper, take_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgernames import kept_since
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import (
    Place,
    Request,
    count,
    global_default,
    rows_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import (
    Left,
    PriorFile,
    directories,
    file_name,
    find_files,
    in_force,
    in_hand,
    retire,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import as_global_default

# How many tenants a plan names; below them it says how many more there are.
SHOWN = 20
# Of flags in jsonb, the priors of 300,000 tenants, and half a second of a kill; what is larger has to wait.
TAKEN_OVER_BYTES = 4_000_000


def open_incident(place: Place, request: Request) -> ledger.Joined | None:
    """Open or join the incident in the ledger, making the ledger if the role may; None if there is no ledger to use.

    Never refuses (another environment was refused before): anything that goes wrong becomes a warning.
    """
    state = place.ledger_state
    if state.reason:
        place.warnings.append(f"The ledger cannot be used ({state.reason}); prior values go to a file on the host.")
        return None
    if not state.usable and not state.creatable:
        lacks, helps = "There is no ledger and this role may not make one", "makes the ledger"
        if state.present:
            lacks, helps = "This role may not use the ledger", "grants it USAGE ON SCHEMA kanban_rollback"
        place.warnings.append(f"{lacks}: prior values go to a file on the host that ran this. bootstrap.yml {helps}.")
        return None
    left = _left_in_files(place, request)
    try:
        with place.session().transaction(ledger.LEDGER_SECONDS) as cursor:
            if not ledger.is_marked(state, request.who.environment):
                ledger.make_ledger(cursor, request.who.environment)
            joined = ledger.join_incident(cursor, request.who, request.adopt, left)
    except ServerError as error:
        place.warnings.append(f"The ledger cannot be used ({error.what}); prior values go to a file on the host.")
        return None
    _say_left(place, joined)
    if joined.unnamed:
        helps = " bootstrap.yml grants what is lacking." if joined.unnamed.code == "missing_privilege" else ""
        place.warnings.append(
            f"This goes on with {joined.incident_id}, which is open; that {request.who.incident_id} means it as well "
            f"could not be noted: {joined.unnamed.what.rstrip('.')}.{helps}"
        )
    return joined


def _left_in_files(place: Place, request: Request) -> list[Left]:
    """Return what earlier runs left that could not open their incident in the ledger.

    This run goes on with one of them if nothing is open. Otherwise it would open another, and an undo of that would
    find none of the priors. Only for an id that was made by the controller.
    """
    if not request.adopt:
        return []
    main, places = place.target, directories(request.state_dir)
    targets = [main, as_global_default(main)] if main.key else [main]
    return [left for target in targets for left in in_force(places, place.server.cluster, target.identity)]


def _say_left(place: Place, joined: ledger.Joined) -> None:
    if joined.left:
        place.warnings.append(
            f"The ledger could not be used when {joined.left.incident_id} began: its prior values lie in "
            f"{joined.left.path}. This goes on with it."
        )


def keeper_for(place: Place, request: Request, target: Target, joined: ledger.Joined | None) -> Keeper:
    """Return what keeps the prior values of one flag."""
    # The ledger's own id means this incident alone, also once it is closed and the one that was asked for comes again.
    incident = joined.incident_id if joined else request.who.incident_id
    file = PriorFile(file_name(incident, place.server.cluster, target.identity), directories(request.state_dir))
    left = _not_taken_over(place, request, target, joined) if joined else None
    return Keeper(incident, request.who.run_id, target.identity, left or file, joined is not None and left is None)


def _not_taken_over(place: Place, request: Request, target: Target, joined: ledger.Joined) -> PriorFile | None:
    """Hand the ledger what runs without it kept of this incident; return the file that it cannot take now, if any.

    An undo takes the first prior value of a tenant, in the ledger's order: the file's are older than what this run is
    going to keep. So they come first, or what this run keeps goes to the file as well.
    """
    names = [joined.incident_id, request.who.incident_id, *([joined.left.incident_id] if joined.left else [])]
    names += [name for row in joined.open_before if row["incident_id"] == names[0] for name in ids_of(row)]
    places = directories(request.state_dir)
    for name in dict.fromkeys(names):
        file = file_name(name, place.server.cluster, target.identity)
        for path in find_files(file, places):
            why_not = _take_over_now(place, path, name, joined.incident_id, target)
            if why_not:
                warning = f"Prior values go on to {path}, which the undo takes over: {why_not}"
                # A sweep comes here again and again.
                place.warnings += [warning] if warning not in place.warnings else []
                return PriorFile(file, places, path)
    return None


def _take_over_now(place: Place, path: Path, name: str, incident_id: str, target: Target) -> str:
    """Move what a file of a name kept into the ledger; return why that cannot be done now, empty if it need not be."""
    try:
        with in_hand(path):
            with place.session().transaction(ledger.LEDGER_SECONDS) as cursor:
                file = path.stat()
                if file.st_mtime < kept_since(cursor, name, incident_id):
                    return ""
                if file.st_size > TAKEN_OVER_BYTES:
                    return "it is too large to do that now."
                # The file does not say which run kept it.
                take_over(cursor, path, incident_id, None, target.identity)
            retire(path)
    except KanbanError as error:
        return error.what
    except OSError as error:
        return str(error)
    return ""


def plan(place: Place, request: Request) -> dict[str, Any]:
    """Return what a switch would do; takes no row locks and changes nothing."""
    enabled = request.state == "enabled"
    with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        now = count(cursor, place)
        names = place.rows.named(cursor, place.scope, enabled, SHOWN)
        for other in () if place.named else place.others:
            names += rows_of(other.target).named(cursor, other.scope, enabled, SHOWN)
        default = global_default(cursor, *place.meant)
    joined = _foreseen(place, request)
    if len(place.meant) > 1:
        each = ", ".join(str(target.table) for target in place.meant)
        place.warnings.append(f"Each of {each} would be switched, and the stop in part until one is named.")
    place.warnings += [f"This would NOT be switched off: {refused.what}" for _table, refused in place.refused]
    # Whoever follows the default goes with it, unless only some are meant. A missing default is not made.
    by_default = now.by_default if place.tenants is None else 0
    to_change = now.total - now.on - now.unreadable if enabled else now.on - by_default
    with_default = request.global_default and default == ("off" if enabled else "on")
    left = 0 if with_default else by_default
    result = {
        "changed": to_change > 0 or with_default,
        "total": now.total,
        "enabled_before": now.on,
        "enabled_after": now.on + to_change if enabled else left,
        "changed_count": to_change + with_default,
        "unreadable": now.unreadable_sample,
        "unreadable_count": now.unreadable,
        "without_row": now.without_row,
        "global_default": ("on" if enabled else "off") if with_default else default,
        "diff": {
            "before": {"tenants_on": now.on},
            "after": {
                "tenants_on": now.on + to_change if enabled else left,
                "tenants_changed": names[:SHOWN]
                + ([f"and {to_change - SHOWN:,} more"] if to_change > SHOWN else [])
                + (["the default of all"] if with_default else []),
            },
        },
    }
    if joined:
        # An incident that is yet to be opened is in no ledger.
        foreseen = {"in_ledger": not joined.opened_now, "switched_seconds_ago": None}
        result["incident"] = {**incident_result(joined.incident_id, request.who.incident_id, joined), **foreseen}
    return result


def incident_result(incident_id: str, requested: str, joined: ledger.Joined | None) -> dict[str, Any]:
    """Return a module's ``incident`` result: the one that a run is known as, and which were open before."""
    return {
        "incident_id": incident_id,
        "requested": requested,
        "opened_now": bool(joined and joined.opened_now),
        "in_ledger": joined is not None,
        "noted": not (joined and joined.unnamed),
        "open_before": joined.open_before[:10] if joined else [],
    }


def _foreseen(place: Place, request: Request) -> ledger.Joined | None:
    """Return the incident that the run itself would be known as, so that its plan has the same name."""
    if not place.ledger_state.usable:
        return None
    left = _left_in_files(place, request)
    try:
        with place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
            joined = ledger.foresee_incident(cursor, request.who, request.adopt, left)
    except ServerError as error:
        place.warnings.append(f"The ledger cannot be read ({error.what}).")
        return None
    _say_left(place, joined)
    return joined
