# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fence, write block, evidence and dump: a part holds only when every host that should have answered says so."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import incident_names, last_known, latest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import (
    block_part,
    dump_part,
    evidence_part,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsfence import fence_part
from tests.unit.answers import UNREACHABLE, Answer, answer, judge, replica, text

INCIDENT = "INC-20261125-001"
FAILED: Answer = {"failed": True, "msg": "no.", "error": {"what": "The disk is full.", "code": "disk_full"}}


def fence(status: str = "proven", **more: Any) -> Answer:
    tables = [{"name": "public.TicketTags", "status": "proven"}, {"name": "public.Tickets", "status": "proven"}]
    found = {"changed": True, "status": status, "tables": tables, "incident_id": INCIDENT, "raised_ms": 12.4}
    return {**found, "draining": [], "blocked": [], **more}


def block(owner: str | None = INCIDENT, cluster: str = "abc", **more: Any) -> Answer:
    server = {"cluster": cluster, "role": "master"}
    return {"changed": True, "held": True, "owner": owner, "ttl_seconds": None, "server": server, **more}


REDIS_REPLICA: Answer = {
    "changed": False,
    "skipped": True,
    "held": True,
    "server": {"cluster": "abc", "role": "replica"},
}
DUMP: Answer = {
    "changed": True,
    "verified": "toc",
    "dest": "/srv/dumps/INC",
    "bytes": 1_500_000,
    "tables": [{"name": "public.Tags", "rows": 700}, {"name": "public.TicketTags", "rows": 1300}],
    "previous": {"path": "/srv/dumps/OLD", "age_seconds": 3 * 86400, "incident_id": "OLD"},
}


def whole(part: dict[str, Any]) -> str:
    return "\n".join([*part["bad"], *part["lines"]])


def test_a_proven_fence_holds_and_says_on_what() -> None:
    part = fence_part(["db1"], [answer()], [fence()], [{}])
    assert (part["holds"], part["bad"]) == (True, [])
    assert "raised in 12 ms: public.TicketTags, public.Tickets refuse Kanban's writes" in whole(part)


def test_a_replica_and_a_host_whose_kill_said_nothing_are_not_counted_twice() -> None:
    part = fence_part(["db1", "db2", "db3"], [answer(), replica(), UNREACHABLE], [fence(), {}, {}], [])
    assert part["holds"]


@pytest.mark.parametrize("status", ["draining", "unproven", "not_fenced", "absent", "dormant", "lowered"])
def test_a_fence_that_is_not_proven_does_not_hold(status: str) -> None:
    part = fence_part(["db1"], [answer()], [fence(status)], [{}])
    assert not part["holds"]
    assert f"the fence on db1 is {status.replace('_', ' ')}" in part["bad"]


def test_the_drain_is_what_counts_in_the_end() -> None:
    row = {"pid": 42, "application_name": "whaticket", "transaction_age": 61.2, "tables": ["public.Tickets"],
           "to_end_it": "SELECT pg_terminate_backend(42)"}  # fmt: skip
    draining = fence("draining", draining=[row])
    part = fence_part(["db1"], [answer()], [draining], [{}])
    assert "pid 42 (whaticket, 61 s old) was writing to public.Tickets" in whole(part)
    assert "SELECT pg_terminate_backend(42)" in whole(part)
    assert fence_part(["db1"], [answer()], [draining], [fence()])["holds"]
    assert not fence_part(["db1"], [answer()], [fence()], [draining])["holds"]
    # A drain that gave no answer improves nothing.
    assert not fence_part(["db1"], [answer()], [draining], [UNREACHABLE])["holds"]


@pytest.mark.parametrize("status", ["absent", "dormant", "not_fenced"])
def test_a_fence_that_somebody_lowered_since_is_not_said_to_be_proven(status: str) -> None:
    part = fence_part(["db1"], [answer()], [fence()], [fence()], still=[{"status": status}])
    assert part["bad"] == ["the fence on db1 is not up any more"]
    assert "Kanban's writes pass" in part["lines"][0]
    assert not [line for line in part["lines"] if "refuse Kanban's writes" in line]
    # A look sends no canaries, so it calls what is up unproven; one that gave no answer says nothing against the proof.
    for now in ({"status": "unproven"}, UNREACHABLE, {}):
        assert fence_part(["db1"], [answer()], [fence()], [{}], still=[now])["holds"]


@pytest.mark.parametrize("status", ["absent", "dormant", "not_fenced"])
def test_a_fence_that_could_not_be_raised_was_lowered_by_nobody(status: str) -> None:
    """The last look finds what the raise has said already, and why."""
    row = {"name": "public.Tags", "status": status, "reason": "may not call kanban_rollback.fence_raise()"}
    raised = fence(status, tables=[row])
    part = fence_part(["db1"], [answer()], [raised], [{}], still=[{"status": status}])
    assert part["bad"] == [f"the fence on db1 is {status.replace('_', ' ')}"]
    assert "may not call kanban_rollback.fence_raise()" in whole(part)


@pytest.mark.parametrize(
    "raised", [fence(), {"skipped": True, "changed": False}], ids=["a name that moved", "a replica"]
)
def test_a_fence_that_was_proven_on_another_server_is_none_of_the_one_that_took_over(raised: Answer) -> None:
    took_over = answer(failover={"host": "db1"})
    part = fence_part(["db1", "db2"], [took_over, answer("9/9")], [raised, fence()], [UNREACHABLE, {}])
    assert part["bad"] == ["the fence on db1 is not known to be up"]
    assert part["lines"][0].startswith("db1: fence NOT ACCOUNTED FOR: could not be reached")


def test_a_table_that_is_not_fenced_is_named_with_the_reason() -> None:
    tables = [{"name": "public.Tags", "status": "not_fenced", "reason": "a subscription writes to it"}]
    part = fence_part(["db1"], [answer()], [fence("not_fenced", tables=tables)], [{}])
    assert "public.Tags is not fenced: a subscription writes to it" in whole(part)


@pytest.mark.parametrize("nothing", [{}, UNREACHABLE, FAILED])
def test_a_fence_without_an_answer_is_not_accounted_for(nothing: Answer) -> None:
    part = fence_part(["db1"], [answer()], [nothing], [])
    assert not part["holds"]
    assert "NOT ACCOUNTED FOR" in whole(part)


def test_a_block_holds_for_the_incident_under_any_of_its_names() -> None:
    part = block_part(["r1", "r2"], [block(), REDIS_REPLICA], [], [INCIDENT], "redis")
    assert part["holds"]
    assert "another incident" not in whole(part)
    other = block_part(["r1"], [block("INC-9")], [], [INCIDENT], "redis")
    assert other["holds"], "a block by anybody refuses writes"
    assert "INC-9, another incident" in whole(other)


def test_a_block_that_lapses_says_when() -> None:
    assert "for 3,600 s" in whole(block_part(["r1"], [block(ttl_seconds=3600)], [], [], "redis")).replace(
        "3600", "3,600"
    )


def test_what_a_renewal_says_counts_for_more_than_the_first_answer() -> None:
    no_ttl = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
    first = block(ttl_seconds=3600)
    assert block_part(["r1"], [first], [no_ttl], [], "redis")["holds"], "there was nothing to renew"
    assert "for 3599 s" in whole(block_part(["r1"], [first], [block(ttl_seconds=3599)], [], "redis"))
    for lapsed in (UNREACHABLE, FAILED):
        assert not block_part(["r1"], [first], [lapsed], [], "redis")["holds"]
    assert block_part(["r1"], [FAILED], [first], [], "redis")["holds"], "what failed at first is held now"


@pytest.mark.parametrize("nothing", [{}, UNREACHABLE, FAILED, {"changed": False, "held": False}])
def test_a_redis_without_a_good_answer_is_not_accounted_for(nothing: Answer) -> None:
    part = block_part(["r1", "r2"], [block(), nothing], [], [INCIDENT], "redis")
    assert not part["holds"]
    assert "r2: write block NOT ACCOUNTED FOR" in whole(part)


def test_a_replica_without_its_master_holds_nothing() -> None:
    alone = block_part(["r2"], [REDIS_REPLICA], [], [INCIDENT], "redis")
    assert (alone["holds"], alone["bad"]) == (False, ["the master of r2 was not asked"])
    assert "put it in the redis group, or give the Sentinels in kanban_redis_sentinels" in whole(alone)
    silent = block_part(["r1", "r2"], [UNREACHABLE, REDIS_REPLICA], [], [INCIDENT], "redis")
    assert "the master of r2 did not answer" in silent["bad"]
    assert "put it in the redis group" not in whole(silent)
    other_master = block_part(["r1", "r2"], [block(cluster="xyz"), REDIS_REPLICA], [], [INCIDENT], "redis")
    assert not other_master["holds"]


def test_no_redis_is_a_failure_unless_it_is_said() -> None:
    assert not block_part([], [], [], [INCIDENT], "redis")["holds"]
    none = block_part([], [], [], [INCIDENT], "none")
    assert none["holds"]
    alone, fenced = ([none], [none, fence_part(["db1"], [answer()], [fence()], [{}])])
    refused = "Kanban's writes stay refused"
    assert refused not in " ".join(judge({"db1": answer()}, parts=alone)["lines"]), "nothing refuses them"
    assert refused in " ".join(judge({"db1": answer()}, parts=fenced)["lines"])


@pytest.mark.parametrize("nothing", [{}, UNREACHABLE, FAILED])
def test_evidence_of_every_host_or_its_name(nothing: Answer) -> None:
    kept = {"path": "/srv/inc/evidence", "files": [{"bytes": 1000}], "missing": [{"part": "pm2", "reason": "none"}]}
    assert evidence_part(["db1", "app1"], [kept, kept])["holds"]
    assert "without pm2" in whole(evidence_part(["app1"], [kept]))
    assert "kanban_incidents_dir" not in whole(evidence_part(["app1"], [kept]))
    beside = {**kept, "path": "/srv/other", "elsewhere": ["/srv/other"]}
    told = whole(evidence_part(["app1"], [beside]))
    assert "in /srv/other (kanban_incidents_dir could not be written there)" in told
    part = evidence_part(["db1", "app1"], [kept, nothing])
    assert part["bad"] == ["no evidence of app1"]


@pytest.mark.parametrize("nothing", [{}, UNREACHABLE, FAILED])
def test_a_dump_is_proven_or_it_is_a_failure(nothing: Answer) -> None:
    good = dump_part(["db1", "db2"], [answer(), replica()], [DUMP, {}])
    assert good["holds"]
    assert "dump of 2,000 rows, 1.5 MB, proven by its table of contents, in /srv/dumps/INC" in whole(good)
    assert "the last good dump before it is 3 days old (/srv/dumps/OLD); keep it until this is over" in whole(good)
    bad = dump_part(["db1"], [answer()], [nothing])
    assert bad["bad"] == ["no proven dump of db1"]


def test_the_fate_of_the_last_good_dump_is_told_though_the_new_one_failed() -> None:
    assert "/srv/dumps/OLD" in whole(dump_part(["db1"], [answer()], [{**FAILED, "previous": DUMP["previous"]}]))
    assert "no earlier dump" in whole(dump_part(["db1"], [answer()], [{**DUMP, "previous": None}]))


def test_a_group_that_was_typed_and_names_nobody_is_no_evidence() -> None:
    part = evidence_part([], [], nobody=["apps"])
    assert part["bad"] == ["no evidence of apps: the inventory has no such host"]
    assert evidence_part([], [])["bad"] == []


def test_a_plan_says_what_would_be_done_and_judges_no_state() -> None:
    fenced = fence_part(["db1"], [answer()], [fence("absent")], [{}], plan=True)
    assert fenced["holds"]
    assert "would be raised on public.TicketTags, public.Tickets" in whole(fenced)
    assert block_part(["r1"], [block(held=False)], [], [], "redis", plan=True)["holds"]
    assert "would be dumped to /srv/dumps/INC" in whole(
        dump_part(["db1"], [answer()], [{**DUMP, "verified": None}], True)
    )
    assert not fence_part(["db1"], [answer()], [FAILED], [{}], plan=True)["holds"]
    assert not block_part(["r1"], [FAILED], [], [], "redis", plan=True)["holds"]
    assert not dump_part(["db1"], [answer()], [FAILED], plan=True)["holds"]


def test_an_incident_is_known_by_all_its_names() -> None:
    before = [{"incident_id": "INC-A", "aliases": ["INC-B"]}, {"incident_id": "INC-OTHER", "aliases": []}]
    told = {"incident": {"incident_id": "INC-A", "requested": "INC-C", "open_before": before}}
    assert incident_names([told, {}, UNREACHABLE], {"incident_id": "INC-C"}) == ["INC-A", "INC-B", "INC-C"]


def test_parts_decide_the_verdict_with_the_flag() -> None:
    good = fence_part(["db1"], [answer()], [fence()], [{}])
    held = block_part(["r1"], [block()], [], [INCIDENT], "redis")
    dumped = dump_part(["db1"], [answer()], [DUMP])
    result = judge({"db1": answer()}, parts=[good, held, dumped])
    assert (result["verdict"], result["failed"]) == ("contained", False)
    assert "Also: the fence is proven, the write block is held, the dump is proven." in result["headline"]

    no_block = block_part(["r1"], [UNREACHABLE], [], [INCIDENT], "redis")
    result = judge({"db1": answer()}, parts=[good, no_block, dumped])
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert result["headline"].startswith("CONTAINED IN PART: Kanban V2 is off for all 1,000 tenants")
    assert "NOT WELL: the write block on r1 is not known to be held" in result["headline"]

    no_dump = dump_part(["db1"], [answer()], [FAILED])
    result = judge({"db1": answer()}, parts=[good, held, no_dump])
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert result["headline"].startswith("CONTAINED: Kanban V2 is off")
    assert "no proven dump of db1" in result["headline"]


def test_the_screen_in_between_tells_nobody_to_type_anything() -> None:
    result = judge({"db1": answer()}, final=False, whole_seconds=7.1)
    assert "Next" not in text(result)
    assert "The run: 7.1 s." in text(result)


def test_a_fence_and_a_dump_are_owed_by_every_primary_though_its_flag_could_not_be_switched() -> None:
    assert fence_part(["db1"], [FAILED], [fence()], [{}])["holds"]
    assert fence_part(["db1"], [FAILED], [{}], [{}])["bad"] == ["the fence on db1 is not known to be up"]
    assert dump_part(["db1"], [FAILED], [DUMP])["holds"]
    assert not dump_part(["db1"], [FAILED], [{}])["holds"]


@pytest.mark.parametrize("nobody", [{}, UNREACHABLE, replica()])
def test_where_no_primary_answered_nothing_is_up_or_kept(nobody: Answer) -> None:
    assert fence_part(["db1"], [nobody], [{}], [{}])["bad"] == ["no fence is up, for no primary answered"]
    assert dump_part(["db1"], [nobody], [{}])["bad"] == ["there is no dump, for no primary answered"]


def test_the_moment_of_the_evidence_is_told() -> None:
    taken = {"changed": False, "path": "/srv/evidence/t0", "files": [], "missing": []}
    at = {**taken, "taken_at": "2026-11-25T03:14:07.123456Z"}
    assert whole(evidence_part(["db1"], [at])).endswith("in /srv/evidence/t0, taken 2026-11-25T03:14:07Z")
    assert whole(evidence_part(["db1"], [taken])).endswith("in /srv/evidence/t0")
    plan = evidence_part(["db1"], [{"path": "/srv/evidence/t0", "files": []}], plan=True)
    assert plan["lines"] == ["db1: evidence would be kept in /srv/evidence/t0"]


def test_the_last_answer_counts_and_a_task_that_was_skipped_is_none() -> None:
    skipped = {"skipped": True, "skip_reason": "Conditional result was False"}
    assert latest([[{"a": 1}, {"b": 1}, {}], [{"a": 2}, skipped, {}]]) == [{"a": 2}, {"b": 1}, {}]
    assert latest([[{"a": 1}], []]) == [{"a": 1}]


def test_how_a_database_stands_is_known_from_the_last_answer_that_came_from_it() -> None:
    assert last_known([replica(), answer()], [answer(), UNREACHABLE]) == [answer(), answer()]
    assert last_known([UNREACHABLE, answer()], []) == [UNREACHABLE, answer()]
