# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a job that dumps, repairs or restores has come, and what became of it."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import LEASE, WORK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jobprocess import is_gone, started_at
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import dump, progress

APPLICATION = "chatia.kanban_rollback progress_info"
# Looking for progress must not hold up the news that the job is done.
CONNECT_SECONDS, READ_SECONDS = 3.0, 2.0
LOOK_SECONDS = 0.05
# A result names each file of a dump.
LARGEST_RESULT = 64 * 1024 * 1024
_COPY_VIEW_SINCE = 140000


def follow(results_file: str, login: Login, run_id: str | None, wait: float) -> dict[str, Any]:
    """Return what Ansible's file about a job says, as ``async_status`` does, and while it runs ``progress`` as well.

    :param run_id: whose repair or restore it is; None for a dump.
    :param wait: how many seconds to wait for its end.

    Raises KanbanError (``no_job``, ``unreadable_job``) if that file is gone or is not a job's, and (``job_lost``) if
    the job has neither a process nor a result.
    """
    until = time.monotonic() + wait
    job = read_job(results_file)
    while not job["finished"] and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        job = read_job(results_file)
    if not job["finished"] and is_gone(job["ansible_job_id"]):
        # It may have finished between the two looks.
        job = read_job(results_file)
        if not job["finished"]:
            raise _lost(results_file, run_id)
    if job["finished"]:
        return job
    asked = read_dump if run_id is None else lambda cursor: read_work(cursor, run_id)
    return {**job, "changed": False, "progress": _read(login, asked)}


def _lost(results_file: str, run_id: str | None) -> KanbanError:
    booted, restarted = started_at(), ""
    try:
        if booted is not None and booted > os.stat(results_file).st_mtime:
            restarted = " The host was restarted meanwhile."
    except OSError:
        pass  # Why it ended is only a hint.
    return KanbanError(
        "job_lost",
        f"The job {os.path.basename(results_file)} was ended from outside: none of its processes is there, and it has "
        f"left no result.{restarted}",
        "There is no dump of it: what it had written does not count as one."
        if run_id is None
        else "Its one transaction was either committed whole or rolled back by the server.",
        "Type the same command again: what is whole by then is found, and what is missing is done.",
    )


def read_job(results_file: str) -> dict[str, Any]:
    """Return the result of a job, with ``finished``, which is false while it runs."""
    running = {"ansible_job_id": os.path.basename(results_file), "started": True, "finished": False}
    try:
        with open(results_file, "rb") as opened:
            text = opened.read(LARGEST_RESULT)
    except OSError as error:
        raise KanbanError(
            "no_job",
            f"The file of the job, {results_file}, cannot be read: {error.strerror or error}.",
            "What became of it is not known.",
            "Type the same command again: what is done by then is found.",
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
            "What became of it is not known.",
            "Look at that file, then type the same command again: what is done by then is found.",
        )
    if "started" in found and not found.get("finished"):
        return {**found, **running}
    warned = [*found.pop("warnings", []), *found.pop("deprecations", [])]
    texts = [text for text in map(_text_of, warned) if text]
    return {**found, "warnings": texts, "ansible_job_id": running["ansible_job_id"], "finished": True}


def _text_of(warning: Any) -> str:
    """Return a warning's text: since ansible-core 2.19 it may be in an object, which no module may return."""
    if isinstance(warning, dict):
        event = warning.get("event", warning)
        warning = event.get("msg") if isinstance(event, dict) else None
    return warning if isinstance(warning, str) else ""


def _read(login: Login, ask: Callable[[Cursor], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what the server answers; empty if it cannot be reached, or not in time."""
    try:
        session = Session(login, APPLICATION, CONNECT_SECONDS)
    except KanbanError:
        return []
    try:
        with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            return ask(cursor)
    except KanbanError:
        return []
    finally:
        session.close()


def read_dump(cursor: Cursor) -> list[dict[str, Any]]:
    """Return the tables that are being copied now: ``table``, ``rows`` so far, and ``about`` how many in all, if known.

    Empty if the server has no such view (before PostgreSQL 14), or copies none at the moment. Raises KanbanError.
    """
    if cursor.row(dump.VERSION, {})[0] < _COPY_VIEW_SINCE:
        return []
    return [dict(zip(("table", "rows", "about"), row)) for row in cursor.rows(dump.COPIES, {})]


def read_work(cursor: Cursor, run_id: str) -> list[dict[str, Any]]:
    """Return the step that a run's repair or restore is at, as ``Progress`` tells it, since when and as of when.

    If somebody else has the lease, the step is waiting for it. Empty if the ledger does not know. Raises KanbanError.
    """
    rows = cursor.rows(progress.READ, {"work": WORK, "lease": LEASE, "run": run_id})
    for is_ours, holder, told, began, last in rows:
        moments = {"started_at": began, "last_at": last}
        if not is_ours:
            return [{"step": "wait for the lease", "name": holder, **moments}]
        if told is not None:
            return [{**json.loads(told), **moments}]
        break
    return []
