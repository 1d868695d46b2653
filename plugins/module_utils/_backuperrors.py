# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a source of backups gave no answer. Neither Ansible nor a driver."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

WHY = "Whether it has a usable backup is not known."


def source_error(code: str, what: str, todo: str) -> KanbanError:
    """Return the typed error of a source."""
    return KanbanError(code, what, WHY, todo)


def bad_answer(command: str, error: Exception) -> KanbanError:
    """Return the typed error for output that is not understood; the output is not repeated because it may be long."""
    return source_error(
        "bad_answer",
        f"What {command} printed is not understood ({type(error).__name__}: {str(error)[:200]}).",
        f"Run {command} by hand; if its output is whole JSON, report this with the tool's version.",
    )


def out_of_time(seconds: float) -> KanbanError:
    """Return the typed error for a source that took too long."""
    return source_error(
        "timeout",
        f"It was not through within {seconds:g} s.",
        "Give a longer timeout, or verify: listing, which reads no contents.",
    )
