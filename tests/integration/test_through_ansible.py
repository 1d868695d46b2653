# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same through Ansible itself: the same result, check mode and diff included, and names that are not templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import FLAG, on, population
from tests.integration.flags import KEY
from tests.integration.module import ROOT, TARGET_PYTHON, Result
from tests.integration.place import Database

# Differ from run to run, or are added by Ansible.
PASSING = ("elapsed_ms", "contained_ms", "invocation", "warnings", "failed", "_ansible_no_log", "exception")

PLAY = """
- name: Try a module
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ python }}"
  tasks:
    - name: Run it
      chatia.kanban_rollback.feature_flag: "{{ options }}"
      register: told
      ignore_errors: true
      check_mode: "{{ planned }}"
      diff: true
    - name: Keep what it said
      ansible.builtin.copy:
        content: "{{ told | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
      check_mode: false
"""


def through_ansible(directory: Path, options: dict[str, Any], check: bool) -> Result:
    """Run the module in a playbook and return what it registered. The password is in a file of mode 0600."""
    result = directory / "result.json"
    variables = playbook.given(
        directory, {"options": options, "planned": check, "result_file": str(result), "python": TARGET_PYTHON}
    )
    done = playbook.run(directory, playbook.written(directory, PLAY), "-i", "localhost,", *variables)
    assert result.exists(), done.output
    assert options["login_password"] not in done.output
    return playbook.kept(directory)


def essence(result: Result) -> Result:
    """Return a result without what differs from run to run."""
    kept = {name: value for name, value in result.items() if name not in PASSING}
    # The position of the server's log, which moves on.
    kept.get("position", {}).pop("lsn", None)
    for name in ("now", "pid"):
        kept.get("database", {}).pop(name, None)
    return kept


def test_each_module_starts_from_what_ansible_sends(directory: Path) -> None:
    """It refuses its options when all that it imports was in the archive that Ansible had put together."""
    names = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
    tasks: list[dict[str, Any]] = [
        {f"chatia.kanban_rollback.{name}": {"no_such_option": 1}, "register": f"of_{name}", "ignore_errors": True}
        for name in names
    ]
    content = "{{ {" + ", ".join(f"'{name}': of_{name}.msg" for name in names) + "} | to_json }}"
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": str(directory / "result.json")}})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": TARGET_PYTHON}
    # One after the other: each takes a second of a core, on a busy machine several.
    done = playbook.start(directory, playbook.written(directory, json.dumps([play])), "-i", "localhost,").wait(
        timeout=400
    )
    assert done.rc == 0, done.output
    told = playbook.kept(directory)
    assert len(told) == len(names) > 30
    refused = ("Unsupported parameters", "missing required arguments", "are missing: ")
    assert {name: text for name, text in told.items() if not any(words in text for words in refused)} == {}


@pytest.mark.parametrize(
    "step", ["kill", *(pytest.param(step, marks=pytest.mark.drill) for step in ("plan", "failure"))]
)
def test_it_says_the_same_as_when_run_directly(db: Database, directory: Path, step: str) -> None:
    population(db)
    before = db.snapshot("companies")
    modules = db.modules(**FLAG, incident_id="INC-1", state="disabled", run_id="r")
    if step == "failure":
        modules = modules.having(column="setings")
    check = step == "plan"
    direct = modules.run("feature_flag", check=check)
    if step == "kill":
        assert modules.restore()["changed_count"] == 50
        db.modules().ok("incident", incident_id="INC-1", state="closed")
        db.modules().ok("ledger", state="absent")
        assert db.snapshot("companies").texts == before.texts
    told = through_ansible(directory, dict(modules.options), check)
    assert essence(told) == essence(direct)
    assert bool(told["failed"]) is (step == "failure")
    assert on(db) == ([] if step == "kill" else list(range(1, 51)))


def test_a_tenant_that_looks_like_a_template_is_a_tenant(db: Database, directory: Path) -> None:
    db.rows("CREATE TABLE companies (id text PRIMARY KEY, settings jsonb)")
    names = ["{{ 7 * 7 }}", "49", "{% if true %}x{% endif %}"]
    for name in names:
        db.rows("INSERT INTO companies VALUES (%s, %s)", (name, f'{{"{KEY}": true}}'))
    options = dict(db.modules(**FLAG, incident_id="{{ lookup('pipe', 'id') }}").options)
    told = through_ansible(directory, {**options, "tenants": [names[0]]}, check=False)
    assert told["changed_count"] == 1, told
    assert db.rows("SELECT id FROM companies WHERE settings = %s ORDER BY 1", (f'{{"{KEY}": false}}',)) == [(names[0],)]
    known = db.modules().ok("incident_info")["incidents"]
    assert [one["incident_id"] for one in known] == ["{{ lookup('pipe', 'id') }}"]
