# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook against attackers: invalid bodies, words in fields that are kept, and TLS."""

from __future__ import annotations

import http.client
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.alerts import TOKEN, Alert, Place, alert, post, with_tls
from tests.integration.alertsenders import alertmanager, prometheus, scraped
from tests.integration.crowd import on, population
from tests.integration.place import Database
from tests.support.processes import wait_until
from tests.support.redis_server import Certificates

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]
PATIENT_SECONDS = 300
# Only a sender that has the token can end ansible-rulebook 1.3.2 with this (docs/alerts.md).
DEEP = b'{"alerts":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BODIES: list[Any] = [
    *(b"", b"\xff\xfe", b"{", b" " * 2_000_000),
    *({}, [], "alerts", None, {"alerts": None}, {"alerts": 5}, {"alerts": "abc"}, {"alerts": {"a": "b"}}),
    *({"alerts": [None]}, {"alerts": [5]}, {"alerts": ["x"]}, {"alerts": [[]]}, {"alerts": [[[]]]}),
    *({"alerts": [{"labels": None}]}, {"alerts": [{"labels": []}]}, {"alerts": [{"labels": "x"}]}),
]


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    population(db, 5)
    return Place(db, directory)


def odd_ones(word: str) -> list[Alert]:
    """Return alerts that each have one field that no Alertmanager writes."""
    return [
        alert(name="K" * 65),
        alert(name=["KanbanDown"]),  # type: ignore[arg-type]
        alert(name=5),  # type: ignore[arg-type]
        alert(began="2026-11-27T03:12:00Z" + "0" * 40),
        alert(began=["2026-11-27T03:12:00Z"]),  # type: ignore[arg-type]
        alert(scenario="scenario1\n"),
        alert(scenario="scenario2"),
        alert(scenario=word),
        {**alert(), "status": ["firing"]},
        {**alert(), "labels": [alert()["labels"]]},
    ]


def test_what_is_no_alert_is_refused_or_idle_and_the_next_one_is_heard(place: Place) -> None:
    trace = place.directory / "trace"
    word = f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}"
    with place.receiver(kanban_auto_contain=["scenario1"]) as receiver:
        # Without the token, nothing of a body is read.
        assert {post(receiver.port, body, token="forged") for body in (DEEP, *BODIES)} == {401}
        said = [post(receiver.port, body) for body in BODIES]
        assert set(said) <= {200, 400, 413, 500}, said
        assert {receiver.hears(sent) for sent in odd_ones(word)} <= {200, 500}
        time.sleep(5)
        assert receiver.running.alive, receiver.running.output
        assert (receiver.runs, len(on(place.db))) == (0, 5), receiver.said
        # Names of fields that are kept, in places where nobody looks for them.
        sent = alert(labels={"labels": word, "startsAt": [word]}, startsAt=word)
        sent["labels"] |= {"status": word, "environment": sent["labels"]["environment"]}
        receiver.hears({**sent, "alertname": word, "environment": {"service": word}})
        assert wait_until(lambda: bool(given(place.directory)), 60), receiver.said
        kept = given(place.directory)
        assert wait_until(lambda: not on(place.db), PATIENT_SECONDS), receiver.said
        assert receiver.has_ended(2), receiver.said
        assert TOKEN not in receiver.running.output
    assert not trace.exists()
    assert kept
    for text in kept:
        assert TOKEN not in text
        variables = yaml.safe_load(text)
        # Whatever the event has besides the six values is in a variable that nothing reads.
        assert word not in str({name: value for name, value in variables.items() if name != "ansible_eda"})


def given(directory: Path) -> list[str]:
    """Return the extra variables of the runs that are under way."""
    found = []
    for path in directory.glob("eda*/env/extravars"):
        try:
            found.append(path.read_text())
        except FileNotFoundError:
            continue
    return [text for text in found if text]


def test_over_tls_with_certificates_of_both_sides(place: Place) -> None:
    ours, others = Certificates.make(place.directory / "ours"), Certificates.make(place.directory / "others")
    rulebook = with_tls(place.directory, ours)
    with (
        scraped() as application,
        place.receiver(rulebook, kanban_auto_contain=["scenario1"]) as receiver,
        alertmanager(place.directory / "am", receiver.port, ours) as sender,
        prometheus(place.directory / "prometheus", application.port, sender),
    ):
        # Without TLS, without a certificate, with somebody else's, and from a client that trusts another authority.
        with pytest.raises((OSError, http.client.HTTPException)):
            post(receiver.port, {"alerts": [alert()]})
        for context in (client(ours), client(ours, others), client(others, ours)):
            with pytest.raises((OSError, http.client.HTTPException)):
                asked(receiver.port, context)
        assert asked(receiver.port, client(ours, ours), token="forged") == 401
        assert (receiver.runs, len(on(place.db))) == (0, 5), receiver.said
        application.end()
        assert wait_until(lambda: not on(place.db), PATIENT_SECONDS), receiver.said
        assert TOKEN not in receiver.running.output


def client(trusts: Certificates, own: Certificates | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(trusts.ca))
    if own:
        context.load_cert_chain(own.certificate, own.key)
    return context


def asked(port: int, context: ssl.SSLContext, token: str = TOKEN) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request("POST", "/alerts", b"{}", {"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()
