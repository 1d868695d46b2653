# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving a dump by restoring it, into an instance made only for this or into a scratch database."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import Programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumplook import Source, count_rows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import Claim, made, remove
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import conninfo, restore_argv
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import (
    Said,
    child,
    client_environment,
    run_child,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login, Session

Look = Callable[[], None]

START_SECONDS = 30.0
CLEAN_UP_SECONDS = 30.0
_POLL_SECONDS = 0.05
# The kernel's limit for a socket's path is 107 bytes; ``/.s.PGSQL.5432`` is what PostgreSQL appends.
_LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.5432")
# The instance need not survive a crash, and nobody but us may reach it.
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
    # What a killed instance leaves behind is then in its own directory, which is removed.
    "dynamic_shared_memory_type": "mmap",
}
# From this version on pg_restore sets a parameter that older servers reject as unknown.
_SETS_TRANSACTION_TIMEOUT = 17
_OWNER = "kanban_rollback"


def choose_scratch(choice: str, programs: Programs, source: Source) -> str:
    """Return where a dump will be restored, ``instance`` or ``database``; raises KanbanError before any work.

    An instance costs the application's server nothing, but PostgreSQL does not let root create one.
    """
    instance = os.geteuid() != 0 and programs.has("initdb") and programs.has("postgres")
    database = source.may_create_database and not source.server.in_recovery and programs.has("createdb")
    database = database and not programs.major >= _SETS_TRANSACTION_TIMEOUT > source.major
    wanted = choice if choice != "auto" else ("instance" if instance else "database")
    if not {"instance": instance, "database": database}[wanted]:
        raise KanbanError(
            "verify_unavailable",
            f"There is no {wanted} to restore into: an instance needs an ordinary user (this one is "
            f"{'root' if os.geteuid() == 0 else 'one'}) and initdb in {programs.directory}; a database needs CREATEDB, "
            f"a primary, and programs that the server understands (they are {programs.version}, it is "
            f"{source.server.version}).",
            "A dump that cannot be proven as asked is not begun. Nothing was dumped.",
            "Run it as an ordinary user (become_user) with the server's package, grant CREATEDB, or say verify=toc.",
        )
    return wanted


def prove(
    directory: Path,
    manifest: dict[str, Any],
    how: str,
    programs: Programs,
    login: Login,
    source: Source,
    claim: Claim,
    deadline: Deadline,
    look: Look,
) -> None:
    """Restore a dump and count its rows; raises KanbanError, ``verify_mismatch`` when the numbers differ.

    :param how: ``instance`` or ``database``; either one is removed afterwards.
    :param look: called while programs run; what it raises ends them.
    """
    place = (
        _instance(programs, source, claim, deadline, look)
        if how == "instance"
        else _database(programs, login, source, claim, look)
    )
    with place as (into, drained):
        text, password = conninfo(into.as_params(_OWNER))
        argv = restore_argv(programs.path("pg_restore"), str(directory), text, manifest["jobs"])

        def looks() -> None:
            drained()
            look()

        run_child(argv, client_environment(password), claim.lock, looks)
        _compare(into, manifest["tables"], deadline)


def _compare(into: Login, tables: Sequence[dict[str, Any]], deadline: Deadline) -> None:
    session = Session(into, _OWNER)
    try:
        with session.transaction(deadline.slice(deadline.left, 1.0), mode="READ ONLY") as cursor:
            counts = [count_rows(cursor, table["schema"], table["table"]) for table in tables]
    finally:
        session.close()
    wrong = [
        f"{table['name']}: {count} instead of {table['rows']}"
        for table, count in zip(tables, counts)
        if count != table["rows"]
    ]
    if wrong:
        raise KanbanError(
            "verify_mismatch",
            f"Restored, the dump has other numbers of rows: {'; '.join(wrong[:20])}.",
            "It does not hold what was in the tables.",
            "Run it again with another dest, and report this with the output of both runs.",
        )


@contextmanager
def _instance(
    programs: Programs, source: Source, claim: Claim, deadline: Deadline, look: Look
) -> Iterator[tuple[Login, Look]]:
    """Start an instance beside the dump, reachable only through its socket."""
    with made(claim.scratch) as scratch:
        data, environment = scratch / "data", client_environment()
        argv = [programs.path("initdb"), f"--pgdata={data}", f"--username={_OWNER}", "--auth=trust", "--no-locale"]
        run_child([*argv, f"--encoding={source.encoding}", "--no-sync"], environment, claim.lock, look)
        with _socket_directory(claim) as sockets:
            settings: list[str] = []
            for name, value in {**_SETTINGS, "unix_socket_directories": sockets}.items():
                settings += ["-c", f"{name}={value}"]
            argv = [programs.path("postgres"), "-D", str(data), *settings]
            # On SIGQUIT it ends at once, together with its children and its shared memory.
            with child(argv, environment, claim.lock, signal.SIGQUIT) as process:
                login = Login(unix_socket=str(sockets), user=_OWNER, database="postgres", ssl_mode="disable")
                said = Said(process.stderr)
                until = time.monotonic() + deadline.slice(START_SECONDS)
                while not _answers(login):
                    said.read(_POLL_SECONDS)
                    look()
                    if process.poll() is not None or time.monotonic() > until:
                        raise KanbanError(
                            "verify_failed",
                            f"The instance to restore into did not start: {said.text.strip() or 'it said nothing'}.",
                            "So the dump could not be restored for proof.",
                            "Mend what it says, or use verify_in: database; then run the same command again.",
                        )
                yield login, lambda: said.read(0)


@contextmanager
def _socket_directory(claim: Claim) -> Iterator[Path]:
    with ExitStack() as stack:
        place = claim.scratch
        if len(os.fsencode(place)) > _LONGEST_SOCKET_DIRECTORY:
            # The name is derived from dest, so that the next run finds what a killed run left. If it is another
            # user's, it cannot be removed, and none is made.
            place = Path(tempfile.gettempdir()) / f"kanban-{_short_name(claim.dest)}"
            remove(place)
            stack.enter_context(made(place))
        yield place


def _short_name(dest: Path) -> str:
    return hashlib.sha256(f"{os.uname().nodename}{dest}".encode()).hexdigest()[:12]


def _answers(login: Login) -> bool:
    try:
        Session(login, _OWNER).close()
    except KanbanError:
        return False
    return True


@contextmanager
def _database(
    programs: Programs, login: Login, source: Source, claim: Claim, look: Look
) -> Iterator[tuple[Login, Look]]:
    """Create a scratch database on the same server, named after dest so that the next run finds a killed run's."""
    name = f"kanban_rollback_verify_{_short_name(claim.dest)}"
    text, password = conninfo(login.as_params(_OWNER))
    environment, common = client_environment(password), ["--no-password", f"--maintenance-db={text}"]
    force = ["--force"] if source.major >= 13 and programs.major >= 13 else []
    drop = [programs.path("dropdb"), *common, "--if-exists", *force, name]
    create = [programs.path("createdb"), *common, "--template=template0", "--locale=C", f"--encoding={source.encoding}"]
    run_child(drop, environment, claim.lock, look)
    try:
        run_child([*create, name], environment, claim.lock, look)
        yield replace(login, database=name, connect_params={**login.connect_params, "dbname": name}), lambda: None
    finally:
        # With a deadline of its own: an expired one must not leave a copy of customers' rows on the server.
        clean_up = Deadline(CLEAN_UP_SECONDS)
        run_child(drop, environment, claim.lock, lambda: _hurry(clean_up, name))


def _hurry(deadline: Deadline, name: str) -> None:
    if deadline.over:
        raise KanbanError(
            "scratch_left",
            f"The scratch database {name} could not be dropped within {CLEAN_UP_SECONDS:g} s.",
            "It holds a copy of the dumped rows.",
            f'Drop it: DROP DATABASE "{name}" WITH (FORCE); the next run with the same dest tries it as well.',
        )
