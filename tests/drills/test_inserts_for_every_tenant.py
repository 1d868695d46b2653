# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction has inserted a row for every company, which its foreign key locks: the kill does not wait for it."""

from __future__ import annotations

import contextlib

import pytest

from tests.drills.drill import HASTY, Drill

_INSERTS = """INSERT INTO "ErrorLogs" ("companyId", severity, context, message)
              SELECT id, 'info', 'import', 'still open' FROM "Companies" """
_LOCKED = """SELECT count(*) FROM pg_locks
              WHERE pid = %s AND mode = 'RowShareLock' AND relation = '"Companies"'::regclass"""


@pytest.mark.drill
def test_inserts_for_every_tenant(drill: Drill) -> None:
    with contextlib.closing(drill.estate.site.connect(application="import")) as session:
        cursor = session.cursor()
        cursor.execute(_INSERTS)
        cursor.execute(_LOCKED, (session.info.backend_pid,))
        assert cursor.fetchone() == (1,), "no foreign key has locked the companies: this shows nothing"
        # It could still write back what it read before the kill, so it is named; the flag is off for everybody.
        drill.stop(says=[f"pid {session.info.backend_pid} (import)"], extra=HASTY)
        session.rollback()
    drill.finish()
