# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a dump is that runs as a job, and what became of it."""

from __future__ import annotations

import json
import os
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import dump as queries

APPLICATION = "chatia.kanban_rollback dump_progress"
# How far it is must not hold up the news that it is done.
CONNECT_SECONDS, READ_SECONDS = 3.0, 2.0
# A dump's result names each of its files.
LARGEST_RESULT = 64 * 1024 * 1024
_COPY_VIEW_SINCE = 140000


def follow(results_file: str, login: Login) -> dict[str, Any]:
    """Return what Ansible's file about a job says, as ``async_status`` does, and while it runs ``progress`` as well.

    Raises KanbanError (``no_job``, ``unreadable_job``) where that file is gone or is none.
    """
    job = read_job(results_file)
    if job["finished"]:
        return job
    return {**job, "changed": False, "progress": read_progress(login)}


def read_job(results_file: str) -> dict[str, Any]:
    """Return the result of a job, with ``finished`` 1, or ``finished`` 0 while it runs."""
    running = {"ansible_job_id": os.path.basename(results_file), "started": 1, "finished": 0}
    try:
        with open(results_file, "rb") as opened:
            text = opened.read(LARGEST_RESULT)
    except OSError as error:
        raise KanbanError(
            "no_job",
            f"The file of the job, {results_file}, cannot be read: {error.strerror or error}.",
            "What became of the dump is not known.",
            "Type the same command again: a dump that is there is found and proven.",
        ) from None
    if not text.strip():
        # It is being replaced at this moment.
        return running
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise KanbanError(
            "unreadable_job",
            f"The file of the job, {results_file}, does not hold a result.",
            "What became of the dump is not known.",
            "Look at that file, then type the same command again: a dump that is there is found and proven.",
        )
    if "started" in found and not found.get("finished"):
        return {**running, **found, "finished": 0}
    return {**found, "ansible_job_id": running["ansible_job_id"], "finished": 1}


def read_progress(login: Login) -> list[dict[str, Any]]:
    """Return the tables that are being copied now: ``table``, ``rows`` so far, and of how many ``about``, where known.

    Empty where the server has no such view (before PostgreSQL 14), cannot be reached, or copies none at the moment.
    """
    try:
        session = Session(login, APPLICATION, CONNECT_SECONDS)
    except KanbanError:
        return []
    try:
        with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            if cursor.rows(queries.VERSION, {})[0][0] < _COPY_VIEW_SINCE:
                return []
            return [_progress(row) for row in cursor.rows(queries.COPIES, {})]
    except KanbanError:
        return []
    finally:
        session.close()


def _progress(row: Sequence[Any]) -> dict[str, Any]:
    table, rows, about = row
    return {"table": table, "rows": rows, "about": about}
