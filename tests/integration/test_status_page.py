# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A status page that people read: opened once, told once, put back, whatever happens to requests on the way."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, Result, failed
from tests.support.statuspage import KEY, PAGE, StatusPage, status_page

ID = "INC-20261125-042"
FIRST: dict[str, Any] = {
    "incident": ID, "name": "Board <b>closed</b>", "status": "identified", "impact_override": "critical",
    "body": "Acme <script>alert(1)</script> & {{ 7*7 }}\r\n@channel 🙂", "component": ["Kanban", "cmpchat"],
    "component_status": "under_maintenance",
}  # fmt: skip
KANBAN: dict[str, Any] = {"component": ["Kanban"], "component_status": "under_maintenance"}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[StatusPage]:
    with status_page(tmp_path) as running:
        yield running


def call(page: StatusPage, check: bool = False, **options: Any) -> Result:
    given = {"api_key": KEY, "api_url": page.url, "page_id": PAGE, "timeout": 20, **options}
    done = Modules({}).run("status_page", check, **given)
    assert KEY not in json.dumps(done)
    return done


def ok(page: StatusPage, check: bool = False, **options: Any) -> Result:
    done = call(page, check, **options)
    assert not done.get("failed"), done
    return done


def updates(page: StatusPage) -> list[tuple[str | None, str | None]]:
    (incident,) = page.incidents
    return [(update["status"], update["body"]) for update in reversed(incident["incident_updates"])]


def test_an_incident_is_opened_told_and_resolved_once_and_components_go_back(page: StatusPage) -> None:
    # Check mode tells what would be done, and writes nothing.
    tried = ok(page, check=True, **FIRST)
    assert (tried["changed"], tried["actions"], page.written, page.incidents) == (True, ["open"], [], [])
    assert (tried["incident"]["id"], tried["incident"]["status"]) == (None, "identified")
    # The same for real: words and all else in one request.
    done = ok(page, **FIRST)
    assert (done["changed"], done["actions"], page.written) == (True, ["open"], ["POST /incidents"])
    words = "Acme &lt;script&gt;alert(1)&lt;/script&gt; &amp; {{ 7*7 }}\n@channel 🙂"
    (incident,) = page.incidents
    assert (incident["name"], incident["impact"]) == ("Board ‹b›closed‹/b›", "critical")
    assert [one["id"] for one in incident["components"]] == ["cmpkanban", "cmpchat"]
    assert updates(page) == [("identified", words)]
    assert done["incident"]["url"] == "https://stspg.io/inc0"
    assert [(one["id"], one["status"], one["status_before"], one["prior"]) for one in done["components"]] == [
        ("cmpkanban", "under_maintenance", "operational", "operational"),
        ("cmpchat", "under_maintenance", "degraded_performance", "degraded_performance"),
    ]
    assert done["diff"]["before"] == {
        "components": {"Kanban (cmpkanban)": "operational", "Chat (cmpchat)": "degraded_performance"}, "incident": None,
    }  # fmt: skip
    assert tried["diff"] == done["diff"]
    assert done["diff"]["after"]["posted"] == words
    # Again: nothing is done, and how it was before is still known. What somebody calls it on the page stays.
    page.change(**{"Board ‹b›closed‹/b›": {"name": "Ours"}})
    again = ok(page, **FIRST)
    assert (again["changed"], again["actions"], again["incident"]["name"]) == (False, [], "Ours")
    assert [one["prior"] for one in again["components"]] == ["operational", "degraded_performance"]
    assert again["diff"]["before"] == again["diff"]["after"]
    # Other words are an update; the earlier ones are not posted again after it.
    told = ok(page, **{**FIRST, "status": "monitoring", "body": "It works.", "component": ["Kanban"]},
              deliver_notifications=False)  # fmt: skip
    assert told["actions"] == ["update"]
    assert not ok(page, **FIRST)["changed"]
    assert updates(page) == [("identified", words), ("monitoring", "It works.")]
    assert [one["deliver_notifications"] for one in page.incidents[0]["incident_updates"]] == [False, True]
    # Another status of a component without words: it is remembered first; what it was, known already, stays.
    worse: dict[str, Any] = {"incident": ID, "component": ["Kanban"], "component_status": "major_outage"}
    assert ok(page, check=True, **worse)["actions"] == ["remember", "component cmpkanban"]
    worst = ok(page, **worse)
    assert (worst["actions"], worst["components"][0]["prior"]) == (["remember", "component cmpkanban"], "operational")
    assert len(updates(page)) == 2
    # Over: Kanban as before; Chat, which somebody has changed since, is left.
    page.change(cmpchat={"status": "partial_outage"})
    last: dict[str, Any] = {"incident": ID, "state": "resolved", "body": "Over."}
    last |= {"component": ["Kanban", "Chat"], "component_status": "prior"}
    assert ok(page, check=True, **last)["actions"] == ["resolve"]
    over = ok(page, **last)
    assert (over["actions"], over["incident"]["status"]) == (["resolve"], "resolved")
    assert any("Chat is left partial_outage" in warning for warning in over["warnings"])
    assert (page.status("cmpkanban"), page.status("cmpchat")) == ("operational", "partial_outage")
    # Nothing of it is done again, not even by the earlier calls; what is new is refused.
    count = len(page.written)
    assert not ok(page, **last)["changed"]
    late = ok(page, **FIRST)
    assert (late["changed"], "components are left" in late["warnings"][0]) == (False, True)
    failed(call(page, **{**FIRST, "body": "News"}), "incident_resolved")
    assert len(page.written) == count
    # What was never opened is not there to be resolved.
    assert ok(page, incident="INC-2", state="resolved")["incident"] is None


def test_components_alone_by_id_or_name_on_any_page_of_the_list(page: StatusPage) -> None:
    given: dict[str, Any] = {"component": ["cmplast", "Kanban", "Kanban"], "component_status": "partial_outage"}
    assert ok(page, check=True, **given)["actions"] == ["component cmplast", "component cmpkanban"]
    assert page.written == []
    done = ok(page, **given)
    assert page.written == ["PATCH /components/cmplast", "PATCH /components/cmpkanban"]
    assert [one["prior"] for one in done["components"]] == ["operational", "operational"]
    again = ok(page, **given)
    assert (again["changed"], [one["prior"] for one in again["components"]]) == (False, [None, None])
    for code, name in (("unknown_component", "kanban"), ("ambiguous_component", "API"), ("component_group", "Product")):
        refused = failed(call(page, component=[name], component_status="operational"), code)
        assert "<" not in refused["msg"]
    assert len(page.written) == 2


def test_too_many_requests_errors_and_lost_answers_double_nothing(page: StatusPage) -> None:
    page.order(
        {"on": "GET /components", "status": 429, "headers": {"Retry-After": "1"}},
        {"on": "GET /unresolved", "status": 420},
        {"on": "GET /unresolved", "status": 500},
        # Opened, but the answer is lost.
        {"on": "POST /incidents", "lost": True},
    )
    done = ok(page, **FIRST)
    assert (done["changed"], done["actions"], done["retries"]) == (True, ["open"], 4)
    assert page.written == ["POST /incidents"]
    assert [one["prior"] for one in done["components"]] == ["operational", "degraded_performance"]
    # Not done, and an error: it is looked for, and sent again; then there is one more look whether there are two.
    page.order(
        {"on": "PATCH /incidents", "status": 502, "answer": "<html>"},
        {"on": "PATCH /components", "status": 503, "headers": {"Retry-After": "0"}},
    )
    told = ok(page, **{**FIRST, "status": "monitoring"})
    assert (told["actions"], len(updates(page))) == (["update"], 2)
    # Done, and the connection hangs until a third of the time is over.
    page.order({"on": "PATCH /incidents", "lost": True, "hang": 3})
    over = ok(page, incident=ID, state="resolved", body="Over.", timeout=4)
    assert (over["actions"], len(updates(page)), over["incident"]["status"]) == (["resolve"], 3, "resolved")


def test_two_that_open_at_once_are_said_and_the_oldest_is_gone_on_with(page: StatusPage) -> None:
    # The first is done only after it has been looked for: the API documents nothing that would prevent it.
    page.order({"on": "POST /incidents", "status": 504, "late": True})
    done = ok(page, **FIRST)
    assert len(page.incidents) == 2, page.incidents
    assert (done["actions"], done["incident"]["id"]) == (["open"], "inc0")
    assert "open incidents" in done["warnings"][0]
    assert not ok(page, **FIRST)["changed"]


def test_what_stays_wrong_is_said_within_the_deadline_and_the_next_call_goes_on(page: StatusPage) -> None:
    page.order({"on": "GET /components", "status": 429, "headers": {"Retry-After": "3600"}})
    limited = failed(call(page, **FIRST), "rate_limited")
    assert "3,600 s" in limited["msg"]
    page.order({"on": "POST /incidents", "lost": True})
    words: dict[str, Any] = {"incident": ID, "name": "Board closed"}
    began = time.monotonic()
    lost = call(page, **words, timeout=1)
    assert time.monotonic() - began < 5
    assert (failed(lost, "no_answer")["doubtful"], lost["changed"]) == ("open", False)
    assert ok(page, **words)["changed"] is False
    assert page.written == ["POST /incidents"]


@pytest.mark.parametrize(
    ("code", "fault", "options"),
    [
        ("wrong_key", {}, {"api_key": "another-key-of-nobody"}),
        ("wrong_key", {"on": "GET /components", "status": 403}, {}),
        ("unknown_page", {}, {"page_id": "nobodys"}),
        ("refused", {"on": "POST /incidents", "status": 422,
                     "answer": {"error": ["Body <b>bad</b>\r\n@channel " + "x" * 9999]}}, {}),
        ("redirected", {"on": "GET /components", "status": 302, "headers": {"Location": "http://127.0.0.2:1/"}}, {}),
        ("not_statuspage", {"on": "GET /components", "status": 200, "answer": {"a": 1}}, {}),
        ("not_statuspage", {"on": "GET /unresolved", "status": 200, "answer": [{"id": "../x"}]}, {}),
        ("no_answer", {"on": "GET /components", "status": 200, "answer": ["x" * 9 * 1024 * 1024]}, {}),
    ],
)  # fmt: skip
def test_errors_of_the_api_say_what_why_and_what_to_do(page: StatusPage, code: str, fault: Any, options: Any) -> None:
    if fault:
        page.order(fault)
    refused = failed(call(page, **{**FIRST, **options}), code)
    assert (refused["changed"], page.incidents) == (False, [])
    assert len(refused["msg"]) < 700
    assert not set("<\n\r") & set(refused["msg"])
    if code == "wrong_key":
        assert "nobody" not in json.dumps(refused)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("key_in_the_clear", {"api_url": "http://status.example.com/v1"}),
        ("bad_url", {"api_url": "ftp://127.0.0.1/"}),
        ("url_with_more", {"api_url": f"https://{KEY}@127.0.0.1/"}),
        ("bad_page", {"page_id": "../pages"}),
        ("bad_key", {"api_key": "two\nlines-of-key"}),
        ("bad_incident", {"incident": " "}),
        ("bad_status", {"state": "resolved"}),
        ("no_component", {"component": []}),
        ("bad_deadline", {"timeout": 0}),
        ("empty_body", {"body": " \n"}),
        ("body_too_long", {"body": "<" * 6300}),
        ("name_too_long", {"name": "x" * 256}),
    ],
)
def test_bad_input_fails_before_anything_is_asked(page: StatusPage, code: str, options: Any) -> None:
    failed(call(page, **{**FIRST, **options}), code)
    assert page.asked == []


def test_options_that_need_others_and_certificates_that_are_none(page: StatusPage, tmp_path: Path) -> None:
    failed(call(page, **{**FIRST, "name": None}), "no_name")
    failed(call(page, component=["Kanban"], component_status="prior"), "no_incident")
    lacking: list[dict[str, Any]] = [{}, {"name": "x", **KANBAN}, {"state": "resolved", **KANBAN}]
    for options in lacking:
        assert call(page, **options)["failed"]
    (tmp_path / "ca.pem").write_text("none")
    for ca_certs in ("ca.pem", "missing.pem"):
        there: dict[str, Any] = {"api_url": "https://127.0.0.1:1/v1", "ca_certs": str(tmp_path / ca_certs)}
        failed(call(page, **FIRST, **there), "bad_ca_certs")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead: dict[str, Any] = {"api_url": f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "timeout": 1}
        failed(call(page, **{**FIRST, **dead}), "no_answer")
    assert page.written == []
