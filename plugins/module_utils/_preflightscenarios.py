# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios 1 and 2 and triage need from a database, as checks. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightchecks import (
    MUST,
    NAMED,
    SHOULD,
    Check,
    of_error,
)

_LACKING = ("missing_table", "missing_column")
_UNRANKED = "Scenario 2 could not tell which tenants suffer, and triage not how many."
_NOT_SEEN = "Triage and scenario 2 would not see what is corrupt there."


def errors_check(error: KanbanError | None, table: str) -> Check:
    """Return whether tenants can be ranked by their errors, which are in ``table``."""
    good = f"Tenants can be ranked by the errors in {table}: the server planned it."
    made = of_error("errors", MUST, error, good)
    return made if error is None else replace(made, why=_UNRANKED)


def no_errors_check() -> Check:
    """Return the check of a profile that says there is no table of errors."""
    return Check(
        "errors",
        False,
        SHOULD,
        "The profile names no table of errors (kanban_tables.error_logs).",
        _UNRANKED,
        "Where the application keeps them elsewhere, name the tenants yourself, or stop all of them (scenario 1).",
    )


def index_check(hint: str | None) -> Check:
    """Return whether an index finds errors; ``hint`` says that it is missing, and the statement that makes it."""
    if hint is None:
        return Check("errors_index", True, SHOULD, "The errors of a window are found quickly.")
    what, _point, statement = hint.rpartition(": all of it is read each time. ")
    return Check(
        "errors_index",
        False,
        SHOULD,
        f"{what}.",
        "All of it is read for each ranking, in the middle of an incident.",
        f"At a quiet hour: {statement}",
    )


def beside_check(warnings: Sequence[str]) -> Check:
    """Return whether names of tenants are shown and users counted; ``warnings`` say why not."""
    if not warnings:
        return Check("errors_owners", True, SHOULD, "Names of tenants are shown, and users counted.")
    why = "The list then has ids only, and messages no number of people."
    todo = "Grant what it says, or correct kanban_tables and kanban_columns."
    return Check("errors_owners", False, SHOULD, " ".join(warnings), why, todo)


def figure_check(name: str, error: KanbanError | None) -> Check:
    """Return whether a query of the profile can be run; ``name`` says what it is for."""
    made = of_error("figures", MUST, error, f"The query of {name} can be run.")
    if error is None:
        return made
    return replace(
        made, what=f"{name}: {error.what}", why="Its figure would not be known, which is never taken for good."
    )


def integrity_check(errors: Mapping[str, KanbanError | None]) -> list[Check]:
    """Return whether the checks of the data can be run, and which do not apply to this schema."""
    if not errors:
        what, todo = "There are no checks of the data.", "Fill kanban_integrity_checks."
        return [Check("integrity", False, SHOULD, what, "Triage would not see corruption.", todo)]
    lacking = {name: error for name, error in errors.items() if error is not None and error.code in _LACKING}
    held = {name: error for name, error in errors.items() if isinstance(error, Timeout)}
    # A check for another schema does not matter for this one.
    foreign = [name for name, error in errors.items() if error is not None and error.code == "other_schema"]
    known = {*lacking, *held, *foreign}
    failed = [(name, error) for name, error in errors.items() if error and name not in known]
    found = []
    if failed:
        what = " ".join(f"{name}: {error.what}" for name, error in failed[:NAMED])
        todo = " ".join(dict.fromkeys(error.todo for _name, error in failed[:NAMED]))
        found.append(Check("integrity", False, MUST, what, _NOT_SEEN, todo))
    elif held:
        error = next(iter(held.values()))
        found.append(of_error("integrity", MUST, error, ""))
    else:
        good = f"{len(errors) - len(lacking) - len(foreign)} checks of the data can be run."
        found.append(Check("integrity", True, MUST, good))
    if lacking:
        none = len(lacking) + len(foreign) == len(errors)
        names = ", ".join(list(lacking)[:NAMED])
        what = f"Checks that do not apply to this schema: {names}. {next(iter(lacking.values())).what}"
        why = "No check applies: triage knows nothing of corruption then." if none else _NOT_SEEN
        todo = "Correct kanban_tables and kanban_columns, or drop a check (kanban_integrity_checks: {its name: null})."
        found.append(Check("integrity_applies", False, MUST if none else SHOULD, what, why, todo))
    return found


def repair_check(lacks: Sequence[str], grants: Sequence[str], error: KanbanError | None = None) -> Check:
    """Return whether this role could repair, and bring back; the stop does not need it, so it is never a must.

    :param lacks: what it lacks, in words; ``grants``: the lines that grant it.
    """
    if error is not None:
        return Check("repair", None, SHOULD, f"repair: it could not be looked at: {error.what}", error.why, error.todo)
    if not lacks:
        return Check("repair", True, SHOULD, "This role can repair what the checks find, and bring it back.")
    what = f"repair: not ready, because this role lacks {'; '.join(lacks[:NAMED])}"
    what += f" and {len(lacks) - NAMED} more." if len(lacks) > NAMED else "."
    why = "The stop works without; what is corrupt could be counted and not mended by this role."
    todo = (
        f"{' '.join(grants)} bootstrap.yml grants it (kanban_role_repairs, kanban_role_restores), as the tables' owner."
    )
    return Check("repair", False, SHOULD, what, why, todo)


def as_advice(check: Check) -> Check:
    """Return a check as one that does not keep a place from being ready, because only something unused needs it."""
    return replace(check, severity=SHOULD)
