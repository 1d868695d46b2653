# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed ahead of the day: made once, enough for a least-privileged role, and gone without a trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg2
import pytest

from tests.playbooks.bootstraps import CATALOG, bootstrap, traces
from tests.playbooks.place import ON, Site
from tests.playbooks.test_writes import MOVES, refused, undo

# In English and Portuguese.
RUNBOOKS = [f"{name}{of}.md" for name in ("scenario1", "scenario2", "scenario3", "triage") for of in ("", ".pt_BR")]


@pytest.mark.drill
def test_the_plan_of_a_first_installation_changes_nothing(site: Site) -> None:
    before = site.psql("db1", CATALOG)
    nothing = traces(site)
    plan = site.run("bootstrap", "--check", "--diff", hosts=("db1",), whole=True)
    assert site.psql("db1", CATALOG) == before
    assert traces(site) == nothing
    assert plan.rc == 0, plan.output
    # What a page will be is shown, in either language.
    assert "+# Scenario 3: data is being lost or corrupted (P0 critical)" in plan.output
    assert "+# Cenário 3: dados estão sendo perdidos ou corrompidos (P0 crítico)" in plan.output


@pytest.mark.timeout(1500)
def test_made_once_enough_for_a_role_that_may_do_nothing_else_and_gone_again(site: Site, least: dict[str, Any]) -> None:
    catalog, nothing = site.psql("db1", CATALOG), traces(site)
    first = bootstrap(site, least)
    assert first.rc == 0, first.output
    assert first.recap("db1")["changed"] > 0
    assert "Next: preflight.yml" in first.screen
    attributes = "rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert site.psql("db1", f"SELECT {attributes} FROM pg_roles WHERE rolname = 'kanban_rollback'") == "t|f|f|f|f|f"
    again = bootstrap(site, least)
    assert again.rc == 0, again.output
    assert {again.recap(host)["changed"] for host in ("db1", "db2", "redis1", "app1", "app2")} == {0}
    for host, left in traces(site).items():
        # Only modules that ask a database keep prior values.
        assert ("drwx------ /var/lib/kanban_rollback" in left.splitlines()) == host.startswith("db"), host
        laid_down = [line.rpartition("/")[2] for line in left.splitlines() if "/opt/chatia/runbooks/" in line]
        assert sorted(laid_down) == RUNBOOKS, host
    for name, words in (("scenario3.md", "## Immediate stop\n"), ("scenario3.pt_BR.md", "## Alarme falso\n")):
        page = site.fleet["app1"].run(["cat", f"/opt/chatia/runbooks/{name}"]).stdout
        assert "inventories/staging chatia.kanban_rollback.scenario3" in page
        assert words in page
        assert "{{" not in page

    # Its role owns nothing, and is enough to stop everything while somebody writes, and to go back.
    before = site.rows()
    with contextlib.closing(site.connect(application="board")) as session, session.cursor() as cursor:
        cursor.execute(MOVES[0])
        running = site.start("scenario3", hosts={"db1": least}, whole=True)
        running.says("CONTAINED IN PART")
        # The writer may continue the transaction that it began; nobody else gets in.
        assert refused(site) == list(MOVES)
        session.rollback()
        run = running.wait()
    assert (run.rc, site.on()) == (0, 0), run.output
    assert f"({ON} were switched off now)" in run.screen
    assert "who had it: ledger" in run.screen
    assert "the latch is up" in run.screen
    undo(site, before, hosts={"db1": least}, extra={"kanban_reenable": "all", "kanban_close": True})
    # What it may not do: it writes only the flag, and reads what it dumps.
    with_role = "SET ROLE kanban_rollback; "
    for statement in ('UPDATE "Companies" SET name = name', 'DELETE FROM "Tickets"', 'DELETE FROM "Companies"'):
        asked = site.fleet["db1"].run(
            ["psql", "-XqAt", "-d", site.database, "-f", "-"], user="postgres", stdin=with_role + statement, check=False
        )
        assert "permission denied" in asked.stderr, statement

    gone = bootstrap(site, least, kanban_state="absent")
    assert gone.rc == 0, gone.output
    assert (site.psql("db1", CATALOG), traces(site)) == (catalog, nothing)


@pytest.mark.parametrize(
    "names",
    [
        {"app": "apps", "redis": "none", "db": "none"},
        pytest.param({"db": "dbs", "redis": "rediss", "app": "apps"}, marks=pytest.mark.drill),
    ],
    ids=["one", "all"],
)
def test_a_group_without_hosts_is_no_success(site: Site, names: Mapping[str, str]) -> None:
    run = site.run("bootstrap", extra={f"kanban_{tier}_hosts": name for tier, name in names.items()}, whole=True)
    assert run.rc != 0
    assert "NOBODY in apps" in run.text
    assert "Next: " not in run.screen
    screen, _task, failure = run.screen.partition("TASK [")
    assert screen.count("docs/errors.md#no_hosts") == 1
    assert "docs/errors.md#no_hosts" in failure


@pytest.fixture
def talkative(site: Site) -> Iterator[Any]:
    """A server that logs statements and would hash passwords as MD5; calling it returns its log."""
    db1 = site.fleet["db1"]
    for setting in ("log_statement = 'ddl'", "password_encryption = 'md5'"):
        db1.psql(f"ALTER SYSTEM SET {setting}")
    db1.psql("SELECT pg_reload_conf()")
    logs = "cat /var/log/postgresql/*.log; journalctl --no-pager -o cat"
    yield lambda: db1.run(["sh", "-c", logs], timeout=60).stdout
    for setting in ("log_statement", "password_encryption"):
        db1.psql(f"ALTER SYSTEM RESET {setting}")
    db1.psql("SELECT pg_reload_conf()")


@pytest.mark.drill
def test_the_roles_password_is_in_no_log_and_lets_it_in(site: Site, least: dict[str, Any], talkative: Any) -> None:
    first = bootstrap(site, least)
    assert first.rc == 0, first.output
    password, address = least["kanban_postgresql_password"], site.fleet["db1"].address
    log = talkative()
    # It does log such statements: otherwise this could not fail.
    assert "SCRAM-SHA-256$4096:" in log
    assert password not in log
    login: dict[str, Any] = {"host": address, "dbname": site.database, "user": "kanban_rollback", "connect_timeout": 5}
    with contextlib.closing(psycopg2.connect(password=password, **login)) as session:
        assert session.info.user == "kanban_rollback"
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        psycopg2.connect(password="x" + password, **login)
    again = bootstrap(site, least)
    assert again.recap("db1")["changed"] == 0, again.output
    other = {**least, "kanban_postgresql_password": "x" + password}
    assert bootstrap(site, other).recap("db1")["changed"] == 1
    refused = bootstrap(site, {"kanban_postgresql_password": "senão"})
    assert refused.rc != 0
    assert "has letters outside ASCII" in refused.text
