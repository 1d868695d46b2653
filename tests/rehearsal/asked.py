# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification asks a host over SSH with testinfra, without using anything of the collection."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.checksums import COMPARE, compared
from tests.rehearsal.estate import DATABASE

# Where runs keep their files on a host, below the home of the user that they become there.
KEPT = ".local/state/kanban_rollback"
_GET = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
"""


def psql(host: Any, sql: str) -> str:
    """Run SQL on a database's host, as the user that the inventory becomes there."""
    done = host.run("psql -XqAt -v ON_ERROR_STOP=1 -d %s -c %s", DATABASE, sql)
    assert done.rc == 0, done.stderr
    return str(done.stdout.strip())


def is_fenced(host: Any, table: str) -> bool:
    """Return whether a database refuses to delete from a table; the statement would delete nothing."""
    sql = f'DELETE FROM "{table}" WHERE false'
    done = host.run("psql -Xq -v VERBOSITY=sqlstate -v ON_ERROR_STOP=1 -d %s -c %s", DATABASE, sql)
    assert done.rc == 0 or "KB001" in done.stderr, done.stderr
    return bool(done.rc != 0)


def redis(host: Any, *command: str, port: int = 6379) -> str:
    """Run a Redis command."""
    words = " ".join("%s" for _word in command)
    return str(host.check_output(f"redis-cli --raw -p {port} {words}", *command))


def get(host: Any, port: int, path: str) -> Any:
    """Return what one process of the application answers on its host; fails if that is not a good answer."""
    return json.loads(host.check_output("python3 -c %s %s", _GET, f"http://127.0.0.1:{port}{path}"))


def assert_evidence_is_whole(host: Any) -> None:
    """Fail unless there is evidence on a host, for its owner alone, and each file is what its index says."""
    modes = {mode for mode, _path in kept(host)}
    assert modes <= {"d700", "f600"}
    assert "f600" in modes
    said = host.check_output("python3 -c %s %s index.json", COMPARE, f"{_home(host)}/{KEPT}/incidents")
    count, wrong = compared(said)
    assert count > 3
    assert wrong == []


def kept(host: Any, kind: str = "") -> list[tuple[str, str]]:
    """Return type with mode, and path, of everything that runs have kept below one of their directories on a host."""
    found = host.check_output("cd / && find %s -printf '%%y%%m %%p\\n'", f"{_home(host)}/{KEPT}/{kind}")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in found.splitlines()]


def _home(host: Any) -> str:
    # Of whoever the inventory becomes there, while HOME may be that of whoever logged in.
    return str(host.check_output("getent passwd $(id -u) | cut -d: -f6"))
