# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grants of the least-privileged role that a stop needs: what it says without each.

Each is written as between REVOKE and the role; ``{latch}`` and ``{owner}`` are parts of functions' names, derived from
the flag and from the tables' owner. test_grant_missing.py compares the grants here and in grants_later.py with the
catalogs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.drills.looks import Place
from tests.integration.granted import EVERYTHING
from tests.rehearsal.estate import DATABASE

ROLE = "kanban_rollback"
# As bootstrap.yml does on PostgreSQL 13: SELECT and USAGE by name only.
BY_NAME: Mapping[str, Any] = {"bootstrap_memberships": ["pg_read_all_stats"]}
# A member of it has those twice, so that revoking one of the two shows nothing. Without it there is no dump, because a
# dump has the schema of the whole database.
READS_ALL = "pg_read_all_data"
# Sessions that hold a row are ended, which takes one more membership.
ENDS: Mapping[str, Any] = {"kanban_on_blocked": "terminate"}
CLEAN = "the checks found nothing corrupt"
NO_DUMP = "NOT WELL: no proven dump of db1"
PROVEN = "the dump is proven"
NOT_COMPARED = "data NOT VALIDATED: rows were not compared with the dump, for there is none"
# Said only of what was measured.
UNSOUND = "NOT SOUND"


@dataclass(frozen=True)
class Lack:
    """What the last screen says without a grant; ``output``: what the run says anywhere.

    ``stops``: whether the flag is off nevertheless. ``by_name``: whether the role is not in ``READS_ALL`` either.
    """

    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    fails: bool = True
    stops: bool = True
    by_name: bool = False


_STAYS_ON = ("NOT CONTAINED", "hosts could not do it", "redis1: write block held by")
_FENCED = (*_STAYS_ON, "db1: fence proven for")
_STOPPED = ("CONTAINED: ", "the fence is proven", "the write block is held", "evidence is kept")
WELL = (*_STOPPED, CLEAN)
_TO_FILE = ("The ledger cannot be used", "who had it: file")
_NO_EVENT = "The ledger's events could not be written or read: permission denied for table"
FUNCTION = "EXECUTE ON FUNCTION kanban_rollback."
# What stands before each derived part, in a name that exists once.
_DERIVED = {"{latch}": "raise_", "{owner}": "fence_try_as_"}
_NAMED = """
SELECT substr(proname, {after}) FROM pg_proc
WHERE pronamespace = 'kanban_rollback'::regnamespace AND starts_with(proname, '{before}')
"""


def _reading(*says: str) -> Lack:
    return Lack((*WELL, NO_DUMP, NOT_COMPARED, *says), (UNSOUND,), by_name=True)


def _no_plan(table: str) -> Lack:
    # Without a plan nothing is reported as clean.
    said = (*_STOPPED, NO_DUMP, NOT_COMPARED, *_TO_FILE, f"plan NOT MADE: permission denied for table {table}")
    return Lack(said, (CLEAN, UNSOUND), by_name=True)


# What the stop itself needs: the first stop of an incident lacks each.
LACKS: Mapping[str, Mapping[str, Lack]] = {
    "flag": {
        f"CONNECT ON DATABASE {DATABASE}": Lack(
            (*_STAYS_ON, "permission denied for database"), ("fence proven",), stops=False
        ),
        "USAGE ON SCHEMA public": Lack(
            (*_FENCED, "is in a schema that this role may not use"), by_name=True, stops=False
        ),
        'SELECT ON public."Companies"': Lack((*_FENCED, "Companies"), by_name=True, stops=False),
        'UPDATE (settings) ON public."Companies"': Lack((*_FENCED, "UPDATE"), stops=False),
    },
    "ledger": {
        "USAGE ON SCHEMA kanban_rollback": Lack(
            ("CONTAINED IN PART", "USAGE ON SCHEMA kanban_rollback"), ("the fence is proven",), by_name=True
        ),
        "SELECT ON kanban_rollback.meta": _no_plan("meta"),
        "SELECT ON kanban_rollback.incidents": _no_plan("incidents"),
        "INSERT ON kanban_rollback.incidents": Lack(_TO_FILE, fails=False),
        "SELECT ON kanban_rollback.incident_aliases": _no_plan("incident_aliases"),
    },
    "record": {
        "INSERT ON kanban_rollback.flag_changes": Lack(
            ("The ledger refused the prior values", "who had it: file", "the latch is up"), fails=False
        ),
        "SELECT ON kanban_rollback.events": _reading(_NO_EVENT, "who had it: ledger"),
        "INSERT ON kanban_rollback.events": Lack((_NO_EVENT, "who had it: ledger"), fails=False),
        READS_ALL: Lack((*WELL, NO_DUMP, NOT_COMPARED), (PROVEN, UNSOUND)),
    },
    "fence and latch": {
        FUNCTION + "raise_{latch}(text)": Lack(
            ("The latch is not up: permission denied for function raise_latch_",), ("the latch is up",), fails=False
        ),
        FUNCTION + "fence_raise(jsonb)": Lack(
            ("CONTAINED IN PART", "may not call kanban_rollback.fence_raise()", "the latch is up"),
            ("the fence is proven",),
        ),
        FUNCTION + "fence_try(jsonb)": Lack(
            ("CONTAINED IN PART", "the fence on db1 is unproven", "may not call kanban_rollback.fence_try()"),
            ("the fence is proven",),
        ),
        FUNCTION + "fence_note(jsonb)": Lack(("The end of the drain was not noted",), fails=False),
    },
}
# Only the second stop of an incident needs it.
TO_JOIN = "INSERT ON kanban_rollback.incident_aliases"
JOINED = Lack(
    ("means it as well could not be noted: permission denied for table incident_aliases",),
    ("The ledger cannot be used",),
    fails=False,
)
# Without it the role cannot see what others' sessions do.
TO_SEE = "pg_read_all_stats"
BLIND = Lack(
    ("grant pg_read_all_stats to name blockers in full",),
    ("transactions from before the kill are still open",),
    fails=False,
)
# This also takes a session that holds a row and is to be ended for that.
TO_END = "pg_signal_backend"
_ALONE = "What this run leaves lies on this controller alone"
_NOBODY_COUNTED = "Whom it affects could not be counted"


def _in_turn(*says: str, output: tuple[str, ...] = (), well: bool = True) -> Lack:
    # The dump of the first stop exists, and finding it takes no right to read the tables.
    said = (*(WELL if well else _STOPPED), PROVEN, *says)
    return Lack(said, (NO_DUMP, UNSOUND) if well else (NO_DUMP, UNSOUND, CLEAN), output, fails=False)


# What comes after the stop, or what a repeated stop asks for: one incident has a stop that lacks each.
TURNS: Mapping[str, Lack] = {
    "SELECT ON kanban_rollback.flag_changes": _in_turn(_NO_EVENT),
    **{f"{word} ON kanban_rollback.files": _in_turn(_ALONE) for word in ("SELECT", "INSERT", "UPDATE")},
    **{f"SELECT ON kanban_rollback.{name}": _in_turn(output=(_NOBODY_COUNTED,)) for name in ("leases", "latched")},
    f"TEMPORARY ON DATABASE {DATABASE}": _in_turn(
        "there is no plan for db1",
        "This role lacks TEMPORARY on the database",
        "data NOT VALIDATED: there is no plan",
        output=(f"GRANT TEMPORARY ON DATABASE {DATABASE} TO {ROLE};",),
        well=False,
    ),
    **{
        f'SELECT ON public."{name}"': _in_turn("NOT COUNTED", name, "data NOT VALIDATED: ", well=False)
        for name in ("Tags", "Tickets", "TicketTags")
    },
    **{
        f'SELECT ({name}) ON public."Lanes"': _in_turn("NOT COUNTED", "Lanes", "data NOT VALIDATED: ", well=False)
        for name in ("id", '"companyId"')
    },
}


def filled(grant: str, place: Place) -> str:
    """Return a grant with the part of a function's name in it that bootstrap.yml derived."""
    for part, before in _DERIVED.items():
        if part in grant:
            grant = grant.replace(part, place.psql(_NAMED.format(before=before, after=len(before) + 1)))
    return grant


def granted(place: Place) -> set[str]:
    """Return everything granted to the role itself, by the catalogs; the privileges of PUBLIC do not count."""
    return set(place.psql(EVERYTHING.replace("%(role)s", f"'{ROLE}'").replace("%%", "%")).splitlines())
