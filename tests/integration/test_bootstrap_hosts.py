# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml does on a host, and on one where it may do nothing: the database comes first and gets all."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import population
from tests.integration.hosts_here import Machine
from tests.integration.place import Database
from tests.support import accounts


@pytest.fixture
def machine(db: Database, directory: Path) -> Machine:
    """This machine as hosts, and a database without a ledger."""
    population(db)
    if os.geteuid() != 0:
        pytest.skip("needs root, whose part this is about")
    return Machine(db, directory)


def ordinary(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Give the directory to an account without privileges; return its name and how to run a command as it."""
    account = accounts.unprivileged()
    assert account
    os.chown(machine.directory, account.uid, account.gid)
    return account.name, ("/usr/bin/setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")


def test_a_managed_database_is_set_up_by_somebody_who_is_not_root(machine: Machine) -> None:
    _account, prefix = ordinary(machine)
    role = f"{machine.db.name}_ops"
    managed: dict[str, Any] = {"ansible_connection": "local", "kanban_role": role}
    run = machine.run(db={"db1": {}}, prefix=prefix, **managed)
    assert run.rc == 0, run.output
    machine.db.roles[role] = ""
    assert machine.has_ledger
    assert machine.db.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", (role,)) == 1
    assert "1 of 1 hosts are set up." in run.screen
    assert "db1: This host is the controller" in run.screen
    assert (machine.state.exists(), machine.runbooks.exists(), machine.recorded) == (False, False, [])
    gone = machine.absent(db={"db1": {}}, prefix=prefix, **managed)
    assert gone.rc == 0, gone.output
    assert not machine.has_ledger
    del machine.db.roles[role]


@pytest.mark.drill
def test_roots_part_is_done_although_modules_become_nobody(machine: Machine) -> None:
    first = machine.run(db={"db1": {}})
    assert first.rc == 0, first.output
    assert machine.has_ledger
    assert (machine.runbooks / "triage.md").is_file()
    assert machine.run(db={"db1": {}}).recap("db1")["changed"] == 0
    gone = machine.absent(db={"db1": {}})
    assert gone.rc == 0, gone.output
    assert sorted(machine.lib.iterdir()) == []
    assert not machine.runbooks.exists()


@pytest.mark.drill
def test_where_nobody_can_become_root_the_database_is_set_up_and_the_screen_says_what_is_not(machine: Machine) -> None:
    name, prefix = ordinary(machine)
    without = {"ansible_become_exe": "/bin/false"}
    run = machine.run(db={"db1": without}, prefix=prefix)
    assert run.rc != 0
    assert machine.has_ledger, run.output
    assert f"{name} cannot become root here" in run.text
    assert "Its directories and runbooks are not made, though its database is set up." in run.text
    assert "docs/errors.md#no_root" in run.text
    gone = machine.absent(db={"db1": without}, prefix=prefix)
    assert gone.rc == 0, gone.output
    assert not machine.has_ledger


@pytest.mark.drill
def test_a_plan_without_a_driver_says_so_and_the_database_follows_it(machine: Machine) -> None:
    bare = machine.without_driver()
    plan = machine.run("--check", "--diff", db={"db1": bare})
    assert plan.rc == 0, plan.output
    assert "db1: PLAN: python3-psycopg2 would be installed first" in plan.screen
    assert (machine.has_ledger, machine.recorded) == (False, [])
    run = machine.run(db={"db1": bare})
    assert run.rc == 0, run.output
    assert machine.has_ledger
    assert "package python3-psycopg2" in machine.recorded
    # Nobody installs anything on the controller, so there the plan fails as the run would.
    (driver,) = machine.directory.glob("python/lib/*/site-packages/driver.pth")
    driver.unlink()
    local = machine.run("--check", db={"db1": {**bare, "ansible_connection": "local"}})
    assert local.rc != 0
    assert "psycopg2" in local.text, local.output
    assert "would be installed first" not in local.text


def test_without_community_postgresql_it_says_what_to_type(machine: Machine) -> None:
    collection = Path(sysconfig.get_path("purelib"), "ansible_collections/community/postgresql")
    assert (collection / "plugins").is_dir()
    hidden = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {collection} && exec "$@"', "sh")
    run = machine.run(db={"db1": {}}, prefix=hidden)
    # Not 4, by which Ansible refuses a file that it cannot read.
    assert run.rc == 2, run.output
    assert "Type on the controller: ansible-galaxy collection install community.postgresql #" in run.text
    assert "Traceback" not in run.output
    assert not machine.has_ledger


@pytest.mark.drill
def test_the_directory_of_prior_values_stays_with_the_database_on_a_machine_of_several_names(machine: Machine) -> None:
    database = {"ansible_become": True, "ansible_become_user": "nobody"}
    two: dict[str, Any] = {"db": {"prod-db": database}, "app": {"prod-app": {}}}
    first = machine.run(**two)
    assert first.rc == 0, first.output
    assert (machine.state.owner(), machine.state.stat().st_mode & 0o777) == ("nobody", 0o700)
    again = machine.run(**two)
    assert {name: again.recap(name)["changed"] for name in ("prod-db", "prod-app")} == {"prod-db": 0, "prod-app": 0}
    assert machine.state.owner() == "nobody"
    # Of two databases, too, the second one does not take it from the first.
    other = machine.run(db={"prod-db": {}})
    assert other.rc == 0, other.output
    assert machine.state.owner() == "nobody"
    assert f"prod-db: {machine.state} stays with nobody" in other.screen


@pytest.mark.drill
def test_a_host_without_a_database_gets_no_directory_of_prior_values(machine: Machine) -> None:
    run = machine.run("-e", "kanban_db_hosts=none", db={"db1": {}}, app={"app1": {}})
    assert run.rc == 0, run.output
    assert not machine.state.exists()
    assert f"directory {machine.state}" not in machine.recorded
    assert (machine.runbooks / "triage.md").is_file()


@pytest.mark.drill
@pytest.mark.timeout(1200)
def test_pages_that_somebody_else_wrote_stay_as_they_are(machine: Machine) -> None:
    machine.runbooks.mkdir(parents=True)
    own = machine.runbooks / "triage.md"
    own.write_text("call Ana\n", encoding="utf-8")
    hosts: dict[str, Any] = {"db": {"db1": {}}}
    first = machine.run(**hosts)
    assert first.rc == 0, first.output
    assert own.read_text(encoding="utf-8") == "call Ana\n"
    assert f"db1: Not written, for somebody else has written it: {own}." in first.screen
    # The others are there, and follow the profile.
    page = machine.runbooks / "scenario3.md"
    other: dict[str, Any] = {"kanban_contacts": [{"role": "dba", "primary": "Zoraide"}]}
    assert machine.run(**hosts).recap("db1")["changed"] == 0
    assert machine.run(**hosts, **other).recap("db1")["changed"] > 0
    assert "Zoraide" in page.read_text(encoding="utf-8")
    plan = machine.absent("--check", **hosts)
    assert plan.rc == 0, plan.output
    assert page.exists()
    gone = machine.absent(**hosts)
    assert gone.rc == 0, gone.output
    assert [path.name for path in machine.runbooks.iterdir()] == ["triage.md"]
    assert own.read_text(encoding="utf-8") == "call Ana\n"
    # Of what is gone by then, the plan says nothing else than the removal.
    for run in (plan, gone):
        assert f"db1: {own} stays, for bootstrap.yml did not write it." in run.screen
        assert str(machine.state) not in run.screen
        assert "scenario3.md" not in run.screen
    assert machine.recorded == []


@pytest.mark.drill
def test_a_plan_to_remove_names_what_will_stay_and_a_directory_of_a_pages_name_is_not_removed(machine: Machine) -> None:
    hosts: dict[str, Any] = {"db": {"db1": {}}}
    assert machine.run(**hosts).rc == 0
    page = machine.runbooks / "triage.md"
    page.unlink()
    page.mkdir()
    (page / "notes").write_text("call Ana\n", encoding="utf-8")
    plan, gone = machine.absent("--check", **hosts), machine.absent(**hosts)
    assert (plan.rc, gone.rc) == (0, 0), plan.output + gone.output
    assert (page / "notes").read_text(encoding="utf-8") == "call Ana\n"
    words = f"db1: {machine.runbooks} stays, for what is in it was not made by bootstrap.yml (1 in it: triage.md)."
    assert words in gone.screen
    assert f"directory {machine.runbooks}" in machine.recorded
    for run in (plan, gone):
        assert "it was there before" not in run.screen
