# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One document of what every tier said: bounded, the same for the same answers, and no silent host gets lost in it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._investigation import (
    JSON_BYTES,
    MARKDOWN_BYTES,
    investigation_report,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsinvestigation import investigation_part
from tests.unit.answers import REFUSED, UNREACHABLE, Answer, database

QUERY: Answer = {
    "query": 'SELECT * FROM "Tickets" WHERE id = $1',
    "queryid": "-12",
    "calls": 120,
    "mean_ms": 35.04,
    "max_ms": 900.0,
    "total_ms": 4204.8,
    "share": 0.62,
    "rows": 120,
    "shared_blks_read": 4000,
    "user": "app",
    "database": "crm",
}
HOLDER: Answer = {
    "pid": 99,
    "application_name": "whaticket-api",
    "state": "idle in transaction",
    "transaction_age": 20.0,
    "query": "UPDATE t SET a = ?",
    "waits_itself": False,
    "to_end_it": "SELECT pg_terminate_backend(99)",
}
WAITER: Answer = {
    "pid": 17,
    "application_name": "worker",
    "mode": "ShareLock",
    "relation": None,
    "seconds": 12.3,
    "query": "UPDATE t SET a = ?",
    "blocked_by": [HOLDER, {**HOLDER, "pid": 98, "waits_itself": True, "to_end_it": "SELECT pg_terminate_backend(98)"}],
}
SLOW: Answer = {
    "changed": False,
    "available": True,
    "reason": None,
    "queries": [QUERY],
    "interval_seconds": 10.01,
    "source": {"reset_at": "2026-11-01T00:00:00Z"},
    "running": [{"pid": 17, "application_name": "worker", "user": "app", "state": "active", "seconds": 12.3,
                 "wait_event": "transactionid", "query": "UPDATE t SET a = ?"}],
    "waiting": [WAITER],
    "database": database(now="2026-11-25T03:14:07Z"),
    "invocation": {"module_args": {"login_password": "tr0ub4dor-and-3"}},
}  # fmt: skip
REDIS: Answer = {
    "operations": {"per_second": 1234.5, "cpu_share": 0.4},
    "memory": {"used_bytes": 45e6, "max_bytes": 100e6, "used_share": 0.45, "policy": "allkeys-lru"},
    "keyspace": {"evicted_per_second": 2.0, "expired_per_second": 0.0, "hit_rate": 0.9, "count": 7},
    "clients": {"connected": 10, "blocked": 2, "max": 10000, "rejected_total": 0},
    "commands": [{"command": "keys", "calls": 2, "total_ms": 90.0, "mean_ms": 45.0}],
    "slowlog": [{"command": "KEYS", "arguments": 1, "duration_ms": 45.0, "at": "2026-11-25T03:14:00Z"}],
    "replication": {"replicas": [{"address": "10.0.0.2:6379", "state": "online", "lag_seconds": 1, "lag_bytes": 10}]},
    "persistence": {"rdb_last_ok": True, "aof_last_ok": None},
    "notes": [{"what": "config", "why": "may not.", "grant": "ACL SETUSER app +config|get"}],
    "server": {"address": "10.0.0.3:6379", "role": "master"},
    "ping_ms": 0.21,
}
PM2: Answer = {
    "processes": [{"name": "api", "pm_id": 0, "pid": 4711, "status": "online", "alive": False, "uptime_seconds": 5.0,
                   "restarts": 3, "memory_bytes": 250e6, "memory_slope_bytes_per_minute": 2e6,
                   "error_lines_in_last": 9, "memory_samples": [{"bytes": 1}] * 100}],
    "problems": ["api (0): pm2 says online, but it has no process"],
    "messages": [{"message": "Error: connect ECONNREFUSED <n>", "count": 7, "last_seen": "2026-11-25T03:14:01Z"}],
    "error_lines_in_last": 9,
    "last_lines_read": 100,
}  # fmt: skip
TIERS = {"db": ["db1"], "redis": ["redis1"], "app": ["app1"]}
ANSWERS: dict[str, list[Answer]] = {
    "database": [SLOW],
    "database_total": [{**SLOW, "interval_seconds": None}],
    "redis": [REDIS],
    "application": [PM2],
    "sockets": [PM2],
}


def report(tiers: dict[str, list[str]] | None = None, /, **answers: list[Answer]) -> dict[str, Any]:
    return investigation_report(
        tiers or TIERS, {**ANSWERS, **answers}, incident_id="INC-20261125-001", environment="staging"
    )


def test_every_section_has_what_was_found() -> None:
    made = report()
    text = made["markdown"]
    order = [
        "# Investigation of `INC-20261125-001`, environment `staging`",
        "## Database\n",
        "#### Statements of 10.0 s\n",
        "**1.** 62% of the time, 120 calls, mean 35.0 ms, longest 900.0 ms, 120 rows, 4,000 blocks read, by `app`",
        '\n        SELECT * FROM "Tickets" WHERE id = $1\n',
        "#### Statements since the counters began (`2026-11-01T00:00:00Z`)",
        "## Locks\n",
        "- pid 17 (`worker`) has waited 12.3 s for `ShareLock`\n",
        "    - for pid 99 (`whaticket-api`, `idle in transaction`, 20.0 s in its transaction), `UPDATE t SET a = ?`; "
        "to end it: `SELECT pg_terminate_backend(99)`",
        ", which waits itself",
        "## Memory and processes\n",
        "- `api (0): pm2 says online, but it has no process`",
        "| `api` 0 | 4711 | `online` | no | 5 s | 3 | 250.0 MB | 2.0 MB | 9 |",
        "- 7 times, last at `2026-11-25T03:14:01Z`: `Error: connect ECONNREFUSED <n>`",
        "## Redis\n",
        "- `config: may not. ACL SETUSER app +config|get`",
        "| operations per second | 1,234.5 |",
        "- slow: `KEYS` with 1 arguments took 45.0 ms",
        "## Sockets\n",
        "`app1`: 9 lines among the last 100",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, (order[places.index(-1)], text)
    assert places == sorted(places)
    assert made["silent"] == []
    assert "Not everybody" not in text
    assert "too much" not in text


def test_the_last_screens_lines_say_the_worst_and_whom_to_end() -> None:
    lines = report()["lines"]
    assert lines[0].startswith("db1: 62% of the time in 10 s, mean 35.0 ms: SELECT * FROM")
    # Ending a session in the middle of a chain helps nobody.
    assert lines[1] == "db1: 1 sessions wait for locks; to end who holds them: SELECT pg_terminate_backend(99)"
    assert "1,234 operations per second, has 45.0 MB (45% of its limit), evicts 2.0 keys" in lines[2]
    assert lines[3:] == [
        "app1: api (0): pm2 says online, but it has no process",
        "app1: 1 processes with 250.0 MB of memory",
    ]


def test_the_same_answers_are_the_same_document_whatever_the_order_of_their_fields() -> None:
    turned = {kind: [dict(reversed(list(row.items()))) for row in rows] for kind, rows in ANSWERS.items()}
    assert json.dumps(report(**turned)["data"]) == json.dumps(report()["data"])
    assert report(**turned)["markdown"] == report()["markdown"]
    before = copy.deepcopy(ANSWERS)
    report()
    assert before == ANSWERS


def test_options_with_passwords_and_long_series_stay_out() -> None:
    made = json.dumps(report())
    assert "tr0ub4dor-and-3" not in made
    assert "memory_samples" not in made


def test_who_did_not_answer_is_named_with_why() -> None:
    skipped = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
    made = report(
        {"db": ["db1", "db2", "db3"], "redis": ["redis1"], "app": ["app1", "app2"]},
        database=[SLOW, UNREACHABLE, REFUSED],
        database_total=[SLOW, skipped],
        redis=[],
        application=[{"changed": False, "skipped": True}, {}],
        sockets=[{"changed": False, "skipped": True}, skipped],
    )
    assert [(row["host"], row["what"]) for row in made["silent"]] == [
        ("db2", "statements and locks"),
        ("db3", "statements and locks"),
        ("db2", "statements since the counters began"),
        ("db3", "statements since the counters began"),
        ("redis1", "Redis"),
        # app1 said itself that it has no pm2.
        ("app2", "processes and memory"),
        ("app2", "sockets"),
    ]
    assert made["silent"][0]["why"].startswith("could not be reached")
    assert "- `db3`, statements and locks: `db2:5432/crm: password authentication failed.`" in made["markdown"]


def test_without_the_extension_the_reason_and_the_rest_are_there() -> None:
    reason = {"code": "not_installed", "what": "It is not installed.", "why": "w", "todo": "CREATE EXTENSION …;"}
    made = report(database=[{**SLOW, "available": False, "reason": reason, "queries": []}], database_total=[{}])
    assert "Not known: `It is not installed.` `CREATE EXTENSION …;`" in made["markdown"]
    assert "which statements are slow is not known: It is not installed." in made["lines"][0]
    assert "`ShareLock`" in made["markdown"]


def test_what_could_not_be_read_is_not_nothing() -> None:
    text = report(database=[{**SLOW, "running": None, "waiting": None, "queries": []}])["markdown"]
    assert "`db1`: not known." in text
    assert "None that was asked for." in text
    calm = report(database=[{**SLOW, "running": [], "waiting": []}])["markdown"]
    assert "`db1`: nobody waits for a lock." in calm


@pytest.mark.parametrize("hosts", [1, 40, 3000])
def test_however_much_there_is_both_forms_are_bounded(hosts: int) -> None:
    names = [f"app{number}" for number in range(hosts)]
    messages = [{"message": "é" * 5000, "count": 1}] * 500
    made = report({**TIERS, "app": names}, application=[{**PM2, "messages": messages}] * hosts, sockets=[{}] * hosts)
    assert len(json.dumps(made["data"], indent=4)) <= JSON_BYTES
    assert len(made["markdown"].encode()) <= MARKDOWN_BYTES
    assert made["data"]["rows_kept"] < 200
    assert f"lists have at most {made['data']['rows_kept']} entries" in made["markdown"]
    assert made["markdown"].endswith("\n")


def test_hostile_text_is_in_code_alone() -> None:
    hostile = "x` | <script>alert(1)</script> ![a](http://b) **c** {{ 7 * 7 }}\n\n# heading\n- item"
    waiter = {**WAITER, "query": hostile, "application_name": hostile, "blocked_by": [{**HOLDER, "query": hostile}]}
    made = report(
        {"db": [hostile], "redis": ["redis1"], "app": ["app1"]},
        database=[{**SLOW, "queries": [{**QUERY, "query": hostile, "user": hostile}], "waiting": [waiter]}],
        application=[{**PM2, "messages": [{"message": hostile, "count": 1}]}],
    )
    lines = made["markdown"].splitlines()
    assert "# heading" not in lines
    assert "- item" not in lines
    flat = " ".join(hostile.split())
    for line in lines:
        if "<script>" in line and not line.startswith("        "):
            assert flat[:60] in line.replace("¦", "|")
            assert "`` x`" in line
    assert any(line == f"        {flat}" for line in lines)


def test_the_part_of_the_last_screen() -> None:
    found = {"file": "/srv/incidents/INC/investigation-1.md", "problem": "", "lines": ["db1: slow"], "silent": []}
    part = investigation_part(found)
    assert (part["kind"], part["holds"], part["bad"]) == ("preserve", True, [])
    assert part["good"] == "the investigation is in /srv/incidents/INC/investigation-1.md"
    assert part["lines"] == ["Investigation: /srv/incidents/INC/investigation-1.md", "db1: slow"]


def test_a_file_that_could_not_be_written_is_said_and_is_no_failure() -> None:
    part = investigation_part({"file": "", "problem": "No space left\non device", "lines": ["db1: slow"], "silent": []})
    assert (part["holds"], part["good"]) == (True, "the investigation is not kept in a file")
    assert part["lines"][0] == "The investigation could not be written: No space left on device"
    assert part["lines"][1] == "db1: slow"


def test_who_was_not_investigated_is_bad_and_nothing_is_nothing() -> None:
    silent = [{"host": "db2", "tier": "db", "what": "statements and locks", "why": "could not be reached"}]
    part = investigation_part({"file": "/f.md", "problem": "", "lines": [], "silent": silent})
    assert (part["holds"], part["bad"]) == (False, ["no investigation of db2: statements and locks"])
    assert (investigation_part({})["kind"], investigation_part({})["holds"]) == ("nothing", True)
