#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_info
short_description: Verify the journals that runs have left on the controller
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads each C(journal-*.jsonl) of each incident and follows its hash chain, as C(docs/journal.md) describes it. Reads
    only.
  - An incomplete last line, as a killed controller or a full disk leaves it, is reported as cut, not as changed.
options:
  path:
    description: Directory of the incidents' records. If it does not exist, there are no journals.
    type: path
    required: true
  deadline:
    description: Seconds that reading may take. What was not read by then is reported.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.incident_info
"""

EXAMPLES = r"""
- name: See whether the journals hold
  chatia.kanban_rollback.journal_info:
    path: ~/.local/state/kanban_rollback/incidents
  register: found
"""

RETURN = r"""
journals:
  description: The newest 1000 journals, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    folder:
      description: Name of its directory, which is made from the incident's id.
      type: str
    holds:
      description: Whether its hash chain is intact up to its last complete line.
      type: bool
    broken_at:
      description: Where it breaks, as run, line number, and C(changed), C(missing) or C(of another incident).
      type: str
    cut:
      description: Whether its last line is incomplete.
      type: bool
    ended:
      description: Whether it has the end of its run.
      type: bool
    lines:
      description: How many complete lines it has, up to where it breaks.
      type: int
    incident_id:
      description: The incident.
      type: str
    run_id:
      description: The run.
      type: str
    began_at:
      description: Moment of its first line, UTC.
      type: str
    last_at:
      description: Moment of its last complete line.
      type: str
    facts:
      description: C(playbook), C(operator), C(host) and C(check_mode) of the run.
      type: dict
    unread:
      description: Why it was not read; empty when it was.
      type: str
    bytes:
      description: Its size.
      type: int
    mtime:
      description: When it was last written, in seconds since 1970.
      type: float
records:
  description:
    - What other than journals has people's names in it, with C(folder), its directory's name, and C(paths).
  returned: success
  type: list
  elements: dict
left_out:
  description: How many older journals were not read.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, C(unreadable_directory).
      type: str
    what:
      description: What is wrong.
      type: str
    why:
      description: Why it matters now.
      type: str
    todo:
      description: What to do next.
      type: str
    page:
      description: The address of the section of the documentation that says more about C(code).
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalentry import read_journals


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )

    def work() -> Outcome:
        return read_journals(module.params["path"], module.params["deadline"]), None

    run(module, work)


if __name__ == "__main__":
    main()
