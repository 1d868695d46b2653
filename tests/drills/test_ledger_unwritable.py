# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger refuses every row: who had the flag goes to a file, the stop is complete, and the undo knows it all."""

from __future__ import annotations

import pytest

from tests.drills.drill import Drill

_REFUSE = """
CREATE FUNCTION kanban_rollback.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full';
END $$;
DO $$ DECLARE place regclass; BEGIN
  FOR place IN SELECT oid FROM pg_class WHERE relnamespace = 'kanban_rollback'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON %s
                    EXECUTE FUNCTION kanban_rollback.refuse()', place);
  END LOOP;
END $$;
"""
_TAKE = "DROP FUNCTION IF EXISTS kanban_rollback.refuse() CASCADE"


@pytest.mark.drill
def test_ledger_unwritable(drill: Drill) -> None:
    made = drill.start("bootstrap").wait(timeout=240)
    assert made.rc == 0, made.output
    drill.note_what_is_there()
    drill.after(drill.place.psql, _TAKE)
    drill.place.psql(_REFUSE)
    drill.stop(says=["who had it: file"])
    drill.finish()
