# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica whose primary nobody asked says nothing good about its database: not ranked, not paused, not counted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsselective import pause_part, ranking_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagefacts import affected_facts
from tests.unit.answers import UNREACHABLE, Answer, answer, database, judge, replica


def ranked(cluster: str = "7001/5", affected: int = 1, **more: Any) -> Answer:
    """Return what affected_tenants_info answers on a primary."""
    found: Answer = {
        "measured": True,
        "database": database(cluster),
        "affected_on_count": affected,
        "on_count": 10,
        "share": affected / 10,
        "more_than": 10,
        "since": "2026-11-25T02:14:07Z",
        "tenants": [],
        "frozen": False,
        "users_count": 3,
    }
    return {**found, **more}


def passed_over(cluster: str = "7001/5") -> Answer:
    """Return what it answers on a replica that is skipped."""
    return {"skipped": True, "measured": False, "tenants": [], "database": database(cluster, writable=False)}


def test_a_replica_beside_its_primary_is_no_doubt() -> None:
    names, answers = ["db1", "db2"], [ranked(), passed_over()]
    assert ranking_part(names, answers, [], [], [])["holds"]
    assert affected_facts(names, answers)["known"] is True
    assert pause_part(names, [answer(), replica()])["holds"]


@pytest.mark.parametrize("primary", ["7001/5", None])
def test_a_replica_without_its_primary_is_named(primary: str | None) -> None:
    """Beside a primary of another database, or alone."""
    names = ["db1", "db2"] if primary else ["db2"]
    part = ranking_part(names, [*([ranked(primary)] if primary else []), passed_over("8002/5")], [], [], [])
    assert "the tenants on the primary of db2 are not ranked" in part["bad"]
    facts = affected_facts(names, [*([ranked(primary)] if primary else []), passed_over("8002/5")])
    assert (facts["known"], "db2: a replica whose primary did not answer" in facts["why"]) == (False, True)
    paused = pause_part(names, [*([answer(primary)] if primary else []), replica("8002/5")])
    assert "the roll-out on the primary of db2 is not paused" in paused["bad"]


def test_a_primary_that_answered_with_an_error_did_answer() -> None:
    names, may_not = (
        ["db1", "db2"],
        {"failed": True, "error": {"code": "missing_privilege", "what": "It lacks SELECT."}},
    )
    why = affected_facts(names, [may_not, passed_over()])["why"]
    assert why == "db1: It lacks SELECT.; db2: a replica whose primary may be db1, which answered with an error"
    silent = {"failed": True, "error": {"code": "unreachable", "what": "No route."}}
    for none in (UNREACHABLE, {}, silent, {"failed": True, "msg": "Timed out.", "timedout": {"period": 45}}):
        assert "db2: a replica whose primary did not answer" in affected_facts(names, [none, passed_over()])["why"]


def test_hosts_without_an_answer_are_counted() -> None:
    assert pause_part(["db1", "db2"], [answer(), UNREACHABLE])["bad"] == ["the roll-out on db2 is not paused"]
    assert ranking_part(["db1", "db2"], [ranked()], [], [], [])["bad"] == ["the tenants on db2 are not ranked"]
    assert affected_facts(["db1", "db2"], [ranked(), UNREACHABLE])["known"] is False
    assert affected_facts([], [])["known"] is False


def test_a_primary_that_said_no_is_not_said_to_be_silent_for_its_replica_either() -> None:
    may_not: Answer = {"failed": True, "msg": "It lacks UPDATE.", "error": {"code": "missing_privilege"}}
    headline = judge({"db1": may_not, "db2": replica()})["headline"]
    told = "1 of 2 hosts are replicas whose primary is not accounted for. 1 of 2 hosts could not do it."
    assert headline.startswith(f"NOT CONTAINED: {told}")


def test_what_ansible_or_a_role_refused_is_not_said_to_be_silence() -> None:
    """As when no incident is open: the role's own refusal has a page, but no code."""
    page = {"failed": True, "msg": "No incident is open in any ledger that answered.", "error": {"page": "p"}}
    assert judge({"db1": page}, what="restore")["headline"].startswith("NOT RESTORED: 1 of 1 hosts could not do it.")
    wrong = {"failed": True, "msg": "value of ssl_mode must be one of: allow, disable, got: prefr"}
    assert judge({"db1": wrong})["headline"].startswith("NOT CONTAINED: 1 of 1 hosts could not do it.")
    for silent in ({"failed": True, "msg": "Timed out.", "timedout": {"period": 45}}, UNREACHABLE, {}):
        assert "1 of 1 hosts did not answer." in judge({"db1": silent})["headline"]
