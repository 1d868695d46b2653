#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_info
short_description: Check whether the processes that pm2 lists really run, and which errors they log
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Returns for each process of the application whether it is alive, its restarts, memory and memory trend, uptime, and
    the error lines in its logs, rotated ones included. Whether it is alive comes from the kernel, because pm2 lists
    entries as online that have no process. Unlike C(pm2 logs) and C(pm2 monit), it terminates.
  - Never returns the environment or the arguments of a process. Values that these give to a password, token, key and
    the like are removed from log messages.
  - Does not start a pm2 daemon. If none runs, if pm2 or node is missing, or if pm2's home is a different one or another
    user's, the module fails and says so.
options:
  pm2:
    description:
      - The pm2 program. A name is looked up in C(PATH), C(/usr/local/bin), C(/usr/bin), and beside the daemon's node.
      - Empty means that there is no pm2. Nothing is checked then, and the result is RV(skipped).
    type: str
    default: pm2
  home:
    description:
      - pm2's directory. The default is C(PM2_HOME) or C(~/.pm2). When the module runs as root, it runs pm2 and reads
        logs as the owner of the directory; if that owner is root, it does not read logs that are symbolic links.
    type: path
  names:
    description:
      - Names of the processes that make up the application. A name that pm2 does not have is a problem.
      - Empty means all processes except pm2's modules.
    type: list
    elements: str
    default: []
  expected:
    description: Minimum number of processes that must be up. By default all that there are, and at least one.
    type: int
  min_uptime:
    description:
      - Seconds that a process must have been up to count. A process that keeps crashing and restarting is online
        whenever one looks.
    type: float
    default: 5
  since:
    description:
      - How many seconds to look back for error lines. RV(processes[].log_files[].since_by) says how the age of a log's
        lines is known.
      - By default it looks back to the moment when O(previous) was taken, or 600 seconds without O(previous).
    type: float
  last_lines:
    description: How many of the last lines of each log, older files included, to look through for error lines.
    type: int
    default: 100
  error_pattern:
    description:
      - Regular expression that identifies an error line. It is searched for in the first 2000 characters of a line,
        ignoring case. JSON lines of level 50 and 60 (C(error) and C(fatal) of pino) count as well.
      - The further lines of a stack trace belong to their error and do not count.
    type: str
    default: error
  ignore_pattern:
    description: Regular expression of error lines that do not count.
    type: str
  samples:
    description: How often memory is read, spread over O(trend_seconds).
    type: int
    default: 2
  trend_seconds:
    description: Seconds from the first sample of memory to the last.
    type: float
    default: 2
  previous:
    description:
      - RV(processes) of an earlier result. The trend then begins there, restarts since then are counted, and lines of
        logs without timestamps are known to be older if they were already there.
    type: list
    elements: dict
    default: []
  max_bytes:
    description: Number of bytes to read from the end of each log file.
    type: int
    default: 1048576
  deadline:
    description: Seconds within which everything ends. A log that takes more than 5 seconds is left out and named.
    type: float
    default: 20
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.evidence
notes:
  - The module does not fail when a process has a problem; RV(ok) and RV(problems) report it.
"""

EXAMPLES = r"""
- name: Look at the application's processes
  chatia.kanban_rollback.pm2_info:
    home: /home/deploy/.pm2
    names: [api]
    since: 300
  become: true
  register: processes

- name: Look again, ten minutes later
  chatia.kanban_rollback.pm2_info:
    home: /home/deploy/.pm2
    names: [api]
    previous: "{{ processes.processes }}"
  become: true
  register: later
  failed_when: later is failed or not later.ok or not later.recent_known or later.error_lines_recent >= 5
"""

RETURN = r"""
ok:
  description: Whether RV(problems) is empty.
  returned: success, unless skipped
  type: bool
problems:
  description: What is wrong, one line each.
  returned: success
  type: list
  elements: str
  sample: ["api (0): pm2 says online, but it has no process"]
pm2_home:
  description: The home of pm2 that was looked at; null when skipped.
  returned: success
  type: str
processes:
  description: The processes of the application.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name in pm2.
      type: str
    pm_id:
      description: Its number in pm2.
      type: int
    pid:
      description: Its process id according to pm2; null if pm2 names none.
      type: int
    status:
      description: What pm2 says, for instance C(online), C(stopped), C(errored), C(waiting restart).
      type: str
    online:
      description: Whether RV(processes[].status) is C(online).
      type: bool
    alive:
      description: Whether the process exists, is not a zombie, and is the one that pm2 started.
      type: bool
    ok:
      description: Whether it is online, alive, not stopped by a signal, and up for O(min_uptime).
      type: bool
    why_not:
      description: Why it is not RV(processes[].ok); null when it is.
      type: str
    exec_mode:
      description: C(fork_mode) or C(cluster_mode).
      type: str
    restarts:
      description: How often pm2 has restarted it.
      type: int
    unstable_restarts:
      description: How often, according to pm2, it ended within a second, in its first seconds.
      type: int
    restarts_since_previous:
      description: Restarts since O(previous); null without it.
      type: int
    uptime_seconds:
      description: Seconds since the process started, according to the kernel; null if it is not alive.
      type: float
    memory_bytes:
      description: Resident memory in bytes; null if it is not alive.
      type: int
    memory_samples:
      description: Memory over time, as the last 100 samples of this process, including those in O(previous).
      type: list
      elements: dict
      contains:
        uptime_seconds:
          description: When it was taken, in seconds since the process started.
          type: float
        bytes:
          description: Resident memory in bytes.
          type: int
    memory_slope_bytes_per_minute:
      description: Growth of memory, by least squares over all samples; null if they span less than a second.
      type: int
    logs_read:
      description: Whether every log of the process was read. If V(false), errors may have been missed.
      type: bool
    complete:
      description: Whether everything in its logs that could count was read.
      type: bool
    recent_known:
      description:
        - Whether RV(processes[].error_lines_recent) is certain, because every line that could count in it was read.
      type: bool
    error_lines_in_last:
      description: Error lines among the last O(last_lines) of each of its logs; null if none was read.
      type: int
    error_lines_since:
      description: Error lines of the last O(since) seconds; null if no log was read.
      type: int
    error_lines_recent:
      description:
        - Error lines that are both among the last O(last_lines) and of the last O(since) seconds; null if no log was
          read.
      type: int
    last_lines_read:
      description: Number of lines among which RV(processes[].error_lines_in_last) was counted.
      type: int
    log_files:
      description: Its logs, except those that pm2 does not write.
      type: list
      elements: dict
      contains:
        path:
          description: Its path.
          type: str
        state:
          description: C(read), C(missing), C(forbidden), C(no_file) if it is not a regular file, or C(slow).
          type: str
        reason:
          description: What could not be read of it and why; null if nothing is missing.
          type: str
        complete:
          description: Whether everything that could count was read.
          type: bool
        recent_known:
          description: Whether everything was read that could be both new and among the last lines.
          type: bool
        rotated:
          description: Its older files that were read.
          returned: when it was read
          type: list
          elements: str
        since_by:
          description:
            - How RV(processes[].error_lines_since) is known.
            - With C(timestamps), by the timestamps of the lines. If these have no time zone, the zone is inferred from
              the time when the file was last written.
            - With C(local_timestamps), the zone cannot be inferred, because lines without timestamps were written
              since. Lines then count as being as new as any zone in the world makes them, and the figure is an upper
              bound.
            - With C(position), by how much of the file was already there in O(previous).
            - With C(mtime), only by the time when the file was last written; the figure is then an upper bound.
          returned: when it was read
          type: str
        size_bytes:
          description: Its size.
          returned: when it was read
          type: int
        inode:
          description: Its inode number.
          returned: when it was read
          type: int
        at:
          description: When it was read, in seconds since 1970.
          returned: when it was read
          type: float
        written_at:
          description: When it was last written, in seconds since 1970.
          returned: when it was read
          type: float
missing:
  description: Those of O(names) that pm2 does not have.
  returned: success, unless skipped
  type: list
  elements: str
online:
  description: How many processes pm2 says are online.
  returned: success, unless skipped
  type: int
alive:
  description: How many processes live.
  returned: success, unless skipped
  type: int
restarts:
  description: Restarts of all processes.
  returned: success, unless skipped
  type: int
logs_read:
  description: Whether every log of every process was read.
  returned: success, unless skipped
  type: bool
complete:
  description: Whether everything in all logs that could count was read.
  returned: success, unless skipped
  type: bool
recent_known:
  description:
    - Whether RV(error_lines_recent) is certain. It is V(false) if a log, or an older file of one, could not be read as
      far back as its lines could be both new and among the last; errors may then have been missed.
  returned: success, unless skipped
  type: bool
error_lines_in_last:
  description:
    - Sum over all logs. A log that several processes share counts for each of them, but only once here. Null if no log
      was read.
  returned: success, unless skipped
  type: int
error_lines_since:
  description: The same sum of RV(processes[].error_lines_since).
  returned: success, unless skipped
  type: int
error_lines_recent:
  description: The same sum of RV(processes[].error_lines_recent).
  returned: success, unless skipped
  type: int
last_lines_read:
  description: The same sum of RV(processes[].last_lines_read).
  returned: success, unless skipped
  type: int
messages:
  description:
    - The 20 most frequent messages of the error lines that were counted, from the newest 2000 of each log. Numbers, ids
      and addresses are replaced, so equal errors become one message; passwords and tokens are removed where they can be
      identified.
  returned: success, unless skipped
  type: list
  elements: dict
  contains:
    message:
      description: The message, cut to 200 characters.
      type: str
    count:
      description: How often it occurred.
      type: int
    names:
      description: Names of the processes that logged it.
      type: list
      elements: str
    first_seen:
      description: When it occurred first, in UTC; null if the log does not say.
      type: str
    last_seen:
      description: When it occurred last.
      type: str
  sample:
    - {message: "Error: connect ECONNREFUSED <n>", count: 7, names: [api], first_seen: null, last_seen: null}
distinct_count:
  description: How many different messages there are, counted up to 2000.
  returned: success, unless skipped
  type: int
since:
  description: The moment from which error lines count, in UTC.
  returned: success, unless skipped
  type: str
  sample: "2026-11-25T03:14:07Z"
since_seconds:
  description: Seconds from RV(since) to the moment when pm2 was queried.
  returned: success, unless skipped
  type: float
sampled_at:
  description: When pm2 was queried, in UTC by the host's clock.
  returned: success, unless skipped
  type: str
  sample: "2026-11-25T03:19:07Z"
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success, unless skipped
  type: int
skipped:
  description: Whether O(pm2) is empty, so nothing was checked.
  returned: when O(pm2) is empty
  type: bool
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines; C(no_home), C(other_user), C(no_account), C(no_daemon), C(no_program),
          C(no_node), C(pm2_timeout), C(pm2_failed), C(bad_answer), C(bad_pattern) or C(bad_option).
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2info import Request, look_at


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "pm2": {"type": "str", "default": "pm2"},
            "home": {"type": "path"},
            "names": {"type": "list", "elements": "str", "default": []},
            "expected": {"type": "int"},
            "min_uptime": {"type": "float", "default": 5},
            "since": {"type": "float"},
            "last_lines": {"type": "int", "default": 100},
            "error_pattern": {"type": "str", "default": "error"},
            "ignore_pattern": {"type": "str"},
            "samples": {"type": "int", "default": 2},
            "trend_seconds": {"type": "float", "default": 2},
            "previous": {"type": "list", "elements": "dict", "default": []},
            "max_bytes": {"type": "int", "default": 1024 * 1024},
            "deadline": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )

    def work() -> Outcome:
        return look_at(Request(**module.params))

    run(module, work)


if __name__ == "__main__":
    main()
