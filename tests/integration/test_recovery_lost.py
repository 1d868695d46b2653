# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scenario3.yml where all that the backup has more is gone for good: whoever approves that approves this very plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.integrity import load
from tests.integration.place import Database
from tests.integration.points import past
from tests.integration.restores import backup
from tests.integration.test_recovery import Place
from tests.playbooks.runner import ZONE


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_only_an_approval_of_this_plan_covers_the_rows_that_stay_away(db: Database, directory: Path) -> None:
    place = Place(db, load(db, corruption=False), directory)
    place.variables["kanban_restore_tables"] = ["TicketTags"]
    # Whatever is missing went with its ticket, so nothing would come back.
    source = backup(db, directory, "custom", "TicketTags", zone=ZONE)
    past(
        db,
        """CREATE TEMPORARY TABLE lost AS SELECT DISTINCT "ticketId" AS id FROM "TicketTags" LIMIT 3""",
        """DELETE FROM "TicketTags" WHERE "ticketId" IN (SELECT id FROM lost)""",
        """DELETE FROM "Tickets" WHERE id IN (SELECT id FROM lost)""",
    )
    only = {"kanban_recovery": "restore", "kanban_restore_source": source}
    run = place.run(**only)
    line = re.search(r"-e kanban_plan_hash=([0-9a-f]{64})\s+-e\s+kanban_approved_by=", run.screen)
    assert line, run.screen
    # A hash that nobody has approved is no approval.
    for approved in (False, True):
        done = place.run(**only, kanban_plan_hash=line[1], **({"kanban_approved_by": "ana"} if approved else {}))
        assert ("the data is validated" in done.screen) is approved, done.output
        assert db.modules().ok("incident_info", incident_id=run.incident)["validation"]["passed"] is approved
