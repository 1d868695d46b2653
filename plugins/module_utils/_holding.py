# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to end a transaction that holds what is needed."""

from __future__ import annotations

# In place of a session's state. What the session wrote is committed and stays; only its locks wait for the standby.
WAITS_FOR_STANDBY = "waits for a synchronous standby"


def way_to_end(pid: int, gid: str | None, state: str | None) -> str:
    """Return the line that ends a transaction; ``pid`` 0 and a ``gid`` for a prepared one."""
    if pid == 0:
        return f"ROLLBACK PREPARED '{(gid or '').replace(chr(39), chr(39) * 2)}'"
    if state == WAITS_FOR_STANDBY:
        # If ended, it would tell its users that a write failed although the write is there.
        return "bring that standby back, or ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()"
    return f"SELECT pg_terminate_backend({pid})"
