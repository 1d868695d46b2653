# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A latency whose answer never came is at least the time that was waited, and is judged as that if it decides."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import DEGRADED, NO_DATA, judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatesample import metric_from, sample_all
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatetries import sample_from, tries_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import metric_text

WAITED = {"value": None, "code": "timeout", "error": "no answer within 200 ms", "at_least": 200.0}


@pytest.fixture
def silent() -> Iterator[str]:
    """Yield the address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def take(ask: Any = None, **given: Any) -> dict[str, Any]:
    (found,) = sample_all([metric_from({"name": "m", "timeout": 0.2, **given})], "app1", ask)
    return found


def told(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in found if name not in ("metric", "host", "at")}


def gate(found: dict[str, Any], times: int = 3, delay: float = 0, **threshold: Any) -> dict[str, Any]:
    series = [{"try": one, "seconds": one * 10.0, "samples": [found]} for one in range(1, times + 1)]
    return judge(series, {"m": threshold_from("m", threshold)}, 30, delay)


def test_who_waited_in_vain_knows_that_it_takes_longer(silent: str) -> None:
    assert told(take(source="socketio", url=silent)) == WAITED
    assert told(take(url=silent, measure="milliseconds")) == WAITED
    assert take(url=silent, measure="milliseconds", scale=0.001)["at_least"] == pytest.approx(0.2)
    # A figure that is not a time is not known, however long no answer came.
    assert "at_least" not in take(url=silent, path="rate")


def test_a_refusal_and_a_query_that_was_ended_early_are_no_latency() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    refused = take(source="socketio", url=url)
    assert (refused["code"], "at_least" in refused) == ("refused", False)

    def ended(share: float, _query: str, seconds: float) -> float:
        time.sleep(seconds * share)
        raise ServerError("statement_timeout", "it was cancelled.", "x", "y")

    for share, known in ((1.0, True), (0.1, False)):
        found = take(partial(ended, share), source="sql", query="SELECT 1", measure="milliseconds")
        assert (found["code"], "at_least" in found) == ("statement_timeout", known)


def sample(**more: Any) -> dict[str, Any]:
    return {"metric": "m", "host": "app1", "at": 1.0, **WAITED, **more}


def test_it_is_bad_where_what_was_waited_is_too_long_already() -> None:
    for limit in (100, 200):
        judged = gate(sample(), max=limit, unit="ms")
        assert judged["verdict"] == DEGRADED
        (host,) = judged["metrics"][0]["hosts"]
        assert (host["signs"], host["value"], host["missing"]) == ("bbb", 200.0, 0)
        shown = f"m 200 ms DEGRADED (at most {limit} ms; app1: no answer within 200 ms)"
        assert metric_text(judged["metrics"][0]) == shown
    assert gate(sample(), times=1, max=100, critical=150)["verdict"] == DEGRADED
    # A longer time might have been good enough, or another figure is judged.
    for threshold in ({"max": 201}, {"min": 100}, {"max": 100, "growth": "percent"}):
        assert gate(sample(), **threshold)["verdict"] == NO_DATA
    assert gate(sample(at_least=None), max=100)["verdict"] == NO_DATA
    assert gate(sample(), max=100, delay=60)["verdict"] == NO_DATA


def test_it_is_kept_with_the_sample_wherever_that_goes() -> None:
    assert sample_from(sample()) == sample()
    series = [{"watch": 1, "try": 1, "at": 1, "seconds": 0, "samples": [sample()]}]
    assert tries_from(series)[0]["samples"] == [sample()]
    for bad in ("200", float("nan"), True):
        assert "at_least" not in sample_from(sample(at_least=bad))
