# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the servers, fill them, run one of the stories, and show what it did and what to type next."""

from __future__ import annotations

import getpass
import json
import locale
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

from tests.support import accounts, processes
from tests.support.dataset import DataSet
from tests.support.servers import Postgres, Redis

from . import counts, place

DATABASE = OWNER = "chatia"
_PLAYBOOK_SECONDS = 600
_STATUS = "playbooks/status.yml"
_TRIAGE = ("playbooks/triage.yml", "Which scenario it is (exit status 2: decided, and nothing was switched)")
# What to type next, and what for.
_NEXT = {
    "stop": (
        (_STATUS, "What is stopped, and who has V2 (exit status 3: something is stopped)"),
        _TRIAGE,
        (
            "playbooks/reenable.yml -e kanban_reenable=all -e kanban_close=true",
            "Undo the stop, every tenant as before, and close the incident",
        ),
    ),
    "corruption": (
        (_STATUS, "What is stopped, and who has V2"),
        _TRIAGE,
        ("playbooks/scenario3.yml", "Stop V2, and plan the same repair for a second person to approve"),
    ),
}


def say(text: str = "") -> None:
    """Print a line at once: the playbook writes to the same terminal."""
    print(text, flush=True)


def shape(tenants: int, tickets: int) -> DataSet:
    """Return the demonstration's data set: quoted camelCase, a jsonb column, some corruption."""
    return DataSet(tenants=tenants, tickets=tickets, corruption=True, keyed=False)


def up(data: DataSet, story: str = "stop") -> int:
    """Show a story and leave the servers running; return the last playbook's exit status.

    :param story: ``stop`` is scenario 3; ``corruption`` repairs the data and undoes the repair.
    It first takes down what an earlier run left, so each run starts from the same data. If interrupted or failing
    before the playbook, it takes its own servers down again.
    """
    say("Kanban V2 rollback: a demonstration on servers of its own")
    if place.down():
        say("An earlier demonstration was taken down.")
    try:
        login = _serve(data)
    except BaseException:
        place.down()
        raise
    say("\nBEFORE")
    before = _show(data, login)
    status = _stop(data, login) if story == "stop" else _repair_and_undo(data, login, before)
    if status:
        say("\nThe demonstration did not end well: the last screen says why.")
    say("\nThe servers are still up. Try next, in any directory:")
    for line, what in _NEXT[story]:
        say(f"  {what}:\n    {shlex.quote(str(place.PROGRAM))} {line}")
    say(f"  Remove every process and file:\n    make -C {shlex.quote(str(place.CHECKOUT))} demo-down")
    return status


def _stop(data: DataSet, login: dict[str, Any]) -> int:
    """Run scenario 3 and write its report; return an exit status."""
    status = _play("playbooks/scenario3.yml")
    say("\nAFTER")
    _show(data, login)
    with tempfile.TemporaryFile() as screen:
        # Nothing on the host of Redis is over yet.
        reported = _play("playbooks/report.yml", "-e", "kanban_redis_hosts=none", output=screen)
        reports = list((place.DIRECTORY / "incidents").glob("*/report.html"))
        if not reports:
            screen.seek(0)
            say(screen.read().decode(errors="replace"))
    for report in reports:
        say(f"Report: {report}")
    # It also looks for what is over, in places that may be another user's; that is no failure of this.
    return status or (0 if reports else reported)


def _repair_and_undo(data: DataSet, login: dict[str, Any], before: counts.Count) -> int:
    """Repair the data and undo the repair; return the last exit status."""
    found = [before]
    for state in ("repaired", "undone"):
        values = ("-e", f"demo_state={state}", "-e", "demo_incident=DEMO-1")
        if status := _play("tests/demo/corruption.yml", *values):
            return status
        say(f"\n{state.upper()}")
        found.append(_show(data, login))
    say("\nRows, counted without the collection:")
    for line in counts.table(dict(zip(("before", "repaired", "undone"), found, strict=True))):
        say(line)
    say("\n" + counts.summary(*found))
    return 0


def _serve(data: DataSet) -> dict[str, Any]:
    """Start and fill the servers, write what the inventory reads and the program to type; return the login."""
    directory = place.make_server_directory()
    began = time.monotonic()
    say("\nStarting PostgreSQL and Redis")
    postgres, redis = Postgres(directory / "postgresql").start(), Redis(directory / "redis").start()
    version = postgres.query("SHOW server_version")[0][0].split()[0]
    with redis.client() as client:
        info: Any = client.info("server")
    product = "Valkey" if "valkey_version" in info else "Redis"
    number = info.get("valkey_version", info["redis_version"])
    say(f"PostgreSQL {version} on {postgres.host}:{postgres.port}, {product} {number} on {redis.host}:{redis.port}")
    say(f"  started in {time.monotonic() - began:.1f} s; their files are in {directory}")

    # The plan types its commands as the superuser; the owner of the tables is enough.
    password = secrets.token_urlsafe(24)
    postgres.query(sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(sql.Identifier(OWNER)), (password,))
    # Without the first, blockers would have no names; without the other, an undo could not bring orphans back.
    postgres.query(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(OWNER)))
    may_write_orphans = "GRANT SET ON PARAMETER session_replication_role TO {}"
    if int(version.split(".")[0]) < 15:
        may_write_orphans = "ALTER ROLE {} SUPERUSER"
    postgres.query(sql.SQL(may_write_orphans).format(sql.Identifier(OWNER)))
    postgres.create_database(DATABASE, OWNER)
    say(f"Loading {data.tenants:,} tenants and {data.tickets:,} tickets")
    began = time.monotonic()
    with postgres.connect(DATABASE, user=OWNER, password=password) as session:
        data.load(session)
    broken = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in data.expected_corruption().items())
    say(f"  loaded in {time.monotonic() - began:.1f} s")
    say(f"  corrupt on purpose: {broken}")

    known = {
        "python": sys.executable,
        "directory": str(place.DIRECTORY),
        "operator": _operator(),
        "postgresql": {
            "host": postgres.host,
            "port": postgres.port,
            "db": DATABASE,
            "user": OWNER,
            "password": password,
            "bin": str(postgres.programs),
        },
        "redis": {"host": redis.host, "port": redis.port, "password": redis.password},
    }
    for name in ("ansible", "state", "incidents", "dumps"):
        (place.DIRECTORY / name).mkdir(mode=0o700)
    accounts.write_private(place.CONNECTION, json.dumps(known, indent=2) + "\n")
    place.PROGRAM.write_text(_program())
    place.PROGRAM.chmod(0o755)
    return {"host": postgres.host, "port": postgres.port, "dbname": DATABASE, "user": OWNER, "password": password}


def _program() -> str:
    """Return the shell script that is ansible-playbook on these servers, from any directory."""
    settings = {
        "ANSIBLE_CONFIG": place.CHECKOUT / "ansible.cfg",
        "ANSIBLE_COLLECTIONS_PATH": place.CHECKOUT / ".ansible/collections",
        # Nothing is written to the home directory, which may be read-only and which `down` does not clean.
        "ANSIBLE_HOME": place.DIRECTORY / "ansible",
        # Ansible refuses to run in any other encoding.
        **({} if _is_unicode() else {"LC_ALL": "C.UTF-8"}),
    }
    # Run by the interpreter, not by its shebang line: the path may be long or contain spaces.
    program = [sys.executable, Path(sys.executable).with_name("ansible-playbook"), "-i", place.INVENTORY]
    return "\n".join(
        [
            "#!/bin/sh",
            "# ansible-playbook on the servers of `make demo`, from any directory.",
            f"cd {shlex.quote(str(place.CHECKOUT))} || exit",
            *(f"export {name}={shlex.quote(str(value))}" for name, value in settings.items()),
            # No byte code beside the sources, where `make demo-down` would leave it.
            f"PYTHONPYCACHEPREFIX=${{PYTHONPYCACHEPREFIX:-{shlex.quote(str(place.BYTE_CODE))}}}",
            "export PYTHONPYCACHEPREFIX",
            f'exec {shlex.join(map(str, program))} "$@"',
            "",
        ]
    )


def _is_unicode() -> bool:
    try:
        locale.setlocale(locale.LC_CTYPE, "")
    except locale.Error:
        return False
    return locale.nl_langinfo(locale.CODESET) == "UTF-8"


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def _session(login: dict[str, Any]) -> Iterator[connection]:
    session = psycopg2.connect(**login, connect_timeout=5)
    try:
        yield session
    finally:
        session.close()


def _show(data: DataSet, login: dict[str, Any]) -> counts.Count:
    """Print how many tenants are on and what is corrupt in the database at this moment; return the latter."""
    with _session(login) as session:
        kinds, found = data.count_by_kind(session), counts.count(session)
    on = {kind: count for kind, count in kinds.items() if count and kind not in data.off_kinds()}
    values = f" ({', '.join(f'{kind} {count:,}' for kind, count in on.items())})" if on else ""
    say(f"  {sum(on.values()):,} of {sum(kinds.values()):,} tenants are on{values}")
    broken = ", ".join(f"{count:,} {what}" for what, count in found.damage.items() if count)
    say(f"  corrupt: {broken or 'no row'}; {found.rows:,} rows, {found.kept:,} in quarantine")
    return found


def _play(playbook: str, *arguments: str, output: IO[bytes] | None = None) -> int:
    """Run a real playbook, on the terminal or into a file, and return its exit status.

    Raises DemoError after ten minutes.
    """
    say(f"\n$ {shlex.join([str(place.PROGRAM.relative_to(place.CHECKOUT)), playbook, *arguments])}")
    began = time.monotonic()
    command = [str(place.PROGRAM), playbook, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        status = process.wait(_PLAYBOOK_SECONDS)
    except BaseException as error:
        processes.end([process.pid], (signal.SIGINT,), 10.0)
        if isinstance(error, subprocess.TimeoutExpired):
            raise place.DemoError(
                f"The playbook did not end within {_PLAYBOOK_SECONDS} s; the servers are up."
            ) from None
        raise
    say(f"The playbook took {time.monotonic() - began:.1f} s and ended with status {status}.")
    return status
