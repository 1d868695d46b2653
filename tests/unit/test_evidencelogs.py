# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which logs are evidence, and in which order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencelogs import (
    in_order,
    logs_below,
    named_logs,
)


def process(name: str, status: str = "online", **more: Any) -> dict[str, Any]:
    paths = {f"pm_{kind}_log_path": f"/logs/{name}-{kind}.log" for kind in ("out", "err")}
    return {"name": name, "status": status, **paths, **more}


def test_what_a_process_that_is_down_logged_comes_first_then_errors() -> None:
    rows = [process("a"), process("b", "errored"), process("c", pm_out_log_path="/logs/b-out.log")]
    named = named_logs(rows)
    assert sorted(named, key=lambda path: (named[path], path)) == [
        *("/logs/b-err.log", "/logs/b-out.log"),
        *("/logs/a-err.log", "/logs/c-err.log"),
        "/logs/a-out.log",
    ]


def test_a_combined_log_counts_where_there_is_no_other_and_odd_paths_never() -> None:
    combined = {"pm_log_path": "/logs/all.log", "pm_out_log_path": "/dev/null", "pm_err_log_path": "/dev/null"}
    assert list(named_logs([process("a", **combined)])) == ["/logs/all.log"]
    assert named_logs([process("a", pm_out_log_path="relative", pm_err_log_path=3)]) == {}
    assert named_logs([process("a", disable_logs=True), {}]) == {}


def test_of_one_rank_the_newest_comes_first_and_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for age, name in enumerate(("a-out", "b-out", "a-error")):
        (tmp_path / f"logs/{name}.log").write_text("x")
        os.utime(tmp_path / f"logs/{name}.log", (1_700_000_000 - age, 1_700_000_000 - age))
    (tmp_path / "link.log").symlink_to("logs/b-out.log")
    os.mkfifo(tmp_path / "pipe.log")
    named = {**logs_below(str(tmp_path)), str(tmp_path / "gone.log"): 0}
    matches = [str(tmp_path / name) for name in ("link.log", "pipe.log", "none.log")]
    order = [os.path.relpath(path, tmp_path) for path in in_order(named, matches)]
    assert order == ["gone.log", "logs/a-error.log", "logs/a-out.log", "logs/b-out.log"]
