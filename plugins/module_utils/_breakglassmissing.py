# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of ``break-glass.sql`` that makes rows for tenants that are on without one: all at once, or in chunks."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglass import Script
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglasswords import say
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import NOT_OF_A_ROW, TIMEOUTS

# Rows of tenants that have none are made all at once, which is fastest. One that is refused, or that somebody makes,
# ends this for all, so they are made in chunks of these sizes then: the first before the fence, the next before those
# that are held, the others after these, for they take time. Each size runs at most a thousand statements.
_TOGETHER, _APART, _LAST = (5000,), (250,), (15, 15, 15, 1)
_OF_ONE_ROW = "^(" + "|".join(TIMEOUTS) + "|(?!" + "|".join(NOT_OF_A_ROW) + "))"


def make_missing(cursor: Cursor, script: Script, number: int) -> list[str]:
    """Return what makes the rows of one flag, if a tenant without one has it."""
    if not script.makes_rows:
        return []
    name = f"kanban_make_{number}"
    return [
        f"{script.text(cursor, script.off_missing())};",
        f"SELECT :'SQLSTATE' ~ '{_OF_ONE_ROW}' AS kanban_apart_{number} \\gset",
        f"\\if :kanban_apart_{number}",
        say("Off: those who are on without a row, in chunks, because one of the rows cannot be made"),
        "SET lock_timeout = '250ms';",
        # A plan for any chunk would not know how few they are.
        "SET plan_cache_mode = force_custom_plan;",
        _prepare(cursor, script, name),
        *_each_chunk(cursor, script, name, _TOGETHER),
        "SET lock_timeout = '2s';",
        "\\endif",
    ]


def make_missing_again(cursor: Cursor, script: Script, number: int) -> tuple[list[str], list[str]]:
    """Return what makes the remaining rows, before and after the locked ones are switched."""
    if not script.makes_rows:
        return [], []
    name, only_if = f"kanban_make_again_{number}", f"\\if :kanban_apart_{number}"
    # First, because a row that somebody has made meanwhile may be on. And from the beginning, because whoever had
    # locked the whole table kept the statement from being prepared as well.
    before = [
        f"{script.text(cursor, script.off_missing())};",
        _prepare(cursor, script, name),
        *_each_chunk(cursor, script, name, _APART),
    ]
    after = _each_chunk(cursor, script, name, _LAST)
    return [only_if, *before, "\\endif"], [only_if, *after, "\\endif"]


def _prepare(cursor: Cursor, script: Script, name: str) -> str:
    return f"PREPARE {name} (text[]) AS\n{script.text(cursor, script.off_missing_some())};"


def _each_chunk(cursor: Cursor, script: Script, name: str, sizes: Sequence[int]) -> list[str]:
    """Return what makes the rows of whoever still has none, in chunks of each size in turn."""
    chunks = [script.each_chunk(name, size) for size in sizes]
    return [f"{script.text(cursor, chunk)}\n\\gexec" for chunk in chunks]
