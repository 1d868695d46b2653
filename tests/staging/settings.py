# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's database, and the environment that its processes get."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import connection

from tests.support.dataset import DataSet

# Sixty of the tenants are on; each has twenty tickets, three people, four lanes and five tags.
DATA = DataSet(tenants=200, tickets=4_000)
# The same tag twice on a ticket is a corruption that the plan looks for, so the schema has to allow it. The only errors
# are those that the application makes.
# Messages are kept one by one, so that each can be looked for; they and the Kanban do not refer to each other.
_CHANGES = """
ALTER TABLE "TicketTags" DROP CONSTRAINT "TicketTags_ticketId_tagId_key";
TRUNCATE "ErrorLogs";
CREATE TABLE "Messages" (
  id bigserial PRIMARY KEY, "ticketId" integer NOT NULL, body text NOT NULL, "createdAt" timestamptz DEFAULT now()
);
"""


def fill(session: connection, data: DataSet = DATA) -> None:
    """Create and fill the application's tables in an empty database; they belong to the session's user."""
    data.load(session)
    with session, session.cursor() as cursor:
        cursor.execute(_CHANGES)


def email(tenant: int) -> str:
    """Return the address that the first person of a tenant logs in with."""
    return f"pessoa{(tenant - 1) * 3 + 1}@example.com"


@dataclass(frozen=True)
class Secrets:
    """The secrets of one run of the application."""

    signing: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    password: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    """Every user's."""


def environment(
    database: Mapping[str, Any], redis: Mapping[str, Any], secret: Secrets, *, host: str, state: str, window: float
) -> dict[str, str]:
    """Return the environment of a process, all but its PORT.

    ``database``: libpq's parameters. ``redis``: host, port and perhaps password. ``host``: the address to listen on.
    ``state``: a directory. ``window``: seconds that /metrics looks back.
    """
    return {
        "HOST": host,
        "DB_HOST": str(database["host"]),
        "DB_PORT": str(database["port"]),
        "DB_NAME": str(database["dbname"]),
        "DB_USER": str(database["user"]),
        "DB_PASS": str(database["password"]),
        "REDIS_HOST": str(redis["host"]),
        "REDIS_PORT": str(redis["port"]),
        "REDIS_PASSWORD": str(redis.get("password") or ""),
        "JWT_SECRET": secret.signing,
        "STAGING_PASSWORD": secret.password,
        "STATE_DIR": state,
        "METRICS_WINDOW": f"{window:g}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
