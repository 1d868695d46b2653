# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of what gets in the way of a release: an application that forgets, and a second operator."""

from __future__ import annotations

# Says yes and keeps nothing: what only a look afterwards finds.
FORGETS = """
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER forget BEFORE INSERT ON "TicketTags" FOR EACH ROW WHEN (NEW."tagId" > 1000) EXECUTE FUNCTION forget();
"""
REMEMBERS = 'DROP TRIGGER IF EXISTS forget ON "TicketTags"; DROP FUNCTION IF EXISTS forget'
# A second operator's kill: before the fence is lowered, and as it is.
KILLED = """
CREATE FUNCTION kill_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO kanban_rollback.events (incident_id, run_id, seq, at, phase, source, event, data, previous, hash)
    VALUES (NEW.incident_id, 'another run', 1 + (SELECT count(*) FROM kanban_rollback.events),
            '2026-11-25T00:00:00.000000Z', 'contain', 'feature_flag', 'disabled',
            '{}', '', 'x');
  RETURN NULL;
END $$;
"""
BEFORE = """
CREATE TRIGGER kill_again AFTER UPDATE ON kanban_rollback.leases FOR EACH ROW EXECUTE FUNCTION kill_again();
"""
MEANWHILE = """
CREATE TRIGGER kill_again AFTER INSERT ON kanban_rollback.events FOR EACH ROW
  WHEN (NEW.event = 'fence_lowered') EXECUTE FUNCTION kill_again();
"""
