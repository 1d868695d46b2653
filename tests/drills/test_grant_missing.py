# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least-privileged role lacks one of its grants: all that does not need it is done, and the one is named."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.drills.drill import HASTY, Drill
from tests.staging.settings import DATA

ROLE = "kanban_rollback"
_PASSWORD = "of-this-drill-alone"


@dataclass(frozen=True)
class Lack:
    """What is taken away, and what the run then says; ``stops``: whether the flag is off all the same."""

    revoked: tuple[str, ...]
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    fails: bool = True
    stops: bool = True


# From PostgreSQL 14 on it reads as a member, and has what it cannot be without by name as well.
_READS = "pg_read_all_data"
_STAYS_ON = ("NOT CONTAINED", "hosts could not do it", "db1: fence proven for", "redis1: write block held by")
LACKS = {
    "flag": Lack(('UPDATE (settings) ON "Companies"',), _STAYS_ON, stops=False),
    "tenants": Lack((_READS, 'SELECT ON "Companies"'), _STAYS_ON, stops=False),
    "ledger": Lack(("INSERT ON ALL TABLES IN SCHEMA kanban_rollback",), ("who had it: file",), fails=False),
    "ledger's schema": Lack(
        (_READS, "USAGE ON SCHEMA kanban_rollback"), ("CONTAINED IN PART",), ("the fence is proven",)
    ),
    "fence and latch": Lack(
        ("EXECUTE ON ALL FUNCTIONS IN SCHEMA kanban_rollback",),
        ("CONTAINED IN PART", "may not call kanban_rollback.fence_raise()"),
        ("the fence is proven",),
    ),
    "dump": Lack((_READS,), ("the fence is proven", "NOT WELL: no proven dump of db1"), ("the dump is proven",)),
}
# How the role that bootstrap.yml makes is logged in as.
_LEAST = {
    "kanban_postgresql_host": "localhost",
    "kanban_postgresql_user": ROLE,
    "kanban_postgresql_password": _PASSWORD,
}


def _bootstrap(drill: Drill) -> None:
    """Make the role; what other hosts would get besides has no part in this."""
    extra = {"kanban_role_password": _PASSWORD, "kanban_redis_hosts": "none", "kanban_app_hosts": "none"}
    made = drill.start("bootstrap", extra).wait(timeout=300)
    assert made.rc == 0, made.output


@pytest.mark.drill
@pytest.mark.parametrize("lack", LACKS.values(), ids=LACKS.keys())
def test_grant_missing(drill: Drill, lack: Lack) -> None:
    _bootstrap(drill)
    drill.note_what_is_there()
    # It grants what is lacking.
    drill.after(_bootstrap, drill)
    for revoked in lack.revoked:
        drill.place.psql(f"REVOKE {revoked} FROM {ROLE}")
    drill.stop(
        fails=lack.fails,
        says=lack.says,
        never=lack.never,
        most=0 if lack.stops else DATA.expected_on(),
        extra={**HASTY, **_LEAST},
    )
    drill.finish(extra=_LEAST, undo=_LEAST)
