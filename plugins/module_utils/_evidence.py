# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``evidence``: return what is there already and collect what is missing, all within its time."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Sequence, Union

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceapplication import (
    Application,
    ApplicationSource,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, collect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import (
    ATTEMPTS,
    INDEX,
    Moment,
    Place,
    await_end,
    check_names,
    claim,
    find,
    places,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencepostgres import PostgresSource
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceredis import RedisSource
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login as RedisLogin
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import first_line

# How long writing the index may take after the time for collecting is over.
CLOSING_SECONDS = 2.0
# How evidence was taken; if collections differ, the last of these is the one to report.
TAKEN = ("beside_containment", "on_request", "later")

Source = Union[PostgresSource, RedisSource, ApplicationSource]


@dataclass(frozen=True)
class Request:
    """What is requested; the fields are the module's options."""

    moment: Moment
    sources: Sequence[str]
    dest: str | None = None
    seconds: float = 10.0
    max_bytes: int = 32 * 1024 * 1024
    wait: float = 0.0
    redis: RedisLogin = field(default_factory=RedisLogin)
    application: Application = field(default_factory=Application)


@dataclass
class _Task:
    """One source: the directory of its collection, and the index when there is one."""

    source: Source
    directory: Path | None = None
    index: dict[str, Any] = field(default_factory=dict)
    was_there: bool = False
    of_another_stop: bool = False
    error: str = ""


def take(login: Login, request: Request, check_mode: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Return the module's result and the error that it ends with, if any; raises KanbanError."""
    started = time.monotonic()
    check_names(request.moment.incident_id, request.moment.label)
    where = places(request.dest, request.moment.incident_id)
    tasks = [_Task(_source(name, login, request)) for name in dict.fromkeys(request.sources)]
    _look(tasks, where, request)
    to_collect = [task for task in tasks if not task.was_there]
    if to_collect and not check_mode:
        _collect(to_collect, where, request)
    result = _result(tasks, where, request)
    result["changed"] = bool(to_collect) if check_mode else any(task.index for task in to_collect)
    result["elapsed_ms"] = round((time.monotonic() - started) * 1000)
    return result, None if check_mode else _error(tasks)


def _source(name: str, login: Login, request: Request) -> Source:
    if name == PostgresSource.name:
        return PostgresSource(login)
    return RedisSource(request.redis) if name == RedisSource.name else ApplicationSource(request.application)


def _look(tasks: Sequence[_Task], where: Sequence[Place], request: Request) -> None:
    """Find what is there; wait for collections under way, for all of them together no longer than requested."""
    patience = Deadline(request.wait)
    for task in tasks:
        found = await_end(where, request.moment, task.source.directory_name, patience)
        if found:
            task.directory, task.index, task.was_there = found.directory, found.index, True
            task.of_another_stop = not found.of_this_stop


def _collect(tasks: Sequence[_Task], where: Sequence[Place], request: Request) -> None:
    """Collect all sources side by side: one that hangs takes no time from the others."""
    threads = [threading.Thread(target=_one, args=(task, where, request), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    until = Deadline(request.seconds + CLOSING_SECONDS)
    for thread in threads:
        thread.join(until.left)


def _one(task: _Task, where: Sequence[Place], request: Request) -> None:
    facts = {
        **asdict(request.moment),
        "source": task.source.name,
        "taken": "later" if request.wait else "on_request",
    }
    try:
        task.directory = claim(where, request.moment.label, task.source.directory_name)
        folder = Folder(task.directory, request.max_bytes // len(request.sources))
        task.index = collect(folder, task.source.parts, facts, request.seconds)
    except OSError as error:
        task.error = str(error)


def _result(tasks: Sequence[_Task], where: Sequence[Place], request: Request) -> dict[str, Any]:
    there = [task for task in tasks if task.directory and task.index]
    files, missing, unfinished, warnings = [], [], [], []
    for task in tasks:
        name = task.source.name
        for one in find(where, request.moment, task.source.directory_name):
            if one.directory != task.directory and not one.complete:
                unfinished.append(str(one.directory))
        if task.directory and task.index:
            files += _files(name, task.directory, task.index)
            missing += [{"source": name, **one} for one in task.index["missing"]]
            warnings += [f"Evidence of {name}: {note}" for note in task.index["notes"]]
            if task.of_another_stop:
                warnings.append(
                    f"Evidence of {name} is that of another stop: {ATTEMPTS} collections are there already."
                )
        elif task.error:
            missing.append({"source": name, "part": "all", "reason": task.error})
    directories = [task.directory.parent for task in there if task.directory]
    first = where[0].directory
    return {
        "path": str(directories[0] if directories else where[0].directory / request.moment.label),
        # Directories that were used because the incident's own could not be.
        "elsewhere": [str(one) for one in dict.fromkeys(directories) if first not in one.parents],
        "taken": max((task.index["taken"] for task in there), key=TAKEN.index, default=None),
        "taken_at": min((task.index["taken_at"] for task in there), default=None),
        "complete": len(there) == len(tasks) and all(task.index["complete"] for task in there),
        "truncated": any(task.index["truncated"] for task in there),
        "files": files,
        "missing": missing,
        "unfinished": unfinished,
        "warnings": warnings,
    }


def _files(source: str, directory: Path, index: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of one collection, the index itself included."""
    names = ("name", "bytes", "sha256", "truncated")
    found = [{name: entry[name] for name in names} for entry in index["files"]]
    try:
        content = (directory / INDEX).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found.append({"name": INDEX, "bytes": len(content), "sha256": digest, "truncated": False})
    except OSError:
        pass  # It was read a moment ago; its content is in this result.
    return [{"source": source, "path": str(directory / entry["name"]), **entry} for entry in found]


def _error(tasks: Sequence[_Task]) -> KanbanError | None:
    if any(task.index.get("files") for task in tasks):
        return None
    if all(task.error for task in tasks):
        return KanbanError(
            "no_place",
            f"No directory takes the evidence: {tasks[0].error}.",
            "What is going on now is not recorded, and will be over. Containment does not depend on it.",
            "Give in dest a directory on a disk with space that this user can write and nobody else, or another label.",
        )
    reasons = [one["reason"] for task in tasks for one in task.index.get("missing", [])]
    if not reasons:
        idle = all(task.index for task in tasks)
        reasons = ["nothing was named to look at" if idle else "it did not come to its end in time"]
    return KanbanError(
        "no_evidence",
        f"Nothing could be collected: {first_line(reasons[0])}",
        "What is going on now is not recorded, and will be over. Containment does not depend on it.",
        "Mend what 'missing' names and run it again; it goes to a new directory beside this one.",
    )
