# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People are told once, by every route that there is, and what did not reach them is known."""

from __future__ import annotations

import fcntl
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, Result, failed
from tests.support.mailserver import PASSWORD, mail_server
from tests.support.redis_server import Certificates
from tests.support.statuspage import KEY, PAGE, status_page
from tests.support.telling import HOOK, ROUTING_KEY, TOKEN, Told, telling

ID = "INC-20261125-042"
SECRETS = (TOKEN, ROUTING_KEY, KEY, PASSWORD, HOOK)
HOSTILE = "<script>{{ 7*7 }}</script> @channel <!here> <https://x|y> 🙂\nBcc: all@example.com"
ALL = ["slack:#incidents", "mail:executives", "pagerduty", "status_page"]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with telling(tmp_path) as running:
        yield running


def message(key: str = "scenario3-announce", *routes: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "announce", "severity": "P0 critical", "subject": f"Off: {HOSTILE}",
            "text": f"**Why:** {HOSTILE}", "routes": list(routes), **more}  # fmt: skip


def call(directory: Path, *messages: dict[str, Any], check: bool = False, **options: Any) -> Result:
    given: dict[str, Any] = {"incident_id": ID, "path": str(directory), "deadline": 20, **options}
    done = Modules({}).run("notify", check, messages=list(messages), **given)
    kept = [path.read_text() for path in (directory / ID).rglob("*") if path.is_file()]
    assert not [secret for secret in SECRETS if any(secret in text for text in (json.dumps(done), *kept))]
    return done


def ok(directory: Path, *messages: dict[str, Any], **options: Any) -> Result:
    done = call(directory, *messages, **options)
    assert not done.get("failed"), done
    return done


def by(done: Result, what: str) -> list[str]:
    return sorted(one["route"] for one in done[what])


def why(done: Result, what: str = "not_sent") -> list[str]:
    return [one["why"] for one in done[what]]


def test_all_are_told_once_and_nothing_in_it_is_anything_but_text(told: Told, tmp_path: Path, directory: Path) -> None:
    certificates = Certificates.make(directory / "tls")
    with mail_server(tmp_path, certificates) as mail, status_page(tmp_path) as page:
        services: dict[str, Any] = {
            "slack": told.slack,
            "mail": {**mail.options, "lists": {"executives": ["ceo@chatia.example", "cto@chatia.example"]}},
            "pagerduty": told.pager,
            "status_page": {"api_key": KEY, "api_url": page.url, "page_id": PAGE, "component": "Kanban"},
        }
        first = message("scenario3-announce", *ALL, mention="slack:#incidents", component_status="under_maintenance")
        tried = ok(tmp_path, first, check=True, **services)
        assert (tried["changed"], [one["route"] for one in tried["would_send"]]) == (False, sorted(ALL))
        assert not (tmp_path / ID).exists()
        assert (told.asked(), mail.mails, page.incidents) == ([], [], [])
        done = ok(tmp_path, first, **services)
        assert (by(done, "sent"), done["not_sent"], done["unknown"]) == (sorted(ALL), [], [])
        # Sent once over two runs, whatever subject the second one gives it.
        again = ok(tmp_path, {**first, "subject": "Other words"}, **services)
        assert (again["sent"], again["already"], again["changed"]) == ([], 4, False)
        # The end: another message by the same routes.
        last = message("scenario3-scenario3", *ALL, subject="Over", text="", pager="resolve", resolves=True)
        assert by(ok(tmp_path, last, **services), "sent") == sorted(ALL)
        (to, letter), (_to, over) = mail.mails
        assert page.status("cmpkanban") == "operational"
        (incident,) = page.incidents
    (post, end) = told.posts("#incidents")
    assert post["text"].startswith("<!channel> Off: &lt;script&gt;{{ 7*7 }}")
    assert not [bad for bad in ("<!here>", "@channel", "<https") if bad in post["text"]]
    elements = post["blocks"][0]["elements"][0]["elements"]
    assert [one["type"] for one in elements if one["type"] != "text"] == ["broadcast"]
    assert "<!" not in end["text"]
    assert told.events() == ["trigger", "resolve"]
    assert to == ["ceo@chatia.example", "cto@chatia.example"]
    assert "chatia.example" not in str(letter["To"])
    assert letter.get_content().splitlines() == f"Why: {HOSTILE}".splitlines()
    assert (letter["Bcc"], over.get_content().strip()) == (None, "Over")
    assert (incident["status"], len(incident["incident_updates"])) == ("resolved", 2)
    # Only its owner can read what is kept.
    outbox = tmp_path / ID / "messages"
    assert {path.stat().st_mode & 0o777 for path in outbox.iterdir()} == {0o600}
    assert [path.stat().st_mode & 0o777 for path in (outbox, outbox.parent)] == [0o700, 0o700]
    assert (outbox / "scenario3-announce.md").read_text() == f"Off: {HOSTILE}\n\n**Why:** {HOSTILE}\n"


def test_what_is_not_taken_is_tried_again_and_what_lasts_is_not(told: Told, tmp_path: Path) -> None:
    told.order(
        {"on": "chat.postMessage", "has": "#incidents", "status": 500},
        {"on": "chat.postMessage", "has": "#incidents", "status": 429, "headers": {"Retry-After": "1"}},
        {"on": "enqueue", "status": 503},
    )
    started = time.monotonic()
    routes = ["slack:#incidents", "slack:#nowhere", "pagerduty"]
    done = ok(tmp_path, message("one", *routes), slack=told.slack, pagerduty=told.pager)
    assert 1.4 < time.monotonic() - started < 8
    assert by(done, "sent") == ["pagerduty", "slack:#incidents"]
    assert {one["route"]: one["tries"] for one in done["sent"]} == {"slack:#incidents": 3, "pagerduty": 2}
    assert (by(done, "not_sent"), why(done)) == (["slack:#nowhere"], ["channel_not_found"])
    assert len(told.asked("chat.postMessage", "refused")) == 3
    # A wait that is longer than the time left is not made: the next call sends it, and nothing else.
    told.order({"on": "chat.postMessage", "has": "#engineering", "status": 429, "headers": {"Retry-After": "3600"}})
    started = time.monotonic()
    late = ok(tmp_path, message("two", "slack:#engineering"), slack=told.slack)
    assert time.monotonic() - started < 3
    assert why(late) == ["channel_not_found", "429, too many requests, it asks for 3,600 s"]
    assert by(ok(tmp_path, slack=told.slack), "sent") == ["slack:#engineering"]
    assert [len(told.posts(name)) for name in ("#incidents", "#engineering")] == [1, 1]
    # A wrong token, and none at all.
    wrong = ok(tmp_path, message("three", "slack:#incidents"), slack={**told.slack, "token": "xoxb-other"})
    assert why(wrong)[-1] == "invalid_auth"
    assert ok(tmp_path, message("four", "slack:#incidents", "mail:executives"))["unreached"] == [
        "mail:executives", "slack:#incidents",
    ]  # fmt: skip


def test_silence_is_no_delivery_and_no_failure(told: Told, tmp_path: Path) -> None:
    told.order({"on": "chat.postMessage", "closed": True}, {"on": "enqueue", "closed": True})
    with mail_server(tmp_path, lost=True) as mail:
        services: dict[str, Any] = {
            "slack": told.slack, "pagerduty": told.pager,
            "mail": {**mail.options, "lists": {"executives": ["ceo@chatia.example"]}},
        }  # fmt: skip
        done = ok(tmp_path, message("one", "slack:#incidents", "mail:executives", "pagerduty"), **services)
        # PagerDuty recognizes it, so it was told twice and has it once.
        assert by(done, "sent") == ["pagerduty"]
        assert len({body["dedup_key"] for body in told.asked("enqueue")}) == 1
        assert (by(done, "unknown"), done["not_sent"]) == (["mail:executives", "slack:#incidents"], [])
        assert not ok(tmp_path, **services)["sent"]
        assert (len(told.asked("chat.postMessage")), len(mail.mails)) == (1, 1)
        # On request they are sent again; the second mail is recognizable as a copy of the first.
        assert by(ok(tmp_path, again=True, **services), "sent") == ["slack:#incidents"]
        (_to, one), (_same, two) = mail.mails
        assert one["Message-ID"] == two["Message-ID"]


def test_a_route_that_hangs_keeps_no_other_and_nobody_beyond_the_deadline(told: Told, tmp_path: Path) -> None:
    told.order({"on": "chat.postMessage", "has": "#incidents", "hang": 60})
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = {"host": "127.0.0.1", "port": closed.getsockname()[1], "tls": "none", "from": "k@chatia.example"}
    started = time.monotonic()
    done = ok(tmp_path, message("one", "slack:#incidents", "slack:#engineering", "pagerduty", "mail:executives"),
              slack=told.slack, pagerduty=told.pager, deadline=2,
              mail={**down, "lists": {"executives": ["ceo@chatia.example"]}})  # fmt: skip
    assert time.monotonic() - started < 6
    assert by(done, "sent") == ["pagerduty", "slack:#engineering"]
    assert (by(done, "unknown"), by(done, "not_sent")) == (["slack:#incidents"], ["mail:executives"])
    assert why(done) == ["connection refused"]


def test_two_runs_at_once_tell_nothing_twice_and_leave_no_half_file(told: Told, tmp_path: Path) -> None:
    told.order({"on": "chat.postMessage", "hang": 0.5, "times": 2})
    given: dict[str, Any] = {
        "incident_id": ID,
        "path": str(tmp_path),
        "slack": told.slack,
        "pagerduty": told.pager,
    }
    messages = [message(f"m{number}", "slack:#incidents", "pagerduty") for number in range(5)]
    with Modules({}).start("notify", messages=messages, **given) as one, \
            Modules({}).start("notify", messages=messages, **given) as two:  # fmt: skip
        both = [one.result(), two.result()]
    assert not [done for done in both if done.get("failed")], both
    assert (len(told.posts()), len(told.events())) == (5, 5)
    files = sorted((tmp_path / ID / "messages").glob("*.json"))
    assert [json.loads(path.read_text())["key"] for path in files] == [f"m{number}" for number in range(5)]
    assert {route["status"] for path in files for route in json.loads(path.read_text())["routes"]} == {"sent"}


def test_a_run_that_is_killed_while_it_sends_has_said_so(told: Told, tmp_path: Path) -> None:
    told.order({"on": "chat.postMessage", "hang": 30}, {"on": "enqueue", "hang": 30})
    given: dict[str, Any] = {
        "incident_id": ID,
        "path": str(tmp_path),
        "slack": told.slack,
        "pagerduty": told.pager,
    }
    file = tmp_path / ID / "messages/one.json"
    with Modules({}).start("notify", messages=[message("one", "slack:#incidents", "pagerduty")], **given) as running:
        until = time.monotonic() + 20
        while not file.exists() or file.read_text().count("the run ended while it was being sent") < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
        running.kill()
    found = json.loads(file.read_text())["routes"]
    assert {route["status"] for route in found} == {"unknown"}
    done = ok(tmp_path, slack=told.slack, pagerduty=told.pager)
    assert (by(done, "sent"), by(done, "unknown")) == (["pagerduty"], ["slack:#incidents"])
    # A file that we cannot read is neither overwritten nor sent.
    file.write_text(file.read_text()[:-20])
    assert ok(tmp_path, message("one", "slack:#incidents"), slack=told.slack)["unreadable"] == ["one.json"]
    assert told.posts() == []


def test_a_channel_is_made_once_where_the_token_may(told: Told, tmp_path: Path) -> None:
    slack = {**told.slack, "create": ["#incident-*"]}
    for key in ("one", "two"):
        done = ok(tmp_path, message(key, "slack:#incident-20261125-0300"), slack=slack)
        assert by(done, "sent") == ["slack:#incident-20261125-0300"]
    assert [body["channel"] for body in told.posts()] == ["C0", "#incident-20261125-0300"]
    told.scopes("chat:write")
    done = ok(tmp_path, message("three", "slack:#incident-20261126-0300", "slack:#incidents"), slack=slack)
    assert by(done, "sent") == ["slack:#incidents"]
    assert (why(done, "needless"), done["not_sent"]) == (["the channel could not be made: missing_scope"], [])
    assert ok(tmp_path, slack=slack)["sent"] == []


def test_webhooks_have_a_channel_each_and_blocks_that_are_refused_are_left_out(told: Told, tmp_path: Path) -> None:
    told.order({"on": HOOK, "status": 400, "answer": "invalid_blocks"})
    hooks = {
        "api_url": "https://slack.invalid/api",
        "webhooks": {"#incidents": told.webhook, "#other": told.webhook.replace("h00k", "none")},
    }
    done = ok(tmp_path, message("one", "slack:#incidents", "slack:#other", "slack:#none"), slack=hooks)
    assert (by(done, "sent"), by(done, "not_sent"), done["unreached"]) == (
        ["slack:#incidents"], ["slack:#other"], ["slack:#none"],
    )  # fmt: skip
    (taken,) = told.asked("/services/", "taken")
    assert (taken["blocks"], taken["text"][:10]) == ([], "Off: &lt;s")


def test_mail_that_some_do_not_get_a_server_that_refuses_and_a_password_in_the_clear(
    tmp_path: Path, directory: Path
) -> None:
    lists = {"lists": {"executives": ["ceo@chatia.example", "gone@chatia.example"]}}
    with mail_server(tmp_path, refuses={"RCPT TO:<GONE": "550 no such mailbox"}) as mail:
        done = ok(tmp_path, message("one", "mail:executives"), mail={**mail.options, **lists})
        assert why(done, "sent") == why(done, "partly") == ["not taken for 1 of 2 addresses: gone@chatia.example (550)"]
    # An address that the server puts off gets it later, and nobody else gets it twice.
    with mail_server(tmp_path, refuses={"RCPT TO:<GONE": "451 later"}) as grey:
        done = ok(tmp_path, message("later", "mail:executives"), mail={**grey.options, **lists})
        assert why(done) == ["not taken for 1 of 2 addresses: gone@chatia.example (451)"]
    with mail_server(tmp_path) as mail:
        assert by(ok(tmp_path, mail={**mail.options, **lists}), "sent") == ["mail:executives"]
        assert [to for to, _letter in mail.mails] == [["gone@chatia.example"]]
    with mail_server(tmp_path, refuses={"MAIL": "451 later"}) as busy:
        done = ok(tmp_path, message("two", "mail:executives"), mail={**busy.options, **lists}, deadline=1)
        assert why(done) == ["the sender is refused (451)"]
    with mail_server(tmp_path, Certificates.make(directory / "tls")) as safe:
        options = {**safe.options, **lists}
        done = ok(
            tmp_path, message("three", "mail:executives"), mail={**options, "password": "another-one"}, deadline=5
        )
        assert why(done)[-1] == "the server refuses (535)"
        options["ca_cert"] = ""
        assert (
            why(ok(tmp_path, message("four", "mail:executives"), mail=options))[-1] == "its certificate is not trusted"
        )
        options.update(tls="none", host="mail.example.com")
        assert "password and no TLS" in why(ok(tmp_path, message("five", "mail:executives"), mail=options))[-1]


def test_a_wrong_key_of_the_page_is_named_and_the_others_are_told(told: Told, tmp_path: Path) -> None:
    with status_page(tmp_path) as page:
        wrong = {"api_key": "not-the-key", "api_url": page.url, "page_id": PAGE}
        done = ok(tmp_path, message("one", "status_page", "pagerduty"), status_page=wrong, pagerduty=told.pager)
        assert by(done, "sent") == ["pagerduty"]
        assert "does not take the key (401)" in why(done)[0]
        right = {**wrong, "api_key": KEY}
        assert by(ok(tmp_path, status_page=right, pagerduty=told.pager), "sent") == ["status_page"]
        assert len(page.incidents) == 1


def test_what_cannot_be_kept_is_not_sent_and_a_dry_run_sends_nothing(told: Told, tmp_path: Path) -> None:
    dry = ok(tmp_path, message("one", *ALL), dry_run=True, slack=told.slack)
    assert (by(dry, "dry_run"), told.asked()) == (sorted(ALL), [])
    assert ok(tmp_path, slack=told.slack)["sent"] == []
    (tmp_path / "file").write_text("")
    failed(call(tmp_path / "file", message("one", "slack:#incidents"), slack=told.slack), "no_outbox")
    assert told.asked() == []


def test_whoever_keeps_writing_the_outbox_is_not_waited_for_without_end(told: Told, tmp_path: Path) -> None:
    (path := tmp_path / ID / "messages" / ".lock-all").parent.mkdir(parents=True)
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = failed(call(tmp_path, message("one", "pagerduty"), pagerduty=told.pager, deadline=1), "outbox_held")
    assert f"fuser -v {path}" in done["error"]["todo"]
    assert by(ok(tmp_path, message("one", "pagerduty"), pagerduty=told.pager), "sent") == ["pagerduty"]
