# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of all modules, exactly as written, one after the other on real servers: done, and planned."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents.examples import PREFIX, names, tasks_of
from tests.integration import playbook
from tests.integration.place import Database
from tests.integration.redisplace import RedisPlace
from tests.support.dataset import DataSet

pytestmark = [pytest.mark.drill, pytest.mark.timeout(2000)]

LOGINS = {
    "postgresql": ("login_host", "login_port", "login_user", "login_password"),
    "redis": ("login_host", "login_port", "login_password"),
}
# What comes first leaves what the later ones need; modules that are not named here follow.
FIRST = (
    *("ledger", "preflight_info", "feature_flag_info", "affected_tenants_info", "feature_flag", "evidence"),
    *("write_block_info", "write_block", "cache_purge_info", "cache_purge", "write_fence", "pg_dump", "progress_info"),
    *("recovery_point_info", "integrity_info", "integrity_repair", "pg_restore_tables", "incident_files"),
)
LAST = ("incident",)
# Where examples have files, in the directory of the test.
PLACES = (
    *("/var/lib/kanban_rollback", "/var/lib/kanban", "/var/lib/postgresql", "/var/backups/kanban_rollback"),
    *("/srv/scratch", "/backups", "/home/deploy", "/etc/wal-g.d"),
)
SERVICES = {
    "vault_slack_token": "x",
    "vault_pagerduty_key": "x",
    "vault_statuspage_key": "x",
    "vault_oncall_password": "x",
    "vault_token": "x",
    "vault_redis_password": "x",
    "awx_workflow_job_id": 1,
    "awx_job_id": 2,
}
# Nothing outside this machine is asked: an address where nothing listens stands for what is not there.
ELSEWHERE = {
    "127.0.0.1:3000": "127.0.0.1:9",
    "127.0.0.1:8080": "127.0.0.1:9",
    "127.0.0.1:8081": "127.0.0.1:11",
    **{f"sentinel{dash}{number}:26379": "127.0.0.1:9" for number in (1, 2, 3) for dash in ("", "-")},
}
# It would ask its services.
PLANNED_ONLY = ("notify",)
# Its program may be there or not; its repository is not.
NO_PGBACKREST = "tool_failed or no_program"
# What cannot be done here, by task, and the code of its error: services and hosts that are not there; and refusals,
# because the ledger's example marks it as production's, the fence's examples end without one, and a dump made now is
# later than the damage. Without a code: tasks that follow one of these, and a watch of what is not there.
EXPECTED: dict[str, str] = {
    "approval_info: Ask AWX who approved this": "no_address",
    "evidence: Keep processes, ends of logs and metrics of the application": "no_evidence",
    "incident_timings_info: See how long rehearsals took": "other_environment",
    "integrity_repair: Do just that": "not_fenced",
    "metric_gate: Watch the share of failed requests and drag and drop, one try every 10 seconds": "",
    "pg_restore_tables: Bring just that back": "",
    "pg_restore_tables: See what is missing": "backup_too_late",
    "pg_restore_tables: See what is missing of how it was just before ten to three, by pgBackRest": NO_PGBACKREST,
    "pm2_info: Look again, ten minutes later": "",
    "pm2_info: Look at the application's processes": "no_home",
    "redis_stats_info: And the master that the Sentinels name": "unreachable",
    "rehearsal_data: Plant duplicates and orphans": "other_environment",
    "status_page: Give a component a status, without an incident": "no_answer",
    "status_page: Say that it is over, and put the component back to how it was": "no_answer",
    "status_page: Say that the board is being maintained": "no_answer",
    "write_block: The same, with Sentinels that know the master": "unreachable",
}
# The codes of wrong options and values.
WRONG = ("bad_", "incomplete_", "wrong_", "missing_", "ambiguous_", "unknown_columns", "no_table", "whom_to_ask")
NOT_OURS = ("Unsupported parameters", "Traceback", "MODULE FAILURE", "must be one of", "required arguments")


def story() -> list[str]:
    """Return all modules in the order in which their examples are run."""
    return [*FIRST, *(name for name in names() if name not in (*FIRST, *LAST)), *LAST]


def written(directory: Path, database: str) -> str:
    """Write a playbook of all examples, which keeps the result of each."""
    tasks: list[dict[str, Any]] = []
    for name in story():
        for number, example in enumerate(tasks_of(name)):
            # The account that runs the test acts.
            task = {key: value for key, value in example.items() if key not in ("become", "become_user")}
            kept = task.setdefault("register", f"{name}_{number}")
            task |= {"ignore_errors": True, **({"retries": 3, "delay": 1} if "until" in task else {})}
            task |= {"check_mode": True} if name in PLANNED_ONLY else {}
            fields = f"'failed': {kept} is failed, 'code': ({kept}.error | default({{}})).code | default('')"
            row = f"{{'name': {name + ': ' + task['name']!r}, {fields}, 'msg': {kept}.msg | default('') | string}}"
            keep = {"became__": f"{{{{ became__ + [{row}] }}}}"}
            tasks += [task, {"name": "Keep it", "ansible.builtin.set_fact": keep}]
    file = {"content": "{{ became__ | to_json }}", "dest": "{{ playbook_dir }}/result.json", "mode": "0600"}
    tasks.append({"name": "Write", "ansible.builtin.copy": file, "check_mode": False})
    defaults: dict[str, Any] = {
        f"group/{PREFIX}{group}": {name: f"{{{{ {group}_{name} }}}}" for name in options}
        for group, options in LOGINS.items()
    }
    defaults[f"{PREFIX}status_page"] = {"api_url": "http://127.0.0.1:9", "timeout": 5}
    about = {"hosts": "db", "gather_facts": False, "vars": {"became__": [], **SERVICES}}
    play = {**about, "module_defaults": defaults, "tasks": tasks}
    text = yaml.safe_dump([play], sort_keys=False, width=10000).replace("chatia_db", database)
    for place in PLACES:
        text = text.replace(place + "/", f"{directory}{place}/")
    for there, nowhere in ELSEWHERE.items():
        text = text.replace(there, nowhere)
    return playbook.written(directory, text)


@pytest.fixture
def options(db: Database, directory: Path) -> Any:
    """Make a database with what the examples name, and a Redis; give the options for a playbook of them."""
    with db.connect() as session:
        DataSet(tenants=60, tickets=600, corruption=True).load(session)
    db.rows("CREATE ROLE kanban_rollback") if not db.rows(
        "SELECT 1 FROM pg_roles WHERE rolname = 'kanban_rollback'"
    ) else None
    with RedisPlace.started() as cache:
        login = {f"postgresql_{name}": getattr(db.server, name.removeprefix("login_")) for name in LOGINS["postgresql"]}
        login |= {f"redis_{name}": cache.login[name] for name in LOGINS["redis"]}
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        yield playbook.inventory(directory, {**local, **login}, db={"db1": {}})


@pytest.mark.parametrize("how", ["for real", "--check"])
def test_each_example_does_what_it_says(options: list[str], db: Database, directory: Path, how: str) -> None:
    for place in PLACES:
        (directory / place[1:]).mkdir(parents=True, exist_ok=True)
    name = written(directory, db.name)
    run = playbook.start(directory, name, *options, *([how] if how == "--check" else [])).wait(timeout=1500)
    assert run.rc == 0, run.output
    became: list[dict[str, Any]] = json.loads((directory / "result.json").read_text())
    assert len(became) > 80
    failed = {one["name"]: (one["code"], one["msg"]) for one in became if one["failed"]}
    # A task may lack what an earlier one only planned, but its options are right.
    wrong = {
        name: (code, msg)
        for name, (code, msg) in failed.items()
        if code.startswith(WRONG) or any(words in msg for words in NOT_OURS)
    }
    assert not wrong
    if how != "--check":
        unexpected = {
            name: said for name, said in failed.items() if said[0] not in EXPECTED.get(name, "ok").split(" or ")
        }
        assert not unexpected
        assert set(failed) == set(EXPECTED)
