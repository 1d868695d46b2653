# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recorder and the live view cost together, timed at their hooks in a real run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.playbooks.runner import CHECKOUT

# Each unchanged, with a clock around each of its hooks. Ansible reads a plugin's documentation from its source.
TIMED = """
DOCUMENTATION = '''
name: {name}
type: {kind}
extends_documentation_fragment: [default_callback, result_format_callback]
'''
import importlib.util, json, time
spec = importlib.util.spec_from_file_location("plugin", "{file}")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
TIMES = {{}}

def timed(name, hook):
    def run(self, *arguments, **options):
        began, worked = time.perf_counter(), time.thread_time()
        hook(self, *arguments, **options)
        TIMES.setdefault(name, []).append((time.perf_counter() - began, time.thread_time() - worked))
        if name == "v2_playbook_on_stats":
            with open("{name}.json", "w") as file:
                json.dump(TIMES, file)
    return run

class CallbackModule(module.CallbackModule):
    CALLBACK_NAME = "{name}"

for name in [name for name in vars(module.CallbackModule) if name.startswith("v2_")]:
    setattr(CallbackModule, name, timed(name, getattr(module.CallbackModule, name)))
"""
PLUGINS = {
    "timed_recorder": ("notification", "playbooks/callback_plugins/kanban_recorder.py"),
    "timed_live": ("stdout", "plugins/callback/live.py"),
}
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.run}
    - name: Switch it off
      chatia.kanban_rollback.feature_flag:
        {login_unix_socket: /nonexistent, state: disabled, incident_id: INC-1, table: x}
      ignore_errors: true
- hosts: many
  gather_facts: false
  strategy: free
  tasks:
    - ansible.builtin.debug: {msg: "{{ inventory_hostname }}"}
"""


@pytest.mark.parametrize("hosts", [100, pytest.param(1_000, marks=pytest.mark.drill)])
def test_a_hook_takes_less_than_a_millisecond(directory: Path, hosts: int) -> None:
    (directory / "callback_plugins").mkdir()
    for name, (kind, file) in PLUGINS.items():
        text = TIMED.format(name=name, kind=kind, file=CHECKOUT / file)
        (directory / f"callback_plugins/{name}.py").write_text(text)
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_incident_id": "INC-1",
    }
    many = playbook.inventory(directory, variables, many={f"host{number}": {} for number in range(hosts)})
    running = playbook.start(
        directory, playbook.written(directory, PLAY), *many, "-f", "20", ANSIBLE_STDOUT_CALLBACK="timed_live"
    )
    run = running.wait(timeout=3000)
    assert run.rc == 0, run.output
    assert "error of its own" not in run.output
    assert not set("\x1b\r") & set(run.output)
    assert "Switch it off [localhost]: FAILED, the run goes on" in run.output
    recorder, live = (json.loads((directory / f"{name}.json").read_text()) for name in PLUGINS)
    events, once, spent, passed = 0, 0.0, 0.0, 0.0
    for name in {*recorder, *live}:
        # Both get the same events, except for those that only one has a hook for.
        both = [sorted(plugin.get(name, [])) for plugin in (recorder, live)]
        events += max(map(len, both))
        passed += sum(wall for each in both for wall, _work in each)
        spent += sum(work for each in both for _wall, work in each)
        print(f"{name}: {', '.join(f'{len(each)} of {each[-1][0] * 1e3:.2f} ms at most' for each in both if each)}")
        if name == "v2_runner_on_start":
            once = sum(each[-1][1] for each in both)
    each = (spent - once) / events
    print(
        f"{events} events, {each * 1e3:.3f} ms of work each, {passed / events * 1e3:.3f} ms passed; {once:.2f} s once"
    )
    assert len(recorder["v2_runner_on_ok"]) >= hosts
    assert len(live["v2_runner_on_ok"]) >= hosts
    # Once per run each of them reads the profile, before anything is contained; that is not an event.
    assert once < 2
    # Work only, because the time in which others have the processor is not the hooks'.
    assert each < 0.001
    (journal,) = (directory / "incidents/INC-1").glob("journal-*")
    assert len(journal.read_text().splitlines()) >= hosts
