#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap_files
short_description: Make directories and pages on a host on record, and remove exactly those
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Makes directories and writes pages that do not exist yet, and updates the pages that it wrote before. All of it is
    recorded in O(record) first, so a run that is killed leaves nothing that is not recorded.
  - With O(state=absent) it removes the files that the record names, and the directories in which nothing else is.
  - What others made or wrote stays as it is, and RV(left) names it.
options:
  state:
    description: Whether what is given should be there, or what is recorded should be gone.
    type: str
    choices: [present, absent]
    default: present
  record:
    description:
      - Record of what did not exist before, one C(package NAME), C(directory /PATH) or C(file /PATH) a line.
        It is refused unless it is a file of root's with mode C(0600).
      - With O(state=absent) it is also refused if it names what is not in O(packages), O(directories) or O(pages).
    type: path
    required: true
  packages:
    description:
      - With O(state=present), packages that were just installed, to be recorded.
      - With O(state=absent), those that the record may name. They are not removed; RV(packages) says which can be.
    type: list
    elements: str
    default: []
  directories:
    description: Directories to make, with those that they lie in.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Full path.
        type: path
        required: true
      owner:
        description:
          - User that it belongs to, and that alone may enter it (mode C(0700)). It is taken from no other user.
          - If omitted, it belongs to root and everybody may read it (mode C(0755)); one that exists stays as it is.
        type: str
  pages:
    description: Text of each page by its full path. With O(state=absent) the texts do not matter.
    type: dict
    default: {}
  diff_of_new:
    description: Whether the difference shows pages that were not there before.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Makes and removes nothing, and says what it would.
  diff_mode:
    support: full
    description: Shows the record and the pages.
notes:
  - Runs as root.
  - It never writes through a symbolic link. On the way to a path it follows only links that root made.
"""

EXAMPLES = r"""
- name: Install a page
  chatia.kanban_rollback.bootstrap_files:
    record: /var/lib/kanban_rollback.bootstrap
    directories:
      - path: /opt/chatia/runbooks
    pages:
      /opt/chatia/runbooks/triage.md: "{{ lookup('ansible.builtin.template', 'runbooks/triage.md.j2') }}"
  become: true

- name: Remove it again
  chatia.kanban_rollback.bootstrap_files:
    state: absent
    record: /var/lib/kanban_rollback.bootstrap
    directories:
      - path: /opt/chatia/runbooks
    pages:
      /opt/chatia/runbooks/triage.md: ""
  become: true
"""

RETURN = r"""
left:
  description: Lines about what was left alone, and why.
  returned: success
  type: list
  elements: str
packages:
  description: With O(state=absent), packages of the record that nothing else needs.
  returned: success
  type: list
  elements: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, C(record_refused) or C(not_laid_down).
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

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._laiddowndisk import FilesRequest, files_of


def main() -> None:
    """Read the options, do the work and exit."""
    directory = {"path": {"type": "path", "required": True}, "owner": {"type": "str"}}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "record": {"type": "path", "required": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "directories": {"type": "list", "elements": "dict", "default": [], "options": directory},
            "pages": {"type": "dict", "default": {}, "no_log": True},
            "diff_of_new": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    request = FilesRequest(**params_of(module, (), ("pages",)))

    command = partial(module.run_command, environ_update={"LC_ALL": "C"}, handle_exceptions=False)

    def work() -> Outcome:
        return files_of(request, module.check_mode, command), None

    run(module, work)


if __name__ == "__main__":
    main()
