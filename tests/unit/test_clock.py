# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What time it is, wherever the controller is; and no task asks for it in a way that is right in UTC alone."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._clock import epoch, run_began

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("zone", ["UTC", "<-03>3", "CET-1CEST,M3.5.0,M10.5.0/3"])
def test_a_moment_is_the_same_in_every_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        # On that night, half past two (in UTC) does not exist as a local time in the last of these zones.
        night = datetime(2026, 3, 29, 1, 30, tzinfo=UTC).replace(tzinfo=None)
        assert epoch(night + timedelta(hours=1)) - epoch(night) == 3600
        assert epoch(datetime.now(UTC).replace(tzinfo=None)) == pytest.approx(time.time(), abs=5)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_run_began_before_now_and_never_after() -> None:
    assert run_began(time.time()) < time.time()
    assert run_began(1.5) == 1.5


def test_no_task_takes_utc_for_local_time() -> None:
    files = [file for part in ("roles", "playbooks") for file in (CHECKOUT / part).rglob("*.yml")]
    assert len(files) > 100
    assert [file for file in files if ".timestamp()" in file.read_text(encoding="utf-8")] == []
