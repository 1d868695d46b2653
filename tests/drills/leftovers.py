# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may leave behind: sessions, locks, triggers and leases in the database, files and processes on hosts."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tests.drills.looks import Place, refused
from tests.hosts.host import Host
from tests.playbooks.place import BLOCK, KEPT
from tests.playbooks.runner import Running

OURS = "(application_name LIKE 'chatia.kanban_rollback%' OR application_name IN ('pg_dump', 'pg_restore'))"
_DATABASE = f"""
SELECT 'session ' || pid || ' of ' || application_name || ', ' || state FROM pg_stat_activity WHERE {OURS}
UNION ALL SELECT 'advisory lock of pid ' || pid FROM pg_locks WHERE locktype = 'advisory'
UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
UNION ALL SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'database ' || datname FROM pg_database
"""
_LEASES = """
SELECT 'lease ' || name || ' of ' || holder FROM kanban_rollback.leases WHERE expires_at > clock_timestamp()
"""
_HAS_LEDGER = "SELECT to_regclass('kanban_rollback.leases') IS NOT NULL"
_HOMES = ("/root", "/var/lib/postgresql", "/home/app")
_PLACES = ("/tmp", "/var/tmp", *KEPT, *(f"{home}/{name}" for home in _HOMES for name in (".ansible", ".ansible_async")))  # noqa: S108
# Where prior values lie until a ledger takes them over: whoever has undone an incident leaves none in force.
_PRIORS = ("/var/lib/kanban_rollback", "/dev/shm/kanban_rollback")  # noqa: S108
_NAMES = (
    "*.priors.jsonl",
    "AnsiballZ*",
    "ansible-tmp-*",
    "kanban_rollback.*",
    ".*.partial-*",
    ".*.scratch-*",
    "*.tmp",
    "j[0-9]*.[0-9]*",
)
# The same in a run's temporary directory (``kept_in``), where Ansible and Python make theirs, too.
_HERE = ("ansible[-_]*", "kanban*", "pymp-*", "tmp*")
FIND = ["find", *_PLACES, *_PRIORS, "(", *[word for name in _NAMES for word in ("-o", "-name", name)][1:], ")"]
# Modules come through a pipe, so that most show only the interpreter.
_PROCESS = re.compile(
    r"AnsiballZ|BECOME-SUCCESS|async_wrapper|ansible_async|\bpg_dump\b|\bpg_restore\b|kanban_rollback"
    r"|^\S+ +\S*python3( -)?$"
)


def leftovers(place: Place) -> set[str]:
    """Return everything of these kinds that exists; a drill left what did not exist before it."""
    found = {f"database: {line}" for line in place.psql(_DATABASE).splitlines()}
    if place.psql(_HAS_LEDGER) == "t":
        found |= {f"database: {line}" for line in place.psql(_LEASES).splitlines()}
    found |= {f"database: fence on {table}" for table in refused(place)}
    found |= {f"redis: {key}" for key in (BLOCK, f"{{{BLOCK}}}:owner") if place.redis("EXISTS", key) != "0"}
    found |= {f"controller: {path}" for path in place.estate.incidents.rglob("*.tmp")}
    with ThreadPoolExecutor() as pool:
        for lines in pool.map(_on_host, place.hosts):
            found |= lines
    return found


def _on_host(host: Host) -> set[str]:
    files = host.run(FIND, check=False).stdout.splitlines()
    processes = host.run(["ps", "-eo", "user=,args="]).stdout.splitlines()
    ours = {line for line in processes if _PROCESS.search(line.strip()) and " find " not in line}
    return {f"{host.name}: file {path}" for path in files} | {f"{host.name}: process {line}" for line in ours}


def of_runs(running: list[Running]) -> set[str]:
    """Return what finished runs still have on the controller; ssh keeps its connections for a minute."""
    commands = {command for run in running if not run.killed for _pid, command in run.processes()}
    found = {f"controller: process {command}" for command in commands if not command.startswith("ssh:")}
    # All runs of a drill share a temporary directory, and a killed one cannot remove what it had there.
    if not any(run.killed for run in running):
        found |= {f"controller: file {path}" for run in running for name in _HERE for path in run.log.parent.glob(name)}
    return found
