"""Ask the servers and interpreters of a cell for their versions: `python -m tools.matrix.ask postgresql`.

The Python of the cell's tests runs it, with their environment, so that it asks what they use.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version

from tests.support import binaries
from tests.support.servers import Postgres, Redis, workspace


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()  # noqa: S603


def postgresql() -> str:
    """Start a server as the tests do and ask it; also ask its clients, if they are of another version."""
    with workspace() as directory, Postgres(directory / "asked", fsync=False) as server:
        found = str(server.query("SHOW server_version")[0][0]).split()[0]
    clients = _said(str(binaries.postgres() / "pg_dump"), "--version").split()[2]
    return f"PostgreSQL {found}" + ("" if clients == found else f", pg_dump {clients}")


def redis() -> str:
    """Start a server as the tests do and ask it. A Valkey reports both the compatible Redis version and its own."""
    with workspace() as directory, Redis(directory / "asked") as server, server.client() as client:
        info = client.info("server")
    if info.get("server_name") == "valkey":
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


def ansible() -> str:
    """Return the versions of what runs this."""
    return f"ansible-core {version('ansible-core')}, Python {platform.python_version()}"


def target() -> str:
    """Ask the Python that runs the modules for its version and those of its drivers."""
    ask = "import platform, psycopg2, redis; print(platform.python_version(), psycopg2.__version__.split()[0], "
    said = _said(os.environ["KANBAN_TEST_TARGET_PYTHON"], "-c", f"{ask}redis.__version__)")
    python, psycopg2, client = said.split()
    return f"Python {python}, psycopg2 {psycopg2}, redis-py {client}, ansible-core {version('ansible-core')}"


def pgbouncer() -> str:
    """Ask the program, and the server behind it."""
    program = binaries.pgbouncer()
    if not program:
        raise LookupError("pgbouncer is not installed")
    return f"{_said(str(program), '--version').splitlines()[0]}, {postgresql()}"


if __name__ == "__main__":
    print({one.__name__: one for one in (postgresql, redis, ansible, target, pgbouncer)}[sys.argv[1]]())
