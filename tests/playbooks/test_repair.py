# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrupted by the real application at work: stopped, mended as planned and approved, released, and back in stages."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import until
from tests.playbooks.application import Application
from tests.playbooks.place import Site
from tests.playbooks.runner import Run
from tests.playbooks.test_release import HASTY, refuses, written

# Company 1 is that of the smoke test. Those that are corrupted have an account of their own: it cannot hold.
CORRUPTED, SOUND = range(2, 31), range(31, 61)
PEOPLE = 60
VARIABLES: dict[str, Any] = {
    **HASTY,
    "kanban_watch_minutes": {"stage": 0.05},
    "kanban_gate_interval": 1,
    "kanban_stages": [10, 100],
    "kanban_integrity_checks": {"tags_of_other_companies": {"repair": {"action": "delete"}}},
    "kanban_operator": "ana",
}
# The one corruption that the application cannot be told to do: another company's tag on a card.
ANOTHERS_TAG = """
INSERT INTO "TicketTags" ("ticketId", "tagId")
  SELECT (SELECT min(id) FROM "Tickets" WHERE "companyId" = 71), id FROM "Tags" WHERE "companyId" = 72 LIMIT 2
"""
# Written without any SQL of the collection's. The rest of a ticket changes with each message, which nobody refuses.
ROWS = """
SELECT 'tag', id::text, concat_ws(' ', name, color, kanban, "companyId") FROM "Tags" WHERE {tag}
UNION ALL
SELECT 'tagged', concat_ws(' ', t.id, g.id), {times} FROM "TicketTags" x
  JOIN "Tickets" t ON t.id = x."ticketId" JOIN "Tags" g ON g.id = x."tagId" WHERE {tagged} GROUP BY t.id, g.id
UNION ALL
SELECT 'card', t.id::text, concat_ws(' ', t."companyId", t."userId", {lane}, '@', "kanbanOrder") FROM "Tickets" t
ORDER BY 1, 2
"""
AS_IT_IS = ROWS.format(tag="true", tagged="true", times="count(*)::text", lane="""coalesce(t."kanbanLane", 0)""")
AS_IT_SHOULD_BE = ROWS.format(
    tag='"companyId" IS NOT NULL', tagged='t."companyId" = g."companyId"', times="'1'",
    lane="""coalesce((SELECT l.id FROM "Lanes" l WHERE l.id = t."kanbanLane" AND l."companyId" = t."companyId"), 0)""",
)  # fmt: skip
CORRUPT = """
SELECT (SELECT count(*) > 0 FROM "Tags" WHERE "companyId" IS NULL)
   AND (SELECT count(*) > count(DISTINCT ("ticketId", "tagId")) FROM "TicketTags")
   AND EXISTS (SELECT FROM "Tickets" t JOIN "Lanes" l ON l.id = t."kanbanLane" WHERE l."companyId" <> t."companyId")
"""
REMOVABLE = """SELECT 'Tags ' || t::text FROM "Tags" t UNION ALL SELECT 'TicketTags ' || t::text FROM "TicketTags" t"""
KEPT = """
SELECT table_name || ' ' || CASE table_name WHEN 'Tags' THEN before::"Tags"::text ELSE before::"TicketTags"::text END
  FROM kanban_rollback.quarantined WHERE table_name <> 'Tickets'
"""
LANES = 'SELECT id, "kanbanLane" FROM "Tickets" WHERE "kanbanLane" IS NOT NULL'
KEPT_LANES = """
SELECT (before::"Tickets").id, (before::"Tickets")."kanbanLane" FROM kanban_rollback.quarantined
 WHERE table_name = 'Tickets'
"""
SETTINGS = 'SELECT id, settings FROM "Companies" ORDER BY id'
APPROVED = "SELECT approved_by, undone_at IS NULL FROM kanban_rollback.repairs"


def lines(site: Site, sql: str) -> set[str]:
    """Return rows, each of which has a key; what differs is then shown by itself."""
    return set(site.psql("db1", sql).splitlines())


def typed(run: Run) -> dict[str, str]:
    """Return what the last screen says to type in order to repair, without who approves it."""
    found = dict(re.findall(r"-e (kanban_\w+)=(\S+)", run.screen.partition("To apply it:")[2]))
    assert found.pop("kanban_approved_by") == "'<who", run.screen
    assert found.keys() == {"kanban_incident_id", "kanban_recovery", "kanban_plan_hash"}, run.screen
    return found


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_what_the_application_corrupted_is_mended_kept_validated_released_and_back_in_stages(
    site: Site, application: Application, tmp_path: Path
) -> None:
    variables = {**application.variables, **VARIABLES, "kanban_incidents_dir": str(tmp_path / "incidents")}
    settings, accounts = site.psql("db1", SETTINGS), (tmp_path / "corrupted", tmp_path / "sound")
    with (
        application.load(accounts[0], tenants=CORRUPTED, rate=10),
        application.load(accounts[1], tenants=SOUND, rate=5),
    ):
        application.misbehave(duplicate_tags=3, orphan_tags=5, invalid_lanes=2, tenants=list(CORRUPTED))
        site.psql("db1", ANOTHERS_TAG)
        until(lambda: site.psql("db1", CORRUPT) == "t", "the application to corrupt something of each kind", timeout=60)
        stopped = site.run("scenario3", whole=True, variables=variables)
        assert (stopped.rc, site.on(), refuses(site)) == (0, 0, (True, True)), stopped.output
        for check in ("orphan_tags", "invalid_lanes", "duplicate_ticket_tags", "tags_of_other_companies"):
            assert f"plan for {check}: " in stopped.screen, stopped.screen
        sound = lines(site, AS_IT_SHOULD_BE)
        assert lines(site, AS_IT_IS) != sound
        removable, lanes = lines(site, REMOVABLE), lines(site, LANES)

        alone = {**typed(stopped), "kanban_plan_hash": "dead", "kanban_approved_by": "Ana@corp.example"}
        refused = site.run("scenario3", whole=True, variables=variables, extra=alone)
        assert (refused.rc != 0, lines(site, REMOVABLE)) == (True, removable), refused.output
        assert "ana may not approve what ana does" in refused.screen
        assert f"the plan is {typed(stopped)['kanban_plan_hash']} by now, and dead was approved" in refused.screen

        # People go on meanwhile: their messages are written to the tickets that are mended.
        repaired = site.run(
            "scenario3", whole=True, variables=variables, extra={**typed(stopped), "kanban_approved_by": "rui"}
        )
        assert repaired.rc == 0, repaired.output
        gone, moved = removable - lines(site, REMOVABLE), lanes - lines(site, LANES)
        assert f"{len(gone) + len(moved)} rows repaired, the data is validated." in repaired.screen, repaired.screen
        assert "0 writes were accepted since the fence" in repaired.screen
        assert (refuses(site), site.on()) == ((True, True), 0)
        assert lines(site, AS_IT_IS) == sound
        assert (lines(site, KEPT), lines(site, KEPT_LANES)) == (gone, moved)
        assert site.psql("db1", APPROVED) == "rui|t"

        at = time.time()
        released = site.run("release", whole=True, variables=variables)
        assert (released.rc, refuses(site), site.on()) == (0, (False, False), 0), released.output
        assert "RELEASED: Kanban's writes are let through again" in released.screen
        until(lambda: {"attach", "move"} <= set(written(accounts[1], at)), "people to work on V1", timeout=30)
    # What was planted is all that went wrong: nobody lost what they were told was done.
    report = application.verify(accounts[1])
    assert report.holds, report

    # By then the fault is mended; otherwise the corruption would come again.
    application.misbehave(duplicate_tags=None, orphan_tags=None, invalid_lanes=None, tenants=None)
    returned = site.run("reenable", whole=True, variables=variables, timeout=280)
    assert returned.rc == 0, returned.output
    assert f"RETURNED {PEOPLE} of {PEOPLE} tenants that had Kanban V2." in returned.screen
    assert site.psql("db1", SETTINGS) == settings
    assert lines(site, AS_IT_IS) == lines(site, AS_IT_SHOULD_BE)
