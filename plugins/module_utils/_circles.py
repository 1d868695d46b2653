# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order rows of tables that refer to one another can be written. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Collection, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import refusal


def no_order(names: Sequence[str]) -> dict[str, Any]:
    """Return the refusal for tables that refer to one another in a circle."""
    what = (
        f"The foreign keys {', '.join(names)} lead in a circle, and not all of them can wait for the end of the "
        "transaction, so there is no order in which the rows could come back."
    )
    return refusal("circular", what, via=list(names))


def parents_first(tables: Sequence[int], edges: Collection[tuple[int, int]]) -> tuple[list[int], set[tuple[int, int]]]:
    """Return tables with those that are referred to first, and the edges that this order does not satisfy.

    :param edges: (child, parent); self-references do not matter, because one statement writes all rows of a table.
    """
    left, ordered = list(tables), []
    while left:
        free = [table for table in left if not any(child == table and parent in left for child, parent in _true(edges))]
        ordered += free or left[:1]
        left = [table for table in left if table not in ordered]
    return ordered, {edge for edge in _true(edges) if ordered.index(edge[0]) < ordered.index(edge[1])}


def _true(edges: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(child, parent) for child, parent in edges if child != parent]


def in_circles(edges: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those edges (child, parent) that are part of a circle, or lie between two."""
    held: set[tuple[int, int]] = set()
    left = set(_true(edges))
    while left != held:
        held = left
        children, parents = {child for child, _parent in held}, {parent for _child, parent in held}
        left = {(child, parent) for child, parent in held if child in parents and parent in children}
    return left
