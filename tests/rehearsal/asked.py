# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification asks a host over SSH with testinfra, without using anything of the collection."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.estate import DATABASE

# Where runs keep their files on a host, below the home of the user that they become there.
KEPT = ".local/state/kanban_rollback"
# By each collection's own index, which is written last: the files that are not what it says, and how many there are.
_WHOLE = """
import hashlib, json, pathlib, sys
count, wrong = 0, []
for index in pathlib.Path(sys.argv[1]).rglob("index.json"):
    for entry in json.loads(index.read_text())["files"]:
        held = (index.parent / entry["name"]).read_bytes()
        count += 1
        if (len(held), hashlib.sha256(held).hexdigest()) != (entry["bytes"], entry["sha256"]):
            wrong.append(str(index.parent / entry["name"]))
print(json.dumps([count, wrong]))
"""
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


def evidence_of(host: Any) -> tuple[int, list[str]]:
    """Return how many files of evidence a host has, and those that are not what their index says."""
    count, wrong = json.loads(host.check_output("python3 -c %s %s", _WHOLE, f"{_home(host)}/{KEPT}/incidents"))
    return count, wrong


def kept(host: Any, kind: str = "") -> list[tuple[str, str]]:
    """Return type with mode, and path, of everything that runs have kept below one of their directories on a host."""
    found = host.check_output("cd / && find %s -printf '%%y%%m %%p\\n'", f"{_home(host)}/{KEPT}/{kind}")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in found.splitlines()]


def _home(host: Any) -> str:
    # Of whoever the inventory becomes there, while HOME may be that of whoever logged in.
    return str(host.check_output("getent passwd $(id -u) | cut -d: -f6"))
