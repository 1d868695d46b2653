# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page has one incident for what its readers see as one, and another for a stop after the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.test_notify import by, message, ok, why
from tests.support.statuspage import KEY, PAGE, status_page


def test_a_second_stop_has_an_incident_of_its_own_on_the_page_once_the_first_is_resolved(tmp_path: Path) -> None:
    def notice(key: str, stop: int, **more: Any) -> dict[str, Any]:
        # Word for word what was said at the first stop.
        return {**message(key, "status_page", stop=stop, subject="The board", text="It is off."), **more}

    off = {"component_status": "under_maintenance"}
    with status_page(tmp_path) as page:
        services = {"status_page": {"api_key": KEY, "api_url": page.url, "page_id": PAGE, "component": "Kanban"}}
        # While the first is open, messages of a second stop belong to it.
        for one in (notice("n", 1, **off), notice("n-2", 2, **off), notice("r-2", 2, text="Over.", resolves=True)):
            assert by(ok(tmp_path, one, **services), "sent") == ["status_page"]
        (first,) = page.incidents
        assert (first["status"], page.status("cmpkanban")) == ("resolved", "operational")
        # Another message in the same words is another update; the same message again is not.
        assert len(first["incident_updates"]) == 3
        assert by(ok(tmp_path, notice("n-3", 3, **off), **services), "sent") == ["status_page"]
        told = [(one["status"], len(one["incident_updates"])) for one in page.incidents]
        assert (told, page.status("cmpkanban")) == ([("investigating", 1), ("resolved", 3)], "under_maintenance")
        ok(tmp_path, notice("u-3", 3, text="Still at it."), notice("r-3", 3, text="Over.", resolves=True), **services)
        told = [(one["status"], len(one["incident_updates"])) for one in page.incidents]
        assert (told, page.status("cmpkanban")) == ([("resolved", 3), ("resolved", 3)], "operational")
        # A late message of a stop that is over for the page's readers is no longer sent, and the result says so.
        late = ok(tmp_path, notice("late-3", 3, text="Late."), **services)
        assert ["is resolved on the page" in text for text in why(late, "needless")] == [True]
