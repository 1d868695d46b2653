# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else does while a run is under way, or between two runs, is seen and said."""

from __future__ import annotations

from tests.playbooks.place import BLOCK, ON, Site
from tests.playbooks.test_writes import ALL, HASTY, MOVES, refused, undo

# A second operator's stop at the worst moment: right after every tenant was put back, as the lease is given back.
STOPPED_AGAIN = """
CREATE FUNCTION stop_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public."Companies" SET settings = jsonb_set(settings, '{kanbanV2Enabled}', 'false') WHERE id % 3 = 0;
  RETURN NULL;
END $$;
CREATE TRIGGER stop_again AFTER DELETE ON kanban_rollback.leases EXECUTE FUNCTION stop_again();
"""


def test_stopped_again_after_an_undo_it_takes_another_dump_and_a_block_that_went_meanwhile_is_told(site: Site) -> None:
    before = site.rows()
    first = site.run("scenario3", variables=HASTY, whole=True)
    assert first.rc == 0, first.output
    undo(site, before)
    running = site.start("scenario3", variables=HASTY, whole=True)
    running.says("Also: the fence is proven, the write block is held.", timeout=60)
    site.redis("DEL", BLOCK, f"{{{BLOCK}}}:owner")
    again = running.wait()
    assert again.rc != 0, again.output
    assert "NOT WELL: the write block on redis1 is not known to be held" in again.screen
    assert site.redis("EXISTS", BLOCK) == "0"
    dumps = "ls /var/lib/postgresql/.local/state/kanban_rollback/dumps | grep -c "
    assert site.fleet["db1"].run(["sh", "-c", dumps + site.database]).stdout.strip() == "2"


def test_writes_stay_refused_where_somebody_stopped_it_again_while_it_was_undone(site: Site) -> None:
    assert site.run("scenario3", variables=HASTY, whole=True).rc == 0
    site.psql("db1", STOPPED_AGAIN)
    undone = site.run("reenable", extra=ALL, whole=True)
    assert undone.rc != 0, undone.output
    assert f"0 tenants are on, and {ON} were when they had been put back: somebody stopped it again" in undone.screen
    assert refused(site) == list(MOVES)
    assert site.redis("GET", BLOCK) == "true"
