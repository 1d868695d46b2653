# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lost rows come back from backups on the database hosts while people stay at work; then their boards work again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.integration.test_recovery_restore import typed
from tests.playbooks.application import Application
from tests.playbooks.place import PRIMARIES, Site
from tests.playbooks.test_release import HASTY, refuses
from tests.playbooks.test_repair import lines

pytestmark = pytest.mark.drill
RESTORE = {"kanban_recovery": "restore"}
NO_APPLICATION = {"kanban_app_hosts": "none"}
BACKUP = "/var/lib/postgresql/restore.dump"
TAGGED = """SELECT concat_ws(' ', "ticketId", "tagId", count(*)) FROM "TicketTags" GROUP BY "ticketId", "tagId" """
# Only companies whose people are not at work meanwhile.
UNTAG = 'DELETE FROM "TicketTags" WHERE "ticketId" IN (SELECT id FROM "Tickets" WHERE "companyId" BETWEEN 2 AND 30)'


@pytest.fixture
def backed_up(site: Site) -> Iterator[Site]:
    """Yield the site, and remove its backups afterwards."""
    yield site
    for name in PRIMARIES:
        site.fleet[name].run(["rm", "-f", BACKUP])


def back_up(site: Site, host: Host) -> dict[str, str]:
    """Back up the site's database as the user of its server; return the option ``source``."""
    host.run(["pg_dump", "--format=custom", f"--file={BACKUP}", site.database], user="postgres", timeout=60)
    return {"kind": "file", "path": BACKUP}


@pytest.mark.timeout(900)
def test_several_primaries_have_a_backup_each_and_one_hash(backed_up: Site, tmp_path: Path) -> None:
    site = backed_up
    variables: dict[str, Any] = {
        **HASTY,
        "kanban_operator": "ana",
        "kanban_incidents_dir": str(tmp_path / "incidents"),
        # This schema has no timestamps.
        "kanban_restore_tables": [
            {"name": "Tags", "tenant": "companyId"},
            {"name": "Tickets", "tenant": "companyId"},
            "TicketTags",
        ],
    }
    hosts = {name: {"kanban_restore_source": back_up(site, site.fleet[name])} for name in PRIMARIES}
    whole = {name: set(site.psql(name, TAGGED).splitlines()) for name in PRIMARIES}
    gone = {"db1": 40, "db3": 70}
    for name, rows in gone.items():
        site.psql(name, f'DELETE FROM "TicketTags" WHERE "ticketId" <= {rows}')
    stopped = site.run("scenario3", whole=True, hosts=hosts, variables=variables, extra={**RESTORE, **NO_APPLICATION})
    assert stopped.rc == 0, stopped.output
    for name, rows in gone.items():
        assert re.search(
            rf"{name}: public\.TicketTags: \d+ rows in the backup, \d+ now: {rows} missing", stopped.screen
        )
    assert f"the plan would bring {sum(gone.values())} rows back" in stopped.screen
    given = typed(stopped)
    # What the inventory has is not typed again.
    assert "kanban_restore_source" not in given
    done = site.run(
        "scenario3", whole=True, hosts=hosts, variables=variables, extra={**given, "kanban_approved_by": "rui"}
    )
    assert done.rc == 0, done.output
    assert f"{sum(gone.values())} rows came back, the data is validated" in done.screen
    for name in PRIMARIES:
        assert set(site.psql(name, TAGGED).splitlines()) == whole[name]


@pytest.mark.timeout(900)
def test_what_was_deleted_comes_back_while_people_go_on_and_then_they_work_again(
    backed_up: Site, application: Application, tmp_path: Path
) -> None:
    site = backed_up
    variables = {
        **application.variables,
        **HASTY,
        # Four application processes and their people run on this machine, too.
        "kanban_evidence_seconds": 40,
        "kanban_operator": "ana",
        "kanban_incidents_dir": str(tmp_path / "incidents"),
    }
    source = back_up(site, site.fleet["db1"])
    with application.load(tmp_path / "people", tenants=range(31, 61), rate=10):
        before = lines(site, TAGGED)
        site.psql("db1", UNTAG)
        gone = before - lines(site, TAGGED)
        assert gone
        # Meanwhile people have put tags back on their cards; the old rows would duplicate them.
        asked = {**RESTORE, "kanban_restore_source": source, "kanban_restore_conflicts": "skip"}
        stopped = site.run("scenario3", whole=True, variables=variables, extra=asked)
        assert (stopped.rc, site.on(), refuses(site)) == (0, 0, (True, True)), stopped.output
        given = typed(stopped)
        assert given["kanban_restore_source"] == source
        now = lines(site, TAGGED)
        done = site.run("scenario3", whole=True, variables=variables, extra={**given, "kanban_approved_by": "rui"})
        assert done.rc == 0, done.output
        assert "rows came back, the data is validated" in done.screen
        assert "0 writes were accepted since the fence" in done.screen
        # Tags that people removed themselves since the backup come back as well: nobody can tell them apart.
        assert lines(site, TAGGED) >= now | gone
        released = site.run("release", whole=True, variables=variables)
        assert (released.rc, refuses(site)) == (0, (False, False)), released.output
