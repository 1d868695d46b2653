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
  - The flag in the database is off, and an application process may still serve V2 from what it cached. This module asks
    each process over HTTP until it serves V1 or O(deadline) is over, and says how long that took since the commit.
  - A process is proven when it served V1, said nothing else since, and said it again after the last process of all had
    turned. So the proof holds for the processes that live at the end, one that goes back to V2 is found out, and one
    that was restarted meanwhile is asked again.
  - What is no clear answer is never taken for V1. No connection, HTML, another status than 200, a missing key, a value
    of another kind than those of O(off_when), an answer that is not whole within O(timeout) or larger than 1 MiB are
    said in RV(processes[].error).
  - It does not fail where something is not proven; RV(proven) says so, and RV(unproven) names what.
  - Redirects are not followed, and proxies of the environment are not used.
options:
  urls:
    description:
      - A base URL for each process, as this host reaches it. Processes are asked side by side.
      - Exactly one of O(urls) and O(url) is needed. Neither may have a user, a query or a fragment.
    type: list
    elements: str
    default: []
  url:
    description:
      - The base URL of processes that share a port (pm2's cluster mode, C(SO_REUSEPORT)). It is asked over new
        connections again and again, until as many processes as there are have answered. Needs O(pid_path).
    type: str
  processes:
    description:
      - How many processes there are behind O(url). Without this and O(pids) it is not known, and nothing is proven.
    type: int
  pids:
    description:
      - Ids of the processes behind O(url), of which each that still lives on this host must answer. Those that were
        started in their place count as well.
    type: list
    elements: int
    default: []
  path:
    description: Path behind the base URL, perhaps with a query, that says which flag the process sees.
    type: str
    default: /
  serves_path:
    description:
      - Where in the JSON answer it stands, as C(data.v2), C(flags[0].value) or a list of steps.
      - A step that is C(<tenant>) stands for the id of each of O(tenants).
      - With O(tenants), but neither O(tenant_parameter) nor such a step, it has to lead to a list of the ids of the
        tenants that have V2.
    type: raw
    required: true
  off_when:
    description:
      - The values that mean V1, as the application writes them, for instance V([false]) or V([0]). They are compared by
        kind and value; V(0) is neither V(false) nor V("0"). Another value of such a kind means V2.
    type: list
    elements: raw
    required: true
  pid_path:
    description:
      - Where in the answer the process id stands. With it a restarted process is noticed; an answer without it counts
        for nothing.
    type: raw
  tenants:
    description: Ids of the tenants that it is about; none means that the answer is about everybody.
    type: list
    elements: str
    default: []
  tenant_parameter:
    description:
      - Name in the query for the id of a tenant, where each has to be asked for. Without it, one answer speaks of all.
    type: str
  most_tenants:
    description:
      - How many of O(tenants) are asked for at most, the first, the last, and evenly those between. A warning says that
        there were more.
    type: int
    default: 10
  committed_seconds_ago:
    description:
      - How long ago the kill was committed when this module starts, by the clock of the controller. From then on only
        the time that goes by counts, so clocks that differ do not matter.
    type: float
    default: 0
  deadline:
    description: Seconds for all of it.
    type: float
    default: 30
  interval:
    description: Seconds between two questions to a process; it grows to 0.3 where it is less.
    type: float
    default: 0.1
  timeout:
    description: Seconds in which an answer has to be whole.
    type: float
    default: 2
  headers:
    description:
      - Headers of every request. Their values are taken for secrets, and masked wherever they appear in a result; so a
        value as short as C(1) does not belong here.
    type: dict
    default: {}
  validate_certs:
    description: Whether the certificates of https addresses are checked.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Asks all the same, for it changes nothing.
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
  description: How many do.
  returned: success
  type: int
processes:
  description:
    - A row for each process, and for each that should be there and never answered.
  returned: success
  type: list
  elements: dict
  contains:
    url:
      description: The base URL that was asked.
      type: str
    pid:
      description: Its process id; null where that is not known.
      type: int
    serves:
      description: C(v1), C(v2) or C(unknown).
      type: str
    understood:
      description: Whether its last answer said clearly which board it serves, proven or not.
      type: bool
    seconds_from_commit:
      description:
        - From the commit until it was seen to serve V1, and has done so ever since; null where that is not proven. A
          process that had turned before it was first asked may have done so earlier.
      type: float
    tries:
      description: How often it answered or failed to.
      type: int
    error:
      description: Why it is not proven, one line; null where it is.
      type: str
unproven:
  description: Those of RV(processes) that are not proven.
  returned: success
  type: list
  elements: dict
serving_v2:
  description: How many processes said that they serve V2.
  returned: success
  type: int
p50_seconds:
  description: Median of RV(processes[].seconds_from_commit); null where nothing is proven.
  returned: success
  type: float
max_seconds:
  description: The slowest of the proven processes; null where nothing is proven.
  returned: success
  type: float
asked:
  description: How many requests were sent.
  returned: success
  type: int
tenants_asked:
  description: Of how many of O(tenants) the proof is, at most O(most_tenants); 0 where it is about everybody.
  returned: success
  type: int
tenants_named:
  description: How many different ones O(tenants) has.
  returned: success
  type: int
committed_seconds_ago:
  description: As given, for whoever has to know what time went by before the module started.
  returned: success
  type: float
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description:
    - On bad input, what is wrong, why it matters and what to do, a C(code) for machines, and the C(page)
      that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import check_seconds
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killprobe import Probe, wish_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import reading_from


def main() -> None:
    """Read the options, do the work, end."""
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
