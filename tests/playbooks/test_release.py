# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes back on the real application while people work: refused, released, refused again, and nothing lost."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.hosts.host import Host
from tests.integration.module import Modules
from tests.playbooks.application import Application
from tests.playbooks.place import BLOCK, Site
from tests.playbooks.runner import Run
from tests.staging.account import MESSAGE, acknowledged
from tests.staging.settings import email

HASTY = {"kanban_drain_seconds": 5, "kanban_sweep_seconds": 2}
# It says yes and keeps nothing: only a look afterwards finds that. Tags of the data set have the first thousand ids.
FORGETS = """
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER forget BEFORE INSERT ON "TicketTags" FOR EACH ROW WHEN (NEW."tagId" > 1000) EXECUTE FUNCTION forget();
"""
REMEMBERS = 'DROP TRIGGER forget ON "TicketTags"; DROP FUNCTION forget()'
TEST_COMPANY = """
SELECT 'tag', id, name, 1 FROM "Tags" WHERE "companyId" = 1
UNION ALL SELECT 'card', "ticketId", "tagId"::text, count(*) FROM "TicketTags"
  WHERE "ticketId" IN (SELECT id FROM "Tickets" WHERE "companyId" = 1) GROUP BY 2, 3
ORDER BY 1, 2, 3
"""
EVENTS = "SELECT event FROM kanban_rollback.events WHERE phase = 'release' ORDER BY at"
OVERRIDDEN = """
SELECT data ->> 'operator', data ->> 'reason' FROM kanban_rollback.events WHERE event = 'validation overridden'
"""


def validate(site: Site, incident: str, event: str = "data validated") -> None:
    """Record what the role that validates the data records."""
    fleet = site.fleet
    login = {"login_host": fleet["db1"].address, "login_user": "postgres", "login_db": site.database}
    modules = Modules({**login, "login_password": fleet.postgres_password, "incident_id": incident})
    modules.ok("incident", event={"phase": "validate", "event": event, "data": {"remaining": 0}})


def refuses(site: Site) -> tuple[bool, bool]:
    """Return whether the database refuses Kanban's writes, and whether the application does."""
    with contextlib.closing(site.connect()) as session, session.cursor() as cursor:
        try:
            cursor.execute('DELETE FROM "TicketTags" WHERE false')
            fenced = False
        except psycopg2.Error as error:
            if error.pgcode != "KB001":
                raise
            fenced = True
    return fenced, site.redis("GET", BLOCK) == "true"


def stop(site: Site, variables: dict[str, Any]) -> Run:
    """Run scenario 3 without what it preserves: that has tests of its own."""
    undumped, alone = {**variables, "kanban_dump_tables": []}, {"kanban_app_hosts": "none"}
    run = site.run("scenario3", whole=True, variables=undumped, extra=alone)
    assert (run.rc, site.on(), refuses(site)) == (0, 0, (True, True)), run.output
    return run


def written(path: Path, since: float) -> list[str]:
    """Return what people were told was done to cards since a moment."""
    return [entry.operation for entry in acknowledged(path) if entry.operation != MESSAGE and entry.at > since]


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_released_to_people_at_work_and_what_fails_then_is_refused_again_with_nothing_lost(
    site: Site, application: Application, tmp_path: Path
) -> None:
    variables, account = {**application.variables, **HASTY}, tmp_path / "account"
    company = site.psql("db1", TEST_COMPANY)
    with application.load(account, tenants=range(2, 61), rate=20):
        stopped = stop(site, variables)
        # Nothing was corrupt, so the stop has validated it. Somebody found something since.
        validate(site, stopped.incident, "data not validated")
        at = time.time()
        refused = site.run("release", whole=True, variables=variables)
        assert (refused.rc != 0, refuses(site)) == (True, (True, True)), refused.output
        assert "NOT RELEASED, nothing was changed: the data of db1 is not validated" in refused.screen
        assert "chatia.kanban_rollback.scenario3 -i " in refused.screen
        assert f"-e kanban_incident_id={stopped.incident}" in refused.screen
        assert written(account, at) == []

        validate(site, stopped.incident)
        at = time.time()
        released = site.run("release", whole=True, variables=variables)
        assert (released.rc, refuses(site), site.on()) == (0, (False, False), 0), released.output
        print(released.screen)
        assert "RELEASED: Kanban's writes are let through again, so people work on V1" in released.screen
        assert "the fence is lowered, no write block is held, the smoke test passed" in released.screen
        assert "db2: a replica, nothing to do" in released.screen
        for host in ("app1", "app2"):
            assert f"{host}: the smoke test passed in" in released.screen
            assert f"{host}: the V1 walk passed in" in released.screen
        time.sleep(3)
        assert {"attach", "move"} <= set(written(account, at))

        again = site.run("release", whole=True, variables=variables)
        assert again.rc == 0, again.output
        assert {again.recap(host)["changed"] for host in ("db1", "db2", "redis1", "app1", "app2")} == {0}
        assert site.psql("db1", EVENTS).split("\n") == ["released"]
        assert site.psql("db1", TEST_COMPANY) == company

        # Another stop voids the validation; and a write that is confirmed but not kept is found by looking.
        stop(site, variables)
        validate(site, stopped.incident)
        site.psql("db1", FORGETS)
        failed = site.run("release", whole=True, variables=variables)
        assert (failed.rc != 0, refuses(site)) == (True, (True, True)), failed.output
        assert "RAISED AGAIN: the smoke test failed; its writes are refused again." in failed.screen
        assert "app1: the smoke test FAILED at see that the tag stayed" in failed.screen
        assert "app2: smoke test NOT ACCOUNTED FOR: not tried, for it had failed elsewhere" in failed.screen
        assert "fence proven for" in failed.screen
        at = time.time()
        time.sleep(2)
        assert written(account, at) == []
        assert site.psql("db1", EVENTS).split("\n") == ["released", "raised again"]
        site.psql("db1", REMEMBERS)
    report = application.verify(account)
    assert report.holds, report
    assert site.psql("db1", TEST_COMPANY) == company


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_nobody_who_could_test_it_is_no_release_and_an_override_is_on_record(
    site: Site, application: Application
) -> None:
    variables = {**application.variables, **HASTY}
    stopped = stop(site, variables)
    validate(site, stopped.incident)
    site.disconnect()
    for name in ("app1", "app2"):
        site.fault(name, Host.blackhole)
    nobody = site.run("release", whole=True, variables=variables)
    assert (nobody.rc != 0, refuses(site)) == (True, (True, True)), nobody.output
    assert "RAISED AGAIN: the smoke test could be made on no application host; its writes are refused" in nobody.screen
    for name in ("app1", "app2"):
        assert f"{name}: smoke test NOT ACCOUNTED FOR: could not be reached" in nobody.screen
        site.mend(name)
    application.wait()

    # The application's user does not exist: people would not get in either.
    stranger = site.run("release", whole=True, variables={**variables, "kanban_app_user": email(10_000)})
    assert (stranger.rc != 0, refuses(site)) == (True, (True, True)), stranger.output
    assert "the smoke test FAILED at log in: it answered 401" in stranger.screen

    validate(site, stopped.incident, "data not validated")
    glass = {"kanban_break_glass": {"what": ["validation"], "reason": "support cannot work"}}
    forced = site.run("release", whole=True, variables=variables, extra={**glass, "kanban_operator": "ana"})
    assert (forced.rc, refuses(site)) == (0, (False, False)), forced.output
    assert "OVERRIDDEN by ana, and recorded: support cannot work" in forced.screen
    assert site.psql("db1", OVERRIDDEN) == "ana|support cannot work"
