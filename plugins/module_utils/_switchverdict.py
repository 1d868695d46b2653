# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error that a switch ends with, if any: what is still on, what could not be read, and the default of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place, Request


@dataclass(frozen=True)
class Ended:
    """How a switch ended: whether it could count, and what its last count says.

    ``by_default``: tenants without a row that are on by the default of all; ``off``: how many a switch on left off.
    """

    counted: bool
    by_default: int = 0
    unreadable: int = 0
    unreadable_sample: list[str] = field(default_factory=list)
    off: int = 0


def error_of(place: Place, request: Request, result: Mapping[str, Any], how: Ended) -> KanbanError | None:
    """Return the error that a switch with this result ends with, None if all is as wanted."""
    if not how.counted:
        return _uncounted(place, request, result)
    enabled = request.state == "enabled"
    left = how.off if enabled else result["enabled_after"]
    # Of whoever is left by the default alone, the error says that it is the default.
    is_default = place.tenants is None and not enabled and result.get("global_default") == "on"
    if left > (how.by_default if is_default else 0):
        return _still(request, result, left)
    if how.unreadable:
        sample = ", ".join(map(str, how.unreadable_sample[:5]))
        return KanbanError(
            "unreadable_settings",
            f"The settings of {how.unreadable} tenants are no JSON (for instance {sample}).",
            "Nobody can tell whether their flag is on; they were left to the letter.",
            "Look at them, mend them in the application, then run the same command again.",
        )
    return _of_default(place, request, result, how) or _of_same_name(place, result) or _of_unknown(place)


def _uncounted(place: Place, request: Request, result: Mapping[str, Any]) -> KanbanError:
    lines = "; ".join(row["to_end_it"] for row in result["blocked"][:5])
    held = [row["table"] for row in result.get("same_name", []) if row.get("counted") is False]
    return KanbanError(
        "table_held",
        f"Another session held the whole table {' and '.join(held) or place.target.table} for {request.deadline:g} s, "
        "perhaps a migration, so its tenants could neither be switched nor counted.",
        f"{result['changed_count']} tenants were switched before; the others are as they were.",
        f"Whoever holds it is listed in 'blocked'{': ' + lines if lines else ''}. End that, or say "
        "kanban_on_blocked=terminate (on_blocked), and run the same command again.",
    )


def _still(request: Request, result: Mapping[str, Any], left: int) -> KanbanError:
    enabled = request.state == "enabled"
    lines = sorted({row["to_end_it"] for row in result["blocked"] if row.get("to_end_it")})
    holders = f"Whoever holds their rows is listed in 'blocked'; to end them: {'; '.join(lines[:5])}. " if lines else ""
    return KanbanError(
        "still_off" if enabled else "still_on",
        f"{left} of {result['total']} tenants are still {'off' if enabled else 'on'} after {request.deadline:g} s.",
        "Their users go on as before; all others are switched and stay so.",
        f"{holders}Run the same command again, or with kanban_on_blocked=terminate (on_blocked).",
    )


def _of_default(place: Place, request: Request, result: Mapping[str, Any], how: Ended) -> KanbanError | None:
    enabled = request.state == "enabled"
    if result.get("global_default") != ("off" if enabled else "on"):
        return None
    followers = f"{how.by_default} tenants" if how.by_default else "Tenants"
    if request.global_default:
        lines = [row.get("to_end_it") for row in result["blocked"] if row.get("default_of_all")]
        ends = f"To end what locks it: {'; '.join(line for line in lines if line)}. " if any(lines) else ""
        refused = [row["refused"] for row in result["blocked"] if row.get("default_of_all") and row.get("refused")]
        why = f"the server refuses it ({refused[0]})" if refused else "another session has locked its row"
        return KanbanError(
            "default_not_switched",
            f"The default of all tenants could not be switched: {why}. {followers} without a row of their own go on as "
            "before.",
            "All others are switched, and stay so.",
            f"{ends}Run the same command again, or with kanban_on_blocked=terminate (on_blocked).",
        )
    if enabled or place.tenants is not None:
        return None
    return KanbanError(
        "default_left_on",
        f"kanban_global_default is false, so the default of all tenants stays on. {followers} without a row of their "
        "own have the feature by it.",
        "All others are switched, and stay so.",
        "Run the same command again with -e kanban_global_default=true (global_default). The undo puts it back.",
    )


def _of_same_name(place: Place, result: Mapping[str, Any]) -> KanbanError | None:
    tables = result.get("same_name", [])
    if not tables:
        return None
    name = place.target.table.name
    each = [f"{row['table']} ({row['changed_count']} of {row['total']})" for row in tables if row["table"]]
    lacking = [row for row in tables if not row["table"]]
    off = f"Switched off: {', '.join(each)}. " if each else ""
    not_off = " ".join(f"NOT switched off: {row['what']}" for row in lacking)
    return KanbanError(
        "same_name",
        f"Several tables are named {name}, and nothing says which one has the flag. {off}{not_off}".strip(),
        "The undo puts each of them back exactly.",
        " ".join([*(row["todo"] for row in lacking), _line_for(place)]),
    )


def _line_for(place: Place) -> str:
    table = place.target.table
    key = f"kanban_tables: {{companies: {table}}}" if table.name == "Companies" else f"kanban_flag: {{table: {table}}}"
    return f"Name the one that the application uses, for instance {key}, and run the same command again."


def _of_unknown(place: Place) -> KanbanError | None:
    if not place.unknown:
        return None
    return KanbanError(
        "unknown_tenants",
        f"{len(place.unknown)} of the tenants asked for do not exist: {place.unknown[:5]}.",
        "If an id was mistyped, the tenant that was meant keeps its flag. All the others were switched.",
        f"Compare with {place.target.table}.{place.target.tenant.name} and run it again.",
    )
