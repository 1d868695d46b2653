# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of a real pm2 that matter are kept, or it is said that they are not."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

from tests.integration.crowd import wait_for
from tests.integration.module import Result
from tests.integration.test_evidence_application import collector, content, index_of, reasons
from tests.support.pm2 import Daemon

IDLE = "setInterval(() => {}, 1000);"


def collected(daemon: Daemon, directory: Path, **options: int) -> Result:
    return collector(directory, pm2=str(daemon.program), pm2_home=str(daemon.home), **options).ok("evidence")


def kept(result: Result) -> dict[str, bytes]:
    """Return what was kept of each log, by the log's own name."""
    logs = [entry for entry in index_of(result)["files"] if "from" in entry]
    return {Path(entry["from"]).name: content(result, entry["name"]) for entry in logs}


def written(path: Path, text: str) -> None:
    wait_for(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}")


def test_a_process_that_has_only_a_combined_log(pm2_daemon: Daemon, directory: Path) -> None:
    log = pm2_daemon.home / "all.log"
    apart = ("--output", "/dev/null", "--error", "/dev/null")
    pm2_daemon.start(f"console.error('boom'); {IDLE}", "api", "--log", str(log), *apart)
    written(log, "boom")
    done = collected(pm2_daemon, directory)
    assert list(kept(done)) == ["all.log"]
    assert b"boom" in kept(done)["all.log"]


def test_a_log_that_is_gone_is_named_and_what_it_was_rotated_to_is_kept(pm2_daemon: Daemon, directory: Path) -> None:
    pm2_daemon.start(f"console.log('said'); console.error('boom'); {IDLE}", "api")
    out, error = pm2_daemon.log("api-out"), pm2_daemon.log("api-error")
    written(out, "said")
    written(error, "boom")
    # As logrotate does without copytruncate, and pm2-logrotate with a new file in place.
    error.rename(f"{error}.1")
    moved = out.with_name("api-out__2026-11-26_00-00-00.log")
    out.rename(moved)
    out.touch()
    archive = out.with_name("api-out__2026-11-25_00-00-00.log.gz")
    archive.write_bytes(gzip.compress(b"older"))
    os.utime(archive, (1_700_000_000, 1_700_000_000))
    shutil.chown(archive, moved.owner())
    done = collected(pm2_daemon, directory)
    found = kept(done)
    assert f"{error}: No such file or directory" in reasons(done).values()
    assert (found["api-error.log.1"], found[moved.name]) == (b"boom\n", b"said\n")
    assert gzip.decompress(found[archive.name]) == b"older"
    # All that is kept of one log is bounded.
    less = collected(pm2_daemon, directory / "less", log_bytes=3)
    assert (kept(less)["api-error.log.1"], kept(less)[moved.name]) == (b"om\n", b"id\n")
    assert archive.name not in kept(less)


def test_of_many_logs_that_of_the_process_that_died_is_kept(pm2_daemon: Daemon, directory: Path) -> None:
    names = ["api", "b", "c", "d", "e", "f"]
    pm2_daemon.start_all(
        {"api": {"autorestart": False}}, api="throw new Error('boom')", **dict.fromkeys(names[1:], IDLE)
    )
    written(pm2_daemon.log("api-error"), "boom")
    os.utime(pm2_daemon.log("api-error"), (1_700_000_000, 1_700_000_000))
    wait_for(lambda: pm2_daemon.log("f-out").exists(), "the last log")
    done = collected(pm2_daemon, directory)
    found = kept(done)
    assert b"boom" in found["api-error.log"]
    assert {f"{name}-error.log" for name in names} <= found.keys()
    left_out = [one["reason"].partition(":")[0] for one in done["missing"]]
    everything = {f"{name}-{kind}.log" for name in names for kind in ("out", "error")}
    assert (len(found), found.keys() | {Path(path).name for path in left_out}) == (10, everything)
