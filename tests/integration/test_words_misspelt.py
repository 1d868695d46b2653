# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt word prevents no stop, and lets nothing through that was to be refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.playbooks.runner import CHECKOUT, beside, environment

PLAY = """
- hosts: localhost
  gather_facts: false
  vars_files: [ROLE/defaults/main.yml, ROLE/vars/main.yml]
  tasks:
    - name: Only what says no leaves the fence out
      ansible.builtin.assert: {that: (__kanban_fence | bool) == item.fenced, quiet: true}
      loop:
        - {word: true, fenced: true}
        - {word: "Yes", fenced: true}
        - {word: ture, fenced: true}
        - {word: false, fenced: false}
        - {word: "False", fenced: false}
        - {word: "no", fenced: false}
        - {word: 0, fenced: false}
      vars: {kanban_fence: "{{ item.word }}"}
    - name: Nobody is ended for a word that is not known
      ansible.builtin.assert: {that: __kanban_on_blocked == item.done, quiet: true}
      loop:
        - {word: terminate, done: terminate}
        - {word: terminat, done: report}
      vars: {kanban_on_blocked: "{{ item.word }}"}
    - name: By a profile that there is none of nothing is judged
      ansible.builtin.assert: {that: (__kanban_thresholds | length > 1) == item.judges, quiet: true}
      loop:
        - {word: product, judges: true}
        - {word: prodct, judges: false}
      vars: {kanban_threshold_profile: "{{ item.word }}", kanban_thresholds: {error_rate: {max: 1}}}
"""


def test_a_word_that_is_misspelt_is_read_as_the_safe_one(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY.replace("ROLE", str(CHECKOUT / "roles/kanban")))
    typed = [beside("ansible-playbook"), str(play), "-i", "localhost,", "-c", "local"]
    done = subprocess.run(
        typed, env=environment(), cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
