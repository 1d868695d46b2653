# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application does when it is well: each route, both versions, the flag, the write block, its figures."""

from __future__ import annotations

import re
import time
import urllib.request

from tests.staging.conftest import OFF, ON, Person, Place
from tests.staging.local import Local, ask
from tests.support.processes import wait_until

TAGS_OF = """SELECT array_agg("tagId" ORDER BY "tagId") FROM "TicketTags" WHERE "ticketId" = %s"""
LANE_TAG_OF = """
SELECT x.id, x."tagId" FROM "TicketTags" x JOIN "Tags" g ON g.id = x."tagId" WHERE g.kanban = 1 AND x."ticketId" = %s
"""
LANE_OF = """SELECT ARRAY["kanbanLane", "kanbanOrder"] FROM "Tickets" WHERE id = %s"""


def test_a_board_of_the_first_version_has_tags_for_lanes_and_a_move_is_delete_and_insert(place: Place) -> None:
    person = Person(place, OFF[0])
    lanes = [tag["id"] for tag in person.tags if tag["kanban"]]
    board = person.good("/kanban/board")
    assert (board["version"], [lane["id"] for lane in board["lanes"]]) == (1, lanes)
    ticket = person.tickets[0]
    oldest = place.one('SELECT max(id) FROM "TicketTags"')
    for lane in lanes:
        person.good(f"/tickets/{ticket}/move", {"board": 1, "lane": lane, "order": 3})
        shown = {lane["id"]: lane["tickets"] for lane in person.good("/kanban/board")["lanes"]}
        assert [lane for lane in lanes if ticket in [card["id"] for card in shown[lane]]] == [lane]
    [(newest, tag)] = place.query(LANE_TAG_OF, ticket)
    assert (newest > oldest, tag) == (True, lanes[-1])
    assert person.ask(f"/tickets/{ticket}/move", {"board": 2, "lane": lanes[0]}) == (
        409,
        {"error": "ERR_BOARD_CHANGED"},
    )
    assert person.good(f"/tickets/{ticket}")["version"] == 1


def test_a_board_of_the_second_version_has_lanes_with_an_order(place: Place) -> None:
    person = Person(place, ON[0])
    lanes = [lane["id"] for lane in person.good("/lanes")["lanes"]]
    first, second = person.tickets[:2]
    for ticket, order in ((first, 0), (second, -1)):
        person.good(f"/tickets/{ticket}/move", {"board": 2, "lane": lanes[2], "order": order})
        assert place.one(LANE_OF, ticket) == [lanes[2], order]
    board = person.good("/kanban/board")
    assert (board["version"], [lane["id"] for lane in board["lanes"]]) == (2, lanes)
    assert [card["id"] for card in board["lanes"][2]["tickets"]][:2] == [second, first]
    foreign = place.one('SELECT min(id) FROM "Lanes" WHERE "companyId" = %s', OFF[0])
    assert person.ask(f"/tickets/{first}/move", {"lane": foreign}) == (404, {"error": "ERR_NO_LANE_FOUND"})
    assert person.good(f"/tickets/{first}")["version"] == 2


def test_tags_settings_and_messages(place: Place) -> None:
    person = Person(place, ON[1])
    ticket, tag = person.tickets[0], next(tag["id"] for tag in person.tags if not tag["kanban"])
    before = place.one(TAGS_OF, ticket)
    for _twice in range(2):
        person.good(f"/tickets/{ticket}/tags", {"tagId": tag})
        assert place.one(TAGS_OF, ticket) == sorted({*before, tag})
    assert tag in person.good(f"/tickets/{ticket}")["tags"]
    for _twice in range(2):
        person.good(f"/tickets/{ticket}/tags/{tag}", method="DELETE")
        assert place.one(TAGS_OF, ticket) == [each for each in before if each != tag]
    made = person.good("/tags", {"name": "Nova"})["id"]
    assert place.query('SELECT name, "companyId" FROM "Tags" WHERE id = %s', made) == [("Nova", person.tenant)]
    person.good(f"/tags/{made}", method="DELETE")
    assert place.query('SELECT 1 FROM "Tags" WHERE id = %s', made) == []

    settings = person.good("/settings")["settings"]
    changed = person.good("/settings", {"timezone": "UTC"}, "PUT")["settings"]
    assert changed == {**settings, "timezone": "UTC"}

    person.good("/messages", {"ticketId": ticket, "body": "olá"})
    assert place.one('SELECT "lastMessage" FROM "Tickets" WHERE id = %s', ticket) == "olá"
    with place.redis.client() as client:
        assert client.get(f"contacts:{ticket}:unreads") == "1"


def test_what_is_wrong_is_refused(place: Place) -> None:
    person = Person(place, ON[2])
    foreign = place.one('SELECT min(id) FROM "Tickets" WHERE "companyId" = %s', OFF[0])
    login = {"email": "pessoa1@example.com", "password": "guessed"}
    assert ask(f"{place.url}/auth/login", login) == (401, {"error": "ERR_INVALID_CREDENTIALS"})
    assert ask(f"{place.url}/tickets") == (401, {"error": "ERR_SESSION_EXPIRED"})
    assert ask(f"{place.url}/tickets", token=person.token[:-1] + "x")[0] == 401
    for path, body in ((f"/tickets/{foreign}", None), (f"/tickets/{foreign}/move", {"lane": 1}), ("/tickets/x", None)):
        assert person.ask(path, body)[0] == 404, path
    assert person.ask(f"/tickets/{person.tickets[0]}/move", {"lane": "1"})[0] == 400
    assert person.ask("/nowhere")[0] == 404
    assert ask(f"{place.url}/staging/misbehave", {"crash": True})[0] == 422


def test_each_process_sees_the_flag_within_a_second(place: Place) -> None:
    truthy, tenant = ON[16], ON[3]
    assert place.one('SELECT settings -> %s FROM "Companies" WHERE id = %s', "kanbanV2Enabled", truthy) == ""
    seen = [ask(f"{url}/health/kanban")[1] for url in place.app.urls]
    assert [(each["on"], each["total"], each["instance"]) for each in seen] == [(60, 200, 0), (60, 200, 1)]
    assert [each["pid"] for each in seen] == [process.pid for process in place.app.processes]
    assert place.sees(place.app.processes[0], truthy) is True
    person = Person(place, tenant)
    assert person.good("/kanban/board")["version"] == 2
    began = time.monotonic()
    place.switch_off(tenant)
    assert time.monotonic() - began < 2.5
    assert person.good("/kanban/board")["version"] == 1
    assert ask(f"{place.url}/health/kanban?tenant=999")[0] == 404


def test_the_write_block_refuses_the_kanban_and_nothing_else(place: Place) -> None:
    for person in (Person(place, ON[4]), Person(place, OFF[4])):
        ticket, tag = person.tickets[0], person.tags[0]["id"]
        writes: list[tuple[str, object, str]] = [
            (f"/tickets/{ticket}/tags", {"tagId": tag}, "POST"),
            (f"/tickets/{ticket}/tags/{tag}", None, "DELETE"),
            (f"/tickets/{ticket}/move", {"lane": 1}, "POST"),
            ("/tags", {"name": "Nova"}, "POST"),
            (f"/tags/{tag}", None, "DELETE"),
        ]
        rows = place.query('SELECT * FROM "TicketTags" ORDER BY id'), place.query('SELECT * FROM "Tags" ORDER BY id')
        with place.redis.client() as client:
            client.set("kanban:emergency:write-block", "true")
            for write in writes:
                assert person.ask(*write) == (423, {"error": "ERR_KANBAN_WRITE_BLOCKED"}), write
            person.good("/messages", {"ticketId": ticket, "body": "still here"})
            person.good("/kanban/board")
            client.delete("kanban:emergency:write-block")
        now = place.query('SELECT * FROM "TicketTags" ORDER BY id'), place.query('SELECT * FROM "Tags" ORDER BY id')
        assert now == rows
        person.good(f"/tickets/{ticket}/tags", {"tagId": tag})


def test_health_says_which_server_is_down(place: Place) -> None:
    assert ask(f"{place.url}/health")[0] == 200
    place.redis.stop()
    try:
        status, answer = ask(f"{place.url}/health")
        assert (status, answer["database"], answer["redis"]) == (503, True, False)
        person = Person(place, ON[5])
        # Redis cannot be asked whether writes are blocked: they were not before.
        person.good(f"/tickets/{person.tickets[0]}/tags", {"tagId": person.tags[0]["id"]})
    finally:
        place.redis.start()
    assert wait_until(lambda: ask(f"{place.url}/health")[0] == 200, 20)


def test_the_figures_are_those_of_what_was_asked(place: Place) -> None:
    with Local(place.directory, *place.where, instances=1, window=2) as app:
        process = app.processes[0]
        empty = ask(f"{process.url}/metrics")[1]
        assert (empty["errorRate"], empty["requests"]) == (0.0, 0)
        assert ask(f"{process.url}/metrics/performance")[1]["dndP95Ms"] is None
        place.app, ours = app, place.app
        try:
            person = Person(place, ON[6])
            lane = person.good("/lanes")["lanes"][0]["id"]
            place.misbehave(fail=4)
            statuses = [person.ask(f"/tickets/{person.tickets[0]}")[0] for _time in range(12)]
            place.misbehave(fail=None, slow=300)
            person.good(f"/tickets/{person.tickets[0]}/move", {"lane": lane})
        finally:
            place.app = ours
        assert statuses == [200, 200, 200, 500] * 3
        # Logging in, three lists, twelve tickets, one move.
        assert ask(f"{process.url}/metrics")[1] | {"uptimeSeconds": 0, "pid": 0} == {
            "errorRate": round(100 * 3 / 17, 4), "requests": 17, "errors": 3, "windowSeconds": 2.0,
            "uptimeSeconds": 0, "pid": 0, "instance": 0, "port": process.port,
        }  # fmt: skip
        performance = ask(f"{process.url}/metrics/performance")[1]
        assert 300 < performance["dndP95Ms"] < 900
        assert 300 < performance["queryP95Ms"] < 900
        with urllib.request.urlopen(f"{process.url}/metrics?format=prometheus") as answer:  # noqa: S310
            text = answer.read().decode()
        assert 'http_requests_total{status="500",path="/tickets/:ticket"} 3\n' in text
        assert 'http_requests_total{status="200",path="/tickets/:ticket"} 9\n' in text
        assert 'kanban_dnd_duration_seconds_bucket{le="0.25"} 0\n' in text
        assert 'kanban_dnd_duration_seconds_bucket{le="+Inf"} 1\n' in text
        request = urllib.request.Request(f"{process.url}/metrics", headers={"Accept": "text/plain"})  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            same = answer.read().decode()
        volatile = re.compile(r"^process_resident.*$", re.MULTILINE)
        assert volatile.sub("", same) == volatile.sub("", text)
        time.sleep(2.1)
        assert ask(f"{process.url}/metrics")[1]["requests"] == 0
