# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as stopped, what as unknown, and how status.yml shows both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._status import incidents_in, judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statusscreen import age, headline, shown

NOW = 1_795_600_000.0
OPEN = {
    "incident_id": "INC-1",
    "age_seconds": 720,
    "operator": "ana",
    "reason": "tags vanish",
    "switched_off": 1200,
}
FEATURE: dict[str, Any] = {
    "name": "public.Companies.settings -> kanbanV2Enabled",
    "guard": {"status": "dormant", "incident_id": None},
    "unrecorded": [],
    "total": 1284,
    "enabled": 385,
    "unreadable_count": 0,
    "global_default": None,
}
FENCE = {"status": "dormant", "incident_id": None, "raised_at": None, "drained": None, "tables": 3, "tables_raised": 0}
BLOCK = {"held": False, "owner": None, "value": None, "ttl_seconds": None}


def database(cluster: str = "1/2", writable: bool = True, feature: dict[str, Any] | None = None, **parts: Any) -> Any:
    """Return an answer of status_info."""
    server = {"name": "chatia_db", "address": "10.0.0.1:5432", "server_version": "17", "writable": writable}
    return {
        "database": {**server, "cluster": cluster},
        "features": [{**FEATURE, **(feature or {})}],
        "fence": FENCE,
        "incidents": [],
        "leases": [],
        "last_rehearsal": None,
        "unknown": [],
        "ledger": {"present": True},
        **parts,
    }


def cache(run_id: str = "r", role: str = "master", **block: Any) -> Any:
    """Return an answer of write_block_info."""
    return {**BLOCK, **block, "server": {"address": "10.0.0.2:6379", "run_id": run_id, "role": role}}


def judged(*answers: Any, redis: Any = None, rehearsed: Any = (), version: str = "0.1.0") -> dict[str, Any]:
    """Judge databases db1, db2 …, and Redis servers redis1, redis2 … if there are any."""
    tiers, given = {"db": [f"db{number}" for number in range(1, len(answers) + 1)]}, {"db": list(answers)}
    if redis is not None:
        tiers["redis"], given["redis"] = [f"redis{number}" for number in range(1, len(redis) + 1)], redis
    return judge(tiers, given, rehearsed=rehearsed, version=version, now=NOW)


def reasons(status: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["what"], row["incident_id"]) for row in status["stopped"]]


def test_nothing_is_stopped_where_all_answered_and_nothing_refuses() -> None:
    found = judged(database(), redis=[cache()])
    assert (found["state"], found["exit_status"]) == ("nothing_stopped", 0)
    assert (found["stopped"], found["unknown"]) == ([], [])
    # A feature that nobody has is no stop.
    assert judged(database(feature={"enabled": 0}))["exit_status"] == 0


UP = {"status": "up", "incident_id": "INC-1"}
STOPS = {
    "incident": database(incidents=[OPEN]),
    "fence": database(fence={**FENCE, **UP, "tables_raised": 2}),
    "guard": database(feature={"guard": UP}),
    "unrecorded": database(feature={"unrecorded": [{"incident_id": "INC-1", "path": "/x", "age_seconds": 3}]}),
}


@pytest.mark.parametrize("what", STOPS)
def test_each_of_these_alone_is_a_stop(what: str) -> None:
    found = judged(database("8/9"), STOPS[what])
    assert (found["state"], found["exit_status"], reasons(found)) == ("stopped", 3, [(what, "INC-1")])
    assert found["stopped"][0]["hosts"] == ["db2"]


def test_a_write_block_is_a_stop_also_where_only_a_replica_tells() -> None:
    found = judged(database(), redis=[cache(held=True, owner="INC-1")])
    assert (found["exit_status"], reasons(found)) == (3, [("write_block", "INC-1")])
    # A replica says nothing that its master does not say.
    found = judged(database(), redis=[cache("a", "replica", held=True), cache("b")])
    assert (found["exit_status"], [row["hosts"] for row in found["redis"]]) == (0, [["redis2"]])
    found = judged(database(), redis=[cache("a", "replica")])
    assert (found["exit_status"], found["unknown"][0]["host"]) == (2, "redis1")
    assert judged(database(), redis=[cache("a", "replica", held=True)])["exit_status"] == 3


def test_what_gave_no_answer_is_unknown_and_named() -> None:
    refused = {"failed": True, "msg": "x", "error": {"code": "unreachable", "what": "db2:5432: refused."}}
    silent = {"unreachable": True, "msg": "no route to host"}
    found = judged(database(), refused, silent, {}, redis=[silent])
    assert (found["state"], found["exit_status"]) == ("unknown", 2)
    told = [(row["host"], row["part"], row["why"]) for row in found["unknown"]]
    assert told == [
        ("db2", "database", "db2:5432: refused."),
        ("db3", "database", "could not be reached: no route to host"),
        ("db4", "database", "It was not asked."),
        ("redis1", "redis", "could not be reached: no route to host"),
    ]
    # What is stopped is certain, whatever else is not known.
    found = judged(STOPS["fence"], silent)
    assert (found["exit_status"], len(found["unknown"])) == (3, 1)


def test_a_part_that_could_not_be_read_and_an_empty_group_are_unknown() -> None:
    part = {"part": "ledger", "code": "missing_privilege", "what": "The role x may not read the ledger."}
    found = judged(database(unknown=[part]))
    assert (found["exit_status"], found["unknown"][0]["host"]) == (2, "db1")
    assert judged()["unknown"] == [
        {"host": "", "part": "db", "why": "The inventory has no host in the group db."},
    ]
    assert judged(database(), redis=[])["exit_status"] == 2


def test_a_database_counts_once_by_its_primary() -> None:
    replica = database(writable=False, feature={"enabled": 7})
    found = judged(replica, database(), database(), replica)
    (one,) = found["databases"]
    assert (one["hosts"], one["replicas"]) == (["db2", "db3"], ["db1", "db4"])
    assert (one["features"][0]["enabled"], found["exit_status"]) == (385, 0)
    # Another feature of the same database, and a stop that only one of its hosts knows.
    left = {"incident_id": "INC-2", "path": "/x", "age_seconds": 3}
    both = judged(database(), database(feature={"unrecorded": [left]}), database(feature={"name": "other"}))
    (one,) = both["databases"]
    assert [(row["name"], row["unrecorded"]) for row in one["features"]] == [(FEATURE["name"], [left]), ("other", [])]
    # A replica alone tells what it knows, and its primary is missing.
    found = judged(replica, {"unreachable": True, "msg": "gone"})
    assert (found["exit_status"], found["databases"][0]["writable"]) == (2, False)
    assert found["unknown"][-1]["why"] == "It is a replica, and its primary did not answer."
    # Two databases of one server are two.
    assert len(judged(database("1/2"), database("1/3"))["databases"]) == 2


def rehearsal(began: str, **changes: Any) -> dict[str, Any]:
    fixed = {"incident_id": began, "scenario": "scenario3", "environment": "staging", "version": "0.1.0"}
    return {**fixed, "began": began, "green": True, "rehearsal": True, **changes}


def test_the_newest_green_rehearsal_of_this_version_counts_wherever_it_is_known() -> None:
    rows = [
        rehearsal("2026-11-20T00:00:00Z"),
        rehearsal("2026-11-23T00:00:00Z", green=False),
        rehearsal("2026-11-24T00:00:00Z", rehearsal=False),
        rehearsal("2026-11-24T01:00:00Z", version="0.2.0"),
        {**rehearsal(""), "began": None},
    ]
    ours = database(last_rehearsal=rehearsal("2026-11-22T00:00:00Z"))
    found = judged(ours, rehearsed=rows)["last_rehearsal"]
    assert (found["incident_id"], found["age_seconds"]) == ("2026-11-22T00:00:00Z", NOW - 1_795_305_600)
    assert judged(database(), rehearsed=rows[1:4])["last_rehearsal"] is None
    assert judged(database(), rehearsed=[rehearsal("yesterday")])["last_rehearsal"]["age_seconds"] is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"incidents": 3}', "[" * 100_000])
def test_an_index_that_is_none_has_no_incidents(text: str) -> None:
    assert incidents_in(text) == []


def test_an_index_has_its_incidents() -> None:
    assert incidents_in('{"incidents": [{"green": true}, 3]}') == [{"green": True}]


def test_the_screen_shows_everything() -> None:
    fence = {**FENCE, **UP, "tables_raised": 2}
    lease: dict[str, Any] = {"name": "recovery", "incident_id": "INC-1", "holder": "rui"}
    lease |= {"heartbeat_seconds_ago": 5, "expires_in_seconds": 240}
    feature = {"guard": UP, "global_default": "off", "enabled": 0}
    stopped = database(incidents=[OPEN], fence=fence, leases=[lease], feature=feature)
    found = judged(
        stopped,
        {"unreachable": True, "msg": "no route"},
        redis=[cache(held=True, owner="INC-1", ttl_seconds=7300)],
        rehearsed=[rehearsal("2026-11-22T00:00:00Z")],
    )
    assert shown(found, "screen").splitlines() == [
        "STOPPED: incident INC-1 is open, the fence is up, the guard is up, the write block is set. "
        "Not known: 1 (below).",
        "db1: chatia_db at 10.0.0.1:5432",
        "  Feature       public.Companies.settings -> kanbanV2Enabled: 0 of 1,284 tenants on; the default for tenants "
        "without a row is off",
        "  Guard         up, for INC-1",
        "  Fence         up, for INC-1, 2 of 3 tables",
        "  Incidents     1 open",
        "                INC-1, 12 min old, by ana, 1,200 tenants switched off: tags vanish",
        "  Lease         recovery, rui for INC-1, last sign of life 5 s ago, ends in 4 min",
        "redis1: Redis at 10.0.0.2:6379",
        "  Write block   set by INC-1, ends in 2 h",
        "Last green rehearsal of this version: 3 days ago, scenario3, version 0.1.0",
        "Not known: db2, database: could not be reached: no route",
    ]


def test_the_screen_shows_what_could_not_be_read() -> None:
    unread = {"guard": None, "total": None, "enabled": None, "global_default": None}
    left = {"incident_id": "INC-2", "path": "/var/lib/x", "age_seconds": 90}
    found = judged(database(fence=None, feature={**unread, "unrecorded": [left]}))
    lines = shown(found, "screen").splitlines()
    assert lines[0] == "STOPPED: a stop is in no ledger."
    assert lines[2].endswith("not counted")
    assert lines[3:6] == [
        "  Guard         not known",
        "  Not in ledger INC-2, 90 s ago, in /var/lib/x",
        "  Fence         not known",
    ]
    assert lines[-1] == "Last green rehearsal of this version: none on record"
    assert headline(judged(database())) == "NOTHING IS STOPPED."
    assert headline(judged()) == "UNKNOWN. Not known: 1 (below)."


def test_nobody_elses_text_moves_the_terminal_and_json_is_one_line() -> None:
    found = judged(database(incidents=[{**OPEN, "operator": "a\x1b[2J\u202e\nb", "reason": None}]))
    screen = shown(found, "screen")
    assert "by a\ufffd[2J\ufffd b, 1,200 tenants switched off: no reason given" in screen
    text = shown(found, "json")
    assert (text.isascii(), text.count("\n"), json.loads(text)) == (True, 0, found)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown time"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")],
)
def test_an_age_has_the_largest_unit_of_which_there_are_two(seconds: float | None, text: str) -> None:
    assert age(seconds) == text
    assert age(172_800) == "2 days"
