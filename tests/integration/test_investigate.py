# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role investigate on real servers: two private files, the names of who did not answer, and a full disk."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import wait_for
from tests.integration.place import Database
from tests.support.pm2 import SECRET as PM2_SECRET
from tests.support.pm2 import Daemon
from tests.support.redis_server import Redis
from tests.support.servers import Postgres, workspace

INCIDENT = "INC-20261125-042"
SECRET = "tr0ub4dor-and-3"
# An application may call itself, and its tables, what it likes.
HOSTILE = "{{ 7 * 7 }} ` `` | <b>x</b>"
PLAYBOOK = """
- name: Ask
  hosts: db:redis:app
  strategy: free
  gather_facts: false
  ignore_unreachable: true
  vars: {ansible_ssh_timeout: 2}
  tasks:
    - name: Investigate
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.investigate
- name: Keep
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Write
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.investigate
        tasks_from: write.yml
    - name: The last screen of a scenario
      ansible.builtin.debug:
        msg: "{{ __investigate | chatia.kanban_rollback.investigation_part }}"
"""
# The second play alone: the answers are there already, the same each time.
KEEP = PLAYBOOK[PLAYBOOK.index("- name: Keep") :]


@pytest.fixture(scope="module")
def cache() -> Iterator[Redis]:
    """A Redis that has been asked for something secret."""
    with workspace() as directory, Redis(directory / "redis", {"slowlog-log-slower-than": 0}) as started:
        with started.client() as client:
            client.set(f"contacts:{SECRET}", SECRET)
        yield started


@pytest.fixture(scope="module")
def watched() -> Iterator[Postgres]:
    """A server that counts statements."""
    settings = {"shared_preload_libraries": "pg_stat_statements", "autovacuum": False}
    with workspace() as directory, Postgres(directory / "watched", settings, fsync=False) as started:
        yield started


@pytest.fixture
def crm(watched: Postgres) -> Iterator[Database]:
    """A database with the application's tables, one of them named by somebody with humour."""
    watched.create_database("crm")
    made = Database(watched, "crm")
    made.rows("CREATE EXTENSION pg_stat_statements")
    made.rows('CREATE TABLE "Tickets" (id int PRIMARY KEY, name text)')
    made.rows(f'CREATE TABLE "Tags {HOSTILE}" (id int)')
    made.rows("SELECT pg_stat_statements_reset()")
    yield made
    made.drop()


@contextlib.contextmanager
def again_and_again(db: Database, statement: str) -> Iterator[None]:
    """Run a statement over and over, as an application does that is slow now."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.01):
            db.rows(statement)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


class Place:
    """What a team has: an inventory, and a controller with a directory for incidents."""

    def __init__(self, crm: Database, cache: Redis, directory: Path) -> None:
        self.directory = directory
        self.incidents = directory / "incidents"
        self.hosts: dict[str, dict[str, Any]] = {"db": {"db1": {}}, "redis": {"redis1": {}}, "app": {}}
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_environment": "staging",
            "kanban_incidents_dir": str(self.incidents),
            "kanban_incident_id": INCIDENT,
            "kanban_investigate_seconds": 1,
            "kanban_postgresql_host": crm.server.host,
            "kanban_postgresql_port": crm.server.port,
            "kanban_postgresql_db": crm.name,
            "kanban_postgresql_password": crm.server.password,
            "kanban_redis_host": cache.host,
            "kanban_redis_port": cache.port,
            "kanban_redis_password": cache.password,
        }
        self.secrets = (crm.server.password, cache.password, SECRET)

    def run(self, text: str = PLAYBOOK, *options: str, prefix: Sequence[str] = ()) -> tuple[int, str]:
        """Run a playbook; return its status and its whole output, on one line."""
        hosts = playbook.inventory(self.directory, self.variables, **self.hosts)
        done = playbook.run(self.directory, playbook.written(self.directory, text), *hosts, *options, prefix=prefix)
        return done.rc, re.sub(r"[ \n]+", " ", done.output)

    def files(self) -> dict[str, Path]:
        """Return the files of the incident by their suffixes."""
        return {path.suffix: path for path in (self.incidents / INCIDENT).iterdir()}

    def read(self) -> tuple[dict[str, Any], str]:
        """Return the content of both files."""
        files = self.files()
        return json.loads(files[".json"].read_text()), files[".md"].read_text()


@pytest.fixture
def place(crm: Database, cache: Redis, directory: Path) -> Place:
    return Place(crm, cache, directory)


def test_two_private_files_with_what_is_slow_and_no_markup_of_anybodys(place: Place, crm: Database) -> None:
    crm.rows("SELECT id FROM \"Tickets\" WHERE name = 'Maria da Silva' AND pg_sleep(0.01) IS NOT NULL")
    crm.rows(f'SELECT count(*) FROM "Tags {HOSTILE}"')
    slow = f'SELECT pg_sleep(0.2), count(*) FROM "Tags {HOSTILE}"'
    with crm.transaction('LOCK TABLE "Tickets"', application_name=HOSTILE), again_and_again(crm, slow):
        rc, output = place.run()
    assert rc == 0, output
    data, text = place.read()
    modes = {path.stat().st_mode & 0o777 for path in place.files().values()}
    assert (modes, (place.incidents / INCIDENT).stat().st_mode & 0o777) == ({0o600}, 0o700)
    assert (data["incident_id"], data["environment"], data["silent"]) == (INCIDENT, "staging", [])
    total = data["answers"]["database_total"]["db1"]["queries"]
    statements = {row["query"] for row in total}
    assert f'SELECT count(*) FROM "Tags {HOSTILE}"' in statements
    assert 'SELECT id FROM "Tickets" WHERE name = $1 AND pg_sleep($2) IS NOT NULL' in statements
    assert data["answers"]["database"]["db1"]["interval_seconds"] >= 1
    assert data["answers"]["redis"]["redis1"]["operations"]["per_second"] > 0
    for heading in ("## Database", "## Locks", "## Redis"):
        assert f"\n{heading}\n" in text
    # In lines of code the text is unchanged; elsewhere it is between backticks, more of them than it has itself.
    assert f'\n        SELECT count(*) FROM "Tags {HOSTILE}"\n' in text
    assert f"``` {HOSTILE} ```" in text
    for line in text.splitlines():
        if not line.startswith("        "):
            assert "<b>" not in re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line), line
    assert f"the investigation is in {place.files()['.md']}" in output
    # It is not a template either: the screen shows it unchanged, too.
    shown = json.dumps(f'SELECT pg_sleep($1), count(*) FROM "Tags {HOSTILE}"')[1:-1]
    assert f"ms: {shown}" in output
    for secret in (*place.secrets, "Maria"):
        assert secret not in json.dumps(data) + text + output


@pytest.mark.drill
def test_who_did_not_answer_is_named_and_the_rest_is_there(place: Place) -> None:
    place.hosts["db"]["db2"] = {"kanban_postgresql_port": 1}
    place.hosts["redis"]["gone"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    rc, output = place.run()
    assert rc == 0, output
    data, text = place.read()
    silent = {(row["host"], row["what"]) for row in data["silent"]}
    assert silent == {
        ("db2", "statements and locks"),
        ("db2", "statements since the counters began"),
        ("gone", "Redis"),
    }
    assert set(data["answers"]["database"]) == {"db1"}
    assert text.index("**Not everybody answered:**") < text.index("## Database")
    assert "no investigation of gone" in output
    for secret in place.secrets:
        assert secret not in json.dumps(data) + text + output


@pytest.mark.drill
def test_the_applications_processes_and_what_its_logs_say_of_sockets(place: Place, pm2_daemon: Daemon) -> None:
    lines = f"console.log('Socket.IO client {{{{ 7 * 7 }}}} connected'); console.error('Error: {PM2_SECRET}');"
    pm2_daemon.start(f"{lines} setInterval(() => {{}}, 1000);", "api")
    log = pm2_daemon.log("api-out")
    wait_for(lambda: log.exists() and "Socket" in log.read_text(), "the log")
    place.hosts = {
        "db": {},
        "redis": {},
        "app": {"app1": {}, "app2": {"kanban_app_pm2_home": str(place.directory / "none")}},
    }
    place.variables.update(kanban_app_pm2=str(pm2_daemon.program), kanban_app_pm2_home=str(pm2_daemon.home))
    rc, output = place.run()
    assert rc == 0, output
    data, text = place.read()
    assert {(row["host"], row["what"]) for row in data["silent"]} == {
        ("app2", "processes and memory"),
        ("app2", "sockets"),
    }
    (process,) = data["answers"]["application"]["app1"]["processes"]
    assert (process["name"], process["alive"], process["memory_bytes"] > 10_000_000) == ("api", True, True)
    sockets = data["answers"]["sockets"]["app1"]["messages"]
    assert [row["message"] for row in sockets] == ["Socket.IO client {{ <n> * <n> }} connected"]
    assert text.index("## Memory and processes") < text.index("| `api` 0 |") < text.index("## Sockets")
    assert "app1: 1 processes with" in output
    for secret in (*place.secrets, PM2_SECRET):
        assert secret not in json.dumps(data) + text + output


@pytest.fixture
def told(place: Place, crm: Database) -> Place:
    """A place whose database has answered already, so that only the writing is left."""
    answer = crm.modules().ok("slow_queries_info")
    place.hosts = {"db": {"db1": {"__investigate_database": answer}}, "redis": {}, "app": {}}
    # As the role run leaves it on the controller.
    place.variables["__run"] = {"id": "7 of 9", "incident_id": INCIDENT, "given": True}
    return place


@pytest.mark.drill
def test_the_same_answers_change_nothing(told: Place) -> None:
    rc, output = told.run(KEEP, "--check")
    assert rc == 0, output
    assert not told.incidents.exists()
    changes = []
    for _time in range(2):
        rc, output = told.run(KEEP)
        assert rc == 0, output
        changes += re.findall(r"localhost : ok=\d+ changed=(\d+)", output)
    assert changes == ["3", "0"]
    # Named by the run, so that another one writes beside it and nothing is lost.
    assert sorted(path.name for path in told.files().values()) == [
        "investigation-7-of-9.json",
        "investigation-7-of-9.md",
    ]


@pytest.mark.drill
@pytest.mark.parametrize("disk", ["size=4k", "ro"])
def test_a_disk_that_is_full_or_read_only_is_said_and_fails_nothing(told: Place, disk: str) -> None:
    told.incidents.mkdir()
    mount = f'mount -t tmpfs -o {disk} tmpfs {told.incidents} || exit 99; exec "$@"'
    prefix = ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", mount, "sh"]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespace can be made here")
    rc, output = told.run(KEEP, prefix=prefix)
    assert rc == 0, output
    assert re.search(r"localhost : .* failed=0 .* rescued=1", output), output
    assert "The investigation could not be written" in output
    assert "which statements" in output or "of the time since" in output
    assert "the investigation is not kept in a file" in output
