#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slow_queries_info
short_description: Report which statements take the time in PostgreSQL, which run for long, and who waits for whom
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads C(pg_stat_statements), C(pg_stat_activity) and C(pg_locks). Changes nothing, reads no table of the application
    and takes no lock on one. Works on replicas.
  - The module looks up which columns the view C(pg_stat_statements) has, so it works with every version of the
    extension, also with one that was not updated with the server.
  - Without the extension RV(available) is V(false), with the reason and a warning; the rest is still returned.
options:
  contains:
    description:
      - Plain texts, for instance names of tables, of which a statement must contain one. Case is ignored, and no
        character is a wildcard. By default every statement is included.
    type: list
    elements: str
    default: []
  top:
    description: How many statements to return, from 1 to 100.
    type: int
    default: 10
  order_by:
    description:
      - What makes a statement worse than another, V(total) time, V(mean) time, V(max) (the time of its longest call),
        or the number of V(calls).
    type: str
    choices: [total, mean, max, calls]
    default: total
  min_mean_ms:
    description: Leave out statements with a mean time below this, in milliseconds.
    type: float
    default: 0
  interval:
    description:
      - Seconds between two readings. Their difference is returned, which is what is slow now. V(0) reads once and
        returns what has added up since the counters began, perhaps weeks ago.
    type: float
    default: 0
  running_ms:
    description: Milliseconds from which a running statement, or a transaction that is idle, is listed in RV(running).
    type: float
    default: 1000
  texts:
    description:
      - Return the texts in RV(running) and RV(waiting) as they are, with the data in them. Otherwise strings and
        numbers are replaced by C(?) and comments are left out; names in double quotes stay.
      - RV(queries) never contains such data. (The view itself has constants in some statements, C(ALTER ROLE) for
        instance.)
    type: bool
    default: false
  all_databases:
    description: Look at all databases of the server, not only at O(login_db).
    type: bool
    default: false
  deadline:
    description:
      - Seconds within which everything ends; at least 2 more than O(interval). A server that has stopped answering is
        given up on 3 seconds later.
    type: float
    default: 20
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
  - A role that is not a superuser needs C(pg_read_all_stats) to see other roles' statements and sessions. What stays
    hidden without it is counted, and a warning contains the C(GRANT).
seealso:
  - module: chatia.kanban_rollback.redis_stats_info
  - module: chatia.kanban_rollback.evidence
"""

EXAMPLES = r"""
- name: What has taken the time since the counters began
  chatia.kanban_rollback.slow_queries_info:
    login_db: chatia_db
    contains: [Tags, Tickets]
  register: slow

- name: What is slow now
  chatia.kanban_rollback.slow_queries_info:
    login_db: chatia_db
    interval: 10
    order_by: mean
    min_mean_ms: 50
    deadline: 30
  register: slow
"""

RETURN = r"""
available:
  description: Whether the statements' figures could be read.
  returned: success
  type: bool
reason:
  description:
    - Why not, as C(code), C(what), C(why), C(todo) and C(page); null if they could. Among the codes are
      V(not_installed), V(not_preloaded), V(no_privilege), V(unknown_columns) and V(statement_timeout).
  returned: success
  type: dict
queries:
  description:
    - The worst statements, the worst first. Times are in milliseconds; a figure that this version lacks is null.
  returned: success
  type: list
  elements: dict
  contains:
    queryid:
      description: The statement's id, as text because it has 64 bits.
      type: str
      sample: "-4087310926133419047"
    toplevel:
      description: Whether it was run directly, not inside a function. Null before version 1.9 of the extension.
      type: bool
    query:
      description:
        - Its text on one line, without constants, cut to 1000 characters. Null if it was evicted in the meantime.
      type: str
      sample: SELECT * FROM "Tickets" WHERE "companyId" = $1
    database:
      description: Its database.
      type: str
    user:
      description: The role that ran it.
      type: str
    calls:
      description:
        - How often it was run, within O(interval) if there is one. The same applies to the other figures, except
          RV(queries[].min_ms) and RV(queries[].max_ms).
      type: int
    calls_per_second:
      description: The same per second; null without O(interval).
      type: float
    total_ms:
      description: Time of all calls.
      type: float
    mean_ms:
      description: Mean time of a call.
      type: float
    min_ms:
      description: Time of the shortest call since its counters began, also with O(interval).
      type: float
    max_ms:
      description: Time of the longest call since its counters began, also with O(interval).
      type: float
    plan_ms:
      description: Time of planning, which PostgreSQL counts only with C(pg_stat_statements.track_planning).
      type: float
    share:
      description: Its share of the time of all statements, from 0 to 1.
      type: float
    rows:
      description: Rows that it returned or changed.
      type: int
    shared_blks_hit:
      description: Blocks that it found in the shared buffers.
      type: int
    shared_blks_read:
      description: Blocks that it had to read.
      type: int
    temp_blks_written:
      description: Blocks of temporary files, for instance of sorts that did not have enough memory.
      type: int
    read_ms:
      description: Time of reading blocks, which PostgreSQL counts only with C(track_io_timing).
      type: float
    stats_since:
      description: Since when it is counted. Null before version 1.11 of the extension.
      type: str
interval_seconds:
  description: Actual seconds between the two readings; null if there was only one.
  returned: success
  type: float
text_hidden_count:
  description: Statements of other roles, whose text this role may not see. They are not in RV(queries).
  returned: success
  type: int
text_hidden_share:
  description: Their part of the time of all statements, from 0 to 1.
  returned: success
  type: float
restarted_count:
  description: Statements whose counters started again between the readings; their figures are those since then.
  returned: success
  type: int
gone_count:
  description: Statements that existed at the first reading but not at the second, evicted or reset.
  returned: success
  type: int
source:
  description: The extension as it was found; null if not even that could be read.
  returned: success
  type: dict
  contains:
    installed:
      description: Whether it is installed in this database.
      type: bool
    schema:
      description: Its schema.
      type: str
    version:
      description: Its version, which may be older than the server's.
      type: str
    preloaded:
      description: Whether the server has loaded its library.
      type: bool
    track:
      description: What is counted, V(top), V(all) or V(none).
      type: str
    io_timed:
      description: Whether the time of reading blocks is counted.
      type: bool
    reset_at:
      description: When all counters were set to zero. Null before version 1.9.
      type: str
    evicted:
      description: Statements that were evicted for lack of room since then. Null before version 1.9.
      type: int
    reset_between:
      description: Whether all were set to zero between the readings; null without O(interval), or if it is not known.
      type: bool
    evicted_between:
      description: Statements that were evicted between the readings; null without O(interval), or if it is not known.
      type: int
running:
  description:
    - At most 50 statements that have been running, or transactions that have been idle, for long; the longest first.
  returned: success; null if it could not be read
  type: list
  elements: dict
  contains:
    pid:
      description: The session's process.
      type: int
    kind:
      description: For instance C(client backend) or C(autovacuum worker).
      type: str
    database:
      description: Its database.
      type: str
    user:
      description: Its role.
      type: str
    application_name:
      description: What it calls itself.
      type: str
    client:
      description: Address of the client.
      type: str
    state:
      description: For instance C(active) or C(idle in transaction).
      type: str
    wait_event_type:
      description: What kind of thing it waits for; null if it is working.
      type: str
    wait_event:
      description: What it waits for.
      type: str
    seconds:
      description: For how long it has run, or been idle.
      type: float
    transaction_seconds:
      description: Age of its transaction.
      type: float
    queryid:
      description: The statement's id, as in RV(queries). Null before PostgreSQL 14.
      type: str
    query:
      description: The statement, see O(texts); for an idle session, the last one.
      type: str
running_count:
  description: How many there are.
  returned: success; null if it could not be read
  type: int
sessions_hidden_count:
  description: Sessions of other roles, of which this role sees only that they exist.
  returned: success; null if it could not be read
  type: int
waiting:
  description: Sessions that wait for a lock, from at most 100 of them, the longest first.
  returned: success; null if it could not be read
  type: list
  elements: dict
  contains:
    pid:
      description: The session's process.
      type: int
    user:
      description: Its role.
      type: str
    application_name:
      description: What it calls itself.
      type: str
    lock:
      description: What is locked, for instance C(relation), C(tuple) or C(transactionid).
      type: str
    mode:
      description: The lock that it wants.
      type: str
    relation:
      description: The table, if it is one of this database.
      type: str
    seconds:
      description: For how long it has waited. Before PostgreSQL 14, for how long its statement has run.
      type: float
    query:
      description: Its statement, see O(texts).
      type: str
    blocked_by:
      description:
        - The sessions that it waits for, each with C(pid), C(application_name), C(user), C(client), C(state),
          C(transaction_age), C(query), C(waits_itself), and C(to_end_it), the statement that ends it. For a prepared
          transaction C(pid) is 0, C(gid) its name, and C(to_end_it) has both statements, because only its
          transaction manager knows which one is right.
      type: list
      elements: dict
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
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._slowentry import Question, find_slow
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statements import ORDERS

OPTIONS = {
    "contains": {"type": "list", "elements": "str", "default": []},
    "top": {"type": "int", "default": 10},
    "order_by": {"type": "str", "choices": list(ORDERS), "default": "total"},
    "min_mean_ms": {"type": "float", "default": 0},
    "interval": {"type": "float", "default": 0},
    "running_ms": {"type": "float", "default": 1000},
    "texts": {"type": "bool", "default": False},
    "all_databases": {"type": "bool", "default": False},
    "deadline": {"type": "float", "default": 20},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(argument_spec={**postgres_spec(), **OPTIONS}, supports_check_mode=True)
    params = module.params

    def work() -> Outcome:
        return find_slow(login_from(params), Question(**{name: params[name] for name in OPTIONS}))

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
