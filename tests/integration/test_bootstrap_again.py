# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bootstrap.yml's database part, and the same again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2 import sql

from tests.integration.least import Place, unprepared
from tests.playbooks.runner import Run
from tests.support import binaries
from tests.support.dataset import DataSet
from tests.support.servers import ServerError

GROUPS = ["pg_read_all_data", "pg_read_all_stats"]
ATTRIBUTES = "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s"


def changed(run: Run) -> list[str]:
    """Return the names of the tasks that changed anything, without the test's own, which writes the result."""
    assert run.rc == 0, run.output
    found: list[str] = []
    task = ""
    for line in run.output.splitlines():
        if heading := re.match(r"TASK \[(?:\S+ : )?(.*)\] \*", line):
            task = heading[1]
        elif line.startswith("changed: ") and task not in ("Keep what it said", *found):
            found.append(task)
    return found


@pytest.fixture(params=[pytest.param(15, marks=pytest.mark.drill), 17])
def owned(request: pytest.FixtureRequest) -> Iterator[tuple[Place, dict[str, Any]]]:
    """A place whose tables a role owns that may create schemas and roles, and the variables that make it the login."""
    try:
        binaries.postgres(request.param)
    except ServerError as missing:
        pytest.skip(str(missing))
    with unprepared(version=request.param) as place:
        password, db = secrets.token_hex(8), place.db
        db.rows(sql.SQL("CREATE ROLE owner LOGIN CREATEROLE PASSWORD {}").format(sql.Literal(password)))
        db.rows("ALTER DATABASE kanban OWNER TO owner; ALTER SCHEMA public OWNER TO owner")
        tables = (
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in db.rows(tables):
            db.rows(f"ALTER TABLE {table} OWNER TO owner")
        if request.param >= 16:
            # From then on CREATEROLE alone does not make anybody a member of such roles.
            db.rows(f"GRANT {', '.join(GROUPS)} TO owner WITH ADMIN OPTION")
        yield (
            place,
            {
                "kanban_postgresql_user": "owner",
                "kanban_postgresql_password": password,
                "bootstrap_memberships": GROUPS,
            },
        )


def test_a_role_that_is_no_superuser_runs_it_again(owned: tuple[Place, dict[str, Any]]) -> None:
    place, owner = owned
    assert "Make the least-privileged role" in changed(place.play(**owner))
    assert place.db.rows(ATTRIBUTES, (place.role,)) == [(True, False, False, False)]
    # Only who may read pg_authid sees whether the password is the same; by its grants the newer server's owner may.
    assert changed(place.play(**owner)) == ([] if place.db.version >= 16 else ["Set its password"])
    place.password = secrets.token_hex(8)
    assert changed(place.play(**owner)) == ["Set its password"]
    place.as_role('SELECT FROM "Companies"')
    assert changed(place.play("absent", **owner))
    assert place.db.rows(ATTRIBUTES, (place.role,)) == []


@pytest.fixture
def bare() -> Iterator[Place]:
    """A place in which nothing was bootstrapped yet."""
    with unprepared() as place:
        yield place


def test_a_role_that_is_there_and_administers_is_named_and_left_as_it_is(bare: Place) -> None:
    bare.db.rows(f"CREATE ROLE {bare.role} LOGIN SUPERUSER CREATEDB")
    refused = bare.play()
    assert refused.rc != 0, refused.output
    assert f"Role {bare.role} is there already, and is SUPERUSER, CREATEDB." in refused.text, refused.output
    statement = f"ALTER ROLE {bare.role} NOSUPERUSER NOCREATEDB NOCREATEROLE;"
    assert f"type as a superuser: {statement}" in refused.text
    assert (bare.db.rows(ATTRIBUTES, (bare.role,)), bare.db.has_ledger()) == ([(True, True, True, False)], False)
    # The line is ready to be typed.
    bare.db.rows(statement)
    assert changed(bare.play())


def memberships(place: Place) -> list[str]:
    """Return what the role is a member of."""
    members = "SELECT DISTINCT roleid::regrole::text FROM pg_auth_members WHERE member = %s::regrole ORDER BY 1"
    return [row[0] for row in place.db.rows(members, (place.role,))]


@pytest.mark.drill
def test_memberships_are_taken_back_with_the_next_bootstrap(bare: Place) -> None:
    bare.db.needs(14, "there is no pg_read_all_data")
    bare.bootstrap(bootstrap_memberships=[*GROUPS, "pg_signal_backend"])
    # What somebody else made it a member of stays.
    bare.db.rows(f"CREATE ROLE others; GRANT others TO {bare.role}")
    taken_back, granted = changed(bare.play(bootstrap_memberships=GROUPS[1:]))
    # What it could read as a member it is then granted column by column.
    assert (taken_back, granted[:15]) == ("Revoke the roles that it no longer needs", "Make the ledger")
    assert memberships(bare) == ["others", *GROUPS[1:]]
    assert changed(bare.play(bootstrap_memberships=GROUPS[1:])) == []
    # None at all, and another role's grant.
    if bare.db.version >= 16:
        bare.db.rows(f"CREATE ROLE dba; GRANT {GROUPS[1]} TO dba WITH ADMIN OPTION")
        bare.db.rows(f"SET ROLE dba; GRANT {GROUPS[1]} TO {bare.role}")
        left = bare.play(bootstrap_memberships=[])
        assert left.rc != 0, left.output
        assert f'REVOKE "{GROUPS[1]}" FROM "{bare.role}" GRANTED BY …;' in left.text.replace("\\", ""), left.output
        bare.db.rows(f"REVOKE {GROUPS[1]} FROM {bare.role} GRANTED BY dba")
    assert bare.play(bootstrap_memberships=[]).rc == 0
    assert memberships(bare) == ["others"]


@pytest.mark.drill
def test_two_databases_of_one_server_give_one_role_one_password(bare: Place) -> None:
    bare.db.server.create_database("second")
    with bare.db.connect(dbname="second") as session:
        DataSet(tenants=30, tickets=300).load(session)
    databases = {
        name: {"kanban_postgresql_db": name, "result_file": str(bare.directory / f"{name}.json")}
        for name in (bare.db.name, "second")
    }
    assert changed(bare.play(databases=databases))
    assert changed(bare.play(databases=databases)) == []
    for name in databases:
        with bare.db.connect(dbname=name, user=bare.role, password=bare.password) as session:
            assert session.info.user == bare.role
    assert changed(bare.play("absent", databases))
    assert bare.db.rows(ATTRIBUTES, (bare.role,)) == []
