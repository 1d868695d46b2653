# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy's migration runs under the fence: its writes are refused, and a table that it swaps is fenced again."""

from __future__ import annotations

import pytest

from tests.drills.drill import Drill
from tests.drills.looks import refused
from tests.hosts.machine import HostsError

_WRITES = """
BEGIN;
ALTER TABLE "Tickets" ADD COLUMN "boardId" int;
UPDATE "Tickets" SET "kanbanLane" = "kanbanLane";
COMMIT
"""
# As migration tools change a table in use: a new one takes its place, without the triggers.
_SWAPS = """
BEGIN;
CREATE TABLE "TicketTags_new" (LIKE "TicketTags" INCLUDING ALL);
ALTER TABLE "TicketTags_new" OWNER TO chatia;
INSERT INTO "TicketTags_new" SELECT * FROM "TicketTags";
ALTER SEQUENCE IF EXISTS "TicketTags_id_seq" OWNED BY NONE;
DROP TABLE "TicketTags";
ALTER TABLE "TicketTags_new" RENAME TO "TicketTags";
COMMIT
"""


@pytest.mark.drill
def test_migration(drill: Drill) -> None:
    drill.stop()
    drill.after(drill.place.psql, 'ALTER TABLE "Tickets" DROP COLUMN IF EXISTS "boardId"')
    with pytest.raises(HostsError, match="KB001"):
        drill.place.psql(f"\\set VERBOSITY sqlstate\n{_WRITES}")
    drill.place.psql(_SWAPS)
    assert "TicketTags" not in refused(drill.place), "the fence went along: this shows nothing"
    # The same command, typed by somebody who finds the release odd.
    drill.stop()
    assert "TicketTags" in refused(drill.place)
    drill.finish()
