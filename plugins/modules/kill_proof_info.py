#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kill_proof_info
short_description: Prove that every application process serves V1
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - When the flag in the database is off, an application process may still serve V2 from its cache. This module asks
    each process over HTTP until it serves V1 or O(deadline) is over, and reports how long that took since the commit.
  - A process is proven when it served V1, has reported nothing else since, and reported V1 again after the last process
    of all had turned. So the proof is about the processes that run at the end. A process that goes back to V2 is
    detected, and one that was restarted meanwhile is asked again.
  - An unclear answer is never taken for V1; RV(processes[].error) reports it. Unclear are no connection, HTML, a status
    other than 200, a missing key, a value of another type than those of O(off_when), and an answer that is not complete
    within O(timeout) or is larger than 1 MiB.
  - The module does not fail if something is not proven; RV(proven) says so, and RV(unproven) names what is not proven.
  - It does not follow redirects or use the proxies of the environment.
options:
  urls:
    description:
      - A base URL for each process, as this host reaches it. Processes are asked side by side.
      - With O(pid_path), nothing is proven of an address where several processes answer. One process has to answer 12
        times in a row.
      - Exactly one of O(urls) and O(url) is needed. Neither may have a user, a query or a fragment.
    type: list
    elements: str
    default: []
  url:
    description:
      - The base URL of processes that share a port (pm2's cluster mode, C(SO_REUSEPORT)). It is asked again and again
        over new connections, until as many processes as exist have answered. Needs O(pid_path).
    type: str
  processes:
    description:
      - How many processes there are. Without this option and O(pids), the number behind O(url) is not known, and
        nothing is proven. With O(urls) it must be the number of addresses.
    type: int
  pids:
    description:
      - Ids of the processes behind O(url). Each of them that still lives on this host must answer. Processes that were
        started in their place count as well.
    type: list
    elements: int
    default: []
  path:
    description: Path below the base URL, possibly with a query, whose answer says which flag the process sees.
    type: str
    default: /
  serves_path:
    description:
      - Where in the JSON answer the flag is, as C(data.v2), C(flags[0].value) or a list of steps.
      - A step that is C(<tenant>) stands for the id of each of O(tenants).
      - With O(tenants), but neither O(tenant_parameter) nor such a step, it must lead to a list of the ids of the
        tenants that have V2.
    type: raw
    required: true
  off_when:
    description:
      - The values that mean V1, as the application writes them, for instance V([false]) or V([0]). They are compared by
        type and value; V(0) is neither V(false) nor V("0"). Another value of the same type means V2.
    type: list
    elements: raw
    required: true
  pid_path:
    description:
      - Where in the answer the process id is. With this option, a restarted process is noticed, and an answer without
        an id does not count.
    type: raw
  tenants:
    description: Ids of the tenants to ask about; an empty list means that the answer is about everybody.
    type: list
    elements: str
    default: []
  tenant_parameter:
    description:
      - Query parameter for the id of a tenant, if each tenant must be asked about separately. Without it, one answer is
        about all of them.
    type: str
  most_tenants:
    description:
      - How many of O(tenants) to ask about at most; these are the first, the last, and evenly spaced ones in between.
        If there are more, a warning says so.
    type: int
    default: 10
  committed_seconds_ago:
    description:
      - How many seconds before the start of this module the kill was committed, by the controller's clock. From then on
        only elapsed time counts, so differing clocks do not matter.
    type: float
    default: 0
  deadline:
    description: Seconds that the module may take.
    type: float
    default: 30
  interval:
    description:
      - Seconds between two requests to a process. While it is asked again, this grows to 0.3 s with O(urls), and to 1.2
        times as much with O(url).
    type: float
    default: 0.1
  timeout:
    description: Seconds within which an answer must be complete.
    type: float
    default: 2
  headers:
    description:
      - Headers of every request. Their values are treated as secrets and masked wherever they appear in a result, so do
        not use a value as short as C(1) here.
    type: dict
    default: {}
  validate_certs:
    description: Whether to check the certificates of https addresses.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Asks the processes as usual, because it changes nothing.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.feature_flag
  - module: chatia.kanban_rollback.smoke_test
"""

EXAMPLES = r"""
- name: Ask two processes with a port each whether any tenant still has V2
  chatia.kanban_rollback.kill_proof_info:
    urls: ["http://127.0.0.1:8080", "http://127.0.0.1:8081"]
    path: /health/kanban
    serves_path: "on"
    off_when: [0]
    pid_path: pid
    committed_seconds_ago: 1.5
  register: proof

- name: Ask four processes that share a port, for three tenants
  chatia.kanban_rollback.kill_proof_info:
    url: http://127.0.0.1:8080
    processes: 4
    path: /health/kanban
    serves_path: v2
    off_when: [false]
    pid_path: pid
    tenants: ["7", "12", "31"]
    tenant_parameter: tenant
"""

RETURN = r"""
proven:
  description: Whether every process serves V1.
  returned: success
  type: bool
proven_count:
  description: How many processes are proven to serve V1.
  returned: success
  type: int
processes:
  description:
    - A row for each process, and for each one that should exist but never answered.
  returned: success
  type: list
  elements: dict
  contains:
    url:
      description: The base URL that was asked.
      type: str
    pid:
      description: Its process id; null if that is not known.
      type: int
    serves:
      description: C(v1), C(v2) or C(unknown).
      type: str
    understood:
      description: Whether its last answer said clearly which version it serves, proven or not.
      type: bool
    seconds_from_commit:
      description:
        - Seconds from the commit until the process was seen to serve V1, which it has done ever since; null if that is
          not proven. A process that had turned before it was first asked may have done so earlier.
      type: float
    tries:
      description: How many times it answered or failed to.
      type: int
    error:
      description: Why it is not proven, in one line; null if it is.
      type: str
unproven:
  description: Those of RV(processes) that are not proven.
  returned: success
  type: list
  elements: dict
serving_v2:
  description: How many processes reported that they serve V2.
  returned: success
  type: int
p50_seconds:
  description: Median of RV(processes[].seconds_from_commit); null if nothing is proven.
  returned: success
  type: float
max_seconds:
  description: The same of the slowest proven process; null if nothing is proven.
  returned: success
  type: float
asked:
  description: How many requests were sent.
  returned: success
  type: int
tenants_asked:
  description: How many of O(tenants) the proof covers, at most O(most_tenants); 0 if it is about everybody.
  returned: success
  type: int
tenants_named:
  description: How many different ids O(tenants) has.
  returned: success
  type: int
committed_seconds_ago:
  description: O(committed_seconds_ago) as given, to know how much time passed before the module started.
  returned: success
  type: float
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
error:
  description:
    - On bad input, what is wrong, why it matters and what to do, a C(code) for machines, and the C(page) of the
      documentation that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import check_seconds
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killprobe import Probe, wish_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import reading_from


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "urls": {"type": "list", "elements": "str", "default": []},
            "url": {"type": "str"},
            "processes": {"type": "int"},
            "pids": {"type": "list", "elements": "int", "default": []},
            "path": {"type": "str", "default": "/"},
            "serves_path": {"type": "raw", "required": True},
            "off_when": {"type": "list", "elements": "raw", "required": True},
            "pid_path": {"type": "raw"},
            "tenants": {"type": "list", "elements": "str", "default": []},
            "tenant_parameter": {"type": "str"},
            "most_tenants": {"type": "int", "default": 10},
            "committed_seconds_ago": {"type": "float", "default": 0},
            "deadline": {"type": "float", "default": 30},
            "interval": {"type": "float", "default": 0.1},
            "timeout": {"type": "float", "default": 2},
            "headers": {"type": "dict", "default": {}, "no_log": True},
            "validate_certs": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = params_of(module, ("headers",))

    def work() -> Outcome:
        for name, least in (("deadline", 0.5), ("interval", 0.02), ("timeout", 0.1)):
            check_seconds(name, params[name], least)
        return Probe(wish_from(params, reading_from(params))).run(), None

    run(module, work)


if __name__ == "__main__":
    main()
