# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to end a transaction that blocks another."""

from __future__ import annotations

# In place of a session's state. What the session wrote is committed and stays; only its locks wait for the standby.
WAITS_FOR_STANDBY = "waits for a synchronous standby"


def way_to_end(pid: int, gid: str | None, state: str | None) -> str:
    """Return the line that ends a transaction; a prepared one has ``pid`` 0 and a ``gid``, and may end in two ways."""
    if pid == 0:
        name = "'{}'".format((gid or "").replace("'", "''"))
        # Its transaction manager may have told people that it is committed.
        return (
            f"COMMIT PREPARED {name} or ROLLBACK PREPARED {name}, as its transaction manager decided: the wrong "
            "rollback loses a write that people were told is saved"
        )
    if state == WAITS_FOR_STANDBY:
        # If ended, it would tell its users that a write failed although the write is there.
        return "bring that standby back, or ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()"
    return f"SELECT pg_terminate_backend({pid})"
