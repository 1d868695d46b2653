# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that ranks, freezes, switches and verifies: shown, acted on and verified are the same ids."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.errors import Errors
from tests.integration.flags import KEY
from tests.integration.place import Database
from tests.support import accounts

PLAY = """
- name: Selective
  hosts: db
  gather_facts: false
  ignore_unreachable: true
  tasks:
    - name: Rank
      ansible.builtin.import_role: {name: chatia.kanban_rollback.selective, tasks_from: rank.yml}
    - name: More errors come in the meantime
      ansible.builtin.command: "{{ meanwhile }}"
      when: meanwhile | length > 0
    - name: Switch
      ansible.builtin.import_role: {name: chatia.kanban_rollback.selective}
    - name: Sweep
      ansible.builtin.import_role: {name: chatia.kanban_rollback.selective, tasks_from: sweep.yml}
    - name: Verify
      ansible.builtin.import_role: {name: chatia.kanban_rollback.selective, tasks_from: verify.yml}
    - name: Count again
      ansible.builtin.import_role: {name: chatia.kanban_rollback.selective, tasks_from: affected.yml}
    - name: Keep what was registered
      ansible.builtin.copy:
        content: "{{ {'rank': __selective_rank, 'flag': __contain_flag, 'verify': __selective_verify | default({}),
                      'affected': __selective_affected | default({}),
                      'failed': __contain_failed | default(false)} | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
      check_mode: false
"""
RANKING = {"window": 3600, "more_than": 10, "top": 2, "contains": "kanban", "ignore_case": True}
RANKING |= {"naive_timezone": "UTC", "deadline": 30}


@pytest.fixture
def errors(db: Database) -> Errors:
    """Four tenants that are on; the worst two are 2 and 1, and the name of one is a template."""
    made = Errors(db)
    made.companies(1, 3, 4)
    made.companies(2, name="{{ 7 * 7 }} <b>\nPadaria")
    for tenant, number in ((1, 20), (2, 30), (3, 15)):
        made.log(tenant, number)
    return made


def play(errors: Errors, directory: Path, *options: str, **more: Any) -> dict[str, Any]:
    """Run the role on one database and return what it registered, and ``output``."""
    db = errors.db
    result = directory / "result.json"
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kanban_postgresql_host": db.server.host,
        "kanban_postgresql_port": db.server.port,
        "kanban_postgresql_db": db.name,
        "kanban_postgresql_user": errors.role or db.server.user,
        "kanban_postgresql_password": db.roles[errors.role] if errors.role else db.server.password,
        "kanban_incident_id": "INC-1",
        "kanban_sweep_seconds": 5,
        "kanban_users_query": 'SELECT count(*) FROM "Users" WHERE "companyId"::text = ANY (%(tenants)s)',
        "kanban_state_dir": str(directory / "state"),
        "selective_evidence": False,
        "selective_since_switch": 1,
        "__kanban_ranking": RANKING,
        "meanwhile": "",
        "result_file": str(result),
        **more,
    }
    accounts.write_private(directory / "vars.yml", json.dumps(variables))
    hosts = playbook.inventory(directory, {}, db={"db1": {}})
    done = playbook.run(directory, playbook.written(directory, PLAY), *hosts, "-e", "@vars.yml", *options)
    assert result.exists(), done.output
    told = playbook.kept(directory)
    result.unlink()
    assert done.rc == 0, done.output
    return {**told, "output": done.output}


def off(db: Database) -> list[int]:
    """Return who is off, read without the collection's code."""
    rows = db.rows(f"""SELECT id FROM "Companies" WHERE settings -> '{KEY}' = 'false' ORDER BY 1""")
    return [row[0] for row in rows]


def listed(told: dict[str, Any]) -> list[str]:
    return [tenant["tenant"] for tenant in told["rank"]["tenants"]]


def test_shown_acted_on_and_verified_are_the_same(errors: Errors, directory: Path) -> None:
    """Between showing and switching another tenant becomes the worst of all: it is not what was decided on."""
    planned = play(errors, directory, "--check")
    assert (listed(planned), planned["rank"]["frozen"], planned["flag"]["changed_count"]) == (["2", "1"], False, 2)
    assert (off(errors.db), errors.db.has_ledger()) == ([], False)

    script = directory / "meanwhile.py"
    more = """INSERT INTO "ErrorLogs" ("companyId", context, "createdAt")
              SELECT 4, 'kanban', now() FROM generate_series(1, 500)"""
    accounts.write_private(
        script,
        f"import psycopg2\nwith psycopg2.connect({errors.db.server.dsn_of(errors.db.name)!r}) as c:\n"
        f"    c.cursor().execute({more!r})\n",
    )
    told = play(errors, directory, meanwhile=f"{sys.executable} {script}")
    assert (listed(told), told["rank"]["frozen"]) == (["2", "1"], True)
    assert (told["flag"]["changed_count"], told["flag"]["enabled_after"], told["failed"]) == (2, 0, False)
    assert (told["verify"]["total"], told["verify"]["enabled"]) == (2, 0)
    assert off(errors.db) == [1, 2]
    assert "2 ({{ 7 * 7 }} <b> Padaria 2): 30 errors" in told["output"]
    events = errors.db.modules().ok("incident_info", incident_id="INC-1")["events"]
    assert [event["event"] for event in events][:2] == ["ranking frozen", "disabled"]
    assert [row["tenant"] for row in events[0]["data"]["tenants"]] == ["2", "1"]
    # The switch waited for no second ranking: what was counted is what was shown.
    now = told["rank"]["now"]
    assert (now["errors_total"], now["affected_on_count"], told["rank"]["tenants"][0]["errors_now"]) == (65, 3, None)
    assert events[0]["data"]["users_count"] == 0

    # The same command again: the same ids, nothing to do, though another is worse by now.
    again = play(errors, directory)
    assert (listed(again), again["flag"]["changed_count"], again["verify"]["enabled"]) == (["2", "1"], 0, 0)
    # A journal recognizes the list by this.
    assert len({done["flag"]["list_id"] for done in (told, again)} - {None}) == 1
    assert off(errors.db) == [1, 2]


@pytest.mark.drill
def test_the_default_of_all_tenants_is_not_switched_with_some(errors: Errors, directory: Path) -> None:
    """It applies to everybody without a row of their own; an inventory may have it switched with all of them."""
    db = errors.db
    db.rows('CREATE TABLE "Settings" (key text, value text, "companyId" integer)')
    db.rows("""INSERT INTO "Settings" VALUES ('v2', 'enabled', 2), ('v2', 'enabled', NULL)""")
    flag = {"store": "key_value", "table": "Settings", "tenant_column": "companyId", "column": "value"}
    flag |= {"key_column": "key", "key": "v2", "enabled_value": "enabled", "disabled_value": "disabled"}
    told = play(errors, directory, kanban_flag=flag, kanban_global_default=True)
    assert (listed(told), told["flag"]["changed_count"], told["failed"]) == (["2"], 1, False)
    rows = db.rows('SELECT "companyId", value FROM "Settings" ORDER BY 1')
    assert [tuple(row) for row in rows] == [(2, "disabled"), (None, "enabled")]


@pytest.mark.drill
def test_whoever_froze_first_is_followed(errors: Errors, directory: Path) -> None:
    """Another controller's list came between our ranking and our event: its ids are switched, not ours."""
    theirs = errors.rank(tenants=["3"])
    event = {"phase": "assess", "event": "ranking frozen", "data": theirs["freeze"]}
    errors.db.modules().ok("incident", incident_id="INC-THEIRS", event=event)
    told = play(errors, directory, kanban_incident_id="")
    assert (listed(told), told["rank"]["incident_id"], off(errors.db)) == (["3"], "INC-THEIRS", [3])


def test_without_a_ledger_this_runs_list_is_acted_on(errors: Errors, directory: Path) -> None:
    errors.role = errors.db.role("app", 'SELECT, UPDATE ON "Companies"', 'SELECT ON "ErrorLogs", "Users"')
    told = play(errors, directory)
    assert (listed(told), told["rank"]["frozen"], off(errors.db)) == (["2", "1"], False, [1, 2])
    assert "the list could not be frozen" in told["output"]


@pytest.mark.drill
def test_a_ledger_that_takes_no_list_in_time_delays_no_switch(errors: Errors, directory: Path) -> None:
    """What was not written by then does not keep the ledger from the switch either."""
    db = errors.db
    db.modules().ok("ledger")
    db.rows(
        """CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"""
    )
    db.rows("""CREATE TRIGGER dawdle BEFORE INSERT ON kanban_rollback.events FOR EACH ROW
        WHEN (NEW.event = 'ranking frozen') EXECUTE FUNCTION dawdle()""")  # fmt: skip
    told = play(errors, directory)
    assert (listed(told), told["rank"]["frozen"], off(db)) == (["2", "1"], False, [1, 2])
    assert (told["flag"]["incident"]["in_ledger"], told["flag"]["changed_count"]) == (True, 2)
    said = " ".join(told["output"].split())
    assert "the list could not be frozen" in said
    assert "this run acts on it, another ranks anew" in said


@pytest.mark.drill
def test_without_a_table_of_errors_nobody_is_switched_and_the_reason_is_kept(errors: Errors, directory: Path) -> None:
    errors.db.rows('DROP TABLE "ErrorLogs"')
    told = play(errors, directory)
    assert (told["failed"], off(errors.db)) == (True, [])
    assert told["flag"]["error"]["code"] == "missing_table"
    assert "db1: There is no table 'ErrorLogs'" in " ".join(told["output"].split())


@pytest.mark.drill
def test_nobody_affected_freezes_switches_and_opens_nothing(errors: Errors, directory: Path) -> None:
    errors.db.rows('TRUNCATE "ErrorLogs"')
    told = play(errors, directory, kanban_watch_minutes={"scenario2": 0})
    assert (listed(told), told["flag"]["changed_count"], told["flag"]["total"], off(errors.db)) == ([], 0, 0, [])
    assert (told["failed"], errors.db.has_ledger()) == (False, False)
    # An empty list binds nobody: a tenant that is affected a minute later is found.
    errors.log(3, 15)
    assert listed(play(errors, directory)) == ["3"]


@pytest.mark.drill
def test_a_watch_without_a_list_has_an_incident_that_is_said(errors: Errors, directory: Path) -> None:
    """The series is kept there, so that the same command goes on with it."""
    errors.db.rows('TRUNCATE "ErrorLogs"')
    planned = play(errors, directory, "--check")
    assert (errors.db.has_ledger(), planned["flag"]["changed_count"]) == (False, 0)
    told = play(errors, directory)
    said = "nobody is listed, so nobody is switched off; incident INC-1 was opened, to keep what is watched"
    assert said in " ".join(told["output"].split())
    assert "changed: [db1]" in told["output"].partition("Open the incident for the watch")[2].partition("TASK")[0]
    assert (told["flag"]["incident"]["incident_id"], told["flag"]["incident"]["opened_now"]) == ("INC-1", True)
    known = errors.db.modules().ok("incident_info", incident_id="INC-1")
    assert (known["events"], off(errors.db)) == ([], [])
    again = play(errors, directory)
    assert "incident INC-1 goes on, to keep what is watched" in " ".join(again["output"].split())
    assert again["flag"]["incident"]["opened_now"] is False


@pytest.mark.drill
def test_who_was_deleted_since_is_left_out_and_fails_nothing(errors: Errors, directory: Path) -> None:
    play(errors, directory)
    errors.db.rows('DELETE FROM "Companies" WHERE id = 2')
    told = play(errors, directory)
    assert (listed(told), told["rank"]["gone"], told["failed"]) == (["2", "1"], ["2"], False)
    assert (told["flag"]["total"], told["verify"]["total"], told["verify"]["enabled"]) == (1, 1, 0)
    assert "30 errors, one every 1.0 s; 30 in the window now; it exists no more" in told["output"]
    errors.db.rows('DELETE FROM "Companies" WHERE id = 1')
    told = play(errors, directory, kanban_watch_minutes={"scenario2": 0})
    assert (told["rank"]["gone"], told["failed"], told["flag"]["total"]) == (["2", "1"], False, 0)


@pytest.mark.drill
def test_after_the_watch_it_is_counted_since_the_switch_whichever_run_made_it(errors: Errors, directory: Path) -> None:
    """The second run switches nobody; five minutes have passed, and one tenant goes on with more than ten an hour."""
    play(errors, directory)
    errors.db.rows("UPDATE kanban_rollback.flag_changes SET at = at - interval '5 min'")
    errors.log(4, 2, ago=200)
    told = play(errors, directory)
    assert told["flag"]["changed_count"] == 0
    assert 300 < told["affected"]["window"] < 700
    assert (told["affected"]["more_than"], listed({"rank": told["affected"]})) == (1, ["4"])
    # Without a switch, the profile's window and limit are used.
    told = play(errors, directory, selective_since_switch=None)
    assert (told["affected"]["window"], told["affected"]["more_than"], told["affected"]["frozen"]) == (3600, 10, False)
