# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore shows: its plan, what to know about it, and its figures before and after."""

from __future__ import annotations

from typing import Any, Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import Plan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import Compared
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import About

_FIGURES = ("missing", "changed", "deleted", "newer")


class HasCompared:
    """A table with the outcome of its comparison."""

    compared: Compared


def shown(plan: Plan, tables: Sequence[HasCompared]) -> dict[str, Any]:
    """Return the plan as results show it: each table's comparison, and how much of it is written."""
    told = plan.as_result()
    names = ("checks", "parts", "total_rows", "fraction", "estimate_seconds", "triggers", "refused")
    shares = {row["table"]: row for row in told["tables"]}
    listed = []
    for table in tables:
        share = shares.get(table.compared.table, {"touched": 0, "fraction": 0.0})
        listed.append({**table.compared.as_result(), "touched": share["touched"], "fraction": share["fraction"]})
    return {**{name: told[name] for name in names}, "tables": listed}


def warnings_of(plan: Plan, tables: Sequence[HasCompared], about: About, space: Mapping[str, int | None]) -> list[str]:
    """Return what to know before a plan is approved."""
    found = []
    if plan.triggers:
        found.append(f"Triggers of the application fire: {', '.join(plan.triggers)}.")
    if space["free_bytes"] is None:
        found.append("How much space the server has for temporary tables is not known from here.")
    for table in tables:
        compared = table.compared
        if compared.dropped:
            found.append(f"{compared.table} has no {', '.join(compared.dropped)} any more: that stays in the backup.")
        if compared.partitions_unknown:
            found.append(
                f"The backup does not say which partitions {compared.table} had then: rows of one that is gone would "
                "not be missed."
            )
        if compared.added:
            found.append(
                f"The backup does not have {', '.join(compared.added)} of {compared.table} yet: rows that come back "
                "take the default, others keep what they have."
            )
    if about.database is None:
        found.append("The backup does not say of which database it is; only its tables' names were compared.")
    return found


def figures_text(tables: Sequence[HasCompared], kinds: Collection[str] = ()) -> str:
    """Return row counts by kind, one line per table, with 0 for those kinds that come back."""
    lines = []
    for table in tables:
        told = [f"{kind} {0 if kind in kinds else table.compared.count(kind)}" for kind in _FIGURES]
        lines.append(f"{table.compared.table}: {', '.join(told)}")
    return "\n".join(lines) + "\n"
