# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grants that a stop can do without: what later runs say without each, or which test revokes it.

Written as in grants.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.drills.grants import FUNCTION, LACKS, TURNS


@dataclass(frozen=True)
class Later:
    """What the last screen of a run that lacks a grant says, and what the run has done nevertheless.

    ``on``: whether those who had the flag have it again. ``fenced``: whether the board still refuses writes.
    ``by_name``: as in ``Lack``. ``closes``: whether the incident is to be closed. ``fails``: whether it is red.
    """

    says: tuple[str, ...]
    on: bool = False
    fenced: bool = True
    by_name: bool = False
    closes: bool = False
    fails: bool = True


_LEASES = "permission denied for table leases"
# Between the two comes the number of hosts that could not do it, if there are any.
_NOBODY = ("NOT RESTORED: ", "0 tenants were put back by this run")
_LOWER_LATCH = FUNCTION + "lower_{latch}()"
_LOWER_FENCE = FUNCTION + "fence_lower(jsonb)"
_NO_FENCE = "may not call kanban_rollback.fence_lower()"
# What reenable.yml needs after a misfire: one incident lacks each in turn, in the order of what is given back.
BACK: Mapping[str, Later] = {
    "SELECT ON kanban_rollback.flag_changes": Later(
        (*_NOBODY, "permission denied for table flag_changes"), by_name=True
    ),
    'UPDATE (settings) ON public."Companies"': Later((*_NOBODY, 'GRANT UPDATE (settings) ON public."Companies"')),
    **{f"{word} ON kanban_rollback.leases": Later((*_NOBODY, _LEASES)) for word in ("INSERT", "UPDATE")},
    _LOWER_LATCH: Later(
        ("The prior values are back, but the latch could not be lowered: permission denied for function lower_latch_",),
        on=True,
    ),
    # The incident is closed last, so that the same command goes on with it.
    _LOWER_FENCE: Later(("the fence on db1 is not known to be lowered", _NO_FENCE), on=True, closes=True),
    "UPDATE ON kanban_rollback.incidents": Later(
        (
            "RESTORED IN PART: 0 tenants were put back by this run",
            "NOT WELL: the incident is still open in the ledger of db1",
            "db1: incident NOT CLOSED: permission denied for table incidents",
        ),
        on=True,
        fenced=False,
        closes=True,
    ),
    "DELETE ON kanban_rollback.leases": Later(
        ("RESTORED: ", "The lease could not be given back and runs out by itself", _LEASES),
        on=True,
        fenced=False,
        fails=False,
    ),
}
# What release.yml needs; it does not release writes that could not be refused again.
RELEASE: Mapping[str, Later] = {
    **{
        f"{word} ON kanban_rollback.leases": Later(("NOT RELEASED, nothing was changed: ", _LEASES))
        for word in ("INSERT", "UPDATE")
    },
    _LOWER_FENCE: Later(
        ("NOT RELEASED: writes could not be given back on db1; ", "db1: the fence was never lowered there: ", _NO_FENCE)
    ),
}
# What reenable.yml needs for the last stage of a return.
STAGED: Mapping[str, Later] = {
    _LOWER_LATCH: Later(("permission denied for function lower_latch_",), on=True, fenced=False),
}
# What scenario2.yml ranks by: without a known list nobody is switched off.
RANK: Mapping[str, Later] = {
    f'SELECT ({name}) ON public."ErrorLogs"': Later(
        (
            "NOT KNOWN: who is affected is not known, so nobody was switched off",
            f"This role lacks SELECT ({name.strip(chr(34))}) on public.ErrorLogs",
        ),
        on=True,
        fenced=False,
        by_name=True,
    )
    for name in ('"companyId"', "context", '"createdAt"')
}
# Drills lack these only all at once: tests/integration/test_grants.py revokes each from a role that bootstrap.yml
# made, with the function that is named here, and expects the grant's name in the message.
ELSEWHERE: Mapping[str, str] = {
    "INSERT ON kanban_rollback.meta": "mark",
    "DELETE ON kanban_rollback.files": "purge",
    "SELECT ON kanban_rollback.repairs": "purge",
    **{f"{word} ON kanban_rollback.quarantined": "purge" for word in ("SELECT", "DELETE")},
    "INSERT ON kanban_rollback.quarantined": "repair",
    **{f"{word} ON kanban_rollback.repairs": "repair" for word in ("INSERT", "UPDATE")},
    **{f'INSERT ON public."{table}"': "repair" for table in ("Tags", "TicketTags")},
    **{f'DELETE ON public."{table}"': "plan_repair" for table in ("Tags", "TicketTags")},
    **{f'UPDATE ({name}) ON public."Tickets"': "plan_repair" for name in ('"kanbanLane"', '"kanbanOrder"')},
    'SELECT ("companyId") ON public."Users"': "rank",
}
# Without it no canary is sent in the name of the tables' owner, and the catalog proves the fence.
_TRIES_AS_OWNER = FUNCTION + "fence_try_as_{owner}(jsonb)"
# What a stop can do without. All of it is revoked at once, and the stop is complete.
IDLE = frozenset({*BACK, *RELEASE, *STAGED, *RANK, *ELSEWHERE, _TRIES_AS_OWNER}).difference(TURNS, *LACKS.values())
