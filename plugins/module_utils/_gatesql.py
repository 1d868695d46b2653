# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures from a database, each read in a read-only transaction of its own."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._driver import missing_driver
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import NoSample, number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    IMPORT_ERROR,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import gate as queries

REPLICA = "replica"


def figure(login: Login, skip_replica: bool, query: str, seconds: float) -> float:
    """Return the one number that a query gives; raises NoSample, and KanbanError for the server's errors.

    :param skip_replica: whether a replica gives none (code ``replica``), because its primary is asked.
    """
    if IMPORT_ERROR is not None:
        raise NoSample("no_driver", str(missing_driver("psycopg2", IMPORT_ERROR)))
    with closing(Session(login, APPLICATION, seconds)) as session, session.transaction(
        seconds, lock_seconds=min(1.0, seconds), mode="READ ONLY"
    ) as cursor:
        if skip_replica and cursor.row(queries.IN_RECOVERY, {})[0]:
            raise NoSample(REPLICA, "it is a replica")
        try:
            # The driver takes % as a placeholder.
            rows = cursor.rows(queries.FIGURE.format(query=query.replace("%", "%%")), {})
        except ServerError as error:
            if error.code != "missing_privilege":
                raise
            # The server names the table but no column.
            todo = f'bootstrap.yml grants it, or: GRANT SELECT ON it TO "{login.user}"'
            raise NoSample(error.code, f"{error.what} {todo}") from error
        return _one(rows)


def _one(rows: list[tuple[Any, ...]]) -> float:
    if not rows:
        raise NoSample("no_row", "the query gives no row")
    if len(rows) != 1 or len(rows[0]) != 1:
        count = "several rows" if len(rows) > 1 else f"{len(rows[0])} columns"
        raise NoSample("not_scalar", f"the query gives {count}, not one value")
    value = rows[0][0]
    return number(float(value) if isinstance(value, Decimal) else value)
