# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that bootstrap.yml makes repairs and brings back; for each right that it lacks, the GRANT is reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.integrity import CHECKS
from tests.integration.least import GRANTED, GRANTS, Place, bootstrapped
from tests.integration.module import Result
from tests.integration.repairs import FENCED, whole
from tests.integration.restores import backup, compare, restore

# As the profile fences it.
LANES = {"name": "Tickets", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["kanbanLane", "kanbanOrder"]}
# What the repair needs, and the first of them its undo too; this server lets only roles with a grant make temporary
# tables.
RIGHTS = (
    'UPDATE ("kanbanLane") ON public."Tickets"',
    "TEMPORARY ON DATABASE kanban",
)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """One database for all tests of this file: what each takes away it gives back."""
    with bootstrapped() as made:
        yield made


def test_it_repairs_and_brings_back_and_each_right_it_lacks_is_named(place: Place) -> None:
    db, checks = place.db, [{**check, "time": "createdAt"} for check in CHECKS]
    given = place.bootstrap(kanban_role_repairs=True)
    assert (
        f'GRANT SELECT, UPDATE ("kanbanLane", "kanbanOrder") ON public."Tickets" TO {place.role};' in given["granted"]
    )
    again = place.bootstrap(kanban_role_repairs=True)
    assert (again["changed"], again["granted"]) == (False, [])
    granted = set(db.rows(GRANTED, (place.role,)))
    assert granted == {
        *(("Tags", word) for word in ("INSERT", "DELETE", "SELECT")),
        *(("TicketTags", word) for word in ("INSERT", "DELETE", "SELECT")),
        ("Tickets", "SELECT"),
        ("Companies", "SELECT"),
    }
    modules = place.modules.having(incident_id="INC-7")
    modules.ok("incident")
    modules.ok("write_fence", tables=[*FENCED[:2], LANES])
    before = whole(db)

    def plan() -> Result:
        return modules.run("integrity_repair", True, checks=checks)

    def undo() -> Result:
        return modules.run("integrity_repair", True, state="undone")

    def named(look: Callable[[], Result], right: str) -> None:
        """Take a right away, and check that exactly the line that gives it back is reported."""
        db.rows(f"REVOKE {right} FROM {place.role}")
        grants = GRANTS.findall(json.dumps(look(), ensure_ascii=False).replace('\\"', '"'))
        assert set(grants) == {f"GRANT {right} TO {place.role};"}, grants
        db.rows(grants[0])

    for right in (*RIGHTS, 'DELETE ON public."TicketTags"'):
        named(plan, right)
    planned = plan()
    assert not planned["plan"]["refused"]
    done = modules.ok("integrity_repair", checks=checks, plan_hash=planned["plan_hash"])
    assert done["changed"]
    # What was touched is in quarantine, so this takes no temporary table.
    for right in (RIGHTS[0], 'INSERT ON public."TicketTags"'):
        named(undo, right)
    # Orphans under a key that was never checked come back past it, which takes more than bootstrap.yml gives.
    refused = modules.fails("missing_privilege", "integrity_repair", state="undone")
    assert "session_replication_role" in refused["error"]["todo"]
    db.rows(f"GRANT SET ON PARAMETER session_replication_role TO {place.role}")
    modules.ok("integrity_repair", state="undone")
    assert whole(db) == before
    db.rows(f"REVOKE SET ON PARAMETER session_replication_role FROM {place.role}")
    modules.ok("write_fence", state="absent")
    modules.ok("incident", state="closed")


def test_preflight_names_what_a_repair_would_lack_and_that_is_no_must(place: Place) -> None:
    repairs: list[dict[str, Any]] = [{"table": "Tags", "delete": True}, {"table": "Tickets", "columns": ["kanbanLane"]}]

    def look() -> Result:
        found = place.flagged.ok("preflight_info", repairs=repairs)
        return next(dict(one) for one in found["checks"] if one["name"] == "repair")

    assert look()["ok"]
    for right in (*RIGHTS, 'DELETE ON public."TicketTags"', "INSERT ON kanban_rollback.quarantined"):
        place.db.rows(f"REVOKE {right} FROM {place.role}")
        check = look()
        assert (check["ok"], check["severity"]) == (False, "should")
        assert check["what"].startswith("repair: not ready, because this role lacks ")
        (grant,) = GRANTS.findall(check["todo"])
        assert grant == f"GRANT {right} TO {place.role};"
        place.db.rows(grant)


def test_it_restores_where_that_was_asked_for_and_is_left_with_nothing(place: Place) -> None:
    db, named = place.db, ("Tags", "Tickets", "TicketTags")
    place.bootstrap(kanban_role_repairs=False, kanban_role_restores=True)
    words = ("SELECT", "INSERT", "UPDATE", "DELETE")
    sequences = {(f"{name}_id_seq", word) for name in named for word in ("SELECT", "UPDATE")}
    granted = set(db.rows(GRANTED, (place.role,)))
    assert granted >= {*((name, word) for name in named for word in words), *sequences}
    # The tables that rows lead to are only read.
    assert {(name, word) for name, word in granted if word != "SELECT" and name not in named} == {
        one for one in sequences if one[1] != "SELECT"
    }
    source = backup(db, place.directory, "custom", *named)
    before = whole(db, *(f'"{name}"' for name in named))
    db.rows('DELETE FROM "TicketTags" WHERE "tagId" IN (SELECT id FROM "Tags" ORDER BY id DESC LIMIT 3)')
    db.rows('DELETE FROM "Tags" WHERE id IN (SELECT id FROM "Tags" ORDER BY id DESC LIMIT 3)')
    db.rows("""UPDATE "Tickets" SET "lastMessage" = 'x' WHERE id < 4""")
    db.rows("""SELECT setval('"Tags_id_seq"', 1)""")
    damaged = whole(db, *before)
    place.modules.ok("incident", incident_id="INC-8")
    modules = place.modules.having(incident_id="INC-8", run_id="run-8", allow_unfenced=True)
    for right in ('INSERT ON public."Tags"', "TEMPORARY ON DATABASE kanban"):
        db.rows(f"REVOKE {right} FROM {place.role}")
        lacks = modules.run("pg_restore_tables", True, source=source, tables=[*named])
        assert f"GRANT {right} TO {place.role};" in json.dumps(lacks, ensure_ascii=False).replace('\\"', '"')
        db.rows(f"GRANT {right} TO {place.role}")
    assert compare(modules, source, *named)["plan"]["total_rows"] > 0
    done = restore(modules, source, *named, changed="restore")
    assert whole(db, *before) == before
    assert [(one["sequence"], one["set"]) for one in done["sequences"]] == [("public.Tags_id_seq", True)]
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db, *before) == damaged
    place.modules.ok("incident", incident_id="INC-8", state="closed")
    place.bootstrap("absent")
    assert db.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", (place.role,)) == []


@pytest.mark.drill
def test_it_rehearses_where_that_was_asked_for_and_never_in_production(place: Place) -> None:
    given = place.bootstrap(kanban_role_rehearses=True, kanban_environment="staging")
    assert f'GRANT USAGE ON SEQUENCE public."ErrorLogs_id_seq" TO {place.role};' in given["granted"]
    for environment in ("production", ""):
        with pytest.raises(AssertionError, match=r"(?s)kanban_role_rehearses: .*#role_rehearses"):
            place.bootstrap(kanban_role_rehearses=True, kanban_environment=environment)
    place.bootstrap("absent", kanban_environment="staging")
    assert place.db.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", (place.role,)) == []
