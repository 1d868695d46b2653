#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_stats_info
short_description: Report what Redis is doing now, from two readings of its counters
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads C(INFO) twice and returns operations per second, memory, evictions, hits, clients, the commands that take most
    of the time, the newest entries of the slow log, latency, replication and persistence. Changes nothing, and works on
    replicas as well.
  - Keys and arguments of commands are never returned.
  - What the user is not permitted to read is null, with an entry in RV(notes). Only C(INFO) must be permitted.
options:
  interval:
    description:
      - Seconds between the two readings. With V(0) there is only one reading, and no rates except those that Redis
        itself has.
    type: float
    default: 1
  slowlog:
    description: How many of the newest entries of the slow log to return, from 0 to 128.
    type: int
    default: 10
  deadline:
    description: Seconds within which everything ends, retries included; at least 1 more than O(interval).
    type: float
    default: 10
extends_documentation_fragment:
  - chatia.kanban_rollback.redis
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - The user needs C(+info). C(+role), C(+slowlog|get), C(+latency|latest) and C(+config|get) are needed for what these
    commands return.
seealso:
  - module: chatia.kanban_rollback.slow_queries_info
  - module: chatia.kanban_rollback.evidence
"""

EXAMPLES = r"""
- name: What is Redis doing
  chatia.kanban_rollback.redis_stats_info:
    interval: 5
    deadline: 15
  register: redis_stats

- name: And the master that the Sentinels name
  chatia.kanban_rollback.redis_stats_info:
    sentinels: [sentinel1:26379, sentinel2:26379, sentinel3:26379]
  register: redis_stats
"""

RETURN = r"""
interval_seconds:
  description: Actual seconds between the two readings; null if there was only one.
  returned: success
  type: float
operations:
  description: The load on it.
  returned: success
  type: dict
  contains:
    per_second:
      description: Commands per second between the readings, including those of this module. Null without O(interval).
      type: float
    instantaneous_per_second:
      description: The same, as Redis itself has measured it.
      type: int
    total:
      description: Commands since its start.
      type: int
    cpu_share:
      description:
        - Seconds of processor time per second, of one or more threads. Commands have one thread; at 1 it is saturated.
      type: float
    input_bytes_per_second:
      description: Bytes that came in.
      type: float
    output_bytes_per_second:
      description: Bytes that went out.
      type: float
memory:
  description: Memory, in bytes.
  returned: success
  type: dict
  contains:
    used_bytes:
      description: Memory that Redis has allocated.
      type: int
    rss_bytes:
      description: Memory that the system has given to Redis.
      type: int
    peak_bytes:
      description: The most that it ever used.
      type: int
    max_bytes:
      description: C(maxmemory); null if there is no limit.
      type: int
    used_share:
      description: Share of the limit that is used, from 0; null if there is no limit.
      type: float
    policy:
      description: C(maxmemory-policy), which is what happens at the limit.
      type: str
    fragmentation_ratio:
      description: C(mem_fragmentation_ratio); far below 1 means that Redis is being swapped out.
      type: float
    system_bytes:
      description: Memory of the machine.
      type: int
keyspace:
  description: Keys, and how they get lost.
  returned: success
  type: dict
  contains:
    count:
      description: Keys in O(login_db).
      type: int
    expiring_count:
      description: Those of them that have an expiry.
      type: int
    evicted_total:
      description: Keys that were evicted because memory was full, since the start.
      type: int
    evicted_per_second:
      description: The same per second between the readings.
      type: float
    expired_total:
      description: Keys that expired since the start.
      type: int
    expired_per_second:
      description: The same per second between the readings.
      type: float
    hit_rate:
      description: Share of the look-ups between the readings that found their key, from 0 to 1; null without look-ups.
      type: float
    hit_rate_total:
      description: The same since the start.
      type: float
clients:
  description: Connections.
  returned: success
  type: dict
  contains:
    connected:
      description: How many there are, this one included.
      type: int
    blocked:
      description: Those that wait in a command such as C(BRPOP). Workers of queues do that all the time.
      type: int
    max:
      description: C(maxclients).
      type: int
    rejected_total:
      description: Connections that were rejected for lack of room, since the start.
      type: int
    rejected_per_second:
      description: The same per second between the readings.
      type: float
    accepted_per_second:
      description: Connections that were accepted.
      type: float
commands:
  description: The 10 commands that took most of the time between the readings; without O(interval), since the start.
  returned: success
  type: list
  elements: dict
  contains:
    command:
      description: Its name.
      type: str
    calls:
      description: How often it was run.
      type: int
    total_ms:
      description: Milliseconds of all calls.
      type: float
    mean_ms:
      description: Mean milliseconds of a call.
      type: float
slowlog:
  description: The newest entries of the slow log, the newest first.
  returned: success; null if it may not be asked
  type: list
  elements: dict
  contains:
    at:
      description: When it ran.
      type: str
    duration_ms:
      description: Milliseconds that it took.
      type: float
    command:
      description: The command's name.
      type: str
    arguments:
      description: How many arguments it had.
      type: int
slowlog_threshold_us:
  description: Microseconds from which a command is slow; below 0 none is.
  returned: success; null if it may not be asked
  type: int
latency:
  description: What C(LATENCY LATEST) returns, each as C(event), C(at), C(latest_ms) and C(max_ms).
  returned: success; null if it may not be asked
  type: list
  elements: dict
latency_threshold_ms:
  description: Milliseconds from which an event is kept there; with 0 none is.
  returned: success; null if it may not be asked
  type: int
ping_ms:
  description: Milliseconds of the shortest of 5 round trips from the host that runs the module.
  returned: success
  type: float
replication:
  description: Replicas, or the master.
  returned: success
  type: dict
  contains:
    role:
      description: C(master) or C(replica).
      type: str
    replicas_count:
      description: How many replicas follow.
      type: int
    replicas:
      description: The first 50, each as C(address), C(state), C(lag_seconds) and C(lag_bytes).
      type: list
      elements: dict
    link:
      description: On a replica, C(up) or C(down).
      type: str
    last_io_seconds:
      description: On a replica, seconds since it last heard from its master.
      type: int
    syncing:
      description: On a replica, whether it is copying everything.
      type: bool
persistence:
  description: How it keeps its data.
  returned: success
  type: dict
  contains:
    loading:
      description: Whether it is reading its data, after a start.
      type: bool
    rdb_saving:
      description: Whether it is writing a snapshot.
      type: bool
    rdb_last_ok:
      description: Whether the last one succeeded.
      type: bool
    rdb_last_at:
      description: When that was.
      type: str
    rdb_changes:
      description: Changes since then.
      type: int
    aof:
      description: Whether it writes a log of changes.
      type: bool
    aof_last_ok:
      description: Whether the last write to it succeeded.
      type: bool
    aof_rewriting:
      description: Whether it is being rewritten.
      type: bool
    last_fork_ms:
      description: Milliseconds for which the last fork stopped everything.
      type: float
notes:
  description:
    - What could not be read, each with C(what), C(why), C(code) and, for a missing right, the C(grant) to type.
  returned: success
  type: list
  elements: dict
  sample:
    - {what: slowlog, why: "…", code: missing_privilege, grant: ACL SETUSER app +slowlog|get}
server:
  description: Which Redis this was, with the fields that M(chatia.kanban_rollback.write_block) returns.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds for all of it.
  returned: when a server was tried
  type: int
tries:
  description: How often it was tried.
  returned: when no server could be used
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redislogin import (
    REDIS,
    redis_login_from,
    redis_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisstatsentry import Question, read_stats


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **redis_spec(),
            "interval": {"type": "float", "default": 1},
            "slowlog": {"type": "int", "default": 10},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        question = Question(params["interval"], params["slowlog"], params["deadline"])
        return read_stats(redis_login_from(params), question)

    run(module, work, REDIS)


if __name__ == "__main__":
    main()
