# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rehearsal is green: verified, put back, within the objective; and what its last screen says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsalscreen import (
    grown,
    rehearsal_back,
    rehearsal_notes,
    rehearsal_screen,
    rehearsal_verified,
)
from tests.unit.answers import UNREACHABLE, Answer

CHECKS: list[Answer] = [
    {"name": "orphans", "kind": "orphan", "table": "Tags", "column": "companyId"},
    {"name": "others", "kind": "orphan", "table": "Tags", "column": "nextLaneId"},
    {"name": "lanes", "kind": "invalid_reference", "table": "Tickets"},
    {"name": "hours", "kind": "timeline", "table": "Tags"},
]
KINDS: list[Answer] = [{"kind": "orphan", "table": "Tags", "column": "companyId"}]
DATA: Answer = {"planted": [{"rows": 5}]}


def counted(**counts: int | None) -> Answer:
    found = {"orphans": 2, "others": 0, "lanes": 1, "hours": 0, **counts}
    # A check that does not apply here, or was not done in time, has no count.
    return {"complete": True, "counts": {name: count for name, count in found.items() if count is not None}}


@pytest.mark.parametrize(
    ("after", "bad"),
    [
        (counted(orphans=7), []),
        (counted(orphans=7, hours=3), []),
        # A copy of a row that another check names is named by it too.
        (counted(orphans=7, others=5), []),
        (counted(orphans=7, others=6), ["others counts 6 more than before, and 0 were planted"]),
        (counted(orphans=6), ["orphans counts 4 more than before, and 5 were planted"]),
        (counted(orphans=8), ["orphans counts 6 more than before, and 5 were planted"]),
        (counted(orphans=7, lanes=2), ["lanes counts 1 more than before, and 0 were planted"]),
        (counted(orphans=7, lanes=0), ["lanes counts -1 more than before, and 0 were planted"]),
        (counted(orphans=None), ["orphans has counted none of the 5 that were planted"]),
        # Nothing was planted for it.
        (counted(orphans=7, lanes=None), []),
        ({"complete": False, "msg": "late"}, ["its data could not be counted after the scenario: late"]),
    ],
)
def test_the_checks_count_what_was_planted_and_nothing_else(after: Answer, bad: list[str]) -> None:
    assert grown(counted(), after, CHECKS, KINDS, DATA) == bad


def verified(**other: Any) -> list[str]:
    answers: dict[str, Any] = {
        "flag": {"enabled": 0},
        "before": counted(),
        "after": counted(orphans=7),
        "kinds": KINDS,
        "data": DATA,
        "fence": {"status": "proven"},
        "block": {"held": True},
    }
    answers.update({"health": {"passed": True}, "walk": {"passed": True}, **other})
    asked: dict[str, Any] = {"fence": answers.pop("fenced", True), "redis": answers.pop("redis", ["redis1"])}
    seen = {name: [answer] for name, answer in answers.items()}
    return rehearsal_verified(["db1"], seen, checks=CHECKS, applications=["app1"], walks=True, **asked)


def test_flag_writes_data_and_application_are_looked_at_again() -> None:
    assert verified() == []
    assert verified(flag={"enabled": 3}) == ["db1: the flag is not off: 3 tenants still have it"]
    assert "could not be reached" in verified(flag=UNREACHABLE)[0]
    for status in ("lowered", "draining", "not_fenced"):
        assert verified(fence={"status": status}) == [f"db1: the fence is not proven: {status}"]
    assert "the fence is not proven: it was not asked" in verified(fence={})[0]
    assert verified(fence={}, fenced=False) == []
    assert verified(block={"held": False}) == ["redis1: the write block is not held: it is not there"]
    assert "the write block is not held: could not be reached" in verified(block=UNREACHABLE)[0]
    assert verified(block={"held": False, "server": {"writable": False}}) == verified(block={}, redis=[]) == []
    assert verified(health={"failed": True, "msg": "502"}) == ["app1: not healthy: 502"]
    assert verified(walk={"passed": False, "msg": "version 2"}) == ["app1: V1 is not served: version 2"]


def test_where_nobody_knows_what_was_planted_nothing_is_verified() -> None:
    # Nothing grew, which would be right if nothing had been asked for.
    for answer, why in ((UNREACHABLE, "could not be reached"), ({}, "it was not asked"), ({"planted": []}, "")):
        (line,) = grown(counted(), counted(), CHECKS, KINDS, answer)
        assert line.startswith(f"what was planted is not known: {why}")
        assert verified(data=answer, after=counted()) == [f"db1: {line}"]
    assert (
        grown(counted(), counted(), CHECKS, [], {"skipped": True}) == grown(counted(), counted(), CHECKS, [], {}) == []
    )


def back(**other: Any) -> list[str]:
    answers: dict[str, Any] = {
        "fence": {"status": "dormant"},
        "flag": {"enabled_after": 3},
        "data": {"removed": 5, "left": 0},
        "block": {"held": False, "value": None},
        **other,
    }
    failures, fence = answers.pop("failures", {}), answers.pop("fenced", True)
    return rehearsal_back(["db1"], {name: [answer] for name, answer in answers.items()}, ["redis1"], failures, fence)


def test_what_is_not_as_before_is_named() -> None:
    assert back() == []
    assert "the flag was not put back" in back(flag=UNREACHABLE)[0]
    assert "2 planted rows stay" in back(data={"removed": 3, "left": 2})[0]
    assert "were not taken away" in back(data={})[0]
    assert back(block={"held": True, "value": "true"}) == ["redis1: the write block is not released: it is there"]
    assert back(failures={"db1": "held by\npid 7"}, flag={}) == ["db1: held by pid 7"]


def released(*blocks: Answer) -> list[str]:
    answers: dict[str, list[Answer]] = {"fence": [], "flag": [], "data": [], "block": list(blocks)}
    return rehearsal_back([], answers, [f"redis{place}" for place in range(1, len(blocks) + 1)], {})


def test_a_replica_may_show_the_block_that_its_master_has_released() -> None:
    def block(value: str | None, writable: bool | None, cluster: str = "a") -> Answer:
        return {"held": bool(value), "value": value, "server": {"writable": writable, "cluster": cluster}}

    shows = block("true", False)
    assert released(block(None, True), shows) == released(block(None, None), shows) == []
    there = "the write block is not released: it is there"
    # A replica says nothing about its master if that did not answer, holds the block, or is another's.
    assert released(shows) == [f"redis1: {there}"]
    assert f"redis2: {there}" in released(UNREACHABLE, shows)
    assert released(block("true", True), shows) == [f"redis1: {there}", f"redis2: {there}"]
    assert released(block(None, True, "b"), shows) == [f"redis2: {there}"]
    assert released(block("true", None)) == [f"redis1: {there}"]


def test_a_fence_that_nobody_knows_to_be_down_is_not_as_before() -> None:
    assert back(fence={"status": "lowered"}) == back(fence={"status": "absent"}) == back(fence={}, fenced=False) == []
    # A lost host has no failed task that would be remembered.
    assert "the fence is not known to be down: could not be reached" in back(fence=UNREACHABLE)[0]
    assert "the fence is not known to be down: it was not asked" in back(fence={})[0]
    assert back(fence={"status": "unproven"}) == ["db1: the fence is not known to be down: unproven"]
    assert "the fence is not known to be down" in back(fence={"status": "dormant", "failed": True})[0]
    stays = {"status": "absent", "left_behind": ["trigger on public.Tags: locked\nby 7"]}
    assert back(fence=stays) == [
        "db1: of the fence stays, letting everything pass: trigger on public.Tags: locked by 7. Type it again when the "
        "tables are free, as the role that owns the fence and the tables."
    ]


def test_an_incident_that_nobody_knows_to_be_closed_is_not_as_before() -> None:
    assert back(closed={"incident_id": "INC-1", "latch_left": []}) == []
    assert "the incident is not known to be closed: could not be reached" in back(closed=UNREACHABLE)[0]
    assert back(closed={"incident_id": "INC-1", "latch_left": ["public.Companies: locked"]}) == [
        "db1: of the latch stays, letting everything pass, until another incident is closed: public.Companies: locked"
    ]
    # If something else is not as before, it stays open on purpose.
    assert back(closed={}, data={"removed": 3, "left": 2}) == [
        "db1: 2 planted rows stay, for rows of others lead to them"
    ]


LOST: Answer = {"failed": True, "msg": "no server", "error": {"code": "lost_connection", "what": "It went away."}}
LATE: Answer = {"failed": True, "timedout": {"period": 15}, "msg": "Timed out after 15 second(s)."}
NO: Answer = {"failed": True, "msg": "It lacks INSERT.", "error": {"code": "missing_privilege", "what": "It lacks it."}}


def opening(answer: Answer, **closed: Answer) -> list[str]:
    """Return what is not as before if db2 was acted on and db1 gave this answer to the opening."""
    answers: dict[str, Any] = {"fence": {"status": "dormant"}, "flag": {"enabled_after": 3}, **closed}
    answers["data"] = {"removed": 5, "left": 0}
    found = {name: [one] for name, one in answers.items()}
    opened = {"db1": answer, "db2": {"incident_id": "INC-1"}, "db3": {}}
    return rehearsal_back(["db2"], {**found, "block": []}, [], {}, opened=opened)


@pytest.mark.parametrize("answer", [UNREACHABLE, LOST, LATE])
def test_an_incident_that_may_be_open_is_not_as_before(answer: Answer) -> None:
    (line,) = opening(answer)
    assert line.startswith("db1: whether its incident was opened is not known: ")
    # That hides nothing about a host whose incident was to be closed.
    assert [one[:4] for one in opening(answer, closed=UNREACHABLE)] == ["db2:", "db1:"]
    assert opening(answer, closed={"latch_left": []}) == [line]


def test_where_a_database_said_no_to_its_incident_none_is_open() -> None:
    assert opening(NO) == opening({}) == []


GOES: Answer = {"goes": True, "puts_back": False, "refused": [], "left": {}, "lines": []}
VERDICT: Answer = {
    "final": True,
    "failed": False,
    "met": True,
    "seconds": 2.0,
    "objective": 120,
    "headline": "CONTAINED",
}
SECONDS = {"disable": 2.04, "verify": 20.0, "total": 22.04}


def screen(decision: Answer | None = None, **other: Any) -> tuple[str, bool, str]:
    options = {"wanted": "scenario3", "verdict": VERDICT, "seconds": SECONDS, "arguments": ["-i", "x"], **other}
    shown = rehearsal_screen(decision or GOES, **options)
    return shown["verdict"], shown["failed"], "\n".join(shown["lines"])


def test_a_green_rehearsal_shows_the_plans_three_timings() -> None:
    word, failed, text = screen(
        notes=rehearsal_notes(
            ["db1"],
            [{"changed_count": 4}],
            [{"planted": [{"kind": "orphan", "table": "public.Tags", "rows": 5, "why": ""}]}],
        )
    )
    assert (word, failed) == ("rehearsed", False)
    assert "Time to disable feature flag: 2.0 s\nTime to verify: 20.0 s\nTotal rollback time: 22.0 s" in text
    assert "db1: 4 tenants switched on for it; 5 of orphan in public.Tags" in text
    assert "ansible-playbook chatia.kanban_rollback.rehearse -i x" in text


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"verified": ["db1: x"]}, "NOT GREEN: scenario3, and all is as before.\nNOT VERIFIED: db1: x"),
        ({"back": ["db1: y"]}, "and NOT all is as before.\nNOT AS BEFORE: db1: y"),
        ({"not_set_up": ["db1: z"], "verdict": {}}, "NOT SET UP: db1: z\nTime"),
        ({"verdict": {}}, "THE SCENARIO did not come to"),
        ({"verdict": {**VERDICT, "final": False}}, "THE SCENARIO did not come to"),
        ({"verdict": {**VERDICT, "failed": True}}, "THE SCENARIO: CONTAINED\nTime"),
        ({"verdict": {**VERDICT, "seconds": 121.0}}, "OBJECTIVE: 121.0 s, and it is 120 s."),
    ],
)
def test_one_thing_that_is_not_well_is_not_green(other: dict[str, Any], said: str) -> None:
    word, failed, text = screen(**other)
    assert (word, failed) == ("failed", True)
    assert said in text


def test_what_is_not_measured_is_said_to_be_so() -> None:
    assert "Time to verify: not measured" in screen(seconds={"disable": 1.0, "verify": None, "total": None})[2]


def test_who_was_changed_meanwhile_is_named() -> None:
    told = rehearsal_notes(["db1"], [{}], [{}], [{"changed_since": ["7"], "missing": ["9"]}])
    assert told == ["db1: left alone, for somebody changed them meanwhile: 7, 9"]
    assert rehearsal_notes(["db1"], [{}], [{}]) == []


def test_other_ends() -> None:
    assert screen({**GOES, "goes": False, "refused": ["db1: no"]})[:2] == ("refused", True)
    left = {**GOES, "goes": False, "puts_back": True, "left": {"db1": "INC-1"}}
    # Somebody who asked for a scenario must not take it for a rehearsal.
    assert (screen(left)[:2], screen(left, wanted="put_back")[:2]) == (("put_back", True), ("put_back", False))
    assert screen(left, back=["db1: y"])[:2] == ("failed", True)
    assert "PUT BACK IN PART" in screen(left, back=["db1: y"])[2]
    assert (
        screen({**GOES, "goes": False}, wanted="put_back")[2] == "NOTHING TO PUT BACK: no ledger has a rehearsal open."
    )
    assert screen(check_mode=True)[:2] == ("planned", False)
    assert screen(left, check_mode=True)[:2] == ("planned", False)


def test_once_it_is_put_back_the_next_line_rehearses() -> None:
    left = {**GOES, "goes": False, "puts_back": True, "left": {"db1": "INC-1"}}
    again, then = ["-e", "kanban_rehearse=put_back"], ["-i", "staging"]
    text = screen(left, wanted="put_back", arguments=again, then=then)[2]
    assert text.endswith("Next, the rehearsal:\nansible-playbook chatia.kanban_rollback.rehearse -i staging")
    text = screen(left, wanted="put_back", back=["db1: y"], arguments=again, then=then)[2]
    assert text.endswith("-e kanban_rehearse=put_back")


def test_what_nobody_knows_of_is_neither_put_back_nor_nothing() -> None:
    unknown = {**GOES, "goes": False, "unknown": ["db2: could not be reached"]}
    for check_mode in (False, True):
        word, failed, text = screen(unknown, wanted="put_back", check_mode=check_mode)
        assert (word, failed) == ("failed", True)
        assert text.startswith(
            "NOTHING PUT BACK: not every ledger has said whether a rehearsal is open.\n"
            "NOT KNOWN: db2: could not be reached\n"
        )
    left = {**unknown, "puts_back": True, "left": {"db1": "INC-1"}}
    for wanted in ("put_back", "scenario3"):
        word, failed, text = screen(left, wanted=wanted)
        assert (word, failed) == ("failed", True)
        assert text.startswith(
            "PUT BACK IN PART: what the rehearsal INC-1 left. Nothing was rehearsed now.\nNOT KNOWN: "
        )
    word, failed, text = screen(left, wanted="put_back", check_mode=True)
    assert (word, failed) == ("failed", True)
    assert text.startswith("PLAN, nothing was changed: what INC-1 left would be put back IN PART.\nNOT KNOWN: db2: ")
