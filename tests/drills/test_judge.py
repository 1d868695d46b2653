# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each of the six judgments goes red when it should, with what was expected and what was found."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from tests.drills import kept, looks
from tests.drills.drill import Drill
from tests.drills.judge import (
    MOST_PATIENCE,
    Lost,
    excused_until,
    judge_again,
    judge_kept,
    judge_left,
    judge_lost,
    judge_nobody_wrote,
    judge_off,
    judge_said,
    judge_saved,
    judge_stayed_off,
    judge_undone,
    patience,
)
from tests.drills.leftovers import leftovers
from tests.drills.watch import Look, Off, most_on, off
from tests.playbooks.place import BLOCK
from tests.playbooks.runner import Run
from tests.staging.account import ACKNOWLEDGED, REFUSED, UNKNOWN, Entry, Report, doubted

_SCREEN = "Result\n"
SOUND = "CONTAINED: Kanban V2 is off for all 200 tenants (60 were switched off now)."


def ended(screen: str = SOUND, rc: int = 0, seconds: float = 10.0) -> Run:
    return Run(rc, _SCREEN + screen, seconds)


def seen(*on: int) -> list[Look]:
    """Return one look per second from the tenth on."""
    return [Look(10.0 + n, number) for n, number in enumerate(on)]


@pytest.mark.parametrize(
    ("looks_at", "most", "found"),
    [
        (seen(60, 60, 0, 0), 0, Off(2, None, 4)),
        (seen(60, 1, 0, 5, 0), 0, Off(2, 3, 5)),
        (seen(60, 0, 5, 0, 5, 0), 0, Off(1, 2, 6, 2)),
        (seen(60, 1, 1, 1), 1, Off(1, None, 4)),
        (seen(60, 60), 0, Off(None, None, 2)),
        ([Look(9.9, 0), *seen(60), Look(99.0, 0)], 0, Off(None, None, 1)),
        ([], 0, Off(None, None, 0)),
    ],
)
def test_when_it_was_off(looks_at: list[Look], most: int, found: Off) -> None:
    assert off(looks_at, 10.0, 20.0, most) == found


@pytest.mark.parametrize(
    ("found", "how", "complaint"),
    [
        (Off(21, None, 9), {}, "at most 0 companies on within 20 s of Enter; found: after 21.0 s"),
        (Off(None, None, 9), {}, "found: never, in 9 looks"),
        (Off(None, None, 0), {}, "found: nobody could look"),
        (Off(4, 6, 9), {}, "expected: off for good since 4.0 s; found: on again after 6.0 s, for 0.0 s"),
        (Off(4, 6, 9, 2.5), {"returns": 2}, "or on again for at most 2 s; found: on again after 6.0 s, for 2.5 s"),
        (Off(4, 6, 9, 1.5), {"returns": 2}, ""),
        (Off(20, None, 9), {}, ""),
    ],
)
def test_1_the_flag(found: Off, how: dict[str, Any], complaint: str) -> None:
    goes_red(complaint, lambda: judge_off(found, 20, **how))


def test_1_the_flag_stays_off() -> None:
    looks_at = seen(60, 0, 0, 5, 0)
    judge_stayed_off(most_on(looks_at, 11.0, 12.0))
    judge_stayed_off(most_on([], 11.0, 12.0))
    goes_red("found: 5 companies on again", lambda: judge_stayed_off(most_on(looks_at, 11.0, 14.0)))


HAD = {"4": "true", "7": '"sim"'}
GOOD = Report(40, 50, messages=9)
SENT = [Entry(3, 1.0, "message", 7, {})]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({}, ""),
        ({"report": replace(GOOD, missing=["lane:7: gone"])}, "40 last values and 9 messages; found: lane:7: gone"),
        ({"report": replace(GOOD, unexpected=["tag:7:1: there 2 times"])}, "messages; found: tag:7:1: there 2 times"),
        ({"report": replace(GOOD, acknowledged=3)}, "at least 10 acknowledged writes; found: 3"),
        ({"report": replace(GOOD, checked=9)}, "10 last values to compare with the database; found: 9 of 50 ack"),
        ({"report": replace(GOOD, messages=0)}, "inbound messages to look for; found: none"),
        ({"report": replace(GOOD, lost=["inbound message:7: 'a'"])}, "no inbound message lost; found: inbound mess"),
        ({"dumped": Report(5, 50, ["tag:7:1: there 0 times"])}, "writes in the dump, 5 last .* found: tag:7:1"),
        ({"dumped": Report(2, 2)}, "at least 3 last values to compare with the dump; found: 2 of 2"),
        ({"dumped": None}, ""),
        ({"refused_messages": SENT}, "no inbound message refused; found: 1"),
        ({"unanswered": SENT}, "no inbound message left without an answer; found: 1"),
        ({"priors": {"4": "true"}}, 'the prior value of each of 2 companies; found: 7: had "sim", kept None'),
        ({"priors": {"4": "true", "7": "true"}}, 'found: 7: had "sim", kept true'),
    ],
)
def test_2_nothing_is_lost(changed: dict[str, Any], complaint: str) -> None:
    facts: dict[str, Any] = {
        "report": GOOD, "refused_messages": [], "unanswered": [], "dumped": Report(5, 50), "priors": HAD,
        "had_it": HAD, **changed,
    }  # fmt: skip
    goes_red(complaint, lambda: judge_lost(**facts))


@pytest.mark.parametrize(
    ("run", "how", "complaint"),
    [
        (ended(), {"fails": False, "says": ["CONTAINED: "]}, ""),
        (ended(rc=2), {"fails": False}, "expected: status 0; found: 2"),
        (ended(), {"fails": True}, "expected: status 2 or 4; found: 0"),
        (ended(rc=250), {"fails": True}, "expected: status 2 or 4; found: 250"),
        (ended(rc=2), {"fails": True}, ""),
        (Run(2, "Traceback", 1.0), {"fails": True}, "expected: a last screen; found: none"),
        (ended(), {"fails": False, "says": ["CONTAINED IN PART"]}, r"on the last screen: \['CONTAINED IN PART'\]"),
        (ended(), {"fails": False, "never": ["CONTAINED: "]}, r"not on the last screen: \['CONTAINED: '\]"),
        (ended(), {"fails": False, "contradicted": ["60 are on"]}, "what is said is so; found: 60 are on"),
    ],
)
def test_3_what_is_said(run: Run, how: dict[str, Any], complaint: str) -> None:
    goes_red(complaint, lambda: judge_said(run, **how))


@pytest.mark.parametrize(
    ("run", "contradicted", "complaint"),
    [
        (ended(), [], ""),
        (ended(rc=4), [], "the second run to complete with status 0; found: 4"),
        (ended("CONTAINED IN PART: 3 of 200"), [], r"on the last screen: \['CONTAINED:'\]"),
        (ended(), ["a canary passed"], "found: a canary passed"),
    ],
)
def test_4_the_second_run(run: Run, contradicted: list[str], complaint: str) -> None:
    goes_red(complaint, lambda: judge_again(run, ["CONTAINED: "], contradicted))


@pytest.mark.parametrize(
    ("run", "after", "complaint"),
    [
        (ended(), "4|{}\n7|", ""),
        (ended(rc=2), "4|{}\n7|", "the undo to end with status 0; found: 2"),
        (ended(seconds=61), "4|{}\n7|", "undone within 60 s; found: 61.0 s"),
        (ended(), "4|{}\n7|{}", r"as before at db1; found: 7\| became 7\|{}"),
        (ended(), "4|{}", r"as before at db1; found: 4\|{}"),
    ],
)
def test_5_the_undo(run: Run, after: str, complaint: str) -> None:
    goes_red(complaint, lambda: judge_undone(run, "4|{}\n7|", {"db1": after}, []))


def test_what_is_lost_is_not_played_again() -> None:
    wrote = Entry(1, 0.0, "move", 1, {"lane:1": 1}, ACKNOWLEDGED, 200, 1.0)
    with pytest.raises(Lost):
        judge_undone(ended(), "4|{}", {"db1": "4|"}, [])
    with pytest.raises(Lost):
        judge_nobody_wrote([wrote])
    with pytest.raises(Lost):
        judge_kept(["db1: /dumps/1/manifest.json is gone"])
    judge_nobody_wrote([])
    judge_kept([])


def test_2_what_people_save_beside_the_flag_is_not_lost() -> None:
    told = [(7, "saved 1"), (7, "saved 2")]
    judge_saved(told, {*told, (8, "saved 1")})
    with pytest.raises(Lost, match=r"each of 2 saves of settings; found: without 'saved 1' of company 7$"):
        judge_saved(told, {told[1], (8, "saved 1")})


def test_2_a_fault_excuses_nothing_for_long_after_its_mend() -> None:
    assert 120 <= excused_until(100) <= 100 + 20 * MOST_PATIENCE
    goes_red("found: it is not", lambda: excused_until(None))


def test_6_what_is_left() -> None:
    judge_left({"a trigger of the application"}, {"a trigger of the application"})
    goes_red("nothing left over; found: a lock", lambda: judge_left({"a trigger"}, {"a trigger", "a lock"}))


def goes_red(complaint: str, judge: Any) -> None:
    """Check that the judge complains like this; without a complaint, that it passes."""
    if not complaint:
        judge()
        return
    with pytest.raises(AssertionError, match=complaint):
        judge()


@pytest.mark.parametrize(("load", "factor"), [(0.5, 1), (4.0, 1), (8.0, 2), (99.0, 6)])
def test_bounds_grow_with_what_others_do(load: float, factor: float) -> None:
    assert patience(load, cores=2) == factor


def test_who_had_it_by_the_settings() -> None:
    settings = (
        '1|{"a": 1}\n2|\n3|[]\n4|{"kanbanV2Enabled": true}\n5|{"kanbanV2Enabled": false}\n7|{"kanbanV2Enabled": "sim"}'
    )
    assert kept.had_it(settings) == {"4": "true", "7": '"sim"'}


def test_what_a_server_acknowledged_that_is_gone_may_be_there_or_not() -> None:
    entries = [
        Entry(n, 0.0, "move", 1, {"lane:1": n}, ACKNOWLEDGED, 200, until) for n, until in ((1, 5), (2, 15), (3, 25))
    ]
    assert [one.outcome for one in doubted(entries, (10.0, 20.0))] == [ACKNOWLEDGED, UNKNOWN, ACKNOWLEDGED]
    assert doubted(entries, None) == entries


def test_what_overlaps_the_dump_may_be_in_it_or_not() -> None:
    def entry(number: int, at: float, until: float, outcome: str = ACKNOWLEDGED) -> Entry:
        return Entry(number, at, "move", 7, {"lane:1": number}, outcome, 200, until)

    entries = [entry(1, 1, 2), entry(2, 9, 11), entry(3, 12, 13, REFUSED), entry(4, 18, 21), entry(5, 22, 23)]
    found = [(one.number, one.outcome) for one in kept.at_dump(entries, 10.0, 20.0)]
    assert found == [(1, ACKNOWLEDGED), (2, UNKNOWN), (3, REFUSED), (4, UNKNOWN)]


# What the looks see on the estate: everything is planted that a run may leave behind or claim falsely.
PLANTED = """
CREATE SCHEMA kanban_rollback;
CREATE TABLE kanban_rollback.leases (name text, holder text, expires_at timestamptz);
INSERT INTO kanban_rollback.leases VALUES ('recover', 'ana', now() + interval '1 hour');
CREATE FUNCTION kanban_rollback.refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'KB001'; END $$;
CREATE TRIGGER planted BEFORE DELETE ON "Tags" FOR EACH STATEMENT EXECUTE FUNCTION kanban_rollback.refuse();
"""
CLAIMED = (
    "CONTAINED: off. Also: the fence is proven, the write block is held, evidence is kept, the dump is proven, "
    "the checks found nothing corrupt, the latch is up, the fence is lowered, no write block is held. "
    "db1: fence proven for INC-1, raised in 10 ms. redis1: write block held by INC-1, until it is released. "
    "db1: dump of 7 rows. db1: 10 files of evidence, 1 kB, in /nowhere/t0, taken"
)


@pytest.mark.drill
def test_what_is_planted_is_seen(drill: Drill) -> None:
    place, db1, app1 = drill.place, drill.estate.fleet["db1"], drill.estate.fleet["app1"]
    before = leftovers(place)
    drill.after(place.psql, """DROP TRIGGER IF EXISTS planted ON "Tags"; DELETE FROM "Tags" WHERE name = 'planted'""")
    assert looks.contradictions(place, ended("the fence is lowered, no write block is held")) == []
    nowhere = "the screen says 'evidence is kept', but no line says where"
    assert looks.contradictions(place, ended("evidence is kept")) == [nowhere]
    with contextlib.closing(drill.estate.site.connect(application="chatia.kanban_rollback")) as session:
        session.cursor().execute("SELECT pg_advisory_lock(4711)")
        place.psql(PLANTED)
        place.redis("SET", BLOCK, "false")
        db1.run(["touch", "/tmp/AnsiballZ_planted.py", "/var/tmp/planted.tmp"])  # noqa: S108
        app1.run(["bash", "-c", "exec -a 'python3 AnsiballZ_planted' sleep 30 >/dev/null 2>&1 &"], user="app")
        left = " ".join(sorted(leftovers(place) - before))
        for kind in (
            "session", "advisory lock", "trigger planted", "lease recover of ana", "fence on Tags", BLOCK,
            "db1: file /tmp/AnsiballZ_planted.py", "db1: file /var/tmp/planted.tmp", "app1: process app",
        ):  # fmt: skip
            assert kind in left, left
        place.psql('INSERT INTO "Tags" ("name", "color", "kanban", "createdAt", "updatedAt") '
                   "VALUES ('planted', '#fff', 0, now(), now())")  # fmt: skip
        found = looks.contradictions(place, ended(CLAIMED))
        said = [line.split("'")[1] for line in found]
        assert said == [words.strip() for words in looks.CLAIMS], json.dumps(found, indent=1)
    drill.finished = True


@pytest.mark.drill
def test_the_watch_sees_it_from_outside_and_finds_the_server_again(drill: Drill) -> None:
    db1, since = drill.estate.fleet["db1"], time.monotonic()
    drill.place.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'drill'")
    drill.place.psql("""UPDATE "Companies" SET settings = settings - 'kanbanV2Enabled' WHERE settings IS NOT NULL
                        AND jsonb_typeof(settings) = 'object'""")
    switched = time.monotonic() - since
    time.sleep(1)
    found = off(drill.watch.looks, since, time.monotonic())
    assert found.after is not None
    assert found.after < switched + 0.8, found
    db1.run(["systemctl", "stop", "postgresql@17-main"], timeout=60)
    with pytest.raises(psycopg2.Error):
        drill.estate.site.connect()
    db1.run(["systemctl", "start", "postgresql@17-main"], timeout=60)
    number = len(drill.watch.looks)
    time.sleep(2)
    assert len(drill.watch.looks) > number
    drill.finished = True
