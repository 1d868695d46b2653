# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml and status_info: what is stopped is shown, and nothing is written anywhere."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._version import collection_version
from tests.integration import playbook
from tests.integration.crowd import FLAG, population
from tests.integration.ledgerless import without_ledger
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.playbooks.runner import Run
from tests.support.processes import free_port
from tests.support.redis_server import Redis
from tests.support.servers import workspace

KEY = "kanban:emergency:write-block"
# An operator whose name is a template, and has what a terminal takes for a command.
HOSTILE = "ana {{ 7 * 191 }} \x1b[2J"
TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'kanban_rollback') ORDER BY 1
"""


@pytest.fixture
def cache() -> Iterator[Redis]:
    with workspace() as place, Redis(place / "redis") as server:
        yield server


def everything(db: Database) -> list[Any]:
    """Return every row that there is, and where it is on its page: a row that was written is elsewhere."""
    tables = [row[0] for row in db.rows(TABLES)]
    return [(table, db.rows(f"SELECT ctid::text, xmin::text, t::text FROM {table} t ORDER BY 1")) for table in tables]


def files(directory: Path) -> list[str]:
    """Return the files that are not Ansible's or the tests' own."""
    own = (".ansible", "tmp", "remote", "output", "inventory.json", "vars.yml", "ansible.cfg")
    return sorted(str(path) for path in directory.rglob("*") if path.relative_to(directory).parts[0] not in own)


def status(db: Database, cache: Redis | None, directory: Path, *options: str, **extra: Any) -> Run:
    """Run status.yml for a database under two names, and a Redis or an empty group of them."""
    variables = {
        **db.variables,
        "kanban_flag": FLAG,
        "kanban_environment": "staging",
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_state_dir": str(directory / "state"),
        **({"kanban_redis_host": cache.host, "kanban_redis_port": cache.port} if cache else {}),
        **({"kanban_redis_password": cache.password} if cache else {}),
        **extra,
    }
    silent = {"db3": {"kanban_postgresql_port": free_port()}, "db4": playbook.silent_where("true")}
    others: dict[str, Any] = silent if cache is None else {}
    hosts = playbook.inventory(
        directory, variables, db={"db1": {}, "db2": {}, **others}, redis={"redis1": {}} if cache else {}
    )
    return playbook.run(directory, "chatia.kanban_rollback.status", *hosts, *options)


def test_nothing_is_stopped_then_all_of_it_is(db: Database, cache: Redis, directory: Path) -> None:
    modules = population(db)
    db.rows("UPDATE companies SET settings = '{}' WHERE id <= 20")
    db.modules().ok("ledger", environment="staging")
    (directory / "incidents").mkdir()
    rehearsal = {"rehearsal": True, "green": True, "began": "2026-01-02T03:04:05Z", "version": collection_version(ROOT)}
    rehearsal |= {"incident_id": "INC-R", "scenario": "scenario3", "environment": "staging"}
    (directory / "incidents/index.json").write_text(json.dumps({"incidents": [rehearsal]}))
    before = everything(db), files(directory)
    run = status(db, cache, directory)
    assert run.rc == 0, run.output
    assert (everything(db), files(directory)) == before
    shown = run.output.partition("NOTHING IS STOPPED.\n")[2].splitlines()
    assert shown[:5] == [
        f"db1, db2: {db.name} at {db.server.host}:{db.server.port}",
        "  Feature       public.companies.settings -> kanbanV2Enabled: 30 of 50 tenants on",
        "  Guard         absent",
        "  Fence         absent",
        "  Incidents     0 open",
    ]
    assert shown[5:7] == [f"redis1: Redis at {cache.host}:{cache.port}", "  Write block   not set"]
    assert "days ago, scenario3, version" in shown[7], shown

    modules.disable(latch=True, operator=HOSTILE, reason="tags vanish")
    db.modules().ok("incident", incident_id="INC-1", run_id="r", operator="rui", lease="held", lease_seconds=600)
    db.modules().ok("write_fence", tables=["tickets"], incident_id="INC-1")
    with cache.client() as client:
        client.set(KEY, "true")
        client.set(f"{{{KEY}}}:owner", "INC-1")
    before = everything(db), files(directory)
    run = status(db, cache, directory, "-e", "kanban_output=json")
    assert run.rc == 3, run.output
    assert (everything(db), files(directory)) == before
    assert "fatal:" not in run.output
    found = json.loads(run.output.splitlines()[-1])
    assert (found["state"], found["exit_status"], found["unknown"]) == ("stopped", 3, [])
    reasons = [(row["what"], row["incident_id"]) for row in found["stopped"]]
    assert reasons == [(what, "INC-1") for what in ("incident", "fence", "guard", "write_block")]
    (database,) = found["databases"]
    assert database["hosts"] == ["db1", "db2"]
    (feature,) = database["features"]
    assert (feature["enabled"], feature["total"], feature["guard"]["status"]) == (0, 50, "up")
    assert (database["fence"]["status"], database["fence"]["tables_raised"]) == ("up", 1)
    (incident,) = database["incidents"]
    assert (incident["operator"], incident["reason"], incident["switched_off"]) == (HOSTILE, "tags vanish", 30)
    assert 0 <= incident["age_seconds"] < 600
    assert [(row["name"], row["holder"]) for row in database["leases"]] == [("recovery", "rui")]
    (server,) = found["redis"]
    block = server["write_block"]
    assert (block["held"], block["owner"], block["ttl_seconds"]) == (True, "INC-1", None)
    assert found["last_rehearsal"]["incident_id"] == "INC-R"


def test_what_gives_no_answer_is_named_and_nothing_is_known(db: Database, directory: Path) -> None:
    """Without a ledger, which is not made."""
    population(db)
    run = status(db, None, directory)
    assert run.rc == 2, run.output
    assert not db.has_ledger()
    assert files(directory) == []
    shown = run.output[run.output.index("UNKNOWN. Not known: 3 (below).") :].splitlines()
    assert "50 of 50 tenants on" in shown[2], shown
    assert shown[-3] == "Not known: redis: The inventory has no host in the group redis."
    assert shown[-2].startswith("Not known: db3, database: 127.0.0.1:")
    assert shown[-2].endswith("Connection refused.")
    assert shown[-1].startswith("Not known: db4, database: could not be reached:")


def test_a_database_is_read_as_far_as_the_role_may(db: Database, directory: Path) -> None:
    population(db)
    found = db.modules(**FLAG).ok("status_info")
    (feature,) = found["features"]
    assert (feature["enabled"], feature["total"], feature["guard"]["status"]) == (50, 50, "absent")
    assert (found["fence"]["status"], found["incidents"], found["unknown"]) == ("absent", [], [])
    # A stop that has no ledger is known by its file.
    role = without_ledger(db, directory)
    role.disable("INC-20261203-001")
    found = role.ok("status_info")
    (feature,) = found["features"]
    assert [row["incident_id"] for row in feature["unrecorded"]] == ["INC-20261203-001"]
    assert (feature["enabled"], found["unknown"]) == (0, [])
    # A ledger that it may not read.
    db.modules().ok("ledger", environment="staging")
    found = role.ok("status_info")
    assert [(row["part"], row["code"]) for row in found["unknown"]] == [("ledger", "missing_privilege")]
    assert found["features"][0]["total"] == 50
    db.modules().ok("ledger", environment="staging", grant_to=[role.options["login_user"]])
    db.modules().ok("incident", incident_id="INC-1")
    found = role.ok("status_info", environment="staging")
    assert (found["unknown"], [row["incident_id"] for row in found["incidents"]]) == ([], ["INC-1"])
    # Another environment's; and a table that is not there.
    found = db.modules(**{**FLAG, "table": "nothing"}).ok("status_info", environment="production")
    assert [(row["part"], row["code"]) for row in found["unknown"]] == [
        ("ledger", "other_environment"),
        ("feature", "missing_table"),
    ]
    assert found["features"] == []


def test_what_stands_is_told_from_what_is_installed(db: Database) -> None:
    modules = population(db)
    db.modules().ok("ledger", environment="staging", latch=True, flag=FLAG)
    db.modules().ok("write_fence", state="dormant", tables=["tickets", "companies"])
    found = modules.ok("status_info")
    assert (found["features"][0]["guard"]["status"], found["fence"]["status"]) == ("dormant", "dormant")
    db.modules().ok("write_fence", tables=["tickets"], incident_id="INC-1")
    fence = modules.ok("status_info", check=True)["fence"]
    assert (fence["status"], fence["tables_raised"], fence["tables"], fence["incident_id"]) == ("up", 1, 2, "INC-1")
    modules.disable(latch=True)
    assert modules.ok("status_info")["features"][0]["guard"] == {"status": "up", "incident_id": "INC-1"}
    db.rows("ALTER TABLE companies DISABLE TRIGGER USER")
    assert modules.ok("status_info")["features"][0]["guard"]["status"] == "not_firing"
    # A lease that has expired is nobody's.
    db.modules().ok("incident", incident_id="INC-1", run_id="r", operator="rui", lease="held", lease_seconds=600)
    assert [row["holder"] for row in modules.ok("status_info")["leases"]] == ["rui"]
    db.rows("UPDATE kanban_rollback.leases SET expires_at = clock_timestamp()")
    assert modules.ok("status_info")["leases"] == []


def test_everything_ends_by_the_deadline(db: Database) -> None:
    modules = population(db)
    with db.transaction("LOCK TABLE companies"):
        found = modules.ok("status_info", deadline=1)
    assert {row["part"] for row in found["unknown"]} == {"feature"}
    assert (found["features"][0]["total"], found["elapsed_ms"] < 5000) == (None, True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with modules.having(login_port=port, login_host="127.0.0.1").start("status_info", deadline=1) as running:
            failed = running.result()
            assert running.seconds < 10
    assert failed["error"]["code"] == "unreachable", failed
    modules.fails("bad_deadline", "status_info", deadline=0.5)
