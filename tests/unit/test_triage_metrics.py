# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What triage says about the profile's own metrics when their source is dead, or alive and without a figure."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsgate import gate_silent
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagefacts import gate_facts
from tests.unit.measured import Facts, answers, decide, facts

# The plan's limits, as the profile has them.
PLAN: dict[str, dict[str, Any]] = {
    "error_rate": {"max": 0.1, "unit": "%"},
    "socket_latency": {"max": 1000, "unit": "ms"},
    "dnd_p95": {"max": 500, "unit": "ms", "no_data": "ignore"},
    "query_p95": {"max": 5000, "unit": "ms", "no_data": "ignore"},
    "memory": {"growth": "percent", "max": 20, "unit": "%", "no_data": "ignore"},
}
LIMITS = {name: threshold_from(name, given) for name, given in PLAN.items()}
HOSTS = ("app1", "app2")


def triage(code: str, error: str, hosts: tuple[str, ...] = HOSTS, memory: float | None = None) -> Facts:
    """Return the facts of three tries in which these hosts have no figure of performance, for this reason."""
    tries = []
    for number in range(1, 4):
        samples: list[dict[str, Any]] = []
        for host in HOSTS:
            at = {"host": host, "at": number * 2.0}
            samples += [{"metric": name, "value": 0.01, **at} for name in ("error_rate", "socket_latency")]
            for name in ("dnd_p95", "query_p95", "memory"):
                dead = {"metric": name, "value": None, "code": code, "error": error, **at}
                samples.append(dead if host in hosts else {"metric": name, "value": 100.0, **at})
            if memory is not None:
                samples[-1] = {"metric": "memory", "value": memory * 1.5**number, **at}
        tries.append({"try": number, "seconds": number * 2.0, "samples": samples})
    judged = judge(tries, LIMITS, 30)
    return facts(performance=gate_facts({**judged, "silent": gate_silent(judged), "end": "first_ok"}))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("status", "HTTP 503"),
        ("not_json", "the answer is HTML, no JSON"),
        ("refused", "refused"),
        ("timeout", "no whole answer within 5.0 s"),
    ],
)
@pytest.mark.parametrize("hosts", [HOSTS, HOSTS[1:]])
def test_a_dead_source_is_never_no_incident(code: str, error: str, hosts: tuple[str, ...]) -> None:
    result = decide(triage(code, error, hosts))
    assert (result["scenario"], result["failed"]) == ("unknown", True)
    assert answers(result)[3] == "unknown"
    said = "no data" if hosts == HOSTS else "100 ms, not enough data"
    assert f"dnd_p95 {said} (at most 500 ms)" in result["path"][3]["because"]
    assert f"{hosts[0]}: dnd_p95: {error}" in result["path"][3]["because"]
    assert any("kanban_metrics" in line for line in result["lines"])


def test_at_night_nobody_drags_and_there_is_no_incident_and_what_was_not_seen_is_said() -> None:
    result = decide(triage("no_key", "nothing at dndP95Ms", memory=180.0))
    assert (result["scenario"], result["failed"]) == ("none", False)
    said = "without a figure, which is no fault: dnd p95, query p95; not judged yet, which takes longer: memory growth"
    assert said in result["path"][3]["because"]
    assert result["lines"][-1] == f"NO INCIDENT: everything is known, and good; {said}"
