# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a team that break something, on several hosts at once: what fails on one of them ends no other's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.rehearsals import Staging


@pytest.fixture
def place(db: Database, directory: Path) -> Staging:
    """Forty tenants of which twelve are on."""
    return Staging.load(db, directory)


def on(host: str, name: str, **task: Any) -> dict[str, Any]:
    return {"name": name, **task, "when": f"inventory_hostname == '{host}'"}


@pytest.mark.drill
def test_who_fails_later_is_named_too_and_ends_by_itself(place: Staging) -> None:
    before, half = place.rows(), place.directory / "half"
    # The first fails while the second is in the middle of the same file.
    tasks = [
        on("app1", "Fail early", **{"ansible.builtin.fail": {"msg": "too early"}}),
        on("app2", "Take a while", **{"ansible.builtin.command": {"argv": ["sleep", "4"]}}),
        on("app2", "Go on", **{"ansible.builtin.file": {"path": str(half), "state": "touch", "mode": "0600"}}),
        on("app2", "Fail late", **{"ansible.builtin.fail": {"msg": "too late"}}),
    ]
    (place.directory / "break.yml").write_text(json.dumps(tasks))
    with application(place.directory / "application") as app:
        app.says("health", {"status": "ok"})
        run = place.rehearse(
            *("-i", "app1,app2", "-e", "kanban_app_hosts=app1:app2"),
            kanban_app_url=app.url,
            kanban_app_pm2="",
            kanban_rehearse_break=[str(place.directory / "break.yml")],
        )
    assert (run.rc, half.exists()) == (2, True), run.output
    for said in ("NOT SET UP: app1: too early", "NOT SET UP: app2: too late", "and all is as before."):
        assert said in run.screen, run.output
    assert "CONTAINED" not in run.screen
    assert (place.rows(), place.open()) == (before, [])
