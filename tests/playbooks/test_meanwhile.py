# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else does while a run is under way, or between two runs, is noticed and reported."""

from __future__ import annotations

import pytest

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

# The same, by a kill: it leaves its event, whatever it found to switch. The tests choose what calls it.
KILL_AGAIN = """
CREATE FUNCTION kill_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public."Companies" SET settings = jsonb_set(settings, '{kanbanV2Enabled}', 'false') WHERE id % 3 = 0;
  INSERT INTO kanban_rollback.events (incident_id, run_id, seq, at, phase, source, event, data, previous, hash)
    SELECT min(incident_id), 'run of another operator', 1, '2026-11-25T00:00:00.000000Z', 'contain', 'feature_flag',
           'disabled', '{}', '', 'x' FROM kanban_rollback.incidents;
  RETURN NULL;
END $$;
"""
AS_THE_LEASE_IS_GIVEN_BACK = """
CREATE TRIGGER kill_again AFTER DELETE ON kanban_rollback.leases EXECUTE FUNCTION kill_again();
"""
# The last thing that the undo does in a database.
AS_THE_FENCE_IS_LOWERED = """
CREATE TRIGGER kill_again AFTER INSERT ON kanban_rollback.events FOR EACH ROW
  WHEN (NEW.event = 'fence_lowered') EXECUTE FUNCTION kill_again();
"""
NOBODY_ON = """UPDATE "Companies" SET settings = settings - 'kanbanV2Enabled' WHERE id % 3 = 0"""


@pytest.mark.drill
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


@pytest.mark.drill
def test_writes_stay_refused_where_somebody_stopped_it_again_while_it_was_undone(site: Site) -> None:
    assert site.run("scenario3", variables=HASTY, whole=True).rc == 0
    site.psql("db1", STOPPED_AGAIN)
    undone = site.run("reenable", extra=ALL, whole=True)
    assert undone.rc != 0, undone.output
    assert f"0 tenants are on, and {ON} were when they had been put back: somebody stopped it again" in undone.screen
    assert refused(site) == list(MOVES)
    assert site.redis("GET", BLOCK) == "true"


@pytest.mark.parametrize(
    "nobody_on", [pytest.param(False, id="some on"), pytest.param(True, id="nobody on", marks=pytest.mark.drill)]
)
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(AS_THE_LEASE_IS_GIVEN_BACK, id="before writes"),
        pytest.param(AS_THE_FENCE_IS_LOWERED, id="after the fence", marks=pytest.mark.drill),
    ],
)
def test_the_later_stop_wins_whenever_it_comes_and_whatever_was_on(site: Site, moment: str, nobody_on: bool) -> None:
    if nobody_on:
        site.psql("db1", NOBODY_ON)
    assert site.run("scenario3", variables=HASTY, whole=True).rc == 0
    site.psql("db1", KILL_AGAIN + moment)
    undone = site.run("reenable", extra=ALL, whole=True)
    assert undone.rc != 0, undone.output
    assert "RESTORED" not in undone.screen.replace("NOT RESTORED", "")
    assert "Somebody stopped it again while it was undone: the ledger has 2 kills, and 1 when" in undone.screen
    assert "fence proven for" in undone.screen
    assert "Next: ask who stopped it again" in undone.screen
    assert (site.on(), refused(site), site.redis("GET", BLOCK)) == (0, list(MOVES), "true")
    assert undone.seconds < 60


@pytest.mark.drill
def test_a_stop_meanwhile_is_no_success_without_the_fence_either(site: Site) -> None:
    assert site.run("scenario3", variables=HASTY).rc == 0
    site.psql("db1", KILL_AGAIN + AS_THE_LEASE_IS_GIVEN_BACK)
    undone = site.run("reenable", extra=ALL)
    assert undone.rc != 0, undone.output
    assert "Somebody stopped it again while it was undone" in undone.screen
    assert site.on() == 0


@pytest.mark.drill
def test_tenants_that_went_off_meanwhile_are_no_success_without_the_fence_either(site: Site) -> None:
    assert site.run("scenario3", variables=HASTY).rc == 0
    site.psql("db1", STOPPED_AGAIN)
    undone = site.run("reenable", extra=ALL)
    assert undone.rc != 0, undone.output
    assert f"0 tenants are on, and {ON} were when they had been put back: somebody stopped it again" in undone.screen


@pytest.mark.drill
def test_the_last_screen_says_whether_the_incident_is_still_open(site: Site) -> None:
    assert site.run("scenario3", variables=HASTY).rc == 0
    undone = site.run("reenable", extra=ALL)
    assert undone.rc == 0, undone.output
    assert f"Incident {undone.incident} is still open; when it is over, close it: ansible-playbook" in undone.screen
    closed = site.run("reenable", extra={**ALL, "kanban_close": True, "kanban_incident_id": undone.incident})
    assert closed.rc == 0, closed.output
    assert f"Incident {undone.incident} is closed." in closed.screen
    assert site.psql("db1", "SELECT count(*) FROM kanban_rollback.incidents WHERE closed_at IS NULL").strip() == "0"
