# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``pg_dump`` does: look at everything first, make the dump under another name, prove it, then name it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import choose_compress, find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumplook import look
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmake import (
    Plan,
    Request,
    check_time,
    check_time_and_room,
    dump_into,
    tables_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    Manifest,
    check_files,
    previous_dump,
    read_manifest,
    write_manifest,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import (
    Claim,
    claimed,
    free_bytes,
    full_path,
    is_free,
    made,
    publish,
    unusable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import conninfo
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpverify import choose_scratch, prove
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import APPLICATION, Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Watcher

MOST_JOBS = 32


def make_dump(login: Login, request: Request, check_mode: bool) -> Outcome:
    """Make a proven dump, or find that it is there already; raises KanbanError."""
    deadline = Deadline(request.deadline)
    dest = full_path(request.dest)
    if not 1 <= request.jobs <= MOST_JOBS:
        raise BadInput(
            "bad_jobs",
            f"jobs is {request.jobs}: that many tables cannot be dumped at once.",
            "Each job is a session of the server. Nothing was dumped.",
            f"Give 1 to {MOST_JOBS}; 2 is the default.",
        )
    conninfo(login.as_params(APPLICATION))
    # Whatever is written from here on is for this user alone.
    os.umask(0o077)
    watcher = Watcher(login, APPLICATION)
    keeper = Session(login, APPLICATION)
    try:
        source = look(keeper, watcher, request.tables, request.lock_wait)
        programs = find_programs(request.bin_dir, source.major, source.server.version)
        compress = choose_compress(programs, request.compress)
        plan = Plan(login, request, dest, source, programs, compress, deadline)
        how = choose_scratch(request.verify_in, programs, source) if request.verify == "restore" else None
        result, error = _foresee(plan, how) if check_mode else _carry_out(plan, how, watcher, keeper)
    finally:
        keeper.close()
        watcher.close()
    result["warnings"] = [*source.server.warnings, *watcher.warnings, *result.get("warnings", [])]
    return result, error


def _foresee(plan: Plan, how: str | None) -> Outcome:
    """Return what would be done; nothing is written, not even a lock."""
    there = _existing(plan)
    if there:
        return _result(plan, there, changed=_is_to_prove(there, how)), None
    _refuse_unread(plan)
    needed = _check_room(plan, how)
    would = {
        "tables": tables_of(plan.source, [None] * len(plan.source.asked), {}),
        "client_version": plan.programs.version,
        "compress": plan.compress,
        "jobs": plan.request.jobs,
        "needed_bytes": needed,
    }
    return {**_result(plan, would, changed=True), "diff": _diff(plan)}, None


def _carry_out(plan: Plan, how: str | None, watcher: Watcher, keeper: Session) -> Outcome:
    failure: KanbanError | None = None
    if _nothing_at(plan.dest):
        # This comes before a place is made for it. A dump that is there needs no right to read the tables.
        _refuse_unread(plan)
    with ExitStack() as stack:
        claim = stack.enter_context(claimed(plan.dest, plan.deadline))
        there = _existing(plan)
        if there:
            changed = _is_to_prove(there, how)
            if how and changed:
                failure = _proven(plan, claim, plan.dest, there, how)
                changed = failure is None
            return _result(plan, there, changed), failure
        _refuse_unread(plan)
        _check_room(plan, how)
        directory = stack.enter_context(made(claim.partial))
        manifest = dump_into(plan, claim, directory, watcher, keeper)
        if how:
            # A dump that could not be restored is still whole by its contents: it is kept, and the failure is reported.
            failure = _proven(plan, claim, directory, manifest, how)
        else:
            write_manifest(directory, manifest)
        publish(directory, plan.dest)
    return {**_result(plan, manifest, changed=True), "diff": _diff(plan)}, failure


def _nothing_at(dest: Path) -> bool:
    try:
        return is_free(dest)
    except OSError as error:
        raise unusable(dest, error) from error


def _refuse_unread(plan: Plan) -> None:
    """Raise the error of a role that may not read everything, if a dump has to be made."""
    if plan.source.barred:
        raise plan.source.barred


def _is_to_prove(manifest: Manifest, how: str | None) -> bool:
    return how is not None and manifest["verified"] != "restore"


def _proven(plan: Plan, claim: Claim, directory: Path, manifest: Manifest, how: str) -> KanbanError | None:
    """Restore a dump and write the outcome into its manifest; return why it could not be restored.

    Raises KanbanError ``verify_mismatch`` for a dump that holds other rows than it should.
    """
    failure: KanbanError | None = None
    try:
        prove(
            directory,
            manifest,
            how,
            plan.programs,
            plan.login,
            plan.source,
            claim,
            plan.deadline,
            lambda: check_time_and_room(plan),
        )
        manifest["verified"] = "restore"
    except KanbanError as error:
        if error.code == "verify_mismatch":
            raise
        failure = KanbanError(
            "deadline" if error.code == "deadline" else "verify_failed",
            f"The dump could not be restored for proof: {error.what}",
            "It is kept, for its contents are as asked and its files are whole; that it restores is not known.",
            f"{error.todo} The same command again tries the proof alone.",
            **error.details,
        )
    write_manifest(directory, manifest)
    return failure


def _existing(plan: Plan) -> Manifest | None:
    """Return the manifest of what is at dest, if that is a whole dump of the same; None when nothing is there."""
    dest, request, server = plan.dest, plan.request, plan.source.server
    if _nothing_at(dest):
        return None
    try:
        manifest = read_manifest(dest)
    except KanbanError as error:
        if error.code != "no_manifest":
            raise
        raise _taken(dest, "it is no dump of this module") from error
    names = sorted(str(one.table) for one in plan.source.asked)
    if manifest.get("incident_id") != request.incident_id:
        raise _taken(dest, f"it belongs to incident {manifest.get('incident_id')!r}")
    if manifest["database"].get("cluster") != server.cluster:
        raise _taken(dest, f"it is of database {manifest['database'].get('name')!r} on another server")
    if sorted(table["name"] for table in manifest["tables"]) != names:
        raise _taken(dest, f"it is of other tables: {', '.join(table['name'] for table in manifest['tables'])[:200]}")
    # Nothing is written, so the room does not matter.
    check_files(dest, manifest, request.jobs, look=lambda: check_time(plan))
    return manifest


def _taken(dest: Path, reason: str) -> KanbanError:
    return KanbanError(
        "dest_exists",
        f"{dest} is there already, and {reason}.",
        "Nothing is ever overwritten: it may be the only copy. Nothing was dumped.",
        "Give another dest, for instance with the incident's id and the time in its name.",
    )


def _check_room(plan: Plan, how: str | None) -> int:
    """Return the bytes that the dump may need on its disk; raises KanbanError when they are not free."""
    request, size = plan.request, plan.source.bytes
    needed = round(size * max(0.0, request.free_space_factor)) + (size if how == "instance" else 0)
    try:
        free = free_bytes(plan.dest)
    except OSError as error:
        raise unusable(plan.dest, error) from error
    if free < needed + request.min_free:
        raise KanbanError(
            "disk_space",
            f"{free} bytes are free at {plan.dest.parent}; the dump may need {needed}, min_free is {request.min_free}.",
            "A full disk stops whatever else lives on it, perhaps the database. Nothing was dumped.",
            "Free space there, or give dest on another disk; or lower free_space_factor or min_free knowingly.",
            needed_bytes=needed,
            free_bytes=free,
        )
    return needed


def _diff(plan: Plan) -> dict[str, str]:
    lines = [f"{one.table}: {one.bytes} bytes in {len(one.leaves)} relations" for one in plan.source.asked]
    return {"before": "", "after": "\n".join([f"dump {plan.dest}", *lines]) + "\n"}


def _result(plan: Plan, manifest: dict[str, Any], changed: bool) -> dict[str, Any]:
    """Return the module's result: what is in the manifest, flat, and what is known about the place."""
    tables = manifest["tables"]
    dumped = "total_bytes" in manifest
    kept = ("incident_id", "started_at", "ended_at", "snapshot", "client_version", "verified", "compress", "jobs")
    try:
        free: int | None = free_bytes(plan.dest)
    except OSError:
        free = None
    return {
        "changed": changed,
        "dest": str(plan.dest),
        "tables": tables,
        "rows": sum(table["rows"] for table in tables) if dumped else None,
        "bytes": manifest.get("total_bytes"),
        **{name: manifest.get(name) for name in (*kept, "toc_entries", "needed_bytes")},
        "server_version": plan.source.server.version,
        "previous": previous_dump(
            plan.dest, plan.source.server.cluster, manifest.get("ended_at"), [table["name"] for table in tables]
        ),
        "free_bytes_after": free,
        "database": plan.source.server.as_result(),
        "elapsed_ms": plan.deadline.elapsed_ms,
    }
