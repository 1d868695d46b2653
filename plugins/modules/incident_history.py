#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_history
short_description: Write the index of all incidents and rehearsals with each step's trend
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads the C(timings.json) of every incident below a directory on the controller and writes C(index.json),
    C(index.md) and C(index.html) there, from all of them each time. C(docs/report.md) describes them.
  - Timings name no people, so they and the index are kept beyond the retention.
options:
  path:
    description: Directory of the incidents' records.
    type: path
    required: true
  locale:
    description: The language, C(pt_BR) or C(en).
    type: str
    default: pt_BR
  version:
    description: Version whose last green rehearsal to look for. If empty, the module looks for none.
    type: str
    default: ""
  known:
    description:
      - RV(chatia.kanban_rollback.incident_timings_info#module:timings), which is what ledgers know of incidents and
        rehearsals whose timings are on other controllers.
    type: list
    elements: dict
    default: []
  deadline:
    description: Seconds that reading may take.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
    description: Says whether the index would change, and writes nothing.
  diff_mode:
    support: none
    description: The files are long.
seealso:
  - module: chatia.kanban_rollback.incident_report
  - module: chatia.kanban_rollback.incident_timings_info
"""

EXAMPLES = r"""
- name: Write the index
  chatia.kanban_rollback.incident_history:
    path: ~/.local/state/kanban_rollback/incidents
"""

RETURN = r"""
incidents:
  description: How many incidents and rehearsals have timings.
  returned: success
  type: int
files:
  description: Which files were, or would be, written.
  returned: success
  type: list
  elements: str
last_green:
  description:
    - The newest green rehearsal of O(version), that is one that achieved what it was for in time, with C(incident_id),
      C(began) and C(scenario). Null if there is none.
  returned: success
  type: dict
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._historyentry import write_history


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "locale": {"type": "str", "default": "pt_BR"},
            "version": {"type": "str", "default": ""},
            "known": {"type": "list", "elements": "dict", "default": []},
            "deadline": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        asked = (params["path"], params["locale"], params["version"], params["deadline"])
        return write_history(*asked, check_mode=module.check_mode, known=params["known"]), None

    run(module, work)


if __name__ == "__main__":
    main()
