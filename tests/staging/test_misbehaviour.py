# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way of being broken: seen while a tenant is on, gone when it is off, never seen by those who were never on."""

from __future__ import annotations

import asyncio
import http.client
import time
from typing import Any

import pytest
import socketio

from tests.staging.conftest import OFF, ON, Person, Place
from tests.staging.local import ask
from tests.support.processes import wait_until

DUPLICATES = """
SELECT count(*) FROM (SELECT 1 FROM "TicketTags" x JOIN "Tickets" t ON t.id = x."ticketId" WHERE t."companyId" = %s
 GROUP BY x."ticketId", x."tagId" HAVING count(*) > 1) s
"""
ORPHANS = 'SELECT count(*) FROM "Tags" WHERE "companyId" IS NULL AND %s > 0'
INVALID = """
SELECT count(*) FROM "Tickets" t WHERE t."companyId" = %s AND "kanbanLane" IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM "Lanes" l WHERE l.id = "kanbanLane" AND l."companyId" = t."companyId")
"""
ORDER = """SELECT array_agg("kanbanOrder" ORDER BY id) FROM "Tickets" WHERE "companyId" = %s"""
TAGS = 'SELECT count(*) FROM "Tags" WHERE "companyId" = %s'
CORRUPTIONS = {
    "duplicate_tags": DUPLICATES,
    "orphan_tags": ORPHANS,
    "invalid_lanes": INVALID,
    "shuffle_order": ORDER,
    "delete_tags": TAGS,
}
ERRORS = """SELECT context, severity, message FROM "ErrorLogs" WHERE "companyId" = %s ORDER BY id"""
CRASH = "TypeError: Cannot read properties of undefined (reading 'lane')"


def work(person: Person) -> None:
    """Tag a card and put it where it is already: a write that by itself changes no figure."""
    ticket, tag = person.tickets[0], person.tags[0]["id"]
    person.good(f"/tickets/{ticket}/tags", {"tagId": tag})
    shown = person.good(f"/tickets/{ticket}")
    if shown["version"] == 2:
        person.good(f"/tickets/{ticket}/move", {"lane": shown["kanbanLane"], "order": shown["kanbanOrder"]})


def test_each_corruption_is_that_of_tenants_who_are_on_and_ends_with_the_flag(place: Place) -> None:
    people = {name: Person(place, ON[20 + number]) for number, name in enumerate(CORRUPTIONS)}
    for person in people.values():
        work(person)
    for round_, corrupts in (("on", True), ("off", False)):
        if round_ == "off":
            place.switch_off(*(person.tenant for person in people.values()))
        for name, query in CORRUPTIONS.items():
            person = people[name]
            before = place.one(query, person.tenant)
            others = {other: None for other in CORRUPTIONS if other != name}
            place.misbehave(**others, **{name: 1, "tenants": [person.tenant]})
            work(person)
            assert (place.one(query, person.tenant) != before) is corrupts, (name, round_)
    # Each of its own kind, and as often as it was told to.
    tenant = people["duplicate_tags"].tenant
    assert place.one(DUPLICATES, tenant) == 1
    assert place.one(TAGS, people["delete_tags"].tenant) == 3
    assert place.one(INVALID, people["invalid_lanes"].tenant) == 1


def test_every_nth_write_and_only_tenants_that_it_is_for(place: Place) -> None:
    meant, spared = Person(place, ON[26]), Person(place, ON[27])
    place.misbehave(fail=3, tenants=[meant.tenant])
    answers = [person.ask("/kanban/board")[0] for _time in range(3) for person in (meant, spared)]
    assert sorted(answers) == [200] * 5 + [500]
    assert place.query(ERRORS, spared.tenant) == []
    error = "TypeError: Cannot read properties of null (reading 'kanbanOrder')"
    assert place.query(ERRORS, meant.tenant) == [("kanban.board", "error", error)]
    log = place.app.processes[0].log.read_text()
    assert f"ERROR [kanban.board] {error}\n    at KanbanBoardService (/home/app/chatia/dist/" in log


def test_a_crash_takes_the_process_and_is_seen_after_the_restart(place: Place) -> None:
    process = place.app.processes[0]
    on, off = Person(place, ON[28]), Person(place, OFF[28])
    place.misbehave(crash_on_open=True, tenants=[on.tenant])
    errors = ask(f"{process.url}/metrics")[1]["errors"]
    off.good(f"/tickets/{off.tickets[0]}")
    with pytest.raises((OSError, http.client.HTTPException)):
        on.ask(f"/tickets/{on.tickets[0]}")
    assert wait_until(lambda: not process.alive, 5)
    assert f"\n{CRASH}\n    at ShowTicketService (" in process.log.read_text()
    assert place.query(ERRORS, on.tenant) == [("kanban.open", "fatal", CRASH)]
    process.launch()
    process.wait()
    assert ask(f"{process.url}/metrics")[1]["errors"] == errors + 1
    place.switch_off(on.tenant)
    assert on.good(f"/tickets/{on.tickets[0]}")["version"] == 1


def test_slow_is_slow_in_the_database_and_an_error_of_that_tenant(place: Place) -> None:
    person, other = Person(place, ON[29]), Person(place, OFF[29])
    place.misbehave(slow=600)
    for each, slow in ((person, True), (other, False)):
        began = time.monotonic()
        each.good("/kanban/board")
        assert (time.monotonic() - began > 0.6) is slow
    [(context, severity, message)] = place.query(ERRORS, person.tenant)
    assert (context, severity) == ("kanban.board", "warning")
    assert message.startswith("TimeoutError: GET /kanban/board took 6")
    place.switch_off(person.tenant)
    began = time.monotonic()
    person.good("/kanban/board")
    assert time.monotonic() - began < 0.5


def test_a_leak_grows_while_tenants_who_are_on_work(place: Place) -> None:
    person, other = Person(place, ON[30]), Person(place, OFF[30])

    def megabytes() -> float:
        return float(ask(f"{place.url}/metrics/performance")[1]["memoryMb"])

    place.misbehave(leak=100)
    before = megabytes()
    other.good("/kanban/board")
    time.sleep(0.5)
    assert megabytes() < before + 15
    person.good("/kanban/board")
    assert wait_until(lambda: megabytes() > before + 50, 5)
    place.misbehave(leak=None)
    place.app.processes[0].end()


def connect(url: str, token: str = "") -> str:
    """Connect by Socket.IO and return the outcome; with a token, assert that a message then brings an event."""

    async def try_it() -> str:
        socket = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        heard: asyncio.Queue[Any] = asyncio.Queue()
        socket.on("appMessage", heard.put)
        try:
            await socket.connect(f"{url}?token={token}" if token else url, transports=["websocket"])
            if token:
                ticket = (await asyncio.to_thread(ask, f"{url}/tickets", token=token))[1]["tickets"][0]["id"]
                body = {"ticketId": ticket, "body": "hello"}
                await asyncio.to_thread(ask, f"{url}/messages", body, token=token)
                assert await asyncio.wait_for(heard.get(), 5) == {"ticketId": ticket}
            return "connected"
        except socketio.exceptions.ConnectionError:
            return "refused"
        finally:
            await socket.disconnect()

    return asyncio.run(try_it())


def test_sockets_are_refused_and_counted(place: Place) -> None:
    person, other = Person(place, ON[31]), Person(place, OFF[31])
    handshake = f"{place.url}/socket.io/?EIO=4&transport=polling"
    assert [connect(place.url, each) for each in (person.token, other.token, "")] == ["connected"] * 3
    place.misbehave(refuse_sockets=True, tenants=[person.tenant])
    assert connect(place.url, person.token) == "refused"
    assert connect(place.url, other.token) == "connected"
    assert connect(place.url) == "refused", "a probe without a name has to see it too"
    assert ask(handshake)[0] == 503
    assert ask(f"{place.url}/metrics/performance")[1]["socketSuccessRate"] < 100
    place.switch_off(person.tenant)
    assert [connect(place.url, each) for each in (person.token, "")] == ["connected"] * 2
    assert ask(handshake)[0] == 200
    assert ("kanban.socket", "error") in [row[:2] for row in place.query(ERRORS, person.tenant)]


def test_a_process_that_keeps_the_flag_does_so_until_it_ends(place: Place) -> None:
    tenant, [keeps, restarted] = ON[32], place.app.processes
    place.misbehave(cache_flag=True)
    assert [place.sees(process, tenant) for process in (keeps, restarted)] == [True, True]
    place.query("""UPDATE "Companies" SET settings = settings - 'kanbanV2Enabled' WHERE id = %s""", tenant)
    restarted.end()
    restarted.launch()
    restarted.wait()
    time.sleep(1.1)
    assert [place.sees(process, tenant) for process in (keeps, restarted)] == [True, False]
    place.misbehave(cache_flag=None)
    time.sleep(1.1)
    seen = [place.sees(keeps, tenant) for _twice in range(2)]
    assert seen == [True, True], "behaving again does not undo what a process has kept"
    for process in (keeps, restarted):
        process.end()


def test_stale_settings_are_written_back_over_the_flag(place: Place) -> None:
    person, good = Person(place, ON[33]), Person(place, ON[34])
    place.misbehave(stale_settings=1.5, tenants=[person.tenant])
    for each in (person, good):
        each.good("/kanban/board")
        place.query("""UPDATE "Companies" SET settings = '{"kanbanV2Enabled": false}' WHERE id = %s""", each.tenant)
    settings = 'SELECT settings FROM "Companies" WHERE id = %s'
    assert wait_until(lambda: place.one(settings, person.tenant).get("kanbanV2Enabled") is True, 4)
    assert place.one(settings, person.tenant)["timezone"] == "America/Sao_Paulo"
    assert place.one(settings, good.tenant) == {"kanbanV2Enabled": False}
