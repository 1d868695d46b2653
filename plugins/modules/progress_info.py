#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: progress_info
short_description: Report the progress and result of a dump, repair or restore that runs as a job
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Does what C(ansible.builtin.async_status) does, for a M(chatia.kanban_rollback.pg_dump),
    M(chatia.kanban_rollback.integrity_repair) or M(chatia.kanban_rollback.pg_restore_tables) with C(async), and reports
    its progress. Changes nothing.
  - For a dump, the server says which tables are being copied and how many rows so far (C(pg_stat_progress_copy),
    PostgreSQL 14 and newer). For a repair or a restore, the ledger says which step it is at. If neither answers within
    seconds, the module does not fail; only the progress is missing.
  - If a job left no result and no longer has a process (its host was restarted, for instance), the module fails with
    C(job_lost) at once.
options:
  results_file:
    description: The file of the job on this host, C(results_file) in the result of the task that started it.
    type: path
    required: true
  run_id:
    description:
      - For a repair or a restore, the O(chatia.kanban_rollback.integrity_repair#module:run_id) that it was given. If
        omitted, the job is a dump.
    type: str
  wait:
    description: Seconds to wait for the job's end, which is noticed at once, before its progress is reported.
    type: float
    default: 0
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - A repair also runs with an older ledger, but its progress cannot be reported until C(bootstrap.yml) has run again.
seealso:
  - module: chatia.kanban_rollback.pg_dump
  - module: chatia.kanban_rollback.integrity_repair
  - module: chatia.kanban_rollback.pg_restore_tables
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
  chatia.kanban_rollback.progress_info:
    login_db: chatia_db
    results_file: "{{ job.results_file }}"
    wait: 2
  register: dump
  until: dump.finished
  retries: 930
  delay: 0
"""

RETURN = r"""
finished:
  description: Whether the job has ended. If so, everything that its module returns is there, too.
  returned: success
  type: bool
started:
  description: Always true, for whoever reads the job's file as well.
  returned: while it runs
  type: bool
ansible_job_id:
  description: The job's id.
  returned: success
  type: str
progress:
  description:
    - For a dump, the tables that are being copied at the moment. For a repair or a restore, the one step that it is at.
    - Empty if that is not known.
  returned: while it runs
  type: list
  elements: dict
  contains:
    table:
      description: For a dump, the table's name.
      type: str
    rows:
      description: Rows so far, over all tables of a step; null if the step has none to count.
      type: int
    about:
      description: For a dump, the server's estimate of how many rows the table has; null if it has none.
      type: int
    step:
      description: For a repair or a restore, what it does. It is C(wait for the lease) while another run has the lease.
      type: str
    unit:
      description: What the step goes through, V(check) or V(table); empty for neither.
      type: str
    number:
      description: The number of the one that it is at.
      type: int
    of:
      description: How many there are.
      type: int
    name:
      description: Its name, or who has the lease that it waits for.
      type: str
    planned:
      description: How many rows the step has in all its tables; null if that is not known.
      type: int
    bytes:
      description: For a scratch instance that is being restored, how many bytes of it are there; otherwise null.
      type: int
    planned_bytes:
      description: About how many it will have.
      type: int
    started_at:
      description: Since when the lease is held, in UTC.
      type: str
    last_at:
      description: When this progress was recorded, in UTC.
      type: str
  sample: [{"step": "delete", "unit": "table", "number": 2, "of": 3, "name": "public.TicketTags", "rows": 1200,
            "planned": 5310, "started_at": "2026-11-25T02:10:00Z", "last_at": "2026-11-25T02:10:09Z"}]
error:
  description:
    - On failure, what is wrong, why it matters and what to do, with a short C(code) and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progressinfo import follow


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "results_file": {"type": "path", "required": True},
            "run_id": {"type": "str"},
            "wait": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        return follow(params["results_file"], login_from(params), params["run_id"], params["wait"]), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
