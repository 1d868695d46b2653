# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of the screen, pasted into a shell: the next run gets what this one was given."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.playbooks.runner import CHECKOUT, beside, environment

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ given | to_json(ensure_ascii=false) }}"
      when: pasted is defined
      vars: {given: {reason: "{{ reason | default('') }}", hosts: "{{ hosts | default('') }}"}}
    - ansible.builtin.debug:
        msg: >-
          {{ ['Next:', 'ansible-playbook ' ~ playbook_dir ~ '/play.yml -i localhost, -e pasted=1 '
              ~ ({'reason': reason, 'hosts': hosts} | chatia.kanban_rollback.extra_vars(format) | map('quote')
                 | join(' '))]
             | chatia.kanban_rollback.screen(format) }}
      when: pasted is not defined
      vars:
        format: "{{ lookup('ansible.builtin.config', 'result_format', plugin_type='callback', plugin_name='default') }}"
"""


@pytest.mark.parametrize("how", ["yaml", "json"])
@pytest.mark.parametrize("reason", ["tickets crash, não abrem", "opening tickets crashes (P0)"])
def test_a_pasted_line_gives_what_the_run_was_given(tmp_path: Path, how: str, reason: str) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    path = f"{Path(beside('ansible-playbook')).parent}:{os.environ['PATH']}"
    around = environment(ANSIBLE_CALLBACK_RESULT_FORMAT=how, PATH=path, COLUMNS="80")
    given = {"reason": reason, "hosts": "app:!app2"}
    typed = ["ansible-playbook", str(tmp_path / "play.yml"), "-i", "localhost,", "-e", json.dumps(given)]
    shown = subprocess.run(typed, env=around, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True)
    (line,) = re.findall(r"ansible-playbook .*", shown.stdout)
    # As somebody marks it with the mouse.
    line = line.rstrip('"')
    pasted = subprocess.run(
        ["bash", "-c", line], env=around, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True
    )
    reason = reason if how == "yaml" else reason.replace(",", "")
    told = pasted.stdout.replace('\\"', '"')
    assert f'"reason": "{reason}"' in told, pasted.stdout
    assert '"hosts": "app:!app2"' in told
