# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a job is, in words for the live view: a dump, a repair, a restore. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livefields import (
    SHOWN,
    Result,
    count_of,
    joined,
    map_of,
    rows_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import megabytes


def progress_said(result: Result) -> str:
    """Return how far a job under way is, as ``progress_info`` gives it; empty if its result does not say."""
    told = [map_of(one) for one in rows_of(result.get("progress"))]
    return joined(*(_step_said(one) if one.get("step") else _table_said(one) for one in told[:SHOWN]))


def _table_said(table: Result) -> str:
    """Return how far a dump is with one of its tables."""
    rows, about = count_of(table.get("rows")), count_of(table.get("about"))
    of = f" of about {about:,}" if about >= rows and about else ""
    return f"{table['table']} {rows:,}{of} rows" if table.get("table") else ""


def _step_said(step: Result) -> str:
    """Return which step a repair or a restore is at, and how far that step is."""
    rows, planned, there = step.get("rows"), count_of(step.get("planned")), count_of(step.get("bytes"))
    unit, of = step.get("unit"), count_of(step.get("of"))
    at = f", {unit} {count_of(step.get('number')):,} of {of:,}" if unit and of else ""
    size = count_of(step.get("planned_bytes"))
    return joined(
        f"{step['step']}{at}{' ({})'.format(step['name']) if step.get('name') else ''}",
        "" if rows is None else f"{count_of(rows):,}{f' of {planned:,}' if planned >= count_of(rows) else ''} rows",
        f"{megabytes(there)}{f' of about {megabytes(size)}' if size >= there else ''}" if there else "",
    )
