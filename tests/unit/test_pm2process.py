# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process of pm2's list runs, by what the kernel says, and how its memory changes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2process import (
    Context,
    chosen,
    judged,
    log_paths_of,
    pid_of,
    slope,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._procfs import Process, look

NOW = 1_795_576_800.0
CONTEXT = Context(NOW, daemon=50, min_uptime=5)
MB = 1024 * 1024


def row(**more: Any) -> dict[str, Any]:
    started = (NOW - 60) * 1000
    found = {"name": "api", "pid": 100, "pm_id": 0, "status": "online", "restart_time": 2, "pm_uptime": started}
    return {**found, **more}


def process(**more: Any) -> Process:
    found = {"parent": 50, "stopped": False, "uptime": 60.0, "memory": 90 * MB}
    return Process(**{**found, **more})


def test_a_child_of_the_daemon_that_is_online_is_right() -> None:
    found = judged(row(), [process()], CONTEXT, {})
    assert (found["ok"], found["why_not"], found["alive"], found["online"]) == (True, None, True, True)
    assert (found["restarts"], found["uptime_seconds"], found["memory_bytes"]) == (2, 60.0, 90 * MB)
    assert found["restarts_since_previous"] is None


@pytest.mark.parametrize(
    ("given_row", "seen", "why", "alive"),
    [
        (row(pid=None), [], "has no process", False),
        (row(pid=0), [], "has no process", False),
        ({"name": "api", "status": "online"}, [], "has no process", False),
        (row(), [None], "its process 100 is gone", False),
        (row(), [process(), None], "ended a moment ago", False),
        (row(), [process(parent=1, uptime=3600)], "another process", False),
        (row(), [process(stopped=True)], "stopped by a signal", True),
        (row(), [process(uptime=1.2)], "up for 1.2 s only, after 2 restarts", True),
        (row(status="stopped", pid=0), [], "pm2 says stopped", False),
        (row(status="errored"), [process()], "pm2 says errored", True),
        (row(status="waiting restart", pid=0), [], "pm2 says waiting restart", False),
        (row(status=None), [process()], "pm2 says None", True),
    ],
)
def test_online_is_not_enough(given_row: dict[str, Any], seen: list[Process | None], why: str, alive: bool) -> None:
    found = judged(given_row, seen, CONTEXT, {})
    assert (found["ok"], found["alive"]) == (False, alive)
    assert why in found["why_not"]
    assert found["memory_bytes"] == (90 * MB if alive else None)


def test_a_process_that_is_no_child_is_known_by_when_it_began() -> None:
    assert judged(row(), [process(parent=1, uptime=58)], CONTEXT, {})["alive"]
    assert judged(row(), [process(parent=1, uptime=58)], Context(NOW, None, 0), {})["alive"]
    assert not judged(row(pm_uptime=None), [process(parent=1)], CONTEXT, {})["alive"]
    # The clock has been set an hour ahead since: the daemon's child stays its child.
    assert judged(row(), [process()], Context(NOW + 3600, 50, 5), {})["alive"]


@pytest.mark.parametrize("pid", [None, 0, -1, True, "100", 1.5, [1]])
def test_what_is_no_pid(pid: object) -> None:
    assert pid_of({"pid": pid}) is None


def test_which_processes_are_the_application() -> None:
    rows = [row(), row(name="worker"), row(name="pm2-logrotate", pmx_module=True)]
    assert [one["name"] for one in chosen(rows, [])[0]] == ["api", "worker"]
    assert chosen(rows, ["worker", "cron", "cron"]) == ([rows[1]], ["cron"])
    assert chosen(rows, ["pm2-logrotate"]) == ([rows[2]], [])
    assert chosen([], ["api"]) == ([], ["api"])


def test_where_a_process_logs() -> None:
    both = {"pm_out_log_path": "/l/o.log", "pm_err_log_path": "/l/e.log", "pm_log_path": "/l/all.log"}
    assert log_paths_of(both) == ["/l/o.log", "/l/e.log"]
    assert log_paths_of({**both, "pm_err_log_path": "/l/o.log"}) == ["/l/o.log"]
    assert log_paths_of({**both, "pm_out_log_path": "/dev/null"}) == ["/l/e.log"]
    assert log_paths_of({**both, "pm_out_log_path": "/dev/null", "pm_err_log_path": "NULL"}) == ["/l/all.log"]
    assert log_paths_of({**both, "disable_logs": True}) == []
    assert log_paths_of({}) == []


def test_memory_is_followed_from_an_earlier_result_on() -> None:
    first = judged(row(), [process(uptime=60.0), process(uptime=62.0)], CONTEXT, {})
    assert first["memory_slope_bytes_per_minute"] == 0
    later = judged(row(), [process(uptime=120.0, memory=100 * MB)], CONTEXT, first)
    assert [one["uptime_seconds"] for one in later["memory_samples"]] == [60.0, 62.0, 120.0]
    assert later["memory_slope_bytes_per_minute"] == pytest.approx(10 * MB, rel=0.05)
    assert later["restarts_since_previous"] == 0


def test_a_restart_begins_the_trend_anew() -> None:
    first = judged(row(), [process(uptime=60.0)], CONTEXT, {})
    later = judged(row(restart_time=5, pid=101), [process(uptime=7.0)], CONTEXT, first)
    assert (later["restarts_since_previous"], len(later["memory_samples"])) == (3, 1)
    assert later["memory_slope_bytes_per_minute"] is None
    assert judged(row(restart_time=0), [process()], CONTEXT, {**first, "restarts": 7})["restarts_since_previous"] == 0


@pytest.mark.parametrize(
    "earlier",
    [
        {"memory_samples": "x"},
        {"memory_samples": [1, None, {}, {"uptime_seconds": "1", "bytes": "2"}]},
        {"restarts": "many", "pid": {}},
        {"memory_samples": None},
    ],
)
def test_an_odd_earlier_result_is_no_hindrance(earlier: dict[str, Any]) -> None:
    first = {"pid": 100, "restarts": 2, **earlier}
    assert len(judged(row(), [process()], CONTEXT, first)["memory_samples"]) == 1


def test_samples_are_kept_up_to_a_hundred() -> None:
    result: dict[str, Any] = {}
    for second in range(250):
        result = judged(row(), [process(uptime=60.0 + second, memory=second * MB)], CONTEXT, result)
    assert len(result["memory_samples"]) == 100
    assert result["memory_slope_bytes_per_minute"] == 60 * MB


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=20), st.integers(-(2**20), 2**20))
def test_the_slope_of_a_line_is_found(starts: list[int], growth: int) -> None:
    line = [{"uptime_seconds": 60.0 * number, "bytes": starts[0] + growth * number} for number in range(len(starts))]
    assert slope(line) == pytest.approx(growth, abs=1)


def test_less_than_a_second_has_no_slope() -> None:
    assert slope([]) is None
    assert slope([{"uptime_seconds": 1.0, "bytes": 1}]) is None
    assert slope([{"uptime_seconds": 1.0, "bytes": 1}, {"uptime_seconds": 1.9, "bytes": 2}]) is None


def test_the_kernel_tells_a_process_from_what_is_left_of_one() -> None:
    found = look(os.getpid())
    assert found is not None
    assert (found.parent, found.stopped) == (os.getppid(), False)
    assert found.memory is not None
    assert found.memory > 4 * MB
    with subprocess.Popen(["sleep", "60"]) as child:
        assert (one := look(child.pid)) is not None
        assert one.parent == os.getpid()
        assert one.uptime < 10
        child.send_signal(signal.SIGSTOP)
        until(lambda: bool((one := look(child.pid)) and one.stopped))
        child.kill()
        # Nobody has waited for it yet: a zombie.
        until(lambda: look(child.pid) is None)
    assert look(child.pid) is None
    assert look(2**30) is None


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
