#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dump_progress_info
short_description: Ask how far a dump is that runs as a job, and what became of it
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Does for a M(chatia.kanban_rollback.pg_dump) with C(async) what C(ansible.builtin.async_status) does, and says which
    tables are being copied and how many rows so far. Changes nothing.
  - How far it is comes from the server (C(pg_stat_progress_copy), PostgreSQL 14 and newer). A server that does not
    answer within seconds is no failure, then only that is not said.
options:
  results_file:
    description: The file of the job on this host, C(results_file) in the result of the task that began it.
    type: path
    required: true
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
  - module: chatia.kanban_rollback.pg_dump
"""

EXAMPLES = r"""
- name: Dump the tables, as a job
  chatia.kanban_rollback.pg_dump:
    login_db: chatia_db
    tables: [Tags, Tickets, TicketTags]
    dest: /var/lib/postgresql/dumps/INC-20261125-042
  async: 1860
  poll: 0
  register: job

- name: Wait until it is proven
  chatia.kanban_rollback.dump_progress_info:
    login_db: chatia_db
    results_file: "{{ job.results_file }}"
  register: dump
  until: dump.finished
  retries: 930
  delay: 2
"""

RETURN = r"""
finished:
  description: V(1) when the job has ended, and then all that M(chatia.kanban_rollback.pg_dump) returns is there, too.
  returned: success
  type: int
started:
  description: V(1) while the job runs.
  returned: while it runs
  type: int
ansible_job_id:
  description: The job's id.
  returned: success
  type: str
progress:
  description: Tables that are being copied at the moment; empty where that is not known.
  returned: while it runs
  type: list
  elements: dict
  contains:
    table:
      description: The table's name.
      type: str
    rows:
      description: Rows so far.
      type: int
    about:
      description: How many rows it has by the server's estimate; null where it has none.
      type: int
  sample: [{"table": "Tickets", "rows": 1284000, "about": 4000000}]
error:
  description: On failure, what is wrong, why it matters and what to do, with a short C(code).
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpprogress import follow
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run


def main() -> None:
    """Read the options, do the work, end."""
    module = AnsibleModule(
        argument_spec={**postgres_spec(), "results_file": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        return follow(params["results_file"], login_from(params)), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
