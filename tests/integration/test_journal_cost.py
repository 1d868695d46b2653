# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recorder costs, timed at its hooks in a real run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.playbooks.runner import CHECKOUT

# The recorder itself, loaded as it is, with a clock around each of its hooks.
TIMED = f"""
import importlib.util, json, time
spec = importlib.util.spec_from_file_location("recorder", "{CHECKOUT}/playbooks/callback_plugins/kanban_recorder.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
TIMES = {{}}

def timed(name, hook):
    def run(self, *arguments, **options):
        began = time.perf_counter()
        hook(self, *arguments, **options)
        TIMES.setdefault(name, []).append(time.perf_counter() - began)
        if name == "v2_playbook_on_stats":
            with open("times.json", "w") as file:
                json.dump(TIMES, file)
    return run

class CallbackModule(module.CallbackModule):
    CALLBACK_NAME = "timed_recorder"

for name in [name for name in vars(module.CallbackModule) if name.startswith("v2_")]:
    setattr(CallbackModule, name, timed(name, getattr(module.CallbackModule, name)))
"""
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.run}
    - chatia.kanban_rollback.feature_flag:
        {login_unix_socket: /nonexistent, state: disabled, incident_id: INC-1, table: x}
      ignore_errors: true
- hosts: many
  gather_facts: false
  strategy: free
  tasks:
    - ansible.builtin.debug: {msg: "{{ inventory_hostname }}"}
"""


@pytest.mark.parametrize("hosts", [100, pytest.param(10_000, marks=[pytest.mark.drill, pytest.mark.timeout(3600)])])
def test_a_hook_takes_less_than_a_millisecond(directory: Path, hosts: int) -> None:
    (directory / "callback_plugins").mkdir()
    (directory / "callback_plugins/timed_recorder.py").write_text(TIMED)
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_incident_id": "INC-1",
    }
    many = playbook.inventory(directory, variables, many={f"host{number}": {} for number in range(hosts)})
    running = playbook.start(directory, playbook.written(directory, PLAY), *many, "-f", "20")
    run = running.wait(timeout=3000)
    assert run.rc == 0, run.output
    times = json.loads((directory / "times.json").read_text())
    all_of_them = [seconds for hook in times.values() for seconds in hook]
    each = sum(all_of_them) / len(all_of_them)
    longest = {name: round(max(hook) * 1e3, 2) for name, hook in times.items()}
    print(f"{len(all_of_them)} hooks, {each * 1e3:.3f} ms each; the longest in ms: {longest}")
    assert len(times["v2_runner_on_ok"]) >= hosts
    # Once a run the profile is read, before anything is contained; that is no event.
    once = max(times["v2_runner_on_start"])
    assert once < 2
    assert (sum(all_of_them) - once) / (len(all_of_them) - 1) < 0.001
    (journal,) = (directory / "incidents/INC-1").glob("journal-*")
    assert len(journal.read_text().splitlines()) >= hosts
