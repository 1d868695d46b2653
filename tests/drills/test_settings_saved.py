# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People save other settings of the companies that are switched, through stop and undo: no save is lost or refused."""

from __future__ import annotations

import pytest

from tests.drills.drill import PEOPLE, Drill
from tests.drills.judge import LEAST_WRITES, judge_saved, patience
from tests.drills.savers import KEY, Savers
from tests.hosts.host import until
from tests.playbooks.place import IS_ON

# A save waits for the statement that switches its row and for the one that raises the latch, each of which gives way.
_LONGEST_SECONDS = 5
_ON = f'SELECT id FROM "Companies" WHERE {IS_ON} AND id BETWEEN {PEOPLE.start} AND {PEOPLE.stop - 1} ORDER BY id'
# Settings may be anything that JSON can be.
_EACH = "jsonb_each(CASE jsonb_typeof(settings) WHEN 'object' THEN settings ELSE '{}' END) AS setting"
_SAVED = f"""SELECT id, setting.key FROM "Companies", {_EACH} WHERE setting.key LIKE '{KEY} %'"""
# What they do not save has to come back to the letter.
_THE_REST = f"""
SELECT id, CASE jsonb_typeof(settings) WHEN 'object' THEN (
         SELECT COALESCE(jsonb_object_agg(setting.key, setting.value), '{{}}') FROM {_EACH}
          WHERE setting.key NOT LIKE '{KEY} %') ELSE settings END
  FROM "Companies" ORDER BY id
"""


@pytest.mark.drill
def test_settings_saved(drill: Drill) -> None:
    companies = [int(line) for line in drill.place.psql(_ON).split()]
    drill.settings_sql = _THE_REST
    with Savers(drill.estate, companies) as savers:
        until(lambda: {save.company for save in savers.saves} >= set(companies), "each to have saved", timeout=30)
        drill.estate.site.disconnect()
        running = drill.start()
        drill.stop(running=running)
        off = running.began + drill.figures.off[0]
        drill.finish()
        undoing = drill.running[-1].began
    meanwhile = [save for save in savers.saves if running.began <= save.at <= off]
    assert len(meanwhile) >= LEAST_WRITES, f"{len(meanwhile)} saves while it was switched off: this shows nothing"
    assert len([save for save in savers.saves if save.at > undoing]) >= LEAST_WRITES, "nobody saved during the undo"
    assert not savers.failed, f"expected: no save refused; found {len(savers.failed)}, the first {savers.failed[0]}"
    lines = [line.split("|") for line in drill.place.psql(_SAVED).splitlines()]
    judge_saved([(save.company, save.key) for save in savers.saves], {(int(company), key) for company, key in lines})
    longest = max(savers.saves, key=lambda save: save.took)
    bound = _LONGEST_SECONDS * patience()
    assert longest.took < bound, f"expected: a save within {bound:.0f} s; found: {longest}"
