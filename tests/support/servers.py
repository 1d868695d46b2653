# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded servers: ``with Postgres(directory) as server: server.query("SELECT 1")``.

Each keeps its files in a directory of its own, on a loopback port that was free; root hands them to an account
without privileges, which must be able to reach that directory (``accounts.workspace`` makes one).
"""

from __future__ import annotations

from .accounts import workspace
from .pgbouncer import PgBouncer
from .postgres import Postgres
from .redis_server import Redis
from .server import ServerError

__all__ = ["PgBouncer", "Postgres", "Redis", "ServerError", "workspace"]
