#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flag_info
short_description: Tell which tenants have a feature flag on, and what its values look like
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Counts tenants and those that are on, by the same rules as M(chatia.kanban_rollback.feature_flag). Reads only, takes
    no row locks, and works on replicas as well.
options:
  names:
    description: How many ids of tenants that are on to return, at most 10000.
    type: int
    default: 100
  share:
    description:
      - Share of all tenants, from 0 to 1. RV(tenants_lacking) then names which of the tenants that are off would also
        have to be on to reach it; at most 10000.
    type: float
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.flag
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.feature_flag
"""

EXAMPLES = r"""
- name: See who has Kanban V2
  chatia.kanban_rollback.feature_flag_info:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
  register: flag
"""

RETURN = r"""
total:
  description: Number of tenants meant.
  returned: success
  type: int
  sample: 1284
enabled:
  description: How many of them are on.
  returned: success
  type: int
  sample: 385
tenants_on:
  description: The first O(names) of them by id, also those that are on without a row of their own.
  returned: success
  type: list
  elements: str
tenants_lacking:
  description: Tenants that are off, the first by id, as many as O(share) lacks, also those without a row of their own.
  returned: when O(share) is given
  type: list
  elements: str
flag_values:
  description: The 20 most frequent values as text (cut to 60 characters), with their number of tenants.
  returned: success
  type: list
  elements: dict
  sample: [{"value": "true", "tenants": 380}, {"value": "\"sim\"", "tenants": 5}]
unreadable:
  description: Up to 20 tenants whose settings are text that is not JSON.
  returned: success
  type: list
  elements: str
unreadable_count:
  description: How many there are.
  returned: success
  type: int
unknown_tenants:
  description: Up to 100 of O(tenants) that do not exist.
  returned: success
  type: list
  elements: str
position:
  description: Where the server is in its write-ahead log.
  returned: on a primary
  type: dict
  contains:
    timeline:
      description: Its timeline, null if not reported. A different one means that a replica was promoted.
      type: str
      sample: "00000001"
    lsn:
      description: How far its log is on disk.
      type: str
      sample: 0/301F108
without_row:
  description:
    - How many of RV(total) have no row in a key/value store, so that they follow its default. Null for other stores,
      and if no O(tenants_table) says which tenants there are.
  returned: success
  type: int
global_default:
  description: C(on), C(off) or C(absent), for the row without tenant of a key/value store.
  returned: when O(store=key_value)
  type: str
table:
  description: The flag's table, as C(schema.name); the likeliest one if its name is in several schemas.
  returned: success
  type: str
flag:
  description: The flag's name in the ledger.
  returned: success
  type: str
database:
  description: Which database this was, by name, address, cluster, role and version; whether a pooler is in between.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    flag_from,
    flag_spec,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagentry import read_flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledger import Who
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Request


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **flag_spec(),
            "names": {"type": "int", "default": 100},
            "share": {"type": "float"},
            "environment": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        who = Who(incident_id="", run_id="", environment=params["environment"])
        request = Request(flag=flag_from(params), state="read", who=who, tenants=params["tenants"])
        share = params["share"]
        if share is not None and not 0 <= share <= 1:
            raise BadInput(
                "bad_share",
                f"share is {share:g}; it is from 0 to 1.",
                "Nobody can tell who would have to be on for it.",
                "Give for instance 0.3 for 30 per cent.",
            )
        return read_flag(login_from(params), request, min(params["names"], 10000), share), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
