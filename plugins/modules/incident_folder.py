#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_folder
short_description: Bring an incident's journals and plans to the controller, and list those that no ledger has
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Works on an incident's directory on the controller. Files that O(known) has and this disk lacks are written there,
    each whole or not at all. Nothing that exists is overwritten except a journal that goes on elsewhere.
  - Returns the files that the ledgers lack, for M(chatia.kanban_rollback.incident_files).
options:
  path:
    description: Directory of the incidents' records.
    type: path
    required: true
  incident_id:
    description: Id of the incident in the ledger.
    type: str
    required: true
  known:
    description: RV(chatia.kanban_rollback.incident_files#module:files), of one ledger or of several.
    type: list
    elements: dict
    default: []
  since:
    description: Return only files that changed since this moment, in seconds since 1970. If omitted, all are returned.
    type: float
  keep:
    description: Whether to return files at all.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Writes nothing, and tells what it would write.
  diff_mode:
    support: none
    description: What is written is the record of runs elsewhere.
notes:
  - Runs on the controller.
seealso:
  - module: chatia.kanban_rollback.incident_files
"""

EXAMPLES = r"""
- name: See which files only this controller has
  chatia.kanban_rollback.incident_folder:
    path: ~/.local/state/kanban_rollback/incidents
    incident_id: INC-20261125-042
    known: "{{ kept.files }}"
  delegate_to: localhost
  register: lies_here
"""

RETURN = r"""
written:
  description: Names of the files that were, or would be, written to this disk.
  returned: success
  type: list
  elements: str
here:
  description: How many bytes each file has that is now on this disk.
  returned: success
  type: dict
keep:
  description: Files on this disk that the ledgers lack, the newest first, up to 16777216 characters in all.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    text:
      description: Its content. Of a journal that is too long, only its beginning, up to the end of a line.
      type: str
cut:
  description: Journals of which the ledgers can have only the beginning.
  returned: success
  type: list
  elements: str
too_long:
  description: Other files that are too long to be kept.
  returned: success
  type: list
  elements: str
left_out:
  description: Files that did not fit into this answer.
  returned: success
  type: list
  elements: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, C(no_files) or C(no_incident).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._filesdisk import FolderRequest, folder_of


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "incident_id": {"type": "str", "required": True},
            "known": {"type": "list", "elements": "dict", "default": [], "no_log": True},
            "since": {"type": "float"},
            "keep": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    request = FolderRequest(**params_of(module, (), ("known",)))

    def work() -> Outcome:
        return folder_of(request, module.check_mode), None

    run(module, work)


if __name__ == "__main__":
    main()
