# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load's account: it holds through retries and killed processes, and says exactly what is not as acknowledged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from tests.rehearsal.people import Crowd
from tests.staging import account
from tests.staging.account import ACKNOWLEDGED, MESSAGE, REFUSED, UNKNOWN, Report
from tests.staging.client import Answer
from tests.staging.conftest import ON, Place
from tests.staging.load import Load, outcome_of
from tests.staging.local import CHECKOUT
from tests.support.processes import alive, wait_until

# Seconds for what takes one or two on an idle machine: work is counted here, not timed.
WAIT = 60


def begin(place: Place, path: Path, tenants: range, rate: float = 150) -> Load:
    password = place.app.secrets.password
    return Load(place.app.urls, path, tenants=tenants, password=password, rate=rate, workers=16)


def verify(place: Place, path: Path) -> Report:
    session = psycopg2.connect(**place.postgres.parameters("app"))
    try:
        return account.verify(path, session)
    finally:
        session.close()


def test_the_account_holds_through_a_killed_process_and_finds_what_was_tampered_with(
    place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "account"
    process = place.app.processes[1]
    place.misbehave(slow=60)
    with begin(place, path, range(101, 201)) as load:
        assert wait_until(lambda: load.figures.of(*account_operations()) > 60, WAIT)
        # Freeze it first, so that somebody's request is sent to it and never answered.
        os.kill(process.pid, signal.SIGSTOP)
        assert wait_until(lambda: unanswered(path, 0.5) > 2, WAIT)
        process.end()
        time.sleep(0.3)
        process.launch()
        process.wait()
        more = load.figures.of(*account_operations()) + 40
        assert wait_until(lambda: load.figures.of(*account_operations()) > more, WAIT)
        # What was on its way when the process was killed has been committed or not by now.
        place.misbehave(slow=None)
    report = verify(place, path)
    assert report.holds, report
    assert report.acknowledged == load.figures.of(*account_operations()) > 100
    assert report.checked > 50
    assert report.messages == load.figures.of(account.MESSAGE) > 10
    assert load.figures.sockets > 0
    assert any(entry.outcome == ACKNOWLEDGED and entry.status is None for entry in account.read(path)), "no retry seen"

    expected = account.expectations(account.read(path))
    lane = next(thing for thing in expected if thing.startswith("lane:"))
    message = next(thing for thing in expected if thing.startswith("message:"))
    there = [thing for thing, value in expected.items() if thing.startswith("tag:") and value == [True]]
    gone = next(thing for thing, value in expected.items() if thing.startswith("tag:") and value == [False])
    tag = 'WHERE "ticketId" = %s AND "tagId" = %s'
    place.query(f'DELETE FROM "TicketTags" {tag}', *there[0].split(":")[1:])
    place.query(f'INSERT INTO "TicketTags" ("ticketId", "tagId") SELECT "ticketId", "tagId" FROM "TicketTags" {tag}',
                *there[1].split(":")[1:])  # fmt: skip
    place.query('INSERT INTO "TicketTags" ("ticketId", "tagId") VALUES (%s, %s)', *gone.split(":")[1:])
    place.query('UPDATE "Tickets" SET "kanbanOrder" = -5 WHERE id = %s', lane.split(":")[1])
    place.query("""UPDATE "Tickets" SET "lastMessage" = 'other' WHERE id = %s""", message.split(":")[1])
    # A message that a later one has replaced is looked for as well.
    texts = [entry.sets[message] for entry in account.acknowledged(path) if message in entry.sets]
    place.query('DELETE FROM "Messages" WHERE body = %s', texts[0])
    report = verify(place, path)
    found = sorted(line.split(": ")[0] for line in report.missing)
    assert found == sorted([there[0], gone, lane, message, f"inbound {message}"])
    assert [line.split(": ")[0] for line in report.unexpected] == [there[1]]


def unanswered(path: Path, seconds: float) -> int:
    """Count the writes that nobody has answered for this long."""
    return sum(entry.until is None and entry.at < time.time() - seconds for entry in account.read(path))


def account_operations() -> list[str]:
    return ["attach", "detach", "move", account.MESSAGE]


def test_corruption_is_found_by_it_and_a_crash_on_opening_is_not_taken_for_one(place: Place, tmp_path: Path) -> None:
    lost, held = tmp_path / "lost", tmp_path / "held"
    first = ON[40]
    place.misbehave(delete_tags=6, shuffle_order=3, tenants=[first])
    with begin(place, lost, range(first, first + 1), rate=80) as load:
        assert wait_until(lambda: load.figures.of(*account_operations()) > 30, WAIT)
    report = verify(place, lost)
    assert report.missing, report
    place.misbehave(delete_tags=None, shuffle_order=None, tenants=None, fail=5)
    with begin(place, held, range(41, 61)) as load:
        assert wait_until(lambda: load.figures.of(*account_operations()) > 40, WAIT)
        # Which requests happen to be every fifth is chance.
        assert wait_until(lambda: load.figures.of(*account_operations(), status=range(500, 600)) > 0, WAIT)
    assert verify(place, held).holds
    assert any(entry.outcome == UNKNOWN and entry.status == 500 for entry in account.read(held))


def test_under_the_write_block_only_messages_are_acknowledged(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "account"
    with begin(place, path, range(61, 81)) as load:
        assert wait_until(lambda: load.figures.of("move", "attach", "detach") > 10, WAIT)
        with place.redis.client() as client:
            client.set("kanban:emergency:write-block", "true")
        since = time.time()
        before = load.figures.of(account.MESSAGE)
        # More than can have been under way already: one for each worker.
        assert wait_until(lambda: load.figures.of(account.MESSAGE) > before + 16, WAIT)
        assert load.figures.of(status=range(423, 424)) > 0
    assert account.acknowledged(path, since=since, kanban_only=True) == []
    assert account.acknowledged(path, since=since)
    assert verify(place, path).holds


# Refuses like the fence's triggers, but whatever the columns: also what an inbound message writes.
TOO_WIDE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'kanban is write-protected' USING ERRCODE = 'KB001'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON "Tickets" FOR EACH ROW
  WHEN (NEW."companyId" BETWEEN 21 AND 40) EXECUTE FUNCTION refuse();
"""
GONE = "DROP FUNCTION IF EXISTS refuse() CASCADE"


def test_a_message_that_the_database_refuses_is_refused(place: Place, tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, "people")
    with begin(place, crowd.path, range(21, 41)) as load:
        assert wait_until(lambda: load.figures.of(account.MESSAGE) > 10, WAIT)
        assert crowd.refused_messages() == []
        place.query(TOO_WIDE)
        try:
            assert wait_until(lambda: load.figures.of(account.MESSAGE, status=range(423, 424)) > 5, WAIT)
            moved = load.figures.of("move", status=range(423, 424))
        finally:
            place.query(GONE)
    assert moved
    assert load.figures.of(status=range(500, 600)) == 0
    refused = crowd.refused_messages()
    assert len(refused) == load.figures.of(account.MESSAGE, status=range(400, 500)) > 5
    assert {entry.status for entry in refused} == {423}
    assert verify(place, crowd.path).holds


# As if the disk were full: an error that is about nobody in particular.
FULL = TOO_WIDE.replace("KB001", "53100")


def test_a_message_that_nobody_took_is_sent_again_and_lost_where_nobody_ever_does(place: Place, tmp_path: Path) -> None:
    later, never = Crowd(tmp_path, "later"), Crowd(tmp_path, "never")
    place.query(FULL)
    try:
        with begin(place, later.path, range(21, 31)) as load, begin(place, never.path, range(31, 41)) as others:
            assert wait_until(lambda: failed(load) > 3 and failed(others) > 3, WAIT)
            others.stop()
            place.query(GONE)
    finally:
        place.query(GONE)
    assert (later.refused_messages(), never.refused_messages()) == ([], [])
    report = verify(place, later.path)
    assert report.holds, report
    assert len(later.unanswered_messages()) == failed(load)
    assert report.messages >= failed(load)
    report = verify(place, never.path)
    # Each of them was tried twice.
    assert 2 * len(report.lost) == len(never.unanswered_messages()) == failed(others)
    assert (report.messages, report.holds) == (0, False)


@pytest.mark.parametrize(
    ("outcomes", "there", "messages", "missing", "lost"),
    [
        (["acknowledged"], True, 1, 0, 0),
        (["acknowledged"], False, 1, 1, 0),
        (["unknown", "acknowledged"], False, 1, 1, 0),
        (["unknown"], True, 0, 0, 0),
        (["unknown", "unknown"], False, 0, 0, 1),
        (["refused"], False, 0, 0, 0),
        # Acknowledged by a server that is gone, and not heard of since; and on its way when the load was killed.
        (["unheard"], False, 0, 0, 0),
        (["killed"], False, 0, 0, 0),
    ],
)
def test_what_became_of_a_message(outcomes: list[str], there: bool, messages: int, missing: int, lost: int) -> None:
    moments = {"unheard": (ACKNOWLEDGED, 5.0), "killed": (UNKNOWN, None)}
    told = [
        account.Entry(number, 1.0, account.MESSAGE, 2, {"message:7": "a"}, outcome, None, until)
        for number, (outcome, until) in enumerate(moments.get(one, (one, 9.0)) for one in outcomes)
    ]
    report = Report()
    found = {("message:7", "a")} if there else set()
    account.look_for_messages(report, told, account.doubted(told, (4.0, 6.0)), found)
    assert (report.messages, len(report.missing), len(report.lost)) == (messages, missing, lost)
    assert report.holds == (not missing and not lost)


def failed(load: Load) -> int:
    """Count the answers to messages that did not say what became of them."""
    return load.figures.of(account.MESSAGE, status=range(500, 600))


def in_a_process(place: Place, path: Path, tenants: str) -> tuple[list[str], dict[str, str]]:
    """Return the command of a load in a process of its own, and its environment."""
    argv = [sys.executable, "-m", "tests.staging.load", "--account", str(path), "--tenants", tenants, "--rate", "200"]
    for url in place.app.urls:
        argv += ["--url", url]
    parameters = place.postgres.parameters("app")
    return argv, {
        "PATH": "/usr/bin", "STAGING_PASSWORD": place.app.secrets.password, "PGHOST": parameters["host"],
        "PGPORT": str(parameters["port"]), "PGUSER": "postgres", "PGPASSWORD": parameters["password"],
        "PGDATABASE": "app",
    }  # fmt: skip


def test_a_load_that_cannot_go_on_ends_and_says_why(place: Place, tmp_path: Path) -> None:
    """Otherwise the process would look like people at work, and nobody would be."""
    argv, environment = in_a_process(place, tmp_path / "account", "17-20")
    ended = subprocess.run(
        ["prlimit", "--fsize=4000", *argv], cwd=CHECKOUT, env=environment, capture_output=True, text=True,
        timeout=WAIT, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "File too large" in ended.stderr
    assert len(account.acknowledged(tmp_path / "account")) > 3


def test_a_killed_load_leaves_an_account_that_holds_and_that_another_goes_on_with(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "account"
    argv, environment = in_a_process(place, path, "81-100")
    killed = subprocess.Popen(argv, cwd=CHECKOUT, env=environment)
    try:
        assert wait_until(lambda: len(account.acknowledged(path)) > 30, WAIT)
    finally:
        killed.kill()
        killed.wait(10)
    assert not alive(killed.pid)
    number = len(account.acknowledged(path))
    with path.open("a") as file:
        file.write('{"n": 9999, "at": 1')
    time.sleep(0.3)
    assert verify(place, path).holds
    done = subprocess.run(
        [*argv, "--seconds", "3", "--verify"], cwd=CHECKOUT, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["answers"]["200"] > 5
    assert len(account.acknowledged(path)) > number


@pytest.mark.parametrize(
    ("later", "allowed"),
    [
        ([], [1]),
        ([("refused", 423, 2)], [1]),
        ([("unknown", None, 2)], [1, 2]),
        ([("unknown", 500, 2), ("unknown", 500, 2), ("acknowledged", 200, 3)], [3]),
    ],
)
def test_what_is_expected_after_what_became_of_later_writes(
    tmp_path: Path, later: list[tuple[str, int | None, int]], allowed: list[int]
) -> None:
    kept = account.Account(tmp_path / "account")
    for outcome, status, value in [("unknown", 500, 0), ("acknowledged", 200, 1), *later]:
        kept.answered(kept.sending("move", 1, {"lane:1": value, "lane:2": value}), outcome, status)
    kept.sending("move", 1, {"lane:3": 1})
    kept.close()
    assert account.expectations(account.read(kept.path)) == {"lane:1": allowed, "lane:2": allowed}


def test_a_refusal_says_nothing_of_an_earlier_try_but_no_message_may_be_refused() -> None:
    def became(operation: str, status: int | None) -> str:
        return outcome_of(operation, Answer(status, None, doubtful=True, seconds=1))

    assert [became("move", status) for status in (200, 423, 500, None)] == [ACKNOWLEDGED, UNKNOWN, UNKNOWN, UNKNOWN]
    assert [became(MESSAGE, status) for status in (200, 423, 500, None)] == [ACKNOWLEDGED, REFUSED, UNKNOWN, UNKNOWN]
    assert outcome_of("move", Answer(423, None, doubtful=False, seconds=1)) == REFUSED
