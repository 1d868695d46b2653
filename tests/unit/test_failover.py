# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another server has taken over since the kill: what is lost, whose answer counts, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import led_now
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failover import (
    as_bytes,
    failover_since,
    furthest,
    kill_before,
    left_by_history,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlines import (
    killed_on,
    lost_by,
    moved,
    standby_lines,
)
from tests.unit.answers import UNREACHABLE, Answer, answer, database, judge, replica, swept, text

FIRST, SECOND, THIRD = "00000001", "00000002", "00000003"
KILL: dict[str, Any] = {"host": "db1", "cluster": "7001/5", "timeline": FIRST, "lsn": "0/3000100", "switched": 300}


def at(timeline: str | None, lsn: str | None = None) -> Answer:
    return {"position": {"timeline": timeline, "lsn": lsn}}


def since(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"left": {}, "promotion": {"lsn": "0/3000000", "at": "2026-11-25T03:12:44.100000Z"}}
    return failover_since(KILL, **{"timeline": SECOND, "recorded": 300, **given, **changes})


def taken_over(failover: dict[str, Any] | None = None, **more: Any) -> Answer:
    return swept(**{"failover": failover or since(), **at(SECOND, "0/3000900"), **more})


def test_a_position_is_a_number_however_many_digits_it_has() -> None:
    assert as_bytes("1/10") == (1 << 32) + 16
    assert furthest(["0/FFFFFF", None, "1/0", "rubbish", "0/2"]) == "1/0"
    assert furthest([None]) is None


def test_a_history_says_where_each_timeline_was_left() -> None:
    text_of_file = "1\t0/301F108\tno recovery target specified\n\n# a note\n15\t2/AB\tbefore 2026-11-25\n"
    assert left_by_history(text_of_file) == {"00000001": "0/301F108", "0000000F": "2/AB"}
    assert left_by_history("") == {}


def test_what_the_log_lost_is_told_from_where_it_was_left_on() -> None:
    found = since()
    assert (found["forked_at"], found["lost_bytes"], found["lost_priors"]) == ("0/3000000", 256, 0)
    assert since(promotion={"lsn": "0/3000200", "at": None})["lost_bytes"] == 0
    assert since(recorded=298)["lost_priors"] == 2
    # More may have been on there than before, because somebody's switching them off was lost.
    assert since(recorded=302)["lost_priors"] == 0


def test_what_is_not_told_is_not_known_and_never_nothing() -> None:
    unknown = since(promotion={"lsn": None, "at": None}, recorded=None)
    assert (unknown["forked_at"], unknown["lost_bytes"], unknown["lost_priors"]) == (None, None, None)
    # Its own promotion was the second: it cannot tell where the first primary's log was left, but its history can.
    assert since(timeline=THIRD)["forked_at"] is None
    assert since(timeline=THIRD, left={FIRST: "0/3000080", SECOND: "0/4000000"})["lost_bytes"] == 128


def test_the_kill_of_the_same_cluster_on_an_older_timeline_is_the_one() -> None:
    kills = [KILL, {**KILL, "cluster": "9/9"}, {**KILL, "host": "db2", "timeline": SECOND}]
    assert kill_before(kills, "7001/5", FIRST) is None
    assert kill_before(kills, "7001/5", None) is None
    assert (kill_before(kills, "7001/5", SECOND) or {})["host"] == "db1"
    assert (kill_before(kills, "7001/5", THIRD) or {})["host"] == "db2"


def test_where_a_kill_was_committed_is_read_from_answers() -> None:
    names = ["db1", "db2", "db3", "db4"]
    kills = [answer(**at(FIRST, "0/10")), replica(), UNREACHABLE, answer(**at(None))]
    fences: list[Answer] = [{"timeline": FIRST, "lsn": "0/30"}, {}, {}, {}]
    (found,) = killed_on(names, kills, [{}, swept(**at(FIRST, "0/20")), {}, {}][:1], fences)
    assert (found["host"], found["timeline"], found["lsn"], found["switched"]) == ("db1", FIRST, "0/30", 300)
    # Once a server has taken over, its log is the one that counts, with what its ledger has by now.
    again = killed_on(names, kills, [UNREACHABLE, taken_over(since(recorded=298))], fences)
    assert [(one["host"], one["timeline"], one["switched"]) for one in again] == [
        ("db1", FIRST, 300),
        ("db2", SECOND, 298),
    ]


@pytest.mark.parametrize(
    ("still", "last", "expected"),
    [
        (answer(**at(FIRST)), answer(**at(FIRST)), False),
        (answer(**at(SECOND)), answer(**at(FIRST)), True),
        (answer(**at(SECOND)), replica(), True),
        (answer(**at(None)), replica(), True),
        (answer(**at(None)), answer(**at(FIRST)), False),
        (replica(), replica(), False),
        (UNREACHABLE, answer(**at(FIRST)), False),
        # The kill itself failed there, and is reported as that.
        (answer(**at(SECOND)), UNREACHABLE, False),
    ],
)
def test_a_host_that_leads_to_another_primary_by_now(still: Answer, last: Answer, expected: bool) -> None:
    assert moved(still, last) is expected


def test_a_kill_that_holds_on_the_server_that_took_over_is_contained() -> None:
    whole = since(promotion={"lsn": "0/3000200", "at": None})
    result = judge({"db1": answer(), "db2": replica()}, {"db1": UNREACHABLE, "db2": taken_over(whole)})
    assert (result["verdict"], result["failed"]) == ("contained", False)
    assert "all 1,000 tenants (300 were switched off now)" in result["headline"]
    assert "db2: took over from db1 since the kill (timeline 00000001 to 00000002)" in text(result)
    assert "db1: no longer the primary, nothing is expected of it" in text(result)
    assert "no prior value is missing: the kill had switched off 300 on db1, and 300 are recorded here" in text(result)


def test_a_part_of_the_log_that_is_lost_is_no_success_and_takes_nothing_back() -> None:
    lost = taken_over(since(recorded=298), changed=298)
    result = judge({"db1": answer(), "db2": replica()}, {"db1": UNREACHABLE, "db2": lost})
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert result["headline"].startswith(
        "CONTAINED: Kanban V2 is off for all 1,000 tenants (298 were switched off now)"
    )
    assert "256 bytes, what was committed after 2026-11-25T03:12:44.100Z" in result["headline"]
    assert "2 prior values were lost with db1" in result["headline"]
    assert "keep it as it is (no pg_rewind, no new base backup)" in text(result)
    assert "SELECT unnest(tenants) FROM kanban_rollback.flag_changes" in text(result)


def test_an_id_that_is_no_sql_cannot_become_any() -> None:
    lost = since(recorded=1)
    lost["incident_id"] = "x'; DROP TABLE y; --"
    result = judge({"db1": answer(), "db2": replica()}, {"db1": UNREACHABLE, "db2": taken_over(lost)})
    assert "incident_id = 'x''; DROP TABLE y; --';" in text(result)


def test_an_old_primary_that_still_takes_writes_is_named() -> None:
    result = judge({"db1": answer(), "db2": replica()}, {"db1": swept(), "db2": taken_over()})
    assert result["failed"]
    assert "db1 still takes writes beside the server that took over" in result["headline"]
    assert "db1: STILL TAKES WRITES" in text(result)


def test_one_that_follows_the_new_primary_is_nobody_to_worry_about() -> None:
    whole = since(promotion={"lsn": "0/3000200", "at": None})
    still = [{"database": database(writable=False)}, {"database": database()}]
    later = {"db1": swept(), "db2": taken_over(whole)}
    assert judge({"db1": answer(), "db2": replica()}, later, still=still)["verdict"] == "contained"


def test_behind_the_name_of_a_service_another_server_answers() -> None:
    whole = {**since(promotion={"lsn": "0/3000200", "at": None}), "host": "db"}
    result = judge({"db": answer()}, {"db": taken_over(whole)})
    assert result["verdict"] == "contained"
    assert "db: took over from another server behind this name" in text(result)
    assert led_now(["db"], [taken_over(whole)]) == [taken_over(whole)]


def test_who_gives_no_answer_in_the_end_may_no_longer_hold() -> None:
    result = judge({"db1": answer(), "db2": replica()}, {"db1": swept()}, still=[UNREACHABLE, replica()])
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert "db1: it gave no answer in the end, so nobody knows whether it holds: could not be reached" in text(result)


def test_nothing_is_expected_of_a_primary_that_was_taken_over_from() -> None:
    assert led_now(["db1", "db2"], [answer(), taken_over()]) == [{}, taken_over()]
    assert led_now(["db1", "db2"], [answer(), replica()]) == [answer(), replica()]


def test_prior_values_that_only_a_lost_host_has_are_on_the_screen() -> None:
    unsaved = {"kept_in": "result", "path": None, "unsaved": [{"tenants": "{1}"}], "file_name": "x"}
    result = judge({"db1": answer(priors=unsaved), "db2": replica()}, {"db1": UNREACHABLE, "db2": taken_over()})
    assert '{"tenants":"{1}"}' in text(result)


def test_priors_of_a_file_are_named_by_its_place() -> None:
    lost = {**since(recorded=0), "file": "/var/lib/kanban_rollback/x.jsonl"}
    result = judge({"db1": answer(), "db2": replica()}, {"db1": UNREACHABLE, "db2": taken_over(lost)})
    assert "They stand on db1 in /var/lib/kanban_rollback/x.jsonl: in that place here the undo reads them" in text(
        result
    )


def test_which_standbys_have_the_kill_is_said_where_there_are_any() -> None:
    good, late = {"name": "db2", "has": True, "behind": 0}, {"name": "db\n3", "has": False, "behind": 12345}
    assert standby_lines("db1", {}) == standby_lines("db1", {"standbys": []}) == []
    assert standby_lines("db1", {"standbys": [good]}) == ["db1: the kill is on the disk of 1 of 1 standbys"]
    (line,) = standby_lines("db1", {"standbys": [good, late]})
    assert line.startswith("db1: the kill is on the disk of 1 of 2 standbys: db 3 is 12,345 bytes behind")
    (line,) = standby_lines("db1", {"standbys": [{"name": "db2", "has": None, "behind": None}]})
    assert "is not known" in line


def test_what_is_not_known_is_not_said_to_be_lost() -> None:
    assert lost_by("db2", {"failover": since(promotion={"lsn": None, "at": None}, recorded=None)}) == []
    assert lost_by("db2", {}) == []
