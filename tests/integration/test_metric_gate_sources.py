# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of every source, and of answers that hold none: each has a value, or says in one line why not."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.release import __version__ as ansible_version

from tests.integration.metrics import HTML, PROMETHEUS, Application, application, prometheus, sockets
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.processes import free_port, wait_until

SECRET, KEY, TOKEN = "tr0ub4dor-and-3", "c0rrect-h0rse", "battery-st4ple"
GATE = Modules({"login_host": "127.0.0.1", "login_port": 1, "host": "app1"})


@pytest.fixture
def app(directory: Path) -> Iterator[Application]:
    with application(directory / "answers") as made:
        yield made


def take(*metrics: dict[str, Any], modules: Modules = GATE, **options: Any) -> Result:
    named = [{"name": f"m{number}", **metric} for number, metric in enumerate(metrics, 1)]
    return modules.ok("metric_gate", metrics=named, **options)


def sample(metric: dict[str, Any], modules: Modules = GATE, **options: Any) -> dict[str, Any]:
    (found,) = take(metric, modules=modules, **options)["samples"]
    assert (found["metric"], found["host"]) == ("m1", "app1")
    assert abs(found["at"] - time.time()) < 30
    return dict(found)


def reason(metric: dict[str, Any], modules: Modules = GATE, **options: Any) -> tuple[str, str]:
    """Return code and error of a sample that must have no value."""
    found = sample(metric, modules, **options)
    assert found["value"] is None
    assert "\n" not in found["error"]
    return found["code"], found["error"]


def test_a_number_in_a_json_document(app: Application) -> None:
    app.says("metrics", {"errorRate": 0.02, "data": [{"p95": 41}], "a.b": 3})
    url = f"{app.url}/metrics"
    done = take(
        {"url": url, "path": "errorRate"},
        {"url": url, "path": "data[0].p95", "scale": 1000},
        {"url": url, "path": ["a.b"]},
        {"url": url, "measure": "milliseconds"},
    )
    assert [one["value"] for one in done["samples"]][:3] == [0.02, 41000.0, 3.0]
    assert 0 < done["samples"][3]["value"] < 1000
    assert (done["changed"], "verdict" in done) == (False, False)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (HTML, "not_json", "the answer is HTML, no JSON"),
        ("", "not_json", "the answer is empty"),
        ("{", "not_json", "no JSON"),
        ('{"errorRate": NaN}', "not_json", "NaN"),
        ('{"errorRate": "0.1"}', "not_number", "it is a text, no number: '0.1'"),
        ('{"errorRate": null}', "null", "it is null"),
        ('{"errorRate": true}', "not_number", "true or false"),
        ('{"errors": 1}', "no_key", "errorRate"),
        ("[]", "no_key", "errorRate"),
        ('{"errorRate": {"value": 1}}', "not_number", "an object"),
        ("[" * 100_000, "not_json", "nested too deeply"),
        (" " * 5_000_000, "too_big", "larger than"),
    ],
    ids=str,
)
def test_an_answer_that_has_no_number(app: Application, body: str, code: str, text: str) -> None:
    app.says("metrics", body)
    found = reason({"url": f"{app.url}/metrics", "path": "errorRate"})
    assert found[0] == code
    assert text in found[1]


def test_no_answer_or_one_with_another_status(app: Application) -> None:
    app.says("metrics", {"errorRate": 0}, status=503)
    app.says("elsewhere", {"errorRate": 0}, status=302)
    assert reason({"url": f"{app.url}/metrics", "path": "errorRate"}) == ("status", "HTTP 503")
    assert reason({"url": f"{app.url}/gone"}) == ("status", "HTTP 404")
    assert reason({"url": f"{app.url}/elsewhere"}) == ("redirect", "HTTP 302: redirects are not followed")
    assert reason({"url": f"{app.url}/nothing"})[0] == "closed"
    assert reason({"url": f"{app.url}/metrics", "measure": "milliseconds"})[0] == "status"
    assert [row[0] for row in app.asked("metrics")] == ["/metrics", "/metrics"]
    app.server.end()
    assert reason({"url": f"{app.url}/metrics"})[0] == "refused"


def test_what_hangs_costs_its_time_and_no_other_metric(app: Application) -> None:
    app.says("metrics", {"errorRate": 0.5})
    began = time.monotonic()
    frozen = {"url": f"{app.url}/frozen", "timeout": 1}
    done = take(frozen, frozen, {"url": f"{app.url}/metrics", "path": "errorRate"})
    assert time.monotonic() - began < 3
    assert [one.get("code") for one in done["samples"]] == ["timeout", "timeout", None]
    assert done["samples"][2]["value"] == 0.5


def test_secrets_of_an_address_are_used_and_never_shown(app: Application) -> None:
    app.says("metrics", {"errorRate": 0.5})
    url = app.url.replace("//", f"//ops:{SECRET}@")
    headers = {"X-Key": KEY, "X-Company-Id": "5"}  # A figure that has a 5 stays a figure.
    metric = {"url": f"{url}/metrics?token={SECRET}", "headers": headers, "auth": {"token": TOKEN}}
    # Include the options as given, as Ansible shows them under -vvv; core 2.18 always does.
    shown: dict[str, Any] = {} if ansible_version.startswith("2.18.") else {"_ansible_inject_invocation": True}
    metrics = ({**metric, "path": "errorRate"}, {**metric, "path": "gone"}, {"url": f"http://{SECRET}.invalid/"})
    done = take(*metrics, **shown)
    assert done["invocation"]["module_args"]["metrics"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert [one.get("code") or one["value"] for one in done["samples"]] == [0.5, "no_key", "unresolved"]
    for secret in (SECRET, KEY, TOKEN):
        assert secret not in json.dumps(done)
    _path, sent, _port = app.asked("metrics")[0]
    assert (sent["Authorization"][:6], sent["X-Key"], sent["X-Company-Id"]) == ("Basic ", KEY, "5")


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        ({"url": "ftp://127.0.0.1/"}, "bad_url"),
        ({"url": ""}, "bad_url"),
        ({"url": "http://127.0.0.1/", "headers": {"a": "b\r\nc: d"}}, "bad_header"),
        ({"url": "http://127.0.0.1/", "path": "a..b"}, "bad_json_path"),
        ({"url": "http://127.0.0.1/", "timeout": 0}, "bad_metric"),
        ({"url": "http://127.0.0.1/", "source": "promql"}, "bad_metric"),
        ({"source": "sql", "query": " "}, "bad_metric"),
        ({"url": "http://127.0.0.1/", "source": "prometheus"}, "bad_selector"),
    ],
)
def test_a_metric_that_could_never_be_had_fails_before_anything_is_asked(metric: dict[str, Any], code: str) -> None:
    GATE.fails(code, "metric_gate", metrics=[{"name": "m1", **metric}])


def test_prometheus_text_and_counters_of_two_tries(app: Application) -> None:
    def text(good: int, bad: int) -> str:
        return f'http_requests_total{{status="200"}} {good}\nhttp_requests_total{{status="500"}} {bad}\n'

    metric = {
        "source": "prometheus",
        "url": f"{app.url}/metrics",
        "scale": 100,
        "selector": {
            "name": "http_requests_total",
            "match": {"status": "5.."},
            "how": "ratio",
            "of": {"name": "http_requests_total"},
        },
    }
    limits: dict[str, Any] = {"thresholds": {"m1": {"max": 0.1, "critical": 0.5, "unit": "%"}}}
    app.says("metrics", text(1000, 5))
    first = take(metric, **limits)
    assert (first["verdict"], first["samples"][0]["code"]) == ("no_data", "first_scrape")
    assert app.asked("metrics")[0][1]["Accept"].startswith("text/plain")
    app.says("metrics", text(1098, 7))
    second = take(metric, **limits, history=first["series"])
    assert (second["verdict"], second["samples"][0]["value"]) == ("degraded", 2.0)
    third = take(metric, **limits, history=second["series"])
    assert third["samples"][0]["code"] == "idle"
    app.says("metrics", text(3, 0))
    fourth = take(metric, **limits, history=third["series"])
    assert fourth["samples"][0]["code"] == "reset"
    app.says("metrics", HTML)
    assert reason(metric)[0] == "not_text"


@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")
def test_promql(app: Application, directory: Path) -> None:
    app.says("metrics", 'latency_seconds{host="a"} 0.2\nlatency_seconds{host="b"} 0.4\n')
    with prometheus(directory / "prometheus", app) as url:

        def query(text: str, **more: Any) -> dict[str, Any]:
            return {"source": "promql", "url": url, "query": text, **more}

        assert wait_until(lambda: bool(sample(query("max(latency_seconds)"))["value"]), 20)
        assert sample(query("max(latency_seconds)", scale=1000))["value"] == pytest.approx(400)
        assert sample(query("scalar(sum(latency_seconds)) + 1"))["value"] == pytest.approx(1.6)
        assert reason(query("latency_seconds")) == (
            "several_series",
            "the query has 2 series: let it aggregate to one",
        )
        assert reason(query("max(nobody_says_this)")) == ("no_result", "the query has no series now")
        assert reason(query("sum(latency_seconds * 0) / sum(latency_seconds * 0)"))[0] == "nan"
        assert reason(query('"text"'))[0] == "not_number"
        code, text = reason(query("max("))
        assert code == "query"
        assert "parse error" in text
        # What answers there is not a Prometheus.
        app.says("api-v1-query", {"status": "success", "data": 3})
        assert reason({**query("up"), "url": app.url})[0] == "not_prometheus"
        app.says("api-v1-query", HTML)
        assert reason({**query("up"), "url": app.url})[0] == "not_json"
    assert reason(query("up"))[0] == "refused"


@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")
def test_a_prometheus_that_scrapes_nobody_has_no_series(directory: Path) -> None:
    with prometheus(directory / "prometheus", None) as url:
        limits: dict[str, Any] = {"thresholds": {"m1": {"max": 1, "consecutive": 1}}}
        done = take({"source": "promql", "url": url, "query": "sum(rate(http_requests_total[1m]))"}, **limits)
    assert (done["verdict"], done["samples"][0]["code"]) == ("no_data", "no_result")


def test_socket_io(directory: Path) -> None:
    def socket(url: str, **more: Any) -> dict[str, Any]:
        return {"source": "socketio", "url": url, **more}

    with sockets(directory) as url:
        assert 0 < sample(socket(url))["value"] < 1000
        assert 0 < sample(socket(url, namespace="/kanban"))["value"] < 1000
        code, text = reason(socket(url, namespace="/other", auth={}))
        assert (code, text.startswith("refused: ")) == ("refused", True)
        assert reason(socket(url.replace("socket.io", "ready")))[0] == "not_socketio"
        # It leaves no session behind.
        assert wait_until(lambda: _sessions(url) == 0, 5)
    assert reason(socket(url))[0] == "refused"
    with sockets(directory, "slow") as url:
        assert 300 <= sample(socket(url))["value"] < 2000
        assert reason(socket(url, timeout=0.2))[0] == "timeout"
    with sockets(directory, "closed") as url:
        assert reason(socket(url, auth={}))[0] == "refused"
    with sockets(directory, "token") as url:
        # A refusal without auth says nothing about users; one despite a token, or if strangers are let in, does.
        assert reason(socket(url)) == ("not_allowed", "not let in, and no auth was given: no valid token")
        assert {reason(socket(url, auth=a)) for a in ({}, {"token": "old"})} == {("refused", "refused: no valid token")}
        assert 0 < sample(socket(url, auth={"token": "let me in"}))["value"] < 1000


def _sessions(url: str) -> int:
    with urllib.request.urlopen(url.replace("socket.io/", "ready"), timeout=5) as answer:  # noqa: S310 - ours
        return int(answer.read())


def test_sockets_that_answer_something_else(app: Application) -> None:
    metric = {"source": "socketio", "url": f"{app.url}/socket.io/"}
    assert reason(metric) == ("not_socketio", "nothing of Socket.IO answers at this path: HTTP 404")
    for status, code in ((401, "not_allowed"), (503, "refused")):
        app.says("socket.io", "no", status=status)
        assert reason(metric)[0] == code
    assert reason({**metric, "auth": {"token": "x"}})[0] == "refused"
    app.says("socket.io", HTML)
    assert reason(metric)[0] == "not_socketio"
    app.says("socket.io", "0{}")
    assert reason(metric)[0] == "not_socketio"
    before = len(app.asked("socket.io"))
    app.says("socket.io", '0{"sid":"a b"}')
    assert reason(metric)[1] == "the server gave no answer to the request to connect"
    asked = app.asked("socket.io")[before:]
    # One connection: behind a port with several processes, another one would not know the session.
    assert len({port for _path, _headers, port in asked}) == 1
    assert [path.partition("?")[2] for path, _headers, _port in asked] == [
        "EIO=4&transport=polling",
        *["EIO=4&transport=polling&sid=a%20b"] * 6,
    ]


def test_a_figure_of_the_database(db: Database) -> None:
    db.rows('CREATE TABLE "ErrorLogs" (id serial, context text)')
    db.rows("""INSERT INTO "ErrorLogs" (context) SELECT 'kanban 100%' FROM generate_series(1, 7)""")
    modules = db.modules(host="app1")

    def query(text: str, **more: Any) -> dict[str, Any]:
        return {"source": "sql", "query": text, **more}

    counted = query("""SELECT count(*) FROM "ErrorLogs" WHERE context LIKE '%100\\%' -- a comment""")
    assert sample(counted, modules)["value"] == 7
    assert sample(query("WITH a AS (SELECT 1.5 AS b) SELECT b FROM a"), modules)["value"] == 1.5
    assert 200 <= sample(query("SELECT 1 FROM pg_sleep(0.2)", measure="milliseconds"), modules)["value"] < 3000
    for text, code in (
        ("SELECT NULL::int", "null"),
        ("SELECT 'NaN'::numeric", "nan"),
        ("SELECT true", "not_number"),
        ("SELECT 1 WHERE false", "no_row"),
        ("SELECT generate_series(1, 2)", "not_scalar"),
        ("SELECT 1, 2", "not_scalar"),
        ('SELECT 1; DELETE FROM "ErrorLogs"', "server_error"),
        ('WITH gone AS (DELETE FROM "ErrorLogs" RETURNING 1) SELECT count(*) FROM gone', "server_error"),
        ("SELECT nextval('\"ErrorLogs_id_seq\"')", "read_only_server"),
        ("SELECT count(*) FROM nowhere", "server_error"),
    ):
        assert reason(query(text), modules)[0] == code, text
    assert db.value('SELECT count(*) FROM "ErrorLogs"') == 7
    began = time.monotonic()
    assert reason(query("SELECT 1 FROM pg_sleep(20)", timeout=0.5), modules)[0] == "statement_timeout"
    assert time.monotonic() - began < 4
    assert reason(query("SELECT 1"), modules.having(login_port=free_port()))[0] == "unreachable"
