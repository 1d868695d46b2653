# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight.yml as it is typed, on real servers without SSH in between: READY, or each missing thing as a line."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.place import Database
from tests.integration.preflightplace import KEY, Place
from tests.integration.test_preflight import CATALOG
from tests.support.app_process import applications
from tests.support.binaries import postgres
from tests.support.processes import free_port
from tests.support.redis_server import Redis
from tests.support.servers import workspace
from tests.support.web import Running


@pytest.fixture(scope="module")
def cache() -> Iterator[Redis]:
    """A Redis that nobody else uses."""
    with workspace() as directory, Redis(directory / "redis") as started:
        yield started


@pytest.fixture(scope="module")
def application() -> Iterator[Running]:
    """A process that serves V2 and says so."""
    with applications() as made:
        yield made.start([(0, "v2")])


@pytest.fixture
def place(db: Database, cache: Redis, application: Running, directory: Path) -> Place:
    """A place where nothing is missing."""
    with cache.client() as client:
        client.flushall()
    made = Place(db, cache, application, directory)
    made.prepare()
    return made


def test_ready_and_nothing_is_changed_on_any_host(place: Place) -> None:
    before = (place.db.rows(CATALOG), place.db.snapshot('"Companies"'))
    for options in (("--check", "--diff"), ()):
        rc, output, screen = place.run(*options, whole=True)
        assert rc == 0, output
        assert "READY" in screen
        assert "NOT READY" not in screen
        assert "10 of 30 tenants are on" in screen
        assert "Asked: 1 db, 1 redis, 1 app; environment staging" in screen
        numbered = re.findall(r'"\d+\. (.*?\.)', screen)
        assert numbered[0].startswith("Metrics that are not measured: dnd_p95"), screen
        assert numbered[1] == "Metrics that are measured and not judged: public, waiting."
        assert numbered[2:4] == [
            "No green rehearsal of version 0.",
            "When the plan was reviewed last is not known.",
        ]
        assert all("updates could not be seen" in line for line in numbered[4:]), numbered
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
    place.db.rows('DROP TABLE "Lanes"')
    place.hosts["redis"]["gone"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    with place.cache.client() as client:
        client.set(KEY, "true")
        client.set(f"{{{KEY}}}:owner", "INC-OLD")
    rc, _output, screen = place.run(whole=True)
    assert rc != 0
    assert "NOT READY" in screen
    order = [
        "gone: It could not be reached",
        "redis1: The key of the write block is not free: it belongs to INC-OLD",
        "db1: There is no table 'TicketTags'",
        "db1: There is neither a proven dump nor archived WAL",
        "There are no contacts",
        # Without the application's tier, what scenarios 1 and 2 need is advice.
        "Could be better:",
        "The group 'app' has no hosts",
        "db1: Checks that do not apply to this schema: invalid_lanes, duplicate_ticket_tags, tags_of_other_companies, ",
    ]
    places = [screen.find(text) for text in order]
    assert -1 not in places, (order, places, screen)
    assert places == sorted(places), screen
    assert screen.count("To do:") >= len(order)
    assert [int(number) for number in re.findall(r'"(\d+)\. ', screen)] == list(range(1, screen.count("To do:") + 1))


@pytest.mark.drill
def test_a_clock_that_is_off_and_tiers_that_are_not_used(place: Place) -> None:
    programs = place.directory / "programs"
    programs.mkdir()
    fake = programs / "date"
    fake.write_text('#!/bin/sh\nexec /bin/date -u -d "60 seconds ago" "$2"\n')
    fake.chmod(0o755)
    place.variables.update(kanban_backup_max_age=0, kanban_dump_dir=str(place.directory / "none"))
    place.db.rows('DROP TABLE "ErrorLogs"')
    rc, output, screen = place.run("-e", "kanban_redis_hosts=none", programs=programs)
    assert rc == 0, output
    off = re.search(r"db1: Its clock differs from the controller's by (\d+\.\d) s", screen)
    assert off, screen
    assert 57 < float(off[1]) < 61
    assert "Asked: 1 db;" in screen
    assert "There is no tier of the application" in screen
    assert "db1: There is no table 'ErrorLogs'" in screen
    text = (place.directory / "incidents/break-glass/db1.sql").read_text(encoding="utf-8")
    assert "redis-cli" not in text


@pytest.mark.drill
def test_backups_are_asked_where_they_are(place: Place) -> None:
    """The collection's own dump lacks two of the tables; a whole one by pg_dump will do, while it is recent."""
    files = place.directory / "files"
    files.mkdir()
    narrow = place.directory / "narrow"
    narrow.mkdir()
    place.db.modules().ok("pg_dump", tables=["Tags"], dest=str(narrow / "first"), incident_id="INC-0")
    place.variables["kanban_backup_sources"] = [
        {"kind": "dumps", "path": str(narrow)},
        {"kind": "pgbackrest", "stanza": "main", "program": str(files / "none")},
        {"kind": "pg_dump", "path": str(files)},
    ]
    rc, output, screen = place.run()
    assert rc != 0
    assert re.search(r"db1: There is no usable backup: 1 found, of which the newest, first .*has no rows of", screen), (
        output
    )
    assert "gave no answer: There is no program" in screen
    server = place.db.server
    argv = [f"{postgres()}/pg_dump", "-Fc", "-h", server.host, "-p", str(server.port), "-U", server.user]
    environment = {**os.environ, "PGPASSWORD": server.password}
    subprocess.run([*argv, "-f", str(files / "whole"), place.db.name], env=environment, check=True, timeout=60)
    rc, output, screen = place.run()
    assert rc == 0, output
    assert "There is no usable backup" not in screen
    assert "gave no answer: There is no program" in screen


@pytest.mark.drill
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


@pytest.mark.drill
def test_a_trigger_that_gets_around_the_fence_is_a_line(place: Place) -> None:
    place.db.rows("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    place.db.rows('CREATE TRIGGER touch BEFORE UPDATE ON "Tickets" FOR EACH ROW EXECUTE FUNCTION touch()')
    rc, output, screen = place.run("-f", "1", ANSIBLE_SHOW_CUSTOM_STATS="1")
    assert rc == 0, output
    assert "db1: public.Tickets has triggers of its own (touch) that run for each updated row" in screen
    # Nobody has rehearsed here, and a workflow is told so.
    assert '"kanban_rehearsed_lately": "no"' in output
    assert "Ansible talks to 1 hosts at once here (forks), and a stop is on 2: databases and Redis." in screen


@pytest.mark.drill
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


@pytest.mark.drill
def test_a_limit_without_the_controller_is_no_pass(place: Place) -> None:
    rc, output, _screen = place.run("--limit", "db1")
    assert rc != 0
    assert "nobody counted" in re.sub(r"\s+", " ", output)


@pytest.mark.drill
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


@pytest.mark.drill
def test_what_scenarios_1_and_2_lack_is_named_host_by_host(place: Place) -> None:
    place.db.rows('DROP TABLE "ErrorLogs"')
    dead = f"http://127.0.0.1:{free_port()}"
    place.hosts["app"] = {
        "app1": {
            "kanban_app_pm2": "/nonexistent/pm2",
            "kanban_app_pm2_home": str(place.directory),
            "kanban_app_user": "",
        },
        "app2": {"kanban_app_url": dead, "kanban_app_process_urls": [dead]},
        "app3": {
            "kanban_app_flag_path": "/html",
            "kanban_app_health_path": "/ill",
            "kanban_app_variables": {"user": "x"},
        },
        "app4": {"kanban_app_flag_path": "/nowhere", "kanban_app_v1_steps": [{"name": "x", "path": "/<unknown>"}]},
    }
    with place.cache.client() as client:
        client.acl_setuser(
            "stopper",
            enabled=True,
            passwords=["+stopper-secret"],
            keys=[KEY, f"{{{KEY}}}:owner", "kanban:*"],
            commands=["+get", "+pttl", "+eval", "+set", "+del", "+info", "+role", "+wait", "+scan", "+type"],
        )
        client.set("kanban:board:1", "kept")
    place.variables.update(kanban_redis_user="stopper", kanban_redis_password="stopper-secret")
    rc, output, screen = place.run(whole=True)
    assert rc != 0, output
    for words in (
        "db1: There is no table 'ErrorLogs'",
        "redis1: " + f"{place.cache.host}:{place.cache.port}: the user stopper lacks +unlink",
        "ACL SETUSER stopper +unlink",
        "app1: There is no program /nonexistent/pm2",
        "app1: The walk through V1 needs kanban_app_user. ",
        "app2: Which board is served is not clear: " + dead,
        "app2: Metrics that give nothing: error_rate: ",
        f"app2: {dead} does not say that it is healthy: ",
        "app3: Which board is served is not clear",
        "app3: http://127.0.0.1",
        "app4: Which board is served is not clear",
        "app4: Step 1 has <unknown>",
    ):
        assert words in screen, (words, screen)
    # 503 is an answer: the application is not well at this moment, but what is needed is there.
    assert "does not say that it is healthy: " in screen.partition("Could be better")[2]
    assert "app3: The walk" not in screen
    with place.cache.client() as client:
        assert client.keys("*") == ["kanban:board:1"]
        client.acl_deluser("stopper")
