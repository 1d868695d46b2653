#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metric_gate
short_description: Take one sample of each metric and judge it together with earlier ones
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - One call is one try of a watch. It samples all O(metrics) at once from the host that the module runs on, adds
    O(samples) that were taken on other hosts, and judges them together with the earlier tries.
  - A series is what one host reports for one metric. With N for C(consecutive), a series is C(degraded) if its last N
    values are bad or the last one is critical; C(no_data) if the last N samples have no value or none ever had one;
    C(unstable) if one of the last N is bad, or it changed between good and not good four times in the O(window);
    otherwise C(ok). Silence after N bad values is not an improvement. The gate's verdict is that of its worst series.
  - Samples are ordered by the number of the try, never by a clock. If a host that gave samples before gives none in a
    try, that counts as a sample without a value.
  - With O(incident_id), the earlier tries are read from the ledger and this one is kept there, so another run can go on
    where one stopped. A watch that nobody has continued for 15 minutes is over, and the next try begins another.
  - Counters (RV(samples[].raw)) are kept with their sample, and the next try computes the difference.
  - The verdict is about the newest tries. What came before is kept as RV(spells) and as the line that C(growth) is
    judged by, however long the watch is.
options:
  metrics:
    description: What to sample here.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The metric's name in O(thresholds), O(samples) and results.
        type: str
        required: true
      source:
        description:
          - V(http_json) reads a number in a JSON document.
          - V(prometheus) reads Prometheus' text format. A single process must answer there, because the counters of
            several processes do not add up by themselves.
          - V(promql) asks a Prometheus for the value of O(metrics[].query) now.
          - V(sql) asks the database that the login options name.
          - V(socketio) connects to Socket.IO (Engine.IO 4, HTTP polling), and measures the milliseconds until the
            server confirms the connection.
        type: str
        choices: [http_json, prometheus, promql, sql, socketio]
        default: http_json
      url:
        description:
          - Address to ask with GET. For V(promql), the address of Prometheus without the path of its API; for
            V(socketio), the address with the path, usually V(/socket.io/).
          - It must answer 200. Redirects are not followed. User, password and query are used, but never shown.
        type: str
      path:
        description: Where the number is in the document, as V(data.items[0].rate), or as a list of names and numbers.
        type: raw
        default: ""
      selector:
        description:
          - Which series of V(prometheus) to read, and how to combine them. C(name) is the metric, C(labels) a map of
            labels that must be equal, C(match) a map of labels that must match a regular expression as a whole.
          - C(how) is C(value) (the only series that matches), C(sum) or C(max). Between two tries, it is C(rate) (the
            increase per second), C(ratio) (the increase divided by that of C(of), which is also a selector) or
            C(quantile) (of a histogram, by its C(_bucket) series; C(quantile) defaults to V(0.95)).
        type: dict
      query:
        description:
          - The PromQL expression, which must give one value, or the SQL query, which must give one row and one column.
        type: str
      namespace:
        description: The namespace of Socket.IO to connect to.
        type: str
        default: /
      auth:
        description:
          - Credentials to send to Socket.IO with the request to connect. An empty map means that the application lets
            anybody in.
          - Left out, a refusal by the application (its answer to the request, HTTP 401 or 403) is C(not_allowed) and
            not C(refused), because it says nothing about users who have credentials.
        type: dict
      headers:
        description: Headers to send, for instance C(Authorization).
        type: dict
      timeout:
        description: Seconds that the sample may take.
        type: float
        default: 5
      validate_certs:
        description: Whether to check the certificate of an https address.
        type: bool
        default: true
      scale:
        description: Number to multiply the value by, for instance 1000 to convert seconds to milliseconds.
        type: float
        default: 1
      measure:
        description:
          - V(milliseconds) measures the time until the answer is complete. An answer without a value has no time
            either, except for V(http_json), where a status of 200 is enough.
        type: str
        choices: [value, milliseconds]
        default: value
  samples:
    description:
      - Samples of this try that were taken on other hosts, as RV(samples) returns them. A sample with a null C(value)
        gives the reason in C(error) (a line) and C(code) (a word).
    type: list
    elements: dict
    default: []
  history:
    description:
      - The earlier tries, as RV(series) of the last result. Tries that the ledger has as well count once. A watch that
        is given here stays separate. What the ledger has of another watch is not continued, whatever its number.
    type: list
    elements: dict
    default: []
  thresholds:
    description:
      - Limits for each metric, by its name. Left out, nothing is judged, and there is no RV(verdict).
      - C(max) and C(min) are the limits; a value equal to a limit is good. C(unit) is only for display. C(consecutive)
        (3) is how many values in a row decide. A single value beyond C(critical) decides alone.
      - C(no_data) says how a sample without a value counts, as C(no_data), C(degraded) or C(ignore). C(ignore) is for a
        figure that is missing at times because the application is idle. It forgives a sample only if its source
        answered (the codes C(no_key), C(null), C(nan), C(no_row), C(no_series), C(no_growth), C(idle), C(reset),
        C(clock), C(first_scrape)). A dead source (a status, a refusal, a timeout, HTML, a host out of reach) is
        C(no_data) even so. Forgiven samples do not count, and are named. So is a host that never had a figure.
      - If a latency got no answer for as long as C(max) or longer, it is bad, and the time waited is its value.
      - C(growth) judges how the value grows, in C(percent) or as an amount C(per_minute), from C(least) (6) samples on.
        It is the growth of the straight line through all samples of the watch or, if that is good, through those of the
        O(window).
      - A metric with a threshold but without any sample is C(no_data). One without a threshold is C(not_judged).
    type: dict
    default: {}
  gate:
    description: Name of the watch. One incident can have several.
    type: str
    default: gate
  host:
    description: Name of this host in the samples. Left out, it is the node's name.
    type: str
  window:
    description: How many of the newest tries a verdict is based on. See RV(spells) and C(growth) for what came before.
    type: int
    default: 30
  interval:
    description:
      - Seconds between two tries, for RV(watched_seconds). A pause of more than three intervals counts as three.
    type: float
    default: 10
  anew:
    description:
      - Whether to begin another watch if the ledger knows one of this name and O(history) is empty. An earlier watch is
        then not continued, however recent it is.
    type: bool
    default: false
  duration:
    description:
      - Seconds that a watch of this name lasts. If O(history) is empty, and the one that the ledger knows has lasted
        that long, it is continued only if it is ok and steady in its last third with this try as well; otherwise
        another begins. With 0 it is continued however it stands.
    type: float
    default: 0
  initial_delay:
    description: Seconds at the start of the watch in which bad and missing values do not count.
    type: float
    default: 0
  incident_id:
    description: The incident in whose events the ledger keeps the series. Left out, the ledger is not used.
    type: str
  lease_seconds:
    description:
      - With a value above 0, the recovery lease of this O(run_id) (M(chatia.kanban_rollback.incident)) is renewed with
        each sample that the ledger keeps, and RV(lease) and RV(kills) tell whether to go on.
    type: float
    default: 0
  run_id:
    description: Id of this run of a playbook; events are chained per incident and run. Left out, one is generated.
    type: str
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  on_replica:
    description:
      - With V(skip), a replica gives no samples by SQL and judges nothing, because its primary does. With V(read), its
        figures count, and the ledger keeps nothing.
    type: str
    choices: [read, skip]
    default: read
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Samples and judges, but keeps nothing in the ledger.
  diff_mode:
    support: none
    description: A sample has no state before it.
seealso:
  - module: chatia.kanban_rollback.incident_info
notes:
  - psycopg2 is needed only for V(sql) and the ledger. Without it, or without a usable ledger, the module works with
    O(history), warns, and returns RV(ledger_kept=false).
  - A metric that cannot be read never fails the module. Its sample says why it has no value.
  - SQL runs in a read-only transaction, with O(metrics[].timeout) as its C(statement_timeout).
"""

EXAMPLES = r"""
- name: Check whether the application is well at this moment
  chatia.kanban_rollback.metric_gate:
    metrics:
      - name: error_rate
        url: http://127.0.0.1:3000/metrics
        path: errorRate
      - name: socket_latency
        source: socketio
        url: http://127.0.0.1:3000/socket.io/
    thresholds:
      error_rate: {max: 0.1, unit: "%", consecutive: 1}
      socket_latency: {max: 1000, unit: ms, consecutive: 1, no_data: degraded}
  register: now

- name: Watch the share of failed requests and drag and drop, one try every 10 seconds
  chatia.kanban_rollback.metric_gate:
    login_db: chatia_db
    incident_id: INC-20261125-042
    gate: after the rollback
    metrics:
      - name: error_rate
        source: prometheus
        url: http://127.0.0.1:3000/metrics
        selector:
          name: http_requests_total
          match: {status: "5.."}
          how: ratio
          of: {name: http_requests_total}
        scale: 100
      - name: dnd_p95
        source: prometheus
        url: http://127.0.0.1:3000/metrics
        selector: {name: kanban_dnd_duration_seconds, how: quantile, quantile: 0.95}
        scale: 1000
    thresholds:
      error_rate: {max: 0.1, critical: 0.5, unit: "%"}
      dnd_p95: {max: 500, unit: ms, no_data: ignore}
  register: gate
  until: gate.settled
  retries: 30
  delay: 10
"""

RETURN = r"""
verdict:
  description: C(ok), C(degraded), C(unstable) or C(no_data); that of the worst metric that is judged.
  returned: when O(thresholds) are given
  type: str
settled:
  description:
    - Whether the last C(consecutive) samples of every series are good. In a series that may be silent (C(no_data) is
      C(ignore)), samples without a value do not count against it.
  returned: when O(thresholds) are given
  type: bool
metrics:
  description: The metrics, by name.
  returned: when O(thresholds) are given
  type: list
  elements: dict
  contains:
    name:
      description: The metric's name.
      type: str
    verdict:
      description: That of its worst series; C(not_judged) without a threshold.
      type: str
    settled:
      description: Whether the last C(consecutive) samples of each series are good.
      type: bool
    ignored:
      description:
        - Whether it does not count, because it may have no figure and has none, or because it is not judged yet.
      type: bool
    value:
      description:
        - Of the last values, the one that is nearest to the limit or farthest beyond it; null if there is none.
      type: float
    threshold:
      description: Its limits.
      type: dict
    hosts:
      description:
        - The series, with C(host), C(verdict), C(settled), C(value), C(error), C(code), how many samples of the window
          were C(bad) or C(missing), and C(signs), one letter for each that counted (g good, b bad, c critical, n none).
      type: list
      elements: dict
samples:
  description: The samples of this try. With O(thresholds), O(samples) are among them and counters are compared.
  returned: success
  type: list
  elements: dict
  contains:
    metric:
      description: The metric's name.
      type: str
    host:
      description: The host that took the sample.
      type: str
    at:
      description: Seconds since 1970 by that host's clock.
      type: float
    value:
      description: The value; null if there is none.
      type: float
    code:
      description:
        - Why there is no value, as a word. For instance C(refused), C(timeout), C(status), C(not_json), C(no_key),
          C(not_number), C(null), C(nan), C(no_series), C(idle), C(first_scrape), C(not_allowed), C(not_socketio).
          C(no_result) is a query of V(promql) without a series, so it is not known whether the application is idle or
          gone. If it is only idle then, end the query in C(or vector(0)).
      type: str
    error:
      description: The same in one line, without any secret of an address.
      type: str
    at_least:
      description:
        - For a latency (V(socketio), or C(measure) is V(milliseconds)) that got no answer in its time, the time waited.
          If that is C(max) or more, it is judged as that value.
      type: float
    raw:
      description: Counters, for the next try.
      type: dict
series:
  description:
    - This try and the earlier ones in the window, each with C(watch), C(try), C(at), C(began) (C(at) of the watch's
      first try), C(seconds), C(samples) and, on the last one, C(spells).
  returned: when O(thresholds) are given
  type: list
  elements: dict
spells:
  description:
    - The last 20 times when the watch was not C(ok), including those before the window. What cannot be judged so early
      does not count.
  returned: when O(thresholds) are given
  type: list
  elements: dict
  contains:
    verdict:
      description: C(degraded), C(unstable) or C(no_data).
      type: str
    from:
      description: Seconds watched until it began.
      type: float
    to:
      description: Seconds watched until the last try with this verdict.
      type: float
gate:
  description: The watch's name.
  returned: when O(thresholds) are given
  type: str
watch:
  description: Number of the watch of this name, from 1.
  returned: when O(thresholds) are given
  type: int
try:
  description: Number of the try in it, from 1.
  returned: when O(thresholds) are given
  type: int
watched_seconds:
  description: Seconds from the first try to this one, without pauses.
  returned: when O(thresholds) are given
  type: float
watched_before:
  description: The same until the previous try.
  returned: when O(thresholds) are given
  type: float
resumed:
  description: Whether the ledger knows earlier tries and O(history) has none.
  returned: when O(thresholds) are given
  type: bool
ledger_kept:
  description: Whether the ledger keeps this try.
  returned: when O(thresholds) are given
  type: bool
incident_id:
  description: The id that the ledger knows the incident by.
  returned: when RV(ledger_kept=true), and in check mode
  type: str
lease:
  description: Whether this run still has the lease (C(held)), and C(why) not.
  returned: when O(lease_seconds) is given and RV(ledger_kept=true)
  type: dict
kills:
  description: How many kills the ledger has recorded, as RV(chatia.kanban_rollback.incident_info#module:kills).
  returned: when O(lease_seconds) is given and RV(ledger_kept=true)
  type: int
skipped:
  description: Whether nothing was judged because this is a replica; RV(samples) are returned.
  returned: when it is so, with O(on_replica=skip) and O(incident_id)
  type: bool
msg:
  description: The same in words.
  returned: when RV(skipped=true)
  type: str
replica:
  description: Whether a replica was skipped because of O(on_replica=skip).
  returned: success
  type: bool
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, for instance C(bad_threshold).
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
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gateentry import gate, request_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatesample import SOURCES


def main() -> None:
    """Read the options, do the work and exit."""
    metric = {
        "name": {"type": "str", "required": True},
        "source": {"type": "str", "choices": list(SOURCES), "default": "http_json"},
        # An address may contain a password or a token.
        "url": {"type": "str", "no_log": True},
        "path": {"type": "raw", "default": ""},
        "selector": {"type": "dict"},
        "query": {"type": "str"},
        "namespace": {"type": "str", "default": "/"},
        "auth": {"type": "dict", "no_log": True},
        "headers": {"type": "dict", "no_log": True},
        "timeout": {"type": "float", "default": 5},
        "validate_certs": {"type": "bool", "default": True},
        "scale": {"type": "float", "default": 1},
        "measure": {"type": "str", "choices": ["value", "milliseconds"], "default": "value"},
    }
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            # Inside a larger value a password may be written differently, and is then not recognized in the system log.
            "metrics": {"type": "list", "elements": "dict", "default": [], "options": metric, "no_log": True},
            "samples": {"type": "list", "elements": "dict", "default": []},
            "history": {"type": "list", "elements": "dict", "default": []},
            "thresholds": {"type": "dict", "default": {}},
            "gate": {"type": "str", "default": "gate"},
            "host": {"type": "str"},
            "window": {"type": "int", "default": 30},
            "interval": {"type": "float", "default": 10},
            "initial_delay": {"type": "float", "default": 0},
            "anew": {"type": "bool", "default": False},
            "duration": {"type": "float", "default": 0},
            "incident_id": {"type": "str"},
            "lease_seconds": {"type": "float", "default": 0},
            "run_id": {"type": "str"},
            "environment": {"type": "str"},
            "on_replica": {"type": "str", "choices": ["read", "skip"], "default": "read"},
        },
        supports_check_mode=True,
    )
    params = params_of(module, ("headers", "auth"), ("metrics",))

    def work() -> Outcome:
        return gate(login_from(params), request_from(params), module.check_mode), None

    run(module, work)


if __name__ == "__main__":
    main()
