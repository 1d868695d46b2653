# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of kill, against real processes: each is asked until it serves V1, and nothing else counts as V1."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.module import Modules
from tests.support.app_process import TENANTS, Applications, applications
from tests.support.processes import free_port

SECRET = "tr0ub4dor-and-3"
FLAG: dict[str, Any] = {"path": "/flag", "serves_path": "v2", "off_when": [False], "pid_path": "pid", "deadline": 8}


@pytest.fixture
def apps() -> Iterator[Applications]:
    with applications() as made:
        yield made


@pytest.fixture
def ask() -> Modules:
    return Modules(FLAG)


def turning(after: float) -> list[tuple[float, str]]:
    return [(0, "v2"), (time.monotonic() + after, "v1")]


def test_each_process_is_asked_until_it_serves_v1(apps: Applications, ask: Modules) -> None:
    started = time.monotonic()
    moments = [0.0, 0.4, 1.5]
    running = [apps.start([(0, "v2"), (started + moment, "v1")]) for moment in moments]
    ago = time.monotonic() - started
    done = ask.ok("kill_proof_info", urls=[one.url for one in running], committed_seconds_ago=ago, check=True)
    start = time.monotonic() - started - ago - done["elapsed_ms"] / 1000
    assert (done["proven"], done["proven_count"], done["unproven"], done["changed"]) == (True, 3, [], False)
    assert [(row["url"], row["pid"], row["serves"]) for row in done["processes"]] == [
        (one.url, one.pid, "v1") for one in running
    ]
    for row, moment in zip(done["processes"], moments, strict=True):
        assert row["error"] is None
        # The time between the given moment and the module's start is not in its figure.
        assert moment - start <= row["seconds_from_commit"] <= moment + 1
    assert done["max_seconds"] == done["processes"][2]["seconds_from_commit"]
    assert done["p50_seconds"] == done["processes"][1]["seconds_from_commit"]
    assert done["asked"] == sum(row["tries"] for row in done["processes"])
    assert done["elapsed_ms"] < 3500


def test_one_that_stays_on_v2_is_named_when_the_time_is_over(apps: Applications, ask: Modules) -> None:
    good, bad = apps.start([(0, "v1")]), apps.start([(0, "v2")])
    started = time.monotonic()
    done = ask.ok("kill_proof_info", urls=[good.url, bad.url], deadline=1.5)
    assert 1.4 <= time.monotonic() - started < 4
    assert (done["proven"], done["proven_count"], done["serving_v2"]) == (False, 1, 1)
    (row,) = done["unproven"]
    assert (row["pid"], row["serves"], row["seconds_from_commit"]) == (bad.pid, "v2", None)
    assert row["error"] == "it serves V2 (true)"
    assert done["processes"][0]["serves"] == "v1"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": "/html"}, "its answer cannot be read: it is no JSON"),
        ({"path": "/ill"}, "it answered 503"),
        ({"path": "/empty"}, "its answer cannot be read: it is no JSON"),
        ({"path": "/elsewhere"}, "it answered 302"),
        ({"path": "/gone"}, "it answered 404"),
        ({"path": "/huge"}, "the answer is larger than 1,024 KiB"),
        ({"path": "/drip"}, "no whole answer within 0.2 s"),
        ({"path": "/hang"}, "no whole answer within 0.2 s"),
        ({"serves_path": "data.v2"}, "nothing at data.v2: the document has no data"),
        ({"pid_path": "process"}, "nothing at process: the document has no process"),
        ({"pid_path": "v2"}, "what stands for its process id is none"),
        # 0 is not false, and a number does not mean V1 if the values are true and false.
        ({"off_when": [0]}, "what stands for V1 or V2 is of another kind than the values of off_when"),
        ({"serves_path": "pid"}, "what stands for V1 or V2 is of another kind than the values of off_when"),
    ],
)
def test_what_is_no_clear_answer_is_never_v1(apps: Applications, ask: Modules, options: Any, why: str) -> None:
    # They say V1, if one would only look closely enough.
    odd = apps.start([(0, "v1")])
    done = ask.ok("kill_proof_info", **{"urls": [odd.url], "deadline": 0.6, "timeout": 0.2, **options})
    assert (done["proven"], done["proven_count"], done["p50_seconds"], done["max_seconds"]) == (False, 0, None, None)
    (row,) = done["unproven"]
    assert (row["serves"], row["error"]) == ("unknown", why)
    assert row["tries"] >= 2


def test_a_process_that_hangs_holds_up_nobody_and_where_nobody_listens_is_named(
    apps: Applications, ask: Modules
) -> None:
    well, nowhere = apps.start(turning(0.3)), f"http://127.0.0.1:{free_port()}"
    done = ask.ok("kill_proof_info", urls=[nowhere, well.url], deadline=1.5)
    assert (done["proven"], done["proven_count"]) == (False, 1)
    assert done["unproven"][0]["url"] == nowhere
    assert done["unproven"][0]["error"] == "connection refused"
    assert done["max_seconds"] < 1.2


def test_one_that_goes_back_to_v2_is_asked_on(apps: Applications, ask: Modules) -> None:
    now = time.monotonic()
    flapping = apps.start([(0, "v2"), (now + 0.4, "v1"), (now + 0.8, "v2"), (now + 2, "v1")])
    slow = apps.start([(0, "v2"), (now + 1.2, "v1")])
    done = ask.ok("kill_proof_info", urls=[flapping.url, slow.url])
    assert done["proven"] is True
    assert done["processes"][0]["seconds_from_commit"] > done["processes"][1]["seconds_from_commit"]
    assert time.monotonic() - now > 2.3


def test_one_that_was_restarted_is_asked_again(apps: Applications, ask: Modules) -> None:
    first, slow = apps.start([(0, "v1")]), apps.start(turning(2.5))
    with ask.start("kill_proof_info", urls=[first.url, slow.url]) as running:
        time.sleep(1.2)
        apps.end(first)
        # It comes back with what it had cached on disk.
        again = apps.start(turning(2.2), port=first.port)
        done = running.result()
    assert done["proven"] is True
    assert [row["pid"] for row in done["processes"]] == [again.pid, slow.pid]
    assert done["processes"][0]["seconds_from_commit"] == done["max_seconds"] > 2.5


def share(apps: Applications, *schedules: list[tuple[float, str]]) -> str:
    port = free_port()
    started = [apps.start(schedule, port, share=True) for schedule in schedules]
    return started[0].url


def test_processes_that_share_a_port_are_told_apart_by_their_ids(apps: Applications, ask: Modules) -> None:
    now = time.monotonic()
    url = share(apps, [(0, "v1")], [(0, "v2"), (now + 0.7, "v1")], [(0, "v2"), (now + 1.4, "v1")])
    done = ask.ok("kill_proof_info", url=url, processes=3)
    assert (done["proven"], done["proven_count"]) == (True, 3)
    assert {row["pid"] for row in done["processes"]} == {one.pid for one in apps.running}
    assert 0.8 < done["max_seconds"] < 2.4
    assert done["elapsed_ms"] < 4500


def test_a_shared_port_is_proven_by_as_many_as_there_are_and_by_those_that_live(
    apps: Applications, ask: Modules
) -> None:
    url = share(apps, [(0, "v1")], [(0, "v1")])
    pids = [one.pid for one in apps.running]
    # The kernel chooses who answers: ask often enough that each is chosen.
    ask = ask.having(interval=0.02)
    assert ask.ok("kill_proof_info", url=url, pids=pids)["proven"] is True
    few = ask.ok("kill_proof_info", url=url, processes=3, deadline=1.2)
    assert (few["proven"], few["proven_count"]) == (False, 2)
    assert few["unproven"][0]["error"] == "it never answered, 2 of 3 did"
    # One of pm2's processes is alive, but is not behind this port.
    other = apps.start([(0, "v1")])
    lacking = ask.ok("kill_proof_info", url=url, pids=[*pids, other.pid], deadline=1.2)
    assert [row["pid"] for row in lacking["unproven"]] == [other.pid]
    # One has gone since pm2 was asked, and none came in its place.
    apps.end(other)
    gone = ask.ok("kill_proof_info", url=url, pids=[*pids, other.pid], deadline=1.2)
    assert (gone["proven"], [row["pid"] for row in gone["unproven"]]) == (False, [None])
    # Without a number nothing is proven, but what is known is reported.
    unknown = ask.ok("kill_proof_info", url=url)
    assert (unknown["proven"], unknown["proven_count"]) == (False, 2)
    assert unknown["unproven"][0]["error"] == "2 answered, and how many there are is not known"


def test_an_address_is_no_proof_where_several_processes_answer(apps: Applications, ask: Modules) -> None:
    url = share(apps, *[[(0.0, "v1")]] * 3, [(0.0, "v2")])
    for _try in range(3):
        done = ask.ok("kill_proof_info", urls=[url], deadline=2)
        assert not done["proven"], done
        assert "several processes" in done["unproven"][0]["error"]
    # Not even where all of them serve V1: a fifth could be there.
    apps.end(apps.running[-1])
    assert not ask.ok("kill_proof_info", urls=[url], deadline=2)["proven"]


def test_one_of_a_shared_port_that_was_restarted_must_serve_v1_too(apps: Applications, ask: Modules) -> None:
    url = share(apps, [(0, "v1")], turning(2.5))
    first, slow = apps.running
    with ask.start("kill_proof_info", url=url, pids=[first.pid, slow.pid], deadline=15) as running:
        time.sleep(1.2)
        apps.end(first)
        again = apps.start(turning(2.5), port=first.port, share=True)
        done = running.result()
    assert done["proven"] is True, done
    assert {row["pid"] for row in done["processes"]} == {again.pid, slow.pid}
    assert done["max_seconds"] > 3


def test_tenants_are_asked_for_one_by_one_or_all_at_once(apps: Applications, ask: Modules) -> None:
    on, off = apps.start([(0, "v2")]), apps.start([(0, "v1")])
    asked = ask.having(deadline=0.6, tenants=list(TENANTS))
    query = asked.having(tenant_parameter="tenant")
    assert query.ok("kill_proof_info", urls=[off.url], deadline=8)["proven"] is True
    (row,) = query.ok("kill_proof_info", urls=[on.url])["unproven"]
    assert (row["serves"], row["error"]) == ("v2", "it serves V2 for tenant 12 (true)")
    # A sample does not miss the last one, because the last is always in it.
    some = query.ok("kill_proof_info", urls=[on.url], most_tenants=2)
    assert (some["proven"], some["tenants_asked"], some["tenants_named"]) == (False, 2, len(TENANTS))
    # Two at one port, and each tenant is asked for at each.
    url = share(apps, [(0, "v1")], turning(0.8))
    assert query.ok("kill_proof_info", url=url, processes=2, deadline=10)["proven"] is True

    told = asked.having(path="/map", serves_path="tenants.<tenant>")
    assert told.ok("kill_proof_info", urls=[off.url], deadline=8)["proven"] is True
    (row,) = told.ok("kill_proof_info", urls=[on.url])["unproven"]
    assert row["error"] == "it serves V2 for tenant 7, 9, 12"
    (row,) = told.ok("kill_proof_info", urls=[off.url], tenants=["7", "8"])["unproven"]
    assert row["error"] == 'nothing at tenants["8"]: tenants has no ["8"]'

    listed = asked.having(path="/map", serves_path="on", tenants=["12", "4"])
    assert listed.ok("kill_proof_info", urls=[off.url], deadline=8)["proven"] is True
    (row,) = listed.ok("kill_proof_info", urls=[on.url])["unproven"]
    assert row["error"] == "it serves V2 for tenant 12"


def test_bad_input_fails_and_headers_stay_secret(apps: Applications, ask: Modules) -> None:
    url = apps.start([(0, "v1")]).url
    bad: list[tuple[str, dict[str, Any]]] = [
        ("whom_to_ask", {}),
        ("whom_to_ask", {"url": url, "urls": [url]}),
        ("whom_to_ask", {"urls": [url], "processes": 4}),
        ("bad_urls", {"urls": [url, url]}),
        ("bad_url", {"urls": ["metrics"]}),
        ("url_with_more", {"urls": [f"http://u:{SECRET}@127.0.0.1/"]}),
        ("no_pid_path", {"url": url, "pid_path": ""}),
        ("bad_json_path", {"urls": [url], "serves_path": "a..b"}),
        ("bad_off_when", {"urls": [url], "off_when": []}),
        ("no_tenants", {"urls": [url], "serves_path": "t.<tenant>"}),
        ("bad_header", {"urls": [url], "headers": {"X-Token": f"{SECRET}\nX: y"}}),
        ("bad_deadline", {"urls": [url], "deadline": 0}),
    ]
    for code, options in bad:
        ask.fails(code, "kill_proof_info", **options)
    # A header that is a number does not keep a figure from being one.
    headers = {"X-Token": SECRET, **{f"X-{digit}": str(digit) for digit in range(10)}}
    done = ask.ok("kill_proof_info", urls=[url], headers=headers, _ansible_inject_invocation=True)
    assert done["proven"] is True
    assert SECRET not in json.dumps(done)
    assert isinstance(done["max_seconds"], float)
    assert "X-7" not in json.dumps(done)
