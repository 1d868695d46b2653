# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server says about archiving its log. Needs the driver."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuparchiver import Archive
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server, identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    CONNECT_SECONDS,
    IMPORT_ERROR,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.backup import ARCHIVER, RECEIVERS, WRITTEN

# A step that takes longer is no help in an incident.
STEP_SECONDS = 5.0
MOST_SEGMENTS = 5000


def read_server(login: Login) -> tuple[Server, Archive]:
    """Return which server it is and what it says about archiving; raises KanbanError."""
    if IMPORT_ERROR is not None:
        raise KanbanError(
            "no_driver",
            "psycopg2 is not installed here, so the server was not asked.",
            "Whether it archives its log is not known, nor which cluster it is.",
            "Run this on a host that has it (bootstrap.yml installs it), or say ask_server: false.",
        )
    session = Session(login, APPLICATION, CONNECT_SECONDS)
    try:
        server = identify(session, STEP_SECONDS)
        with session.transaction(STEP_SECONDS, mode="READ ONLY") as cursor:
            row = cursor.row(ARCHIVER, {})
            may_list = row[-1]
            written = cursor.rows(WRITTEN, {"most": MOST_SEGMENTS}) if may_list else []
            receivers = cursor.rows(RECEIVERS, {})
    finally:
        session.close()
    names = ("application_name", "state", "behind_bytes")
    return server, Archive(dict(written), [dict(zip(names, one)) for one in receivers], *row[:-1])
