# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an incident is called, its directory is inside kanban_incidents_dir, for roles and modules alike."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from tests.integration import playbook

NAMES = ["INC-20261128-001", "..", ".", "../../etc", "Board is down", "x" * 250]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.profile}
    - ansible.builtin.copy:
        content: "{{ {'plan': plans, 'evidence': evidence} | to_json }}"
        dest: result.json
        mode: "0600"
      vars:
        plans: "{{ names | map('chatia.kanban_rollback.incident_directory') | list }}"
        evidence: "{{ __kanban_evidence_dir }}"
        __kanban_run: {incident_id: ".."}
"""


def test_no_name_leads_elsewhere(tmp_path: Path) -> None:
    given = playbook.given(tmp_path, {"names": NAMES, "kanban_incidents_dir": "/srv/incidents"})
    run = playbook.run(tmp_path, playbook.written(tmp_path, PLAY), *given)
    assert run.rc == 0, run.output
    found = playbook.kept(tmp_path)
    assert found["plan"] == [incident_folder(name) for name in NAMES]
    assert found["evidence"] == f"/srv/incidents/{incident_folder('..')}/evidence"
    assert all("/" not in name and name.strip(".") for name in found["plan"])
