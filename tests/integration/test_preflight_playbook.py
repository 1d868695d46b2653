# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight.yml as it is typed, on real servers without SSH in between: READY, or each missing thing as a line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.integration.test_preflight import CATALOG
from tests.support import accounts
from tests.support.redis_server import Redis
from tests.support.servers import workspace

SCHEMA = """
CREATE TABLE "Companies" (id serial PRIMARY KEY, name text, settings jsonb);
CREATE TABLE "Tags" (id serial PRIMARY KEY, "companyId" int);
CREATE TABLE "Tickets" (id serial PRIMARY KEY, "companyId" int, "kanbanLane" text, "kanbanOrder" int);
CREATE TABLE "TicketTags" (id serial PRIMARY KEY, "ticketId" int, "tagId" int);
INSERT INTO "Companies" (settings) SELECT jsonb_build_object('kanbanV2Enabled', g % 3 = 0) FROM generate_series(1, 30) g
"""
FENCED = [
    "TicketTags",
    "Tags",
    {"name": "Tickets", "columns": ["kanbanLane", "kanbanOrder"], "operations": ["UPDATE", "DELETE", "TRUNCATE"]},
]
KEY = "kanban:emergency:write-block"


@pytest.fixture(scope="module")
def cache() -> Iterator[Redis]:
    """A Redis that nobody else uses."""
    with workspace() as directory, Redis(directory / "redis") as started:
        yield started


class Place:
    """A database and a Redis, made ready for an incident, and the inventory of a team that has them."""

    def __init__(self, db: Database, cache: Redis, directory: Path) -> None:
        self.db, self.cache, self.directory = db, cache, directory
        self.hosts: dict[str, dict[str, Any]] = {"db": {"db1": {}}, "redis": {"redis1": {}}, "app": {"app1": {}}}
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_environment": "staging",
            "kanban_contacts": [{"role": "dba", "primary": "Ana", "secondary": "Rui", "phone": "+55 11 0000"}],
            "kanban_incidents_dir": str(directory / "incidents"),
            "kanban_dump_dir": str(directory / "dumps"),
            "kanban_postgresql_host": db.server.host,
            "kanban_postgresql_port": db.server.port,
            "kanban_postgresql_db": db.name,
            "kanban_postgresql_password": db.server.password,
            "kanban_redis_host": cache.host,
            "kanban_redis_port": cache.port,
            "kanban_redis_password": cache.password,
        }

    def prepare(self) -> None:
        """Make the tables and whatever a scenario needs."""
        self.db.rows(SCHEMA)
        modules = self.db.modules()
        modules.ok("ledger", environment="staging")
        modules.ok("write_fence", state="dormant", tables=FENCED)
        (self.directory / "dumps").mkdir()
        modules.ok("pg_dump", tables=["Tags"], dest=str(self.directory / "dumps/first"), incident_id="INC-0")

    def run(self, *options: str, programs: Path | None = None) -> tuple[int, str, str]:
        """Run the playbook; return its status, its whole output and its last screen on one line.

        ``programs``: a directory that the hosts look for programs in first.
        """
        children = {tier: {"hosts": hosts} for tier, hosts in self.hosts.items()}
        inventory = self.directory / "inventory.json"
        accounts.write_private(inventory, json.dumps({"all": {"vars": self.variables, "children": children}}))
        (self.directory / "ansible.cfg").touch()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "ANSIBLE_NO_TARGET_SYSLOG": "1",
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(self.directory),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}" if programs else os.environ["PATH"],
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), *options]
        done = subprocess.run(
            [*command, "chatia.kanban_rollback.preflight"],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        output = done.stdout + done.stderr
        screen = output.rpartition("What holds, what does not, and what to do next")[2]
        return done.returncode, output, re.sub(r"\s+", " ", screen)


@pytest.fixture
def place(db: Database, cache: Redis, directory: Path) -> Place:
    """A place where nothing is missing."""
    with cache.client() as client:
        client.flushall()
    made = Place(db, cache, directory)
    made.prepare()
    return made


def test_ready_and_nothing_is_changed_on_any_host(place: Place) -> None:
    before = (place.db.rows(CATALOG), place.db.snapshot('"Companies"'))
    for options in (("--check", "--diff"), ()):
        rc, output, screen = place.run(*options)
        assert rc == 0, output
        assert "READY" in screen
        assert "NOT READY" not in screen
        assert "10 of 30 tenants are on" in screen
        assert "Asked: 1 db, 1 redis, 1 app; environment staging" in screen
        for secret in (place.db.server.password, place.cache.password):
            assert secret not in output
    assert (place.db.rows(CATALOG), place.db.snapshot('"Companies"')) == before
    with place.cache.client() as client:
        assert client.dbsize() == 0
    assert re.search(r"^db1 .*changed=0", output, re.MULTILINE), output
    script = place.directory / "incidents/break-glass/db1.sql"
    assert (script.stat().st_mode & 0o777, script.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    text = script.read_text(encoding="utf-8")
    assert f"-- On redis1:\n--   redis-cli -h {place.cache.host} -p {place.cache.port} SET {KEY} true\n" in text
    for secret in (place.db.server.password, place.cache.password):
        assert secret not in text
    # The second run wrote the same.
    assert re.search(r"^localhost .*changed=0", output, re.MULTILINE), output


def test_every_missing_thing_is_a_line_with_what_to_do_in_order(place: Place) -> None:
    place.db.rows("""DROP TABLE "TicketTags" CASCADE""")
    place.variables.update(kanban_contacts=[], kanban_dump_dir=str(place.directory / "none"))
    place.hosts["app"] = {}
    place.hosts["redis"]["gone"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    with place.cache.client() as client:
        client.set(KEY, "true")
        client.set(f"{{{KEY}}}:owner", "INC-OLD")
    rc, _output, screen = place.run()
    assert rc != 0
    assert "NOT READY" in screen
    order = [
        "The group 'app' has no hosts",
        "gone: It could not be reached",
        "redis1: The key of the write block is not free: it belongs to INC-OLD",
        "db1: There is no table 'TicketTags'",
        "db1: There is neither a proven dump nor archived WAL",
        "There are no contacts",
    ]
    places = [screen.find(text) for text in order]
    assert -1 not in places, (order, places, screen)
    assert places == sorted(places), screen
    assert screen.count("To do:") >= len(order)
    assert [int(number) for number in re.findall(r'"(\d+)\. ', screen)] == list(range(1, screen.count("To do:") + 1))


def test_a_clock_that_is_off_and_tiers_that_are_not_used(place: Place) -> None:
    programs = place.directory / "programs"
    programs.mkdir()
    fake = programs / "date"
    fake.write_text('#!/bin/sh\nexec /bin/date -u -d "60 seconds ago" "$2"\n')
    fake.chmod(0o755)
    place.variables.update(kanban_backup_max_age=0, kanban_dump_dir=str(place.directory / "none"))
    nobody = ("-e", "kanban_redis_hosts=none", "-e", "kanban_app_hosts=none")
    rc, output, screen = place.run(*nobody, programs=programs)
    assert rc == 0, output
    off = re.search(r"db1: Its clock differs from the controller's by (\d+\.\d) s", screen)
    assert off, screen
    assert 57 < float(off[1]) < 61
    assert "Asked: 1 db;" in screen
    text = (place.directory / "incidents/break-glass/db1.sql").read_text(encoding="utf-8")
    assert "redis-cli" not in text


def test_each_redis_has_the_line_of_its_own_variables(place: Place) -> None:
    """They are read on the host that they belong to, as the modules read them."""
    place.variables["kanban_redis_db"] = 4
    place.hosts["redis"]["redis2"] = {
        "kanban_redis_tls": True,
        "kanban_redis_ca_certs": "/etc/redis/ca.pem",
        "kanban_redis_user": "ops",
        "kanban_redis_sentinels": ["sentinel1:26379"],
        "kanban_redis_sentinel_name": "kanban",
        "kanban_redis_db": 0,
    }
    place.run()
    text = (place.directory / "incidents/break-glass/db1.sql").read_text(encoding="utf-8")
    assert f"redis-cli -h {place.cache.host} -p {place.cache.port} -n 4 SET {KEY} true\n" in text
    assert (
        "redis-cli -h sentinel1 -p 26379 --tls --cacert /etc/redis/ca.pem SENTINEL get-master-addr-by-name kan" in text
    )
    assert f'redis-cli -h "$1" -p "$2" --tls --cacert /etc/redis/ca.pem --user ops SET {KEY} true\n' in text
    assert place.cache.password not in text


def test_a_trigger_that_gets_around_the_fence_is_a_line(place: Place) -> None:
    place.db.rows("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    place.db.rows('CREATE TRIGGER touch BEFORE UPDATE ON "Tickets" FOR EACH ROW EXECUTE FUNCTION touch()')
    rc, output, screen = place.run()
    assert rc == 0, output
    assert "db1: public.Tickets has triggers of its own (touch) that run for each updated row" in screen


def test_a_fence_that_is_not_installed_is_a_line(place: Place) -> None:
    place.db.modules().ok("write_fence", state="absent", purge=True, force=True)
    rc, _output, screen = place.run()
    assert rc != 0
    assert "NOT READY: 1 thing is missing" in screen
    assert "db1: The fence is not armed on TicketTags, Tags, Tickets" in screen
    assert "bootstrap.yml" in screen


def test_a_database_that_does_not_answer_is_a_line_and_the_rest_is_looked_at(place: Place) -> None:
    place.variables["kanban_postgresql_password"] = "wrong"
    rc, output, screen = place.run()
    assert rc != 0, output
    assert "password authentication failed" in screen
    assert "write block" not in screen
    assert place.db.server.password not in output


def test_a_limit_without_the_controller_is_no_pass(place: Place) -> None:
    rc, output, _screen = place.run("--limit", "db1")
    assert rc != 0
    assert "nobody counted" in re.sub(r"\s+", " ", output)


def test_a_user_who_may_not_hold_the_block_is_told_what_to_grant_and_no_key_is_written(place: Place) -> None:
    with place.cache.client() as client:
        client.acl_setuser(
            "reader", enabled=True, passwords=["+reader-secret"], keys=["*"], commands=["+@read", "+info"]
        )
    place.variables.update(kanban_redis_user="reader", kanban_redis_password="reader-secret")
    rc, _output, screen = place.run()
    assert rc != 0
    assert "the user reader lacks" in screen
    assert "ACL SETUSER reader" in screen
    with place.cache.client() as client:
        assert client.dbsize() == 0
        client.acl_deluser("reader")
