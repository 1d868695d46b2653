# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill as the least-privileged role, with one of its grants revoked for a while.

Nothing is open to PUBLIC, so that what is revoked from the role is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.drills.drill import HASTY, Drill
from tests.drills.grants import BY_NAME, READS_ALL, ROLE, filled, granted
from tests.rehearsal.estate import DATABASE

_PASSWORD = "of-this-drill-alone"
# The login of the role that bootstrap.yml makes.
LEAST: Mapping[str, Any] = {
    "kanban_postgresql_host": "localhost",
    "kanban_postgresql_user": ROLE,
    "kanban_postgresql_password": _PASSWORD,
}
STOP: Mapping[str, Any] = {**HASTY, **LEAST}
# Closed, so that the next stop is of another incident.
UNDO: Mapping[str, Any] = {**LEAST, "kanban_close": True}
# What other hosts would also get plays no part here.
MAKES: Mapping[str, Any] = {
    "kanban_role_password": _PASSWORD,
    "kanban_redis_hosts": "none",
    "kanban_app_hosts": "none",
}
# The application owns the database and needs none of the privileges of PUBLIC.
CLOSE = f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC"
OPEN = f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC"


def make_role(drill: Drill) -> Drill:
    """Make the role, on a database closed to PUBLIC, with every grant by name and ``READS_ALL`` as well."""
    drill.after(drill.place.psql, OPEN)
    drill.place.psql(CLOSE)
    made = drill.start("bootstrap", {**MAKES, **BY_NAME}).wait(timeout=300)
    assert made.rc == 0, made.output
    drill.place.psql(f"GRANT {READS_ALL} TO {ROLE}")
    drill.note_what_is_there()
    return drill


@contextlib.contextmanager
def without(drill: Drill, *grants: str) -> Iterator[None]:
    """Revoke grants that the role has, and give them back."""
    named = [filled(grant, drill.place) for grant in grants]
    there = granted(drill.place)
    assert there.issuperset(named), f"not granted: {set(named) - there}"
    drill.place.psql("; ".join(f"REVOKE {grant} FROM {ROLE}" for grant in named))
    try:
        yield
    finally:
        drill.place.psql("; ".join(f"GRANT {grant} TO {ROLE}" for grant in named))
