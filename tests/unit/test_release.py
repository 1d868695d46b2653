# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether writes are given back, whether they stay so, and what the last screen says about it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._release import release_decision, release_outcome
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._releasescreen import release_screen
from tests.unit.answers import UNREACHABLE, Answer, database

AGREED = {"agreed": True, "incident_id": "INC-1", "why": ""}
PASSED = {"passed": True, "at": "2026-11-25T03:04:05.123456Z", "data": {}}
APP = {"variable": "kanban_app_hosts", "group": "app", "names": ["app1"]}
GLASS = {"what": ["validation"], "reason": "support cannot work"}
GIVEN = [{"kind": "release", "holds": True, "good": "the fence is lowered", "bad": [], "lines": ["db1: lowered"]}]
TESTED = {"kind": "validate", "holds": True, "good": "the smoke test passed", "bad": [], "lines": ["app1: passed"]}
UP = [{"kind": "contain", "holds": True, "good": "the fence is proven", "bad": [], "lines": ["db1: proven"]}]
NOT_UP = [{**UP[0], "holds": False, "bad": ["the fence on db1 is draining"]}]


def info(validation: Any = ..., *, cluster: str = "7001/5", writable: bool = True, **more: Any) -> Answer:
    known = {"known_as": "INC-1", "prior_files": [], "ledger": {"usable": True}, "kills": 1}
    return {
        "database": database(cluster, writable),
        "validation": PASSED if validation is ... else validation,
        **known,
        **more,
    }


def decide(*infos: Answer, failures: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    names = [f"db{number}" for number in range(1, len(infos) + 1)]
    options = {"incident": AGREED, "tiers": [APP], **more}
    return release_decision(names, infos, failures, **options)


def outcome(decision: Any, smoke: list[Answer], walk: list[Answer], now: Answer, **more: Any) -> dict[str, Any]:
    tests = [
        {"what": "smoke test", "wanted": more.pop("wanted", True), "writes": True, "answers": smoke},
        {"what": "V1 walk", "wanted": True, "writes": False, "answers": walk},
    ]
    return release_outcome(decision, tests, [info()], [now], **more)


def kept(fence: Answer) -> dict[str, Any]:
    what, todo = "kanban may not call kanban_rollback.fence_lower().", "Lower it as its owner."
    page = with_page("", "missing_privilege").removeprefix(" See ")
    return {
        "host": "db1",
        "fence": fence,
        "answer": {"failed": True, "error": {"what": what, "todo": todo, "page": page}},
    }


GOOD, BAD, LOST = {"passed": True}, {"passed": False}, UNREACHABLE
GONE = {"failed": True, "msg": "Timed out after 50 s."}


def screen(decision: Any, told: Any = None, given: Any = (*GIVEN, TESTED), again: Any = (), **more: Any) -> str:
    told = told or outcome(decision, [GOOD], [GOOD], info(), check_mode=more.get("check_mode", False))
    shown = release_screen(decision, told, given, again, seconds=12.34, arguments=["-i", "x"], **more)
    return "\n".join([f"{shown['verdict']} {shown['failed']}", *shown["lines"]])


def test_all_databases_of_the_incident_have_to_be_validated() -> None:
    good = decide(info(), info(cluster="7002/5"), info(None, cluster="7003/5", known_as=None))
    assert (good["goes"], good["acts"], good["refused"]) == (True, ["db1", "db2"], [])
    assert "db1: data validated at 2026-11-25T03:04:05Z" in good["lines"]
    assert "db3: nothing is recorded here under this incident, and nothing is done" in good["lines"]
    one = decide(info(), info(None, cluster="7002/5"))
    assert (one["goes"], one["acts"]) == (False, ["db1", "db2"])
    (why,) = one["refused"]
    assert why.startswith("the data of db2 is not validated: there was no validation since")
    bad = decide(info({**PASSED, "passed": False}))
    assert bad["refused"] == [
        "the data of db1 is not validated: the last validation, at 2026-11-25T03:04:05Z, did not pass"
    ]
    without = decide(info(None, known_as=None, prior_files=["/x/INC-1.json"], ledger={"usable": False}))
    assert not without["goes"]


FAILOVER = {
    "host": "db1", "incident_id": "INC-1", "from_timeline": "00000001", "to_timeline": "00000002",
    "known_lsn": "0/3000100", "forked_at": "0/3000000", "last_commit_at": None, "lost_bytes": 256, "switched": 300,
    "recorded": 298, "lost_priors": 2, "file": None, "at": "2026-11-25T03:00:00.000000Z",
}  # fmt: skip


def test_a_primary_that_was_taken_over_from_has_nothing_to_say_and_what_was_lost_is_said_again() -> None:
    found = decide(UNREACHABLE, info(failovers=[FAILOVER], taken_over=None))
    assert (found["goes"], found["acts"]) == (True, ["db2"])
    assert "db1: no answer, and none is expected: db2 has taken over from it" in found["lines"]
    assert any(line.startswith("db2: 2 PRIOR VALUES WERE LOST") for line in found["lines"])
    # Not on the word of a server that is itself a replica by now, and not by another host's failover.
    replica = decide(UNREACHABLE, info(failovers=[FAILOVER], writable=False))
    assert any("whether the data of db1 is validated is not known" in text for text in replica["unvalidated"])
    assert not decide(UNREACHABLE, info(failovers=[{**FAILOVER, "host": "db9"}]))["goes"]


def test_a_server_that_took_over_since_is_said() -> None:
    since = {"from_timeline": "00000001", "to_timeline": "00000002", "forked_at": None, "last_commit_at": None}
    (_validated, line) = decide(info(taken_over={**since, "returned": False}))["lines"]
    assert line.startswith("db1: took over since the last step of the incident (timeline 00000001 to 00000002)")
    assert "LOST from where on, the server does not tell" in line


@pytest.mark.parametrize("answer", [UNREACHABLE, {}], ids=["unreachable", "no answer"])
def test_a_host_that_says_nothing_stands_in_the_way_unless_it_is_overridden(answer: Answer) -> None:
    silent = decide(info(), answer)
    assert not silent["goes"]
    assert silent["refused"][0].startswith("whether the data of db2 is validated is not known: ")
    forced = decide(info(), answer, break_glass=GLASS)
    assert (forced["goes"], forced["overridden"], forced["acts"]) == (True, True, ["db1"])
    # A database that nobody could ask may still refuse writes.
    assert "degraded True" in screen(forced)


def test_replicas_are_their_primarys_business_and_without_one_they_are_not_known() -> None:
    assert decide(info(), info(writable=False))["goes"]
    headless = decide(info(), info(cluster="7009/5", writable=False))
    assert headless["refused"] == ["whether the data of db2 is validated is not known: its primary did not answer"]
    refused = decide({"failed": True, "error": {"code": "missing_privilege", "what": "No."}}, info(writable=False))
    assert refused["refused"][-1].endswith("not known: its primary may be db1, which answered with an error")


def test_what_no_override_overrides() -> None:
    kinds: list[dict[str, Any]] = [
        {"failures": ("bruno is at work on INC-1",)},
        {"incident": {"agreed": False, "incident_id": "", "why": "Several incidents are open: INC-1, INC-2."}},
        {"tiers": [{**APP, "names": []}]},
        {"break_glass": {"what": ["validation"], "reason": "  "}},
        {"break_glass": {"what": ["fence"], "reason": "x"}},
    ]
    for kind in kinds:
        refused = decide(info(None), **{"break_glass": GLASS, **kind})
        assert (refused["goes"], refused["overridden"]) == (False, False), kind
    assert not decide()["goes"]
    assert not decide(info(known_as=None))["goes"]
    assert decide(info(), tiers=[{**APP, "group": "none", "names": []}])["goes"]
    # What Ansible makes of -e kanban_break_glass={what: ...
    text = decide(info(None), break_glass="{what:")
    assert "type -e '{kanban_break_glass: {what: [validation], reason: ...}}'" in text["refused"][0]
    assert decide(info(), break_glass="{what:")["goes"]
    # There is nothing to override, so what was given is not on record as an override.
    assert not decide(info(), break_glass=GLASS)["overridden"]


@pytest.mark.parametrize(
    ("smoke", "walk", "why"),
    [
        ([GOOD, GOOD], [GOOD, GOOD], []),
        ([GOOD, LOST], [GOOD, {}], []),
        ([GOOD, BAD], [GOOD, {}], ["the smoke test failed"]),
        ([GOOD, GONE], [GOOD, GOOD], ["the smoke test failed"]),
        ([GOOD, GOOD], [GOOD, BAD], ["the V1 walk failed"]),
        ([BAD, {}], [{}, {}], ["the smoke test failed"]),
        ([LOST, LOST], [{}, {}], ["the smoke test could be made on no application host"]),
    ],
)
def test_what_failed_anywhere_or_could_be_tried_nowhere_is_refused_again(
    smoke: list[Answer], walk: list[Answer], why: list[str]
) -> None:
    told = outcome(decide(info()), smoke, walk, info())
    assert (told["why"], told["raise"], told["tested"]) == (why, bool(why), not why)
    planned = outcome(decide(info()), smoke, walk, info(), check_mode=True)
    assert not planned["raise"]


def test_a_later_stop_wins_and_one_that_nobody_can_tell_is_said() -> None:
    stopped = outcome(decide(info()), [GOOD], [GOOD], info(kills=2))
    assert (stopped["raise"], stopped["stopped"]) == (True, True)
    # Nothing is tested then, but that is not what is wrong.
    assert outcome(decide(info()), [{}], [{}], info(kills=2), kept=[kept({})])["why"] == [
        "somebody stopped it again on db1, and the later stop wins", "writes could not be given back on db1"
    ]  # fmt: skip
    assert outcome(decide(info()), [{}], [{}], info(), kept=[kept({})])["raise"]
    lost = outcome(decide(info()), [GOOD], [GOOD], UNREACHABLE)
    assert (lost["raise"], len(lost["unknown"])) == (False, 1)
    assert "degraded True" in screen(decide(info()), lost)
    assert not outcome(decide(info(None)), [], [], info(kills=2))["raise"]


WHOLE_LOOK = {"failed": True, "status": "unproven", "changed": False}


@pytest.mark.parametrize(
    ("fence", "never"),
    [
        # The lease was not available; or the module looked again, and had lowered nothing.
        ({}, True),
        ({"skip_reason": "Conditional result was False"}, True),
        (WHOLE_LOOK, True),
        # One of several was lowered; the lease failed after the lowering; nobody heard how it ended.
        ({**WHOLE_LOOK, "changed": True}, False),
        ({"status": "dormant", "changed": True}, False),
        ({"failed": True, "msg": "Timed out.", "timedout": {"period": 35}}, False),
        (UNREACHABLE, False),
    ],
)
def test_what_could_not_be_given_back_is_said_with_why_and_whether_it_ever_was(fence: Answer, never: bool) -> None:
    told = outcome(decide(info()), [{}], [{}], info(), kept=[kept(fence)])
    assert (told["raise"], told["why"]) == (True, ["writes could not be given back on db1"])
    shown = screen(decide(info()), told, again=UP)
    said = "kanban may not call kanban_rollback.fence_lower(). Lower it as its owner."
    why = with_page(said, "missing_privilege")
    if never:
        assert "NOT RELEASED: writes could not be given back on db1; nothing had been lowered, its writes" in shown
        assert "its writes are refused as before." in shown
        assert f"\ndb1: the fence was never lowered there: {why}\n" in shown
        # Nothing has changed that people would have to hear of, unless nobody knows that.
        assert shown.startswith("refused True\n")
        assert screen(decide(info()), told, again=NOT_UP).startswith("raised_again True\n")
    else:
        assert shown.startswith("raised_again True\n")
        assert "RAISED AGAIN: writes could not be given back on db1; its writes are refused again." in shown
        assert f"\ndb1: writes could not be given back: {why}\n" in shown


def test_of_two_databases_the_one_that_was_lowered_is_raised_again() -> None:
    decision = decide(info(), info(cluster="7002/5"))
    told = release_outcome(decision, [], [info()] * 2, [info()] * 2, kept=[kept({})])
    shown = screen(decision, told, again=UP)
    assert "RAISED AGAIN: writes could not be given back on db1; its writes are refused again." in shown
    assert "db1: the fence was never lowered there: " in shown
    # Then the screen has to name somebody else's stop.
    stop = outcome(decide(info()), [{}], [{}], info(kills=2), kept=[kept({})])
    # The ledger has to have that on record.
    assert not stop["never"]
    assert "RAISED AGAIN: somebody stopped it again on db1" in screen(decide(info()), stop, again=UP)


def test_the_screen_of_each_end() -> None:
    good = screen(decide(info()), environment="production")
    assert good.startswith("released False\nRELEASED: ")
    assert "Also: the fence is lowered, the smoke test passed." in good
    assert "Incident INC-1, environment production\nTime: 12.3 s." in good
    assert (
        "ansible-playbook chatia.kanban_rollback.reenable -i x -e kanban_reenable=test -e kanban_test_tenant='<" in good
    )

    refused = screen(decide(info(None)))
    assert refused.startswith("refused True\nNOT RELEASED, nothing was changed: the data of db1 is not validated")
    # Neither the hash nor whether there is anything to repair is known here.
    assert "\nansible-playbook chatia.kanban_rollback.scenario3 -i x\n" in refused
    silent = screen(decide(info(), UNREACHABLE))
    assert "is not known" in silent
    assert "scenario3" not in silent
    assert "lowered" not in refused
    nobody = {"agreed": False, "incident_id": "", "why": "No incident is open."}
    locked = screen(decide(info(), failures=("bruno is at work.",), incident=nobody))
    first, _between, after = locked.partition("\nNOT WELL: ")
    assert first == with_page(
        "refused True\nNOT RELEASED, nothing was changed: db1: bruno is at work.", "release_refused"
    )
    assert after.startswith("db1: bruno is at work.\nIncident")
    assert "Next: mend what is named above" in locked

    again = outcome(decide(info()), [BAD], [{}], info())
    raised = screen(decide(info()), again, again=UP)
    assert raised.startswith("raised_again True\nRAISED AGAIN: the smoke test failed; its writes")
    assert "its writes are refused again." in raised
    assert "db1: lowered" not in raised
    half = screen(decide(info()), again, again=NOT_UP)
    assert "its writes are NOT KNOWN to be refused again." in half
    assert "NOT WELL: the fence on db1 is draining." in half
    stop = screen(decide(info()), outcome(decide(info()), [GOOD], [GOOD], info(kills=2)), again=UP)
    assert "Next: ask who stopped it again" in stop
    none = {**TESTED, "kind": "nothing", "good": "no smoke test"}
    only_read = outcome(decide(info()), [], [GOOD], info(), wanted=False)
    for told in (release_outcome(decide(info()), [], [info()], [info()]), only_read):
        untested = screen(decide(info()), told, given=(*GIVEN, none))
        assert untested.startswith("degraded True\nRELEASED, NOT TESTED: ")
        assert "See for yourselves" in untested
    lost = {**GIVEN[0], "holds": False, "bad": ["the fence on db1 is not known"]}
    part = screen(decide(info()), given=(lost, TESTED))
    assert part.startswith("degraded True\nRELEASED IN PART: ")
    assert "Next: mend what is named above" in part

    assert screen(decide(info()), check_mode=True).startswith("released False\nPLAN, nothing was changed: ")
    assert screen(decide(info(None)), check_mode=True).startswith("refused True\nPLAN: NOT RELEASED, nothing was")
    over = screen(decide(info(None), break_glass=GLASS), operator="ana", reason="no\nway")
    assert "OVERRIDDEN by ana, and recorded: no way" in over
    assert "degraded True" in screen(decide(info()), unrecorded=["db1: no disk"])


def test_a_lease_that_could_not_be_given_back_is_no_record_that_is_missing() -> None:
    left: Answer = {"lease_left": {"db1": "no\nanswer"}, "lease_seconds": 75}
    said = (
        "The lease on db1 is not known to be given back: no answer. Where it was not, it ends by itself within 75 s; "
        "until then this command, and a return, are refused."
    )
    for seen, word in ((..., "released False"), (None, "refused True")):
        shown = screen(decide(info(seen)), **left).splitlines()
        assert (shown[0], said in shown, "not on record" in str(shown)) == (word, True, False)
