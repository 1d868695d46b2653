# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the servers, fill them, run the scenario to its end and show what it did."""

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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

from tests.support import accounts, processes
from tests.support.dataset import DataSet
from tests.support.servers import Postgres, Redis

from . import mend, place

DATABASE = OWNER = "chatia"
_PLAYBOOK_SECONDS = 600


def say(text: str = "") -> None:
    """Print a line at once: the playbook writes to the same terminal."""
    print(text, flush=True)


def shape(tenants: int, tickets: int) -> DataSet:
    """Return the demonstration's data set: quoted camelCase, a jsonb column, some corruption."""
    return DataSet(tenants=tenants, tickets=tickets, corruption=True, keyed=False)


def up(data: DataSet, stop: bool = False) -> int:
    """Show the whole demonstration and leave the servers running; return the last playbook's exit status.

    :param stop: whether to end with the stop, without repairing or giving back anything.
    It first takes down what an earlier run left, so each run starts from the same data. If interrupted or failing
    before the playbook, it takes its own servers down again.
    """
    say("Kanban V2 rollback, scenario 3: a demonstration on servers of its own")
    if place.down():
        say("An earlier demonstration was taken down; this one starts afresh.")
    try:
        _serve(data)
    except BaseException:
        place.down()
        raise
    say("\nBEFORE")
    before = show(data)
    status = _play("scenario3.yml")
    if stop or status:
        say("\nAFTER")
        show(data)
    else:
        say("\nSTOPPED")
        show(data)
        status = _mend(data, before)
    _hints(status, stop)
    return status


def _mend(data: DataSet, before: mend.Count) -> int:
    """Apply the plan that the stop ended with, and give everything back; return the last exit status."""
    plan = mend.newest_plan(place.DIRECTORY / "incidents")
    if plan is None:
        raise place.DemoError("The stop left no plan; its last screen says why. The servers are up.")
    # The person who runs this may not approve it, so somebody else must be named.
    approved = ("kanban_recovery=surgical", f"kanban_plan_hash={plan}", "kanban_approved_by=the-approver")
    status = _play("scenario3.yml", *(text for given in approved for text in ("-e", given)))
    if status:
        return status
    say("\nREPAIRED")
    show(data)
    # With an application, release.yml with its smoke test would come first, and then watched stages.
    status = _play("reenable.yml", "-e", "kanban_reenable=all", "-e", "kanban_close=true")
    say("\nAFTER")
    after = show(data)
    with _session() as session:
        on = data.count_on(session)
    say("\n" + mend.summary(before, after, on, data.tenants))
    return status


def _serve(data: DataSet) -> None:
    """Start and fill the servers and write the file that the inventory reads."""
    directory = place.make_server_directory()
    began = time.monotonic()
    postgres, redis = Postgres(directory / "postgresql").start(), Redis(directory / "redis").start()
    version = postgres.query("SHOW server_version")[0][0].split()[0]
    with redis.client() as client:
        info: Any = client.info("server")
    product = "Valkey" if "valkey_version" in info else "Redis"
    number = info.get("valkey_version", info["redis_version"])
    say(f"\nPostgreSQL {version} on {postgres.host}:{postgres.port}, {product} {number} on {redis.host}:{redis.port}")
    say(f"  started in {time.monotonic() - began:.1f} s; their files are in {directory}")

    # The plan types its commands as the superuser; the owner of the tables is enough.
    password = secrets.token_urlsafe(24)
    postgres.query(sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(sql.Identifier(OWNER)), (password,))
    # Without it, blockers would have no names.
    postgres.query(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(OWNER)))
    postgres.create_database(DATABASE, OWNER)
    began = time.monotonic()
    with postgres.connect(DATABASE, user=OWNER, password=password) as session:
        data.load(session)
    broken = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in data.expected_corruption().items())
    say(f"{data.tenants:,} tenants and {data.tickets:,} tickets loaded in {time.monotonic() - began:.1f} s")
    say(f"  corrupt on purpose: {broken}")

    known = {
        "python": sys.executable,
        "directory": str(place.DIRECTORY),
        "operator": _operator(),
        "tenants": data.tenants,
        "tickets": data.tickets,
        "postgresql": {
            "host": postgres.host,
            "port": postgres.port,
            "db": DATABASE,
            "user": OWNER,
            "password": password,
            "bin": str(postgres.programs),
        },
        "logs": str(directory / "*" / "server.log"),
        "redis": {"host": redis.host, "port": redis.port, "password": redis.password},
    }
    for name in ("ansible", "state", "incidents", "dumps"):
        (place.DIRECTORY / name).mkdir(mode=0o700)
    accounts.write_private(place.CONNECTION, json.dumps(known, indent=2) + "\n")


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def read_connection() -> dict[str, Any]:
    """Return what ``up`` wrote. Raises DemoError if there is no demonstration."""
    try:
        found: dict[str, Any] = json.loads(place.CONNECTION.read_text())
    except FileNotFoundError:
        raise place.DemoError("The demonstration is not up: `make demo` starts it.") from None
    except PermissionError as error:
        raise place.DemoError(f"Another user started the demonstration: {error}.") from error
    return found


@contextmanager
def _session() -> Iterator[connection]:
    login = dict(read_connection()["postgresql"])
    login["dbname"] = login.pop("db")
    del login["bin"]
    try:
        session = psycopg2.connect(**login, connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise place.DemoError(f"The demonstration's database does not answer: {error}Run `make demo` again.") from error
    try:
        yield session
    finally:
        session.close()


def show(data: DataSet) -> mend.Count:
    """Print how many tenants are on and what is corrupt in the database at this moment; return the latter."""
    with _session() as session:
        kinds, on, found = data.count_by_kind(session), data.count_on(session), mend.count(session)
    say(f"  {on:,} of {sum(kinds.values()):,} tenants are on")
    for kind, count in kinds.items():
        say(f"    {kind:<14}{count:>8,}  {'off' if kind in data.off_kinds() else 'ON'}")
    broken = ", ".join(f"{count:,} {what}" for what, count in found.damage.items() if count)
    noted = ", ".join(f"{count:,} {what}" for what, count in found.noted.items() if count)
    left = f"; left to a person: {noted}" if noted else ""
    say(f"  corrupt: {broken or 'nothing that is repaired'}{left}; {found.rows:,} rows, {found.kept:,} in quarantine")
    return found


def _command(playbook: str, *arguments: str, inventory: str) -> list[str]:
    # Run by the interpreter, not by its shebang line: the path may be long or contain spaces.
    program = Path(sys.executable).with_name("ansible-playbook")
    return [sys.executable, str(program), "-i", inventory, f"playbooks/{playbook}", *arguments]


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    # Write nothing to the home directory, which may be read-only and which `down` does not clean.
    environment["ANSIBLE_HOME"] = str(place.DIRECTORY / "ansible")
    environment["ANSIBLE_CONFIG"] = str(place.CHECKOUT / "ansible.cfg")
    try:
        locale.setlocale(locale.LC_CTYPE, "")
        unicode = locale.nl_langinfo(locale.CODESET) == "UTF-8"
    except locale.Error:
        unicode = False
    if not unicode:
        # Ansible refuses to run in any other encoding.
        environment["LC_ALL"] = "C.UTF-8"
    return environment


def _play(playbook: str, *arguments: str) -> int:
    """Run a real playbook on the terminal and return its exit status. Raises DemoError after ten minutes."""
    command = _command(playbook, *arguments, inventory=str(place.INVENTORY))
    say(f"\n$ {_typed(playbook, *arguments)}\n")
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=place.CHECKOUT, env=_environment(), stdin=subprocess.DEVNULL)
    try:
        status = process.wait(_PLAYBOOK_SECONDS)
    except BaseException as error:
        processes.end([process.pid], (signal.SIGINT,), 10.0)
        if isinstance(error, subprocess.TimeoutExpired):
            raise place.DemoError(
                f"The playbook did not end within {_PLAYBOOK_SECONDS} s; the servers are up."
            ) from None
        raise
    say(f"\nThe playbook took {time.monotonic() - began:.1f} s and ended with status {status}.")
    return status


def _typed(playbook: str, *arguments: str) -> str:
    """Return a command as typed in the checkout."""
    program = Path(sys.executable).with_name("ansible-playbook")
    shown = program.relative_to(place.CHECKOUT) if program.is_relative_to(place.CHECKOUT) else program
    line = shlex.join([str(shown), "-i", "inventories/demo", f"playbooks/{playbook}", *arguments])
    home = Path.home() if "HOME" in os.environ else None
    writable = home is not None and os.access(home, os.W_OK)
    return line if writable else f"ANSIBLE_HOME=.cache/demo/ansible {line}"


def _hints(status: int, stop: bool) -> None:
    if status:
        say("\nThe scenario did not end well: its last screen says what holds. The servers stay up for a look.")
    say("\nThe servers are still up. In this directory:")
    undo = ("undo it, each tenant to what it was", _typed("reenable.yml", "-e", "kanban_reenable=all"))
    for what, line in (
        *([undo] if stop or status else []),
        ("look at the flags", f"{_python()} -m tests.demo status"),
        ("run the scenario again", _typed("scenario3.yml")),
        ("remove every process and file", "make demo-down"),
    ):
        say(f"  {what}:\n    {line}")


def _python() -> str:
    python = Path(sys.executable)
    return shlex.quote(str(python.relative_to(place.CHECKOUT) if python.is_relative_to(place.CHECKOUT) else python))
