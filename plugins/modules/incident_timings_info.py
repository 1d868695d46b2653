#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_timings_info
short_description: Read from the ledger how long incidents and rehearsals took
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads the timings that C(report.yml) put into the ledger, the newest of each incident. A controller with an empty
    disk learns from them when the last rehearsal was. Reads only.
options:
  environment:
    description: Name of the environment, for instance V(staging). The ledger of another one is refused.
    type: str
  deadline:
    description: Seconds that each statement may take.
    type: float
    default: 10
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.incident_history
"""

EXAMPLES = r"""
- name: See how long rehearsals took
  chatia.kanban_rollback.incident_timings_info:
    login_db: chatia_db
    environment: staging
  register: rehearsed
"""

RETURN = r"""
timings:
  description: What C(timings.json) of each incident says, as C(docs/report.md) describes it, at most 1000.
  returned: success
  type: list
  elements: dict
ledger:
  description: Whether there is a ledger, whether it can be used, its version and environment.
  returned: success
  type: dict
database:
  description: The server that was asked.
  returned: success
  type: dict
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines.
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documentsentry import read_timings
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "environment": {"type": "str"},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        return read_timings(login_from(params), params["environment"], params["deadline"]), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
