# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-runner's job events become a journal: its schema, its chain, its clock from the command on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import read_journal
from tests.rehearsal.timings import parsed, timings_of, undone_after
from tests.timed.events import Reader

FACTS = {"version": "1.2.3", "host": "controller", "environment": "staging", "rehearsal": True}
BEGAN = 1795761000.0  # 06:30:00 UTC
FLAG = "chatia.kanban_rollback.feature_flag"


def at(second: float) -> str:
    return f"2026-11-27T06:30:{int(second):02}.{round(second % 1 * 1e6):06}+00:00"


def event(kind: str, second: float, **data: Any) -> dict[str, Any]:
    return {"event": kind, "created": at(second), "event_data": data}


def play(second: float, name: str) -> dict[str, Any]:
    return event("playbook_on_play_start", second, name=name, play=name)


def ended(second: float, action: str, res: dict[str, Any], kind: str = "runner_on_ok", **more: Any) -> dict[str, Any]:
    data = {"host": "db1", "task": "Do it", "role": "chatia.kanban_rollback.contain", "resolved_action": action}
    return event(kind, second, **data, res=res, start=at(second - 0.5), end=at(second), **more)


def stats(second: float) -> dict[str, Any]:
    counts = {"ok": {"db1": 2, "db2": 1}, "failures": {"db2": 1}, "dark": {}, "processed": {"db1": 1, "db2": 1}}
    return event("playbook_on_stats", second, **counts, artifact_data={"kanban_verdict": "contained", "other": "x"})


def journal(directory: Path, events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Path]:
    reader = Reader(BEGAN, "scenario3", FACTS)
    reader.name(directory, "run-1", "INC-1")
    for one in events:
        reader.take(one)
    assert reader.problem == ""
    assert reader.path is not None
    return parsed(reader.path.read_text(encoding="ascii")), reader.path


STOP = "1. Contain: flag off for every tenant, fence, write block"
RUN = [
    event("verbose", 0.5),
    event("playbook_on_start", 1),
    play(2, STOP),
    event("playbook_on_task_start", 2.1, task="Do it"),
    event("runner_on_start", 2.2, host="db1", task="Do it"),
    event("runner_on_skipped", 2.3, host="redis1", task="Do it"),
    ended(3, FLAG, {"changed": True, "changed_count": 7, "msg": "a customer's text"}),
    ended(4, "ansible.builtin.debug", {"msg": "text"}),
    ended(5, "chatia.kanban_rollback.write_fence", {"status": "proven"}, "runner_on_failed", ignore_errors=True),
    ended(5.5, FLAG, {"censored": "hidden"}),
    stats(6),
]


def test_the_lines_are_a_journals_and_its_chain_holds(tmp_path: Path) -> None:
    lines, path = journal(tmp_path, RUN)
    with path.open("rb") as file:
        reading = read_journal(file)
    assert (reading.holds, reading.ended, reading.lines) == (True, True, len(lines))
    assert (path.parent.name, path.name) == ("INC-1", "journal-run-1.jsonl")
    assert [line["event"] for line in lines] == [
        *("run began", "play began"),
        *(["task ended"] * 4),
        *("play ended", "run ended"),
    ]
    first = {"schema": 1, "playbook": "scenario3", "requested": "INC-1", "check_mode": False, **FACTS}
    assert lines[0]["data"] == first


def test_a_line_has_what_was_done_where_and_how_long_it_took_and_nobodys_text(tmp_path: Path) -> None:
    lines, path = journal(tmp_path, RUN)
    flag, said, fence, hidden = (line for line in lines if line["event"] == "task ended")
    assert (flag["source"], flag["phase"], flag["at"]) == ("feature_flag", "contain", at(3).replace("+00:00", "Z"))
    told = {name: flag["data"][name] for name in ("host", "role", "seconds", "changed", "failed", "figures")}
    figures = {"changed_count": 7}
    assert told == {
        **{"host": "db1", "role": "contain", "seconds": 0.5, "changed": True, "failed": False},
        "figures": figures,
    }
    assert (said["source"], said["data"]["figures"]) == ("ansible.builtin.debug", {})
    assert (fence["data"]["failed"], fence["data"]["ignored"]) == (True, True)
    assert hidden["data"]["figures"] == {}
    assert "text" not in path.read_text(encoding="ascii")
    assert lines[-2]["data"]["skipped"] == 1
    end = lines[-1]["data"]
    assert (end["exit"], end["hosts"], end["troubled"]) == ({"kanban_verdict": "contained"}, 2, ["db2"])
    assert (end["recap"]["ok"], end["recap"]["failed"], end["recap"]["rescued"]) == (3, 1, 0)


def test_the_clock_starts_with_the_command(tmp_path: Path) -> None:
    lines, _path = journal(tmp_path, RUN)
    found = timings_of(lines)
    assert found is not None
    # A fence that failed has not stopped anything, but a task whose result is hidden may have.
    assert (found.disabled, found.total) == (5.5, 6.0)


def test_a_run_that_was_killed_has_no_end(tmp_path: Path) -> None:
    lines, path = journal(tmp_path, [*RUN[:-1], play(5.8, "2. Stopped: result so far")])
    found = timings_of(lines)
    assert found is not None
    assert (found.disabled, found.total) == (5.5, None)
    with path.open("rb") as file:
        assert not read_journal(file).ended


def test_a_run_that_came_to_nothing_has_no_lines() -> None:
    assert (timings_of([]), undone_after([])) == (None, None)


def test_a_misfire_is_undone_when_flag_fence_and_block_are_as_before(tmp_path: Path) -> None:
    block = "chatia.kanban_rollback.write_block"
    run = [
        play(1, "2. Re-enable: every tenant as before"),
        ended(2, FLAG, {}),
        play(3, "4. Re-enable: release writes in the application"),
        ended(4, block, {}),
        play(5, "5. Was V2 stopped again meanwhile"),
        ended(7, FLAG, {}),
    ]
    lines, _path = journal(tmp_path, [*run, stats(8)])
    assert undone_after(lines) == 4.0


def test_a_misfire_that_nobody_undid_took_no_time(tmp_path: Path) -> None:
    failed = [play(1, "2. Re-enable: every tenant as before"), ended(2, FLAG, {}, "runner_on_failed")]
    lines, _path = journal(tmp_path, [*failed, stats(8)])
    assert undone_after(lines) is None
