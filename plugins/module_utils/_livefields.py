# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of a result, whatever they hold, as words of one line of the live view. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import number

Result = Mapping[str, Any]
SHOWN = 3  # At most so many names are in one line.


def count_of(value: Any) -> int:
    """Return a count; 0 for anything that is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def rows_of(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []


def map_of(value: Any) -> Mapping[str, Any]:
    """Return a map; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def seconds_of(milliseconds: Any) -> str:
    """Return milliseconds as `` in 0.21 s``; empty if they are not known."""
    is_number = isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool)
    return f" in {milliseconds / 1000:.2f} s" if is_number else ""


def many(count: Any, one: str, more: str) -> str:
    """Return a number with its word: 1 row, 2 rows."""
    return f"{number(count)} {one if count == 1 else more}"


def joined(*parts: str) -> str:
    """Return the parts that are not empty, with commas between them."""
    return ", ".join(part for part in parts if part)
