#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_summary_info
short_description: Sum up an incident from the journals of its runs, and what ledgers know of them
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads the journals of one incident on the controller and returns what messages and reports are filled from.
    Reads only.
  - What no journal tells, because it was cut or lost with its controller, comes from O(ledgers).
  - What was not measured is null, never 0. A journal that is cut or broken is read up to there, and RV(summary.notes)
    says so.
  - Names of hosts, operators and tables are data. Whoever displays them must make them harmless.
options:
  path:
    description: Directory of the incidents' records.
    type: path
    required: true
  incident_id:
    description: Id of the incident in the ledger.
    type: str
    required: true
  run_id:
    description:
      - A run that the summary must cover. If its journal is with another incident, as it is when two databases had
        different ones open, that incident is summed up, and a warning says so.
    type: str
  objectives:
    description: The objectives in seconds, by scenario.
    type: dict
  ledgers:
    description:
      - What each database's ledger says about the incident, from the filter
        P(chatia.kanban_rollback.ledgers_of#filter). Without any, the summary comes from the journals alone.
    type: list
    elements: dict
    default: []
  deadline:
    description: Seconds that reading may take. What was not read by then is reported.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.journal_info
  - module: chatia.kanban_rollback.incident_info
"""

EXAMPLES = r"""
- name: Sum up an incident
  chatia.kanban_rollback.incident_summary_info:
    path: ~/.local/state/kanban_rollback/incidents
    incident_id: INC-20261125-001
    objectives: {scenario1: 300, scenario2: 1800, scenario3: 120}
  register: told
"""

RETURN = r"""
found:
  description: Whether a journal or a ledger knows of a run of the incident.
  returned: success
  type: bool
summary:
  description: The incident; C(docs/report.md) describes every field.
  returned: success
  type: dict
  contains:
    incident_id:
      description: The incident.
      type: str
    scenario:
      description: C(scenario1), C(scenario2) or C(scenario3), the gravest that was run; empty if none was.
      type: str
    severity:
      description: C(P0), C(P1) or C(P0 critical); empty if no scenario was run.
      type: str
    state:
      description: C(open), C(contained), C(degraded), C(failed), C(recovered), C(released) or C(reenabled).
      type: str
    moments:
      description: >-
        C(began), C(detected), C(contained), C(decided), C(validated), C(recovery_began), C(data_validated),
        C(released), C(reenabled) and C(ended), UTC or null.
      type: dict
    seconds:
      description: C(contain), C(validate) and C(whole), from the beginning of the first run; null if not measured.
      type: dict
    objective:
      description: C(scenario), C(seconds), C(took) and C(met); null if not measured.
      type: dict
    companies:
      description: >-
        C(total), C(switched_off), C(on_before), C(on_after), C(share) of those that had it, C(complete), whether
        hosts were asked and all of them answered, and C(silent), how many did not.
      type: dict
    records:
      description: C(repaired), C(deleted) and C(restored) rows by C(table).
      type: list
      elements: dict
    timeline:
      description: >-
        At most 200 lines with C(at), C(phase), C(host), C(hosts), C(what) (a word), C(failed), C(figures), C(run_id). A
        C(detected) line is in people's own words, and has neither phase nor run.
      type: list
      elements: dict
    runs:
      description: >-
        The runs with C(run_id), C(playbook), C(operator), C(host), C(began), C(ended), C(verdict), C(plan),
        C(journal), C(holds), C(broken_at), C(cut), C(lines), C(hosts) and C(troubled).
      type: list
      elements: dict
    integrity:
      description: Corrupt rows C(before) and C(after), with the C(checks); null if not counted.
      type: dict
    recovery_point:
      description: Whether writes after the fence were C(measured), and how many rows there were (C(writes_after)).
      type: dict
    metrics:
      description: The last judgement, with C(rows).
      type: dict
    users:
      description: How many users are C(affected); null if nobody counted.
      type: dict
    notes:
      description: What a reader must know about the journals, each with C(what) (a word), C(journal) and C(where).
      type: list
      elements: dict
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, C(unreadable_directory) or C(no_incident).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import read_summary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "incident_id": {"type": "str", "required": True},
            "run_id": {"type": "str"},
            "objectives": {"type": "dict"},
            "ledgers": {"type": "list", "elements": "dict", "default": []},
            "deadline": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        place = (params["path"], params["incident_id"], params["objectives"] or {}, params["deadline"])
        return read_summary(*place, params["run_id"] or "", params["ledgers"]), None

    run(module, work)


if __name__ == "__main__":
    main()
