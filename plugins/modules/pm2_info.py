#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_info
short_description: Tell whether the processes that pm2 lists really run, and which errors they log
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Returns for each process of the application whether it lives (by the kernel, for pm2 lists processes as online that
    have none), restarts, memory and its trend, uptime, and error lines in its logs, rotated ones included. It ends,
    which C(pm2 logs) and C(pm2 monit) do not.
  - Never returns the environment or the arguments of a process, and takes values out of log messages that the
    environment or the arguments give to a password, token, key and the like.
  - Starts no daemon of pm2. Where none runs, where pm2 or node is missing, or where pm2's home is another one or
    another user's, the module fails and says so.
options:
  pm2:
    description:
      - Program of pm2; a name is looked for in C(PATH), C(/usr/local/bin), C(/usr/bin), and beside the daemon's node.
      - Empty means that there is no pm2; then nothing is looked at, and the result is RV(skipped).
    type: str
    default: pm2
  home:
    description:
      - pm2's directory. Without it, C(PM2_HOME) or C(~/.pm2). As root, pm2 is run and logs are read as the owner of the
        directory; where that is root, logs that are symbolic links are not read.
    type: path
  names:
    description:
      - Names of the processes that are the application. One that pm2 does not have is a problem.
      - Empty means all of them but pm2's modules.
    type: list
    elements: str
    default: []
  expected:
    description: How many processes have to be up at least. Without it, those that there are, and at least one.
    type: int
  min_uptime:
    description:
      - Seconds that a process has to be up to count. A process that crashes and is started again all the time is online
        whenever one looks.
    type: float
    default: 5
  since:
    description:
      - Count error lines of the last so many seconds. RV(processes[].log_files[].since_by) says by what a log tells.
      - Left out, since O(previous) was taken, or the last 600 seconds without it.
    type: float
  last_lines:
    description: Count error lines among the last so many lines of each log, older files included.
    type: int
    default: 100
  error_pattern:
    description:
      - Regular expression that an error line has, compared without regard to case with the first 2000 characters. JSON
        lines of level 50 and 60, which are C(error) and C(fatal) of pino, count as well.
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
      - RV(processes) of an earlier result. The trend then begins there, restarts since are counted, and lines of logs
        without timestamps are known to be older when they were there.
    type: list
    elements: dict
    default: []
  max_bytes:
    description: Bytes that are read from the end of each log file.
    type: int
    default: 1048576
  deadline:
    description: Seconds by which everything ends. A log that takes more than 5 of them is left out and named.
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
  - A process that is not right does not fail the module; RV(ok) and RV(problems) tell.
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
      description: Its process by pm2; null where pm2 names none.
      type: int
    status:
      description: What pm2 says, for instance C(online), C(stopped), C(errored), C(waiting restart).
      type: str
    online:
      description: Whether RV(processes[].status) is C(online).
      type: bool
    alive:
      description: Whether the process lives, is no zombie, and is the one that pm2 started.
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
      description: How often pm2 has started it again.
      type: int
    unstable_restarts:
      description: How often it ended within a second, by pm2, in its first seconds.
      type: int
    restarts_since_previous:
      description: Restarts since O(previous); null without it.
      type: int
    uptime_seconds:
      description: Seconds since the process began, by the kernel; null when it is not alive.
      type: float
    memory_bytes:
      description: Bytes that are resident; null when it is not alive.
      type: int
    memory_samples:
      description: Memory over time, the last 100 samples of this process, those in O(previous) included.
      type: list
      elements: dict
      contains:
        uptime_seconds:
          description: When, in seconds since the process began.
          type: float
        bytes:
          description: Bytes that are resident.
          type: int
    memory_slope_bytes_per_minute:
      description: How memory grows, by least squares over all samples; null when they span less than a second.
      type: int
    logs_read:
      description: Whether every log of the process was read. Where V(false), errors may have been missed.
      type: bool
    complete:
      description: Whether all of its logs was read that could count.
      type: bool
    recent_known:
      description: Whether RV(processes[].error_lines_recent) is sure, for every line was read that could count in it.
      type: bool
    error_lines_in_last:
      description: Error lines among the last O(last_lines) of each of its logs; null where none was read.
      type: int
    error_lines_since:
      description: Error lines of the last O(since) seconds; null where no log was read.
      type: int
    error_lines_recent:
      description: Error lines that are both; null where no log was read.
      type: int
    last_lines_read:
      description: How many lines RV(processes[].error_lines_in_last) was counted among.
      type: int
    log_files:
      description: Its logs, but for those that pm2 does not write.
      type: list
      elements: dict
      contains:
        path:
          description: Where it lies.
          type: str
        state:
          description: C(read), C(missing), C(forbidden), C(no_file) for what is no ordinary file, or C(slow).
          type: str
        reason:
          description: What could not be read of it and why; null where nothing lacks.
          type: str
        complete:
          description: Whether all that could count was read.
          type: bool
        recent_known:
          description: Whether all was read that could be both new and among the last lines.
          type: bool
        rotated:
          description: Its older files that were read.
          returned: when it was read
          type: list
          elements: str
        since_by:
          description:
            - How RV(processes[].error_lines_since) is known.
            - With C(timestamps), by those of the lines. Where these name no zone, it is told from the time when the
              file was last written.
            - With C(local_timestamps) it cannot be told, for lines without timestamps were written since. Lines then
              count as new as any zone in the world makes them, and the figure is the most that there can be.
            - With C(position), by what of the file was there in O(previous).
            - With C(mtime), by the time when the file was last written alone; the figure then is the most that there
              can be.
          returned: when it was read
          type: str
        size_bytes:
          description: Its size.
          returned: when it was read
          type: int
        inode:
          description: Which file it is.
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
  description: Whether all of all logs was read that could count.
  returned: success, unless skipped
  type: bool
recent_known:
  description:
    - Whether RV(error_lines_recent) is sure. V(false) where a log, or an older file of one, could not be read as far
      back as its lines could be both new and among the last; then errors may have been missed.
  returned: success, unless skipped
  type: bool
error_lines_in_last:
  description:
    - Sum over all logs. A log that several processes share counts for each of them, and once here. Null where no log
      was read.
  returned: success, unless skipped
  type: int
error_lines_since:
  description: The same of RV(processes[].error_lines_since).
  returned: success, unless skipped
  type: int
error_lines_recent:
  description: The same of RV(processes[].error_lines_recent).
  returned: success, unless skipped
  type: int
last_lines_read:
  description: The same of RV(processes[].last_lines_read).
  returned: success, unless skipped
  type: int
messages:
  description:
    - The 20 most frequent messages of the error lines that were counted, of each log the newest 2000. Numbers, ids and
      addresses are replaced, so that equal errors are one message; passwords and tokens are taken out where they can be
      told.
  returned: success, unless skipped
  type: list
  elements: dict
  contains:
    message:
      description: The message, cut to 200 characters.
      type: str
    count:
      description: How often it came.
      type: int
    names:
      description: Names of the processes that logged it.
      type: list
      elements: str
    first_seen:
      description: When first, in UTC; null where the log does not say.
      type: str
    last_seen:
      description: When last.
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
  description: Seconds from RV(since) to the moment when pm2 was asked.
  returned: success, unless skipped
  type: float
sampled_at:
  description: When pm2 was asked, in UTC by the host's clock.
  returned: success, unless skipped
  type: str
  sample: "2026-11-25T03:19:07Z"
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success, unless skipped
  type: int
skipped:
  description: Whether O(pm2) is empty, so that nothing was looked at.
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
    """Read the options, do the work, end."""
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
