# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People's own words keep no stop from being done, whatever terminal they were typed in."""

from __future__ import annotations

from pathlib import Path

from tests.integration.crowd import on, population
from tests.integration.onscreen import seen
from tests.integration.place import Database


def test_a_stop_is_done_whatever_its_words(db: Database, directory: Path) -> None:
    population(db)
    # As Ansible reads what a terminal sends that writes Latin-1; NUL comes from a form.
    words = ["-e", "kanban_reason=corrup\udce7\udce3o", "-e", '{"kanban_operator": "a\\u0000b"}']
    run = seen(db, directory, "scenario3", *words, kanban_fence_tables=["tickets"])
    assert on(db) == [], run.sent
    assert "fence proven" in " ".join(run.lines), run.sent
    statement = "SELECT data ->> 'reason', data ->> 'operator' FROM kanban_rollback.events WHERE event = 'disabled'"
    assert db.rows(statement)[0] == ("corrup\ufffd\ufffdo", "a\ufffdb")
