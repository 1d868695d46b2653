# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which playbooks read answers and show the result."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Callable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import incident_to_undo, is_known
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import page_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import as_screen, extra_vars
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdict import verdict

# Its command stands among the first lines of a script.
_HEAD_BYTES = 4096
_OFF = re.compile(r"^-- Off: +(psql .*) THIS_FILE$", re.MULTILINE)


def break_glass_commands(names: Sequence[str], directory: str) -> dict[str, str]:
    """Return, by host, the line that runs its break-glass script; hosts without a script here are left out."""
    commands = {}
    for name in names:
        path = Path(directory).expanduser() / f"{name}.sql"
        try:
            with path.open(encoding="utf-8", errors="replace") as script:
                found = _OFF.search(script.read(_HEAD_BYTES))
        except OSError:
            continue
        if found:
            commands[name] = f"{found[1]} {shlex.quote(str(path))}"
    return commands


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "break_glass_commands": break_glass_commands,
            "error_page": page_of,
            "incident_to_undo": incident_to_undo,
            "is_known": is_known,
            "extra_vars": extra_vars,
            "screen": as_screen,
            "verdict": verdict,
        }
