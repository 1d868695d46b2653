# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole incident at its most verbose, then a search of all that it left: no password, and nobody's words or address.

What customers wrote may be in a dump, in evidence and in the ledger's quarantine, which stay on the database's host.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.integration.integrity import load
from tests.integration.people import SECRETS, People, people
from tests.integration.place import Database
from tests.integration.test_recovery import hash_of
from tests.playbooks.runner import Run
from tests.playbooks.test_secrets import watched
from tests.support.binaries import postgres
from tests.support.redis_server import Redis
from tests.support.servers import workspace

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

# Data that belongs to somebody, each kind in its own column; a company's name is not a secret, and reports have it.
MARKS = {
    "Users": {"name": "Maria-Mark-Name", "email": "maria-mark-mail@customer.example"},
    "Tickets": {"lastMessage": "Mark-Message: my results came back positive"},
    "Tags": {"name": "Mark-Tag of an illness"},
    "ErrorLogs": {"message": "Mark-Error with the message of a customer"},
    "Companies": {"document": "Mark-Document-12.345.678"},
}
# Some of it is unique in its table.
PLANT = """UPDATE "{table}" SET "{column}" = %s || "id"::text"""
SESSION = "Mark-Session of WhatsApp"
# Where it may be, below the test's directory: what is on the database's host, readable by its owner alone.
ALLOWED = ("dumps/", "evidence")


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[People]:
    with people(tmp_path) as running:
        yield running


@pytest.fixture
def cache() -> Iterator[Redis]:
    with workspace() as own, Redis(own / "redis") as started:
        yield started


def plant(db: Database, cache: Redis) -> None:
    load(db)
    for table, columns in MARKS.items():
        for column, mark in columns.items():
            db.rows(PLANT.format(table=table, column=column), (mark,))
    with cache.client() as client:
        client.set("sessions:7:whatsapp", SESSION)
        client.set("kanban:board:7", SESSION)


def watch_the_servers(db: Database, cache: Redis) -> dict[Path, int]:
    """Have a server log every statement with its parameters from now on; return where each log ends now."""
    for setting in ("log_min_messages = 'error'", "log_statement = 'all'", "log_parameter_max_length = -1"):
        db.rows(f"ALTER DATABASE {db.name} SET {setting}")
    return {log: log.stat().st_size if log.exists() else 0 for log in (db.server.log, cache.log)}


def search(directory: Path, words: set[str]) -> list[str]:
    """Return which files below a directory have which of the words."""
    found, read = [], 0
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            read += 1
            text = path.read_bytes().decode(errors="replace")
            found += [f"{path.relative_to(directory)} has {word!r}" for word in sorted(words) if word in text]
    assert read > 20, "there is next to nothing to search"
    return found


def test_nothing_that_is_secret_or_somebodys_is_left(
    db: Database, cache: Redis, everybody: People, directory: Path
) -> None:
    plant(db, cache)
    logs = watch_the_servers(db, cache)
    role = secrets.token_hex(12)
    passwords = {db.server.password, cache.password, role, *SECRETS}
    marks = {mark for columns in MARKS.values() for mark in columns.values()} | {SESSION}
    variables = {
        **db.variables,
        "kanban_environment": "staging",
        "kanban_postgresql_bin_dir": str(postgres()),
        "kanban_redis_host": cache.host,
        "kanban_redis_port": cache.port,
        "kanban_redis_password": cache.password,
        "kanban_role_password": role,
        "kanban_app_hosts": "none",
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_dump_dir": str(directory / "dumps"),
        "kanban_operator": "rui",
        "kanban_sweep_seconds": 5,
        "kanban_validate_seconds": 1,
        "kanban_watch_minutes": dict.fromkeys(("scenario1", "scenario2"), 0),
        "ansible_async_dir": str(directory / "jobs"),
        **everybody.services,
    }
    hosts = playbook.inventory(directory, variables, db={"db1": {}}, redis={"redis1": {}})
    said, seen = [], []

    def play(name: str, **extra: object) -> Run:
        given = [word for key, value in extra.items() for word in ("-e", json.dumps({key: value}))]
        running = playbook.start(
            directory, f"chatia.kanban_rollback.{name}", *hosts, "-vvv", "--diff", *given,
            ANSIBLE_LOG_PATH=str(directory / "ansible.log"),
        )  # fmt: skip
        seen.append(watched(running))
        run = running.wait(timeout=600)
        assert run.rc in (0, 2), run.output
        said.append(run.output)
        return run

    play("preflight")
    play("triage")
    play("scenario2")
    stopped = play("scenario3")
    assert "CONTAINED" in stopped.screen, stopped.output
    repaired = play(
        "scenario3", kanban_recovery="surgical", kanban_plan_hash=hash_of(stopped), kanban_approved_by="ana"
    )
    assert "rows repaired" in repaired.screen, repaired.output
    play("release")
    play("reenable", kanban_reenable="all", kanban_close=True)
    reported = play("report")
    assert reported.rc == 0, reported.output

    # It is in the ledger's quarantine and in the dump: otherwise there would be nothing to leak.
    dump = next(path for path in (directory / "dumps").iterdir() if path.is_dir())
    restore = [str(postgres() / "pg_restore"), "--data-only", "--file=-", str(dump)]
    assert "Mark-Message" in subprocess.run(restore, check=True, capture_output=True, text=True, timeout=60).stdout
    assert db.value("SELECT count(*) FROM kanban_rollback.quarantined WHERE before::text LIKE '%%Mark-Tag%%'")
    for number, text in enumerate(said):
        for word in passwords | marks:
            assert word not in text, f"run {number} prints {word!r}"
    # The watcher sees what runs: otherwise the test could not fail.
    assert "AnsiballZ" in "\n".join(seen)
    for word in passwords | marks:
        assert word not in "\n".join(seen), f"a process has {word!r} in its arguments"
    # The test itself wrote this, to say where the servers are.
    (directory / "inventory.json").unlink()
    found = search(directory, passwords | marks)
    elsewhere = [line for line in found if not any(place in line.partition(" has ")[0] for place in ALLOWED)]
    assert elsewhere == []
    assert [line for line in found if any(repr(word) in line for word in passwords)] == []
    for log, end in logs.items():
        logged = log.read_bytes()[end:].decode(errors="replace")
        assert log is not db.server.log or "kanban_rollback.flag_changes" in logged, "the server logged no statement"
        # If every statement is logged, the application's own bring rows into the log, which is where the rows are.
        for word in passwords:
            assert word not in logged, f"{log.name} of {log.parent.name} has {word!r}"
    told = json.dumps(everybody.heard, ensure_ascii=False)
    assert told.count("INC-") > 3
    for word in passwords | marks:
        assert word not in told, f"people are told {word!r}"
    for path in directory.rglob("*"):
        if path.is_file() and path.is_relative_to(directory / "incidents"):
            assert path.stat().st_mode & 0o077 == 0, f"{path} is readable by others"
