# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's processes hold only when every host said so, and no figure that has a limit is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsprocesses import processes_part
from tests.unit.answers import UNREACHABLE, Answer

LIMITS = {"error_lines_recent": 5}
FAILED: Answer = {
    "failed": True,
    "msg": "no.",
    "error": {"what": "No pm2 daemon runs for /root/.pm2.", "code": "no_daemon"},
}


def host(errors: int | None = 0, **more: Any) -> Answer:
    process = {
        "name": "api",
        "pm_id": 0,
        "ok": True,
        "memory_bytes": 90_000_000,
        "memory_slope_bytes_per_minute": 300_000,
    }
    found = {
        "changed": False,
        "ok": True,
        "problems": [],
        "processes": [process, {**process, "pm_id": 1}],
        "restarts": 3,
        "logs_read": True,
        "complete": True,
        "recent_known": True,
        "error_lines_in_last": errors,
        "error_lines_since": errors,
        "error_lines_recent": errors,
        "last_lines_read": 200,
        "since": "2026-11-25T03:14:07Z",
        "since_seconds": 6.4,
        "messages": [{"message": "Error: boom", "count": 4}],
    }
    return {**found, **more}


def test_no_application_host_on_purpose_is_no_failure() -> None:
    part = processes_part([], [], LIMITS, "none")
    assert (part["kind"], part["holds"]) == ("nothing", True)
    assert "no application hosts" in part["good"]
    assert not processes_part([], [], LIMITS, "app")["holds"]


def whole(part: dict[str, Any]) -> str:
    return "\n".join([*part["bad"], *part["lines"]])


def test_it_holds_when_every_host_runs_and_logs_few_errors() -> None:
    part = processes_part(["app1", "app2"], [host(4), host()], LIMITS)
    assert (part["kind"], part["holds"], part["bad"]) == ("validate", True, [])
    assert part["lines"][0] == (
        "app1: 2 of 2 processes run, 3 restarts, 180 MB (+0.6 MB/min); error lines: 4 in the last lines, "
        "4 of them new in 6 s"
    )
    assert "app1: 4 x Error: boom" in part["lines"]


def test_fewer_than_the_limit_is_what_counts() -> None:
    assert processes_part(["app1"], [host(4)], LIMITS)["holds"]
    part = processes_part(["app1"], [host(5)], LIMITS)
    assert part["bad"] == [
        "5 error lines since 2026-11-25T03:14:07Z among the last 200 of the logs on app1, they have to be fewer than 5"
    ]
    for figure in ("error_lines_in_last", "error_lines_since"):
        assert not processes_part(["app1"], [host(5)], {figure: "5"})["holds"]
        assert processes_part(["app1"], [host(5, error_lines_recent=9)], {figure: 6})["holds"]
    assert processes_part(["app1"], [host(500)], {})["holds"]


@pytest.mark.parametrize("errors", [0, 4, None])
def test_logs_that_could_not_be_read_are_no_logs_without_errors(errors: int | None) -> None:
    part = processes_part(["app1"], [host(errors, logs_read=False, warnings=["/l/e.log: denied"])], LIMITS)
    assert part["bad"] == ["the errors on app1 are not all known, for not every log was read"]
    assert "app1: /l/e.log: denied" in part["lines"]
    assert processes_part(["app1"], [host(errors, logs_read=False)], {})["holds"]


def test_a_log_that_does_not_go_as_far_back_as_errors_count_is_no_log_without_errors() -> None:
    far = "the errors on app1 are not all known, for a log could not be read as far back as they count"
    gone = host(recent_known=False, complete=False, warnings=["/l/e.log: e.log.1.gz: the archive is damaged"])
    part = processes_part(["app1"], [gone], LIMITS)
    assert (part["holds"], part["bad"]) == (False, [far])
    assert "app1: /l/e.log: e.log.1.gz: the archive is damaged" in part["lines"]
    # All that can be both new and among the last lines was read; the older ones are not needed.
    busy = host(complete=False)
    assert processes_part(["app1"], [busy], LIMITS)["holds"]
    assert processes_part(["app1"], [busy], {"error_lines_since": 5})["bad"] == [far]
    assert processes_part(["app1"], [gone], {})["holds"]


def test_errors_whose_moment_is_not_known_are_said_to_be_the_most_there_can_be() -> None:
    process = {"name": "api", "ok": True, "log_files": [{"since_by": "local_timestamps", "error_lines_since": 10}]}
    part = processes_part(["app1"], [host(10, processes=[process])], LIMITS)
    assert part["bad"][0].startswith("up to 10 error lines since 2026-11-25T03:14:07Z among the last 200")
    in_last = processes_part(["app1"], [host(10, processes=[process])], {"error_lines_in_last": 5})
    assert in_last["bad"][0].startswith("10 error lines among the last 200")
    old = {**process, "log_files": [{"since_by": "mtime", "error_lines_since": 0}]}
    dated = {**process, "log_files": [{"since_by": "timestamps", "error_lines_since": 10}]}
    assert processes_part(["app1"], [host(10, processes=[old, dated])], LIMITS)["bad"][0].startswith("10 error lines")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (FAILED, "No pm2 daemon runs"),
        (UNREACHABLE, "could not be reached"),
        ({}, "was not asked"),
        ({"skipped": True, "skip_reason": "Conditional result was False"}, "was not asked"),
        ({"failed": True, "msg": "Timed out"}, "Timed out"),
        ({**host(), "failed": True, "msg": "half"}, "half"),
    ],
)
def test_a_host_that_did_not_answer_is_counted(answer: Answer, why: str) -> None:
    part = processes_part(["app1", "app2"], [host(), answer], LIMITS)
    assert part["bad"] == ["the processes on app2 are not known"]
    assert why in whole(part)


def test_a_host_without_an_answer_at_all_is_counted_too() -> None:
    assert processes_part(["app1", "app2"], [host()], LIMITS)["bad"] == ["the processes on app2 are not known"]
    assert not processes_part([], [], LIMITS)["holds"]


def test_processes_that_do_not_run_are_named_up_to_a_bound() -> None:
    problems = [f"api ({number}): pm2 says online,\nbut it has no process" for number in range(9)]
    part = processes_part(["app1"], [host(ok=False, problems=problems)], LIMITS)
    assert part["bad"] == ["processes on app1 do not run as they should"]
    assert "app1: api (0): pm2 says online, but it has no process" in part["lines"]
    assert "app1: and 4 more" in part["lines"]
    assert not processes_part(["app1"], [host(ok=False)], LIMITS)["holds"]


def test_where_there_is_no_pm2_nothing_is_judged() -> None:
    skipped: Answer = {"changed": False, "skipped": True, "processes": [], "problems": []}
    part = processes_part(["app1"], [skipped], LIMITS)
    assert (part["kind"], part["holds"]) == ("nothing", True)
    both = processes_part(["app1", "app2"], [skipped, host()], LIMITS)
    assert (both["kind"], both["holds"]) == ("validate", True)
    assert not processes_part(["app1", "app2"], [skipped, FAILED], LIMITS)["holds"]


@pytest.mark.parametrize("limits", [{"errors": 5}, {"error_lines_recent": None}, {"error_lines_recent": "few"}])
def test_a_limit_that_is_none_is_said_and_holds_nothing(limits: dict[str, Any]) -> None:
    part = processes_part(["app1"], [host()], limits)
    assert not part["holds"]
    assert "no limit of error lines" in part["bad"][0]


def test_an_answer_with_less_in_it_is_told_all_the_same() -> None:
    part = processes_part(["app1"], [{"processes": [{}]}], LIMITS)
    assert not part["holds"]
    assert "error lines: not known" in whole(part)
