# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No ledger, and a role that may not make one: prior values go to a file of that role's user on the host."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.playbooks.place import ON, Site

ROLE = "reporting"
# Where the modules write if neither the system's nor the user's own place can be written to.
PLACES = ("/var/tmp/kanban_rollback", "/dev/shm/kanban_rollback")  # noqa: S108 - directories of the hosts
ALL = {"kanban_reenable": "all"}


@pytest.fixture
def frugal(site: Site) -> dict[str, Any]:
    """Make a role that may only switch the flag, and an account on the host whose home is read-only."""
    password = secrets.token_hex(16)
    site.psql(
        "db1",
        f"""CREATE ROLE {ROLE} LOGIN PASSWORD '{password}';
        GRANT SELECT, UPDATE (settings) ON "Companies" TO {ROLE}""",
    )
    db1 = site.fleet["db1"]
    db1.run(["sh", "-c", "id ops || { mkdir -m 0555 /srv/ops && useradd --home-dir /srv/ops ops; }"])
    return {
        "ansible_become_user": "ops",
        "kanban_postgresql_host": "127.0.0.1",
        "kanban_postgresql_user": ROLE,
        "kanban_postgresql_password": password,
    }


@pytest.fixture(autouse=True)
def role_goes(site: Site) -> Any:
    """Drop the role before its database goes, because a role belongs to the whole server."""
    yield
    site.fleet["db1"].run(["rm", "-rf", *PLACES])
    site.psql("db1", f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


@pytest.mark.drill
def test_prior_values_go_to_a_private_file_that_the_undo_reads(site: Site, frugal: dict[str, Any]) -> None:
    before = site.rows()
    run = site.run("scenario3", hosts={"db1": frugal})
    assert (run.rc, site.on()) == (0, 0), run.output
    db1 = site.fleet["db1"]
    path = db1.run(["find", PLACES[0], "-maxdepth", "1", "-type", "f"]).stdout.strip()
    assert path in run.screen
    assert "There is no ledger and this role may not make one" in run.screen
    assert db1.run(["stat", "-c", "%a %U", path]).stdout == "600 ops\n"
    again = site.run("scenario3", hosts={"db1": frugal}, extra={"kanban_incident_id": run.incident})
    assert again.rc == 0, again.output
    undone = site.run("reenable", hosts={"db1": frugal}, extra={**ALL, "kanban_incident_id": run.incident})
    assert undone.rc == 0, undone.output
    assert f"RESTORED: {ON} tenants" in undone.screen
    assert site.rows() == before


@pytest.mark.drill
def test_a_ledger_made_later_takes_the_file_over(site: Site, frugal: dict[str, Any]) -> None:
    before = site.rows()
    first = site.run("scenario3", hosts={"db1": frugal})
    assert first.rc == 0, first.output
    granted = {"kanban_role": ROLE}
    made = site.run("bootstrap", hosts=("db1",), variables=granted)
    assert made.rc == 0, made.output
    undone = site.run("reenable", hosts={"db1": frugal}, extra={**ALL, "kanban_incident_id": first.incident})
    assert undone.rc == 0, undone.output
    assert site.rows() == before
    assert site.incidents() == [first.incident]


@pytest.mark.drill
def test_what_no_file_can_take_stands_on_the_last_screen_in_the_form_that_the_undo_reads(
    site: Site, frugal: dict[str, Any]
) -> None:
    before = site.rows()
    db1 = site.fleet["db1"]
    for path in PLACES:
        db1.run(["install", "-d", "-m", "0700", path])
    run = site.run("scenario3", hosts={"db1": frugal})
    # Containment goes on in any case.
    assert site.on() == 0, run.output
    assert "No file could take the prior values" in run.screen
    assert "SAVE THE NEXT" in run.screen
    # Do what a person who has read it does: save the lines to the named file.
    shown = [
        part.partition("\n\nTASK")[0] for part in run.output.split("ok: [localhost] => \n") if "SAVE THE NEXT" in part
    ]
    screen = yaml.safe_load(shown[-1])["msg"].splitlines()
    lines = [line for line in screen if line.startswith("{")]
    (path,) = [word for line in screen for word in line.split() if word.endswith(".priors.jsonl")]
    db1.run(["install", "-d", "-o", "ops", "-m", "0700", str(Path(path).parent)])
    db1.run(["sh", "-c", f"umask 077; cat >{path}"], user="ops", stdin="".join(f"{line}\n" for line in lines))
    try:
        undone = site.run("reenable", hosts={"db1": frugal}, extra={**ALL, "kanban_incident_id": run.incident})
    finally:
        db1.run(["rm", "-rf", str(Path(path).parent)])
    assert undone.rc == 0, undone.output
    assert site.rows() == before
