# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that bootstrap.yml makes has no grant to spare: each is taken away, and what needs it says so.

The tables below list all that the catalogs have; a grant that is in none of them fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.integration import undertaken as work
from tests.integration.granted import Look, each_is_needed, everything
from tests.integration.least import Place, bootstrapped
from tests.integration.module import ROOT
from tests.integration.repairs import FENCED
from tests.support.dataset import KEY

# In the order in which an incident needs it.
TO_STOP_AND_LOOK: Mapping[Look, Sequence[str]] = {
    work.kill: (
        "CONNECT ON DATABASE {database}",
        "USAGE ON SCHEMA public",
        'SELECT ON public."Companies"',
        'UPDATE (settings) ON public."Companies"',
        "USAGE ON SCHEMA kanban_rollback",
        "SELECT ON kanban_rollback.meta",
        "SELECT ON kanban_rollback.incidents",
        "INSERT ON kanban_rollback.incidents",
        "SELECT ON kanban_rollback.incident_aliases",
        "INSERT ON kanban_rollback.flag_changes",
        "SELECT ON kanban_rollback.events",
        "INSERT ON kanban_rollback.events",
        "EXECUTE ON FUNCTION kanban_rollback.raise_{latch}(text)",
    ),
    work.undo: (
        "SELECT ON kanban_rollback.flag_changes",
        "EXECUTE ON FUNCTION kanban_rollback.lower_{latch}()",
    ),
    work.record: (
        "SELECT ON kanban_rollback.leases",
        "INSERT ON kanban_rollback.leases",
        "UPDATE ON kanban_rollback.leases",
        "INSERT ON kanban_rollback.incident_aliases",
        "SELECT ON kanban_rollback.latched",
        "DELETE ON kanban_rollback.leases",
        "UPDATE ON kanban_rollback.incidents",
    ),
    work.mark: ("INSERT ON kanban_rollback.meta",),
    work.keep_files: tuple(f"{word} ON kanban_rollback.files" for word in ("SELECT", "INSERT", "UPDATE")),
    work.purge: (
        "SELECT ON kanban_rollback.repairs",
        "SELECT ON kanban_rollback.quarantined",
        "DELETE ON kanban_rollback.quarantined",
        "DELETE ON kanban_rollback.files",
    ),
    work.fence: tuple(
        f"EXECUTE ON FUNCTION kanban_rollback.fence_{name}(jsonb)" for name in ("raise", "note", "try", "lower")
    ),
    work.rank: (
        *(f'SELECT ({name}) ON public."ErrorLogs"' for name in ('"companyId"', "context", '"createdAt"')),
        *(f'SELECT ({name}) ON public."Users"' for name in ('"companyId"', "profile")),
    ),
    work.check: (
        *(f'SELECT ({name}) ON public."Tags"' for name in ("id", '"companyId"', '"createdAt"', "kanban", "name")),
        *(f'SELECT ({name}) ON public."Lanes"' for name in ("id", '"companyId"')),
        *(f'SELECT ({name}) ON public."TicketTags"' for name in ("id", '"ticketId"', '"tagId"', '"createdAt"')),
        *(f'SELECT ({name}) ON public."Tickets"' for name in
          ("id", '"companyId"', '"kanbanLane"', '"kanbanOrder"', '"createdAt"', '"updatedAt"')),
    ),
    work.gate: ('SELECT (severity) ON public."ErrorLogs"', 'SELECT (job) ON public."Queue"'),
    work.slow: ("pg_read_all_stats",),
    work.end_a_session: ("pg_signal_backend",),
}  # fmt: skip


def test_what_stops_and_looks_is_granted_and_nothing_else() -> None:
    # As on PostgreSQL 13, and with what kanban_on_blocked: terminate needs.
    with bootstrapped(bootstrap_memberships=["pg_read_all_stats", "pg_signal_backend"]) as place:
        each_is_needed(place, TO_STOP_AND_LOOK)


TO_REPAIR: Mapping[Look, Sequence[str]] = {
    work.plan_repair: (
        *(f'{word} ON public."Tags"' for word in ("SELECT", "DELETE")),
        *(f'{word} ON public."TicketTags"' for word in ("SELECT", "DELETE")),
        'SELECT ON public."Tickets"',
        *(f'UPDATE ({name}) ON public."Tickets"' for name in ('"kanbanLane"', '"kanbanOrder"')),
        "TEMPORARY ON DATABASE {database}",
    ),
    work.repair: (
        *(f'INSERT ON public."{name}"' for name in ("Tags", "TicketTags")),
        "INSERT ON kanban_rollback.quarantined",
        *(f"{word} ON kanban_rollback.repairs" for word in ("INSERT", "UPDATE")),
    ),
}


def test_what_repairs_is_granted_and_nothing_else() -> None:
    # Dangling rows under a key that is not valid come back past it, which takes more rights than bootstrap gives.
    shape = {"on_delete": None, "tenants": 100, "tickets": 600}
    with bootstrapped(shape, kanban_role_repairs=True, kanban_integrity_checks={}) as place:
        place.db.rows(
            """UPDATE "Tickets" AS t SET "kanbanOrder" = 1, "kanbanLane" = l.id FROM "Lanes" AS l
               WHERE t."companyId" = 7 AND l."companyId" = 7 AND l.position = 0"""
        )
        place.modules.ok("incident", incident_id="INC-REPAIR")
        place.modules.ok("write_fence", tables=[*FENCED[:2], work.LANES], incident_id="INC-REPAIR")
        each_is_needed(place, TO_REPAIR, TO_STOP_AND_LOOK)


TO_DO_WHAT_ELSE_IS_ASKED_FOR: Mapping[Look, Sequence[str]] = {
    work.kill: (
        'SELECT ON public."Settings"',
        'UPDATE (value) ON public."Settings"',
        # A tenant without a row gets one, which is removed again.
        'INSERT ON public."Settings"',
    ),
    work.undo: ('DELETE ON public."Settings"',),
    work.plan_restore: (
        *(f'{word} ON public."{name}"' for name in work.RESTORED for word in ("SELECT", "INSERT")),
        *(f'SELECT (id) ON public."{name}"' for name in ("Users", "Lanes")),
    ),
    work.restore: (
        *(f'{word} ON public."{name}"' for name in work.RESTORED for word in ("UPDATE", "DELETE")),
        *(f'UPDATE ON SEQUENCE public."{name}_id_seq"' for name in work.RESTORED),
        # Rehearsals use the other sequences, and their grants for that allow reading as well.
        'SELECT ON SEQUENCE public."Tickets_id_seq"',
    ),
    work.rehearse: (
        *(f'{word} ON public."ErrorLogs"' for word in ("SELECT", "INSERT", "DELETE")),
        *(f'USAGE ON SEQUENCE public."{name}_id_seq"' for name in ("ErrorLogs", "Tags", "TicketTags")),
    ),
}


# No role has these grants unless they are asked for.
@pytest.mark.drill
def test_what_restores_rehearses_and_keeps_a_flag_in_rows_is_granted_and_nothing_else() -> None:
    flag = {
        "store": "key_value", "table": "Settings", "tenant_column": "companyId", "column": "value",
        "key_column": "key", "key": KEY, "enabled_value": "enabled", "disabled_value": "disabled",
        "tenants_table": "Companies", "absent_means": "on",
    }  # fmt: skip
    asked = {"kanban_role_restores": True, "kanban_role_rehearses": True, "kanban_environment": "staging"}
    with bootstrapped({"store": "key_value", "corruption": False}, kanban_flag=flag, **asked) as place:
        each_is_needed(place, TO_DO_WHAT_ELSE_IS_ASKED_FOR, {**TO_STOP_AND_LOOK, **TO_REPAIR})


@pytest.fixture(scope="module")
def as_it_comes() -> Iterator[Place]:
    """A place that was bootstrapped with defaults alone; each test undoes what it does to it."""
    with bootstrapped(bootstrap_memberships=None) as place:
        yield place


def test_as_it_comes_it_reads_what_it_dumps_and_has_nothing_that_is_not_above(as_it_comes: Place) -> None:
    as_it_comes.db.needs(14, "there is no pg_read_all_data")
    each_is_needed(as_it_comes, {work.dump: ("pg_read_all_data",)}, {**TO_STOP_AND_LOOK, **TO_REPAIR})


def test_what_an_older_version_granted_goes_with_the_next_bootstrap(as_it_comes: Place) -> None:
    place, before = as_it_comes, everything(as_it_comes)
    for grant in ("UPDATE ON {}.meta", "INSERT ON {}.latched", "INSERT ON {}.repairs"):
        place.db.rows(f"GRANT {grant.format('kanban_rollback')} TO {place.role}")
    given: dict[str, Any] = {"grant_to": [place.role]}
    assert place.db.modules().ok("ledger", **given)["changed"]
    assert everything(place) == before
    assert not place.db.modules().ok("ledger", **given)["changed"]


def test_the_documentation_has_their_number() -> None:
    tables = (TO_STOP_AND_LOOK, TO_REPAIR, TO_DO_WHAT_ELSE_IS_ASKED_FOR)
    stop, mend, rest = (sum(map(len, table.values())) for table in tables)
    text = " ".join((ROOT / "docs/security.md").read_text(encoding="utf-8").split())
    assert f"alone: {stop} to stop and to look, {mend} more to repair, {rest} more to restore, to rehearse and" in text


# Rights outside the usual places, what each is called, and what takes it back.
ELSEWHERE = (
    ("GRANT USAGE ON LANGUAGE sql TO {}", "language sql", "REVOKE USAGE ON LANGUAGE sql FROM {}"),
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {}",
        "default privileges",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM {}",
    ),
    ('ALTER TABLE "Queue" OWNER TO {}', 'table "Queue"', 'ALTER TABLE "Queue" OWNER TO CURRENT_USER'),
    ("ALTER ROLE {} SET work_mem = '1MB'", "work_mem", "ALTER ROLE {} RESET work_mem"),
    ("ALTER ROLE {} CREATEROLE", "is CREATEROLE", "ALTER ROLE {} NOCREATEROLE"),
)


def test_everything_of_the_catalogs_is_read(as_it_comes: Place) -> None:
    place, before = as_it_comes, everything(as_it_comes)
    for grant in (
        'REFERENCES ON public."Tags"', "EXECUTE ON FUNCTION pg_reload_conf()", "CREATE ON SCHEMA public",
        "pg_monitor", 'SELECT ON SEQUENCE public."Tags_id_seq"', "CREATE ON DATABASE kanban",
    ):  # fmt: skip
        place.db.rows(f"GRANT {grant} TO {place.role}")
        assert everything(place) - before == {grant}
        place.db.rows(f"REVOKE {grant} FROM {place.role}")
    for make, word, undo in ELSEWHERE:
        place.db.rows(make.format(place.role))
        assert any(word in grant for grant in everything(place) - before), make
        place.db.rows(undo.format(place.role))
