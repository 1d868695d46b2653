# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bootstrap.yml's database part, and the same again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.integration.least import Place, unprepared
from tests.playbooks.runner import Run
from tests.support.dataset import DataSet

ATTRIBUTES = "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s"


def changed(run: Run) -> list[str]:
    """Return the names of the tasks that changed anything, without the test's own, which writes the result."""
    assert run.rc == 0, run.output
    found, task = [], ""
    for line in run.output.splitlines():
        if heading := re.match(r"TASK \[(?:\S+ : )?(.*)\] \*", line):
            task = heading[1]
        elif line.startswith("changed: ") and task not in ("Keep what it said", *found):
            found.append(task)
    return found


@pytest.fixture
def bare() -> Iterator[Place]:
    """A place in which nothing was bootstrapped yet."""
    with unprepared() as place:
        yield place


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
