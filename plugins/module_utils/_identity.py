# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL conditions that two ids are equal, even if two tables keep them as different types."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import sql

_INTEGERS = ("int2", "int4", "int8")
_TEXTS = ("text", "varchar", "bpchar")


def same(one: sql.Composable, kind: str, other: sql.Composable, other_kind: str) -> sql.Composable:
    """Return the condition that two ids are equal; comparable types are not cast, so that an index can be used."""
    for family in (_INTEGERS, _TEXTS, (kind,)):
        if kind in family and other_kind in family:
            return sql.SQL("{} = {}").format(one, other)
    return sql.SQL("{} = {}").format(as_text(one, kind, other_kind), as_text(other, other_kind, kind))


def as_text(value: sql.Composable, kind: str, beside: str) -> sql.Composable:
    """Return an id as text, in the spelling of the type ``beside``: a uuid kept as text may be in upper case."""
    lowered = beside == "uuid" and kind != "uuid"
    return sql.SQL("lower({}::text)" if lowered else "{}::text").format(value)
