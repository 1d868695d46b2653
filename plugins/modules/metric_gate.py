#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metric_gate
short_description: Take one sample of each metric and judge it with those before
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - One call is one try of a watch. It samples O(metrics) from where the module runs, side by side, adds O(samples) that
    were taken on other hosts, and judges them with the tries before.
  - A series is what one host says of one metric. With N for C(consecutive), a series is C(degraded) when its last N
    values are bad, or the last one is critical; C(no_data) when the last N samples have no value, or none ever had
    one; C(unstable) when one of the last N is bad, or good and not good took turns four times in the O(window); else
    C(ok). Silence after N bad values is no improvement. The gate's verdict is that of its worst series.
  - Samples are put in order by the number of the try, never by a clock. A host that gave samples before and gives none
    in a try counts as one without a value.
  - With O(incident_id) the tries before are read from the ledger and this one is kept there, so that another run can go
    on where one stopped. A watch that nobody went on with for 15 minutes is over, and the next try begins another.
  - Counters (RV(samples[].raw)) are kept with their sample, and the next try tells the difference.
  - The verdict is that of the newest tries. What was before is kept beside it, however long the watch is, as RV(spells)
    and as the line that C(growth) is judged by.
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
          - V(prometheus) reads Prometheus' text format. One process has to answer there, for the counters of several
            do not add up by themselves.
          - V(promql) asks a Prometheus for the value of O(metrics[].query) now.
          - V(sql) asks the database that the login options name.
          - V(socketio) connects to Socket.IO (Engine.IO 4, HTTP polling), and takes the milliseconds until the server
            says that it is connected.
        type: str
        choices: [http_json, prometheus, promql, sql, socketio]
        default: http_json
      url:
        description:
          - Address to ask with GET. For V(promql), Prometheus without its path to the API; for V(socketio), with the
            path, usually V(/socket.io/).
          - It must answer 200. Redirects are not followed. User, password and query are used, never shown.
        type: str
      path:
        description: Where the number is in the document, as V(data.items[0].rate), or as a list of names and numbers.
        type: raw
        default: ""
      selector:
        description:
          - Which series of V(prometheus), and what to make of them. C(name) is the metric, C(labels) a map of labels
            that are equal, C(match) one of labels that match a regular expression from begin to end.
          - C(how) is C(value) (the one series that fits), C(sum), C(max), or of two tries C(rate) (how many more in a
            second), C(ratio) (how many more of how many more of C(of), a selector too) or C(quantile) (of a histogram,
            by its C(_bucket) series; C(quantile) is V(0.95) unless it is given).
        type: dict
      query:
        description: The PromQL expression, which gives one value; or the SQL query, which gives one row and one column.
        type: str
      namespace:
        description: The namespace of Socket.IO to connect to.
        type: str
        default: /
      auth:
        description:
          - What to send to Socket.IO with the request to connect. An empty map says that the application lets anybody
            in.
          - Left out, a refusal by the application (its answer to the request, HTTP 401 or 403) is C(not_allowed) and no
            C(refused), for it says nothing about those who have credentials.
        type: dict
      headers:
        description: Headers to send, for instance C(Authorization).
        type: dict
      timeout:
        description: Seconds that the sample may take.
        type: float
        default: 5
      validate_certs:
        description: Whether the certificate of an https address is checked.
        type: bool
        default: true
      scale:
        description: Number that the value is multiplied with, for instance 1000 from seconds to milliseconds.
        type: float
        default: 1
      measure:
        description:
          - V(milliseconds) takes the time until the answer was whole. An answer that has no value has
            no time either, but for V(http_json), where a status of 200 is enough.
        type: str
        choices: [value, milliseconds]
        default: value
  samples:
    description:
      - Samples of this try that were taken on other hosts, as RV(samples) returns them. One with a null C(value) says
        why in C(error) (a line) and C(code) (a word).
    type: list
    elements: dict
    default: []
  history:
    description:
      - The tries before, as RV(series) of the last result. Tries that the ledger has as well count once. A watch that
        is given stays its own - what the ledger has of another one is not gone on with, whatever its number.
    type: list
    elements: dict
    default: []
  thresholds:
    description:
      - What each metric may be, by its name. Left out, nothing is judged, and there is no RV(verdict).
      - C(max), C(min) are the limits, which are good themselves. C(unit) is for reading. C(consecutive) (3) is how many
        in a row decide. One value beyond C(critical) decides alone.
      - C(no_data) says what a sample without a value is, C(no_data), C(degraded) or C(ignore). C(ignore) is for a
        figure that is not there at times, because nobody works. It forgives a sample only where its source answered
        (the codes C(no_key), C(null), C(nan), C(no_row), C(no_series), C(no_growth), C(idle), C(reset), C(clock),
        C(first_scrape)). A source that is dead (a status, a refusal, a timeout, HTML, a host out of reach) is
        C(no_data) all the same. What is forgiven does not count, and is named. So is a host that never had a figure.
      - A latency that was waited for in vain, as long as C(max) or longer, is bad, and what was waited is its value.
      - C(growth) judges how the value grows, in C(percent) or as an amount C(per_minute), from C(least) (6) samples on.
        It is that of the straight line through all samples of the watch, or, where that is good, through those of the
        O(window).
      - A metric that has a threshold and no sample at all is C(no_data). One without a threshold is C(not_judged).
    type: dict
    default: {}
  gate:
    description: Name of the watch. One incident can have several.
    type: str
    default: gate
  host:
    description: Name of this host in the samples. Left out, the node's name.
    type: str
  window:
    description: How many tries a verdict is of, the newest. See RV(spells) and C(growth) for what was before.
    type: int
    default: 30
  interval:
    description: Seconds between two tries, for RV(watched_seconds). Pauses of over three of them count as three.
    type: float
    default: 10
  anew:
    description:
      - Whether this begins another watch, where the ledger knows one of this name and O(history) is empty. An earlier
        watch is then not gone on with, however short ago it was.
    type: bool
    default: false
  initial_delay:
    description: Seconds of the watch in which what is bad or has no value does not count.
    type: float
    default: 0
  incident_id:
    description: The incident in whose events the ledger keeps the series. Left out, no ledger is asked.
    type: str
  lease_seconds:
    description:
      - With more than 0, the recovery lease that this O(run_id) holds (M(chatia.kanban_rollback.incident)) is renewed
        with each sample that the ledger keeps, and RV(lease) and RV(kills) tell whether to go on.
    type: float
    default: 0
  run_id:
    description: Id of this run of a playbook; events are chained per incident and run. Left out, one is made.
    type: str
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  on_replica:
    description:
      - With V(skip) a database that is a replica gives no samples by SQL and judges nothing, for its primary does. With
        V(read) its figures count, and the ledger keeps nothing.
    type: str
    choices: [read, skip]
    default: read
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Samples and judges, and keeps nothing in the ledger.
  diff_mode:
    support: none
    description: A sample has no state before it.
seealso:
  - module: chatia.kanban_rollback.incident_info
notes:
  - psycopg2 is needed for V(sql) and the ledger alone. Without it, or without a ledger that can be used, the module
    works with O(history), warns, and returns RV(ledger_kept=false).
  - A metric that cannot be had never fails the module. Its sample says why.
  - SQL runs in a transaction that only reads, with O(metrics[].timeout) as its C(statement_timeout).
"""

EXAMPLES = r"""
- name: Is the application well at this moment
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
  description: C(ok), C(degraded), C(unstable) or C(no_data), of the worst metric that is judged.
  returned: when O(thresholds) are given
  type: str
settled:
  description:
    - Whether the last C(consecutive) samples of every series are good. Of a series that may be silent (C(no_data) is
      C(ignore)) those without a value do not count against it.
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
      description: Whether it counts for nothing, because it may have no figure and has none, or it is not judged yet.
      type: bool
    value:
      description: Of the last values, the one nearest to being bad, or farthest beyond; null where there is none.
      type: float
    threshold:
      description: What it may be.
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
      description: Who was asked.
      type: str
    at:
      description: Seconds since 1970 by that host's clock.
      type: float
    value:
      description: The value; null where there is none.
      type: float
    code:
      description:
        - Why there is none, a word. For instance C(refused), C(timeout), C(status), C(not_json), C(no_key),
          C(not_number), C(null), C(nan), C(no_series), C(idle), C(first_scrape), C(not_allowed), C(not_socketio).
          C(no_result) is a query of V(promql) without a series, of which nobody knows whether the application is idle
          or gone; end such a query in C(or vector(0)) where it is idle.
      type: str
    error:
      description: The same in one line. Nothing that is secret in an address is in it.
      type: str
    at_least:
      description:
        - Of a latency (V(socketio), or C(measure) is V(milliseconds)) that got no answer in its time, what was waited.
          Where that is C(max) or more it is judged as that value.
      type: float
    raw:
      description: Counters, for the next try.
      type: dict
series:
  description:
    - This try and those before it in the window, each with C(watch), C(try), C(at), C(began) (C(at) of the first one),
      C(seconds), C(samples) and, on the last one, C(spells).
  returned: when O(thresholds) are given
  type: list
  elements: dict
spells:
  description:
    - When the watch was not C(ok), also before the window, the last 20 times. What cannot be judged so early is none.
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
      description: Seconds watched until the last try that said so.
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
  description: The same until the try before.
  returned: when O(thresholds) are given
  type: float
resumed:
  description: Whether the ledger knows tries before this one and O(history) none.
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
  description: Whether nothing was judged, for this is a replica; RV(samples) are there.
  returned: when it is so, with O(on_replica=skip) and O(incident_id)
  type: bool
msg:
  description: The same in words.
  returned: when RV(skipped=true)
  type: str
replica:
  description: Whether a replica was passed over, for O(on_replica=skip).
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
    """Read the options, do the work, end."""
    metric = {
        "name": {"type": "str", "required": True},
        "source": {"type": "str", "choices": list(SOURCES), "default": "http_json"},
        # An address may carry a password or a token.
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
            # As part of a whole a password may be written otherwise, and is then not known again in the system log.
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
