# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""READY appears only if everything was seen to be there; otherwise a numbered list, the most important first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightscreen import preflight
from tests.unit.applications import application

Answer = dict[str, Any]
PONG = {"ping": "pong", "changed": False}
CONTACTS = [{"role": "dba", "primary": "Ana"}]
UNREACHABLE = {"unreachable": True, "msg": "Failed to connect:\nConnection timed out"}
KINDS = (
    "ping",
    "clock",
    "wrong",
    "until",
    "info",
    "fence",
    "block",
    "purge",
    "pm2",
    "health",
    "flag",
    "walk",
    "lacking",
    "samples",
)


def check(name: str, ok: bool | None = False, severity: str = "must") -> Answer:
    return {"name": name, "ok": ok, "severity": severity, "what": f"{name} is gone.", "why": "W.", "todo": "T."}


def database(*checks: Answer, cluster: str = "7/1", writable: bool = True) -> Answer:
    forecast = {
        "tenants": 1000,
        "on": 300,
        "seconds": 0.42,
        "locked_now": 2,
        "open_transactions": {"count": 1, "oldest_seconds": 12.0},
    }
    place = {"name": "crm", "address": "192.0.2.1:5432", "cluster": cluster, "writable": writable}
    return {"database": place, "checks": list(checks), "forecast": forecast, "break_glass": "-- x"}


def db(info: Answer | None = None, **more: Any) -> Answer:
    fence = {"status": "dormant", "tables": []}
    return {"ping": PONG, "info": database() if info is None else info, "fence": fence, **more}


def cache(**more: Any) -> Answer:
    block = {"held": False, "type": "none", "owner": None, "server": {"writable": True}, "warnings": []}
    return {"ping": PONG, "block": {**block, **more}, "purge": {"can_purge": True, "can_purge_why": None}}


def judge(
    dbs: dict[str, Answer], caches: dict[str, Answer] | None = None, apps: dict[str, Answer] | None = None, **more: Any
) -> Answer:
    tiers = {"db": dbs, "redis": {"r1": cache()} if caches is None else caches, "app": apps or {"a1": application()}}
    hosts = {name: answers for tier in tiers.values() for name, answers in tier.items()}
    lists = {kind: [answers.get(kind, {}) for answers in hosts.values()] for kind in KINDS}
    groups = {tier: list(names) for tier, names in tiers.items()}
    result = preflight(groups, list(hosts), lists, **{"contacts": CONTACTS, **more})
    assert result["failed"] is not result["ready"]
    assert result["headline"] == result["lines"][0]
    assert result["headline"].startswith("NOT READY" if result["failed"] else "READY")
    numbered = [line for line in result["lines"] if line[0].isdigit()]
    assert [line.partition(".")[0] for line in numbered] == [str(i) for i in range(1, len(result["items"]) + 1)]
    return result


def text(result: Answer) -> str:
    return "\n".join(result["lines"])


def test_everything_is_there() -> None:
    result = judge({"db1": db()}, environment="staging", scripts="/i/break-glass")
    assert result["headline"] == "READY: everything that the scenarios need is there"
    assert result["items"] == []
    assert "Asked: 1 db, 1 redis, 1 app; environment staging" in text(result)
    assert (
        "db1: crm at 192.0.2.1:5432: 300 of 1,000 tenants are on; switching them off would take about 0.4 s, "
        "2 rows are held now, the oldest open transaction is 12 s old" in result["lines"]
    )
    assert "/i/break-glass: db1.sql" in text(result)


def test_a_variable_that_is_misspelt_is_told_with_the_one_that_is_meant() -> None:
    found = {"kanban_app_urls": "kanban_app_url", "kanban_later": ""}
    result = judge({"db1": db()}, misspelt=found)
    assert [item["name"] for item in result["items"]] == ["variables", "variables"]
    assert result["ready"], "it is no reason to be called NOT READY"
    line = "is no variable of this collection, so nothing reads it"
    assert f"1. kanban_app_urls {line}; is kanban_app_url meant? To do: Correct the name" in text(result)
    assert f"2. kanban_later {line}." in text(result)


def test_a_wrong_value_is_told_once_with_the_hosts_that_have_it() -> None:
    found = ["kanban_deadline:\n'20s' is no int"]
    result = judge({"db1": db(wrong=found), "db2": db(wrong=found)}, {"r1": {**cache(), "wrong": ["other"]}})
    assert [item["name"] for item in result["items"]] == ["values", "values"]
    assert not result["ready"], "a stop may fail by it"
    assert "1. db1, db2: A variable has a wrong value: kanban_deadline: '20s' is no int. The step" in text(result)
    assert "2. r1: A variable has a wrong value: other." in text(result)


@pytest.mark.parametrize(("forks", "told"), [(3, True), (4, False), (50, False), (0, False)])
def test_fewer_forks_than_a_stop_has_hosts_are_told_and_keep_nothing_from_being_ready(forks: int, told: bool) -> None:
    # Dead hosts keep only databases and Redis waiting, each counted once.
    caches = {"r1": cache(), "r2": cache(), "db2": {**db(), **cache()}}
    result = judge({"db1": db(), "db2": {**db(), **cache()}}, caches, forks=forks)
    assert [item["name"] for item in result["items"]] == ["forks"] * told
    assert result["ready"]
    line = "1. Ansible talks to 3 hosts at once here (forks), and a stop is on 4: databases and Redis."
    assert (line in text(result), "To do: Type -f 4, or set forks = 4 in ansible.cfg" in text(result)) == (told, told)


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ({"db1": {"ping": UNREACHABLE}}, "db1: It could not be reached: Failed to connect: Connection timed out."),
        ({"db1": {}}, "db1: It could not be reached: it was not asked."),
        ({"db1": db({"failed": True, "msg": "No module named psycopg2"})}, "db1: No module named psycopg2"),
        ({"db1": db({"failed": True, "msg": "m", "error": {"what": "Bad.", "why": "Y.", "todo": "Z."}})}, "To do: Z."),
        ({"db1": db({})}, "db1: it was not asked"),
        ({"db2": db(database(writable=False))}, "db2: It is a replica, and its primary did not answer."),
        (
            {"db1": db({"failed": True, "msg": "It lacks SELECT."}), "db2": db(database(writable=False))},
            "db2: It is a replica, and its primary may be db1, which answered with an error.",
        ),
        ({"db1": db(database(check("kill")))}, "1. db1: kill is gone. W. To do: T."),
        ({"db1": db(fence={"status": "absent", "tables": []})}, "The fence is not armed on any table (absent)"),
        ({"db1": db(fence={"failed": True, "msg": "No such table."})}, "db1: No such table."),
        (
            {"db1": db(fence={"status": "proven", "incident_id": "INC-1"})},
            "The fence is up (proven), under incident INC-1",
        ),
        ({}, "The group 'db' has no hosts."),
    ],
)
def test_what_a_database_lacks(hosts: dict[str, Answer], words: str) -> None:
    result = judge(hosts)
    assert result["failed"] is True
    assert words in text(result)


def test_the_tables_that_the_fence_does_not_cover_are_named() -> None:
    tables = [
        {"name": "Tags", "status": "dormant", "reason": None},
        {"name": "Tickets", "status": "not_fenced", "reason": "Another scope."},
    ]
    result = judge({"db1": db(fence={"status": "not_fenced", "tables": tables})})
    assert "The fence is not armed on Tickets (not_fenced). Another scope." in text(result)
    assert judge({"db1": db(fence={"status": "not_fenced", "tables": tables})}, fence=False)["ready"] is True


def test_an_installed_fence_that_refuses_more_than_is_asked_is_not_ready() -> None:
    row = {"name": "Tickets", "table": "public.Tickets", "status": "dormant", "refuses_more": ["UPDATE of status"]}
    result = judge({"db1": db(fence={"status": "dormant", "tables": [row]})})
    assert result["ready"] is False
    assert "The installed fence of public.Tickets refuses more than is asked: UPDATE of status." in text(result)


def test_a_warning_of_the_fence_is_said_once_and_keeps_nothing_from_being_ready() -> None:
    fence = {"status": "dormant", "tables": [], "warnings": ["Triggers run first.", "Through a pooler."]}
    server = {**check("server", severity="should"), "what": "Through a pooler. And more."}
    result = judge({"db1": db(database(server), fence=fence)})
    assert result["ready"] is True
    assert [(item["name"], item["must"]) for item in result["items"]] == [("fence", False), ("server", False)]
    assert "1. db1: Triggers run first." in text(result)
    assert text(result).count("pooler") == 1


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"held": True, "type": "string", "owner": "INC-1"}, "it belongs to INC-1"),
        ({"held": False, "type": "other"}, "it belongs to nobody who is known"),
        ({"failed": True, "msg": "NOAUTH Authentication required."}, "r1: NOAUTH Authentication required."),
        ({"server": {"writable": False}}, "No Redis that answered takes writes."),
        ({"can_write": False, "can_write_why": "The user app lacks +set."}, "r1: The user app lacks +set."),
    ],
)
def test_what_redis_lacks(block: Answer, words: str) -> None:
    result = judge({"db1": db()}, {"r1": cache(**block)})
    assert result["failed"] is True
    assert words in text(result)


def test_a_replica_of_redis_beside_its_master_lacks_nothing() -> None:
    assert judge({"db1": db()}, {"r1": cache(), "r2": cache(server={"writable": False})})["ready"] is True


def test_a_warning_of_redis_keeps_nothing_from_being_ready() -> None:
    result = judge({"db1": db()}, {"r1": cache(warnings=["maxmemory-policy evicts."])})
    assert result["ready"] is True
    assert result["headline"] == "READY, though 1 could be better"
    assert "1. r1: maxmemory-policy evicts." in text(result)


@pytest.mark.parametrize("contacts", [[], ["Ana"], [{"role": "dba"}], [*CONTACTS, {"role": "dba", "primary": ""}]])
def test_contacts(contacts: list[Any]) -> None:
    result = judge({"db1": db()}, contacts=contacts)
    assert [item["name"] for item in result["items"]] == ["contacts"]
    assert result["failed"] is True


@pytest.mark.parametrize(
    ("stdout", "until", "off"),
    [
        ("1000.5 1000.0", 1001.0, None),
        ("1002.9 1000.0", 1001.0, None),
        ("1003.1 1000.0", 1001.0, "2.1"),
        ("997.9 1000.0", 1001.0, "2.1"),
        ("998.1 1000.0", 1001.0, None),
        # It took long to ask, and the host's time lies within that.
        ("1009.0 1000.0", 1010.0, None),
        # Without a fraction of a second.
        ("997 1000.0", 1001.0, None),
        ("996 1000.0", 1001.0, "3.0"),
        ("997.%N 1000.0", 1001.0, None),
        ("1000.5 1000.0", "", None),
    ],
)
def test_clocks(stdout: str, until: Any, off: str | None) -> None:
    result = judge({"db1": db()}, apps={"a1": application(clock={"stdout": stdout}, until=until)})
    found = [item["what"] for item in result["items"]]
    assert found == ([] if off is None else [f"Its clock differs from the controller's by {off} s."])
    assert result["ready"] is True


def test_a_clock_that_cannot_be_read_is_not_said_to_be_right() -> None:
    result = judge({"db1": db()}, apps={"a1": application(clock={"failed": True, "msg": "No such file: date"})})
    assert result["headline"] == "READY, though 1 could not be found out"
    assert "a1: Its clock could not be read: No such file: date." in text(result)


def test_two_names_of_one_database_have_one_list_and_one_forecast() -> None:
    info = database(check("ledger"))
    result = judge({"db1": db(info), "db1-again": db(info), "db3": db(database(check("ledger"), cluster="8/1"))})
    assert [item["host"] for item in result["items"]] == ["db1", "db3"]
    assert sum("tenants are on" in line for line in result["lines"]) == 2


def test_a_replica_with_its_primary_lacks_nothing() -> None:
    assert judge({"db1": db(), "db2": db(database(writable=False), fence={})})["ready"] is True


def test_a_host_of_two_tiers_is_one_host() -> None:
    result = preflight({"db": ["h"], "redis": ["h"]}, ["h"], {"ping": [UNREACHABLE]}, contacts=CONTACTS)
    assert [item["name"] for item in result["items"]] == ["reach", "application"]


def test_a_name_that_leads_to_no_host_and_scripts_that_were_not_written_are_missing() -> None:
    groups = {"all": ["db1", "r1", "a1"]}
    patterns = {"kanban_db_hosts": "db1,dbb2", "kanban_redis_hosts": "r1", "kanban_app_hosts": "none"}
    found = judge({"db1": db()}, hosts={"patterns": patterns, "groups": groups, "not_written": "Permission denied"})
    assert [(item["name"], item["must"], item["ok"]) for item in found["items"]] == [
        ("group", True, False),
        ("break_glass", True, False),
    ]
    assert "dbb2 of kanban_db_hosts is no host, and no group with hosts." in found["items"][0]["what"]
    assert "Permission denied" in found["items"][1]["what"]
    assert judge({"db1": db()}, hosts={"patterns": {}, "groups": groups, "not_written": ""})["ready"]


NAMES = ("kill", "ledger", "tools", "disk", "backup")


@given(st.permutations(NAMES))
def test_the_order_is_that_of_importance_however_things_come(order: list[str]) -> None:
    checks = [check(name) for name in order] + [check("server", severity="should"), check("latch", None)]
    result = judge({"db1": db(database(*checks))}, contacts=[])
    assert [item["name"] for item in result["items"]] == [*NAMES, "contacts", "server", "latch"]
    assert result["headline"] == "NOT READY: 6 things are missing, 1 could be better, 1 could not be found out"


@given(st.text(min_size=1), st.text())
def test_text_from_anywhere_stays_one_line(what: str, why: str) -> None:
    row = {**check("kill"), "what": what, "why": why}
    result = judge({"db1": db(database(row))})
    assert all("\n" not in line and "\r" not in line for line in result["lines"])


def test_a_right_that_could_not_be_tried_and_a_replica_keep_nothing_from_being_ready() -> None:
    untried = judge({"db1": db()}, {"r1": cache(can_write=None, can_write_why="+del could not be tried.")})
    assert untried["ready"] is True
    assert "r1: +del could not be tried." in text(untried)
    replica = {"can_write": False, "can_write_why": "It is a replica.", "server": {"writable": False}}
    both = judge({"db1": db()}, {"r1": cache(can_write=True), "r2": cache(**replica)})
    assert (both["ready"], both["items"]) == (True, [])
