#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_report
short_description: Write the record, the post-mortem, the checklists, the timings and the report of an incident
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Writes C(incident.md), C(postmortem.md), C(checklists.md), C(timings.json) and C(report.html) into the incident's
    directory on the controller, from the journals of its runs, the answers of its ledgers, the messages that went out
    and what people wrote into C(words.md). C(docs/report.md) describes the files.
  - What people change in the Markdown stays. A block that they changed is left as it is, and what is new is offered
    once below it. A box that they tick stays ticked. If the markers of a file are broken, the file is left alone and
    another one is written beside it.
  - Each file is written whole or not at all, only if it changes, with mode 0600. Nothing in it is interpreted as
    markup.
options:
  path:
    description: Directory of the incidents' records.
    type: path
    required: true
  incident_id:
    description: Id of the incident in the ledger.
    type: str
    required: true
  locale:
    description: The language, C(pt_BR) or C(en). What it lacks is in English, and the report says so.
    type: str
    default: pt_BR
  objectives:
    description: The objectives in seconds, by scenario.
    type: dict
  ledgers:
    description:
      - What each database's ledger says about the incident, from which comes what no journal tells. Without any, the
        report comes from the journals alone.
    type: list
    elements: dict
    default: []
  contacts:
    description: People to call, each with C(role), C(primary), C(secondary) and C(phone).
    type: list
    elements: dict
    default: []
  places:
    description: Paths to name in the report, C(dumps), C(evidence) and C(runbook).
    type: dict
  dashboard_url:
    description: Address of the metrics dashboard.
    type: str
    default: ""
  known:
    description:
      - RV(chatia.kanban_rollback.incident_timings_info#module:timings). If they show more runs of this incident,
        RV(keep) is empty.
    type: list
    elements: dict
    default: []
  unread_ledgers:
    description:
      - A line for each ledger that was asked and did not answer. Existing reports may contain what it told before, so
        they are left as they are, with a warning, and RV(keep) is empty.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds that all of it may take.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    description: Says which files would change, and writes none.
  diff_mode:
    support: none
    description: The files are long, and other people's.
seealso:
  - module: chatia.kanban_rollback.incident_summary_info
  - module: chatia.kanban_rollback.incident_history
"""

EXAMPLES = r"""
- name: Write the reports of an incident
  chatia.kanban_rollback.incident_report:
    path: ~/.local/state/kanban_rollback/incidents
    incident_id: INC-20261125-001
    objectives: {scenario1: 300, scenario2: 1800, scenario3: 120}
    locale: en
"""

RETURN = r"""
found:
  description: Whether a journal or a ledger knows of a run of the incident. Otherwise nothing is written.
  returned: success
  type: bool
files:
  description: The files with C(name), C(path), C(changed), and C(note) where one could not be written as usual.
  returned: success
  type: list
  elements: dict
undecided:
  description: The boxes of the checklists for which there is no evidence, in words.
  returned: success
  type: list
  elements: str
keep:
  description: The timings, as a document for M(chatia.kanban_rollback.incident_documents).
  returned: success
  type: list
  elements: dict
unread:
  description:
    - How to write a moment, if what people wrote below C(Detected at) in C(words.md) is not one with a date and a zone.
  returned: when RV(found) is true
  type: list
  elements: str
state:
  description: State of the incident, as in M(chatia.kanban_rollback.incident_summary_info).
  returned: when RV(found) is true
  type: str
closed:
  description: Whether every ledger that was read has the incident closed; false if none was read.
  returned: when RV(found) is true
  type: bool
objective:
  description: The objective, how long it took, and whether it was met.
  returned: when RV(found) is true
  type: dict
chain_broken_at:
  description:
    - The C(host) of each of O(ledgers) whose events of the incident were changed or removed, and C(where), as in
      RV(chatia.kanban_rollback.incident_info#module:chain_broken_at).
  returned: success
  type: list
  elements: dict
missing_labels:
  description: What the language lacks.
  returned: when RV(found) is true
  type: list
  elements: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, C(busy), C(unreadable_directory) or C(no_incident).
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportentry import ReportRequest, write_report


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "incident_id": {"type": "str", "required": True},
            "locale": {"type": "str", "default": "pt_BR"},
            "objectives": {"type": "dict"},
            "ledgers": {"type": "list", "elements": "dict", "default": []},
            "contacts": {"type": "list", "elements": "dict", "default": []},
            "places": {"type": "dict"},
            "dashboard_url": {"type": "str", "default": ""},
            "known": {"type": "list", "elements": "dict", "default": []},
            "unread_ledgers": {"type": "list", "elements": "str", "default": []},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params = {name: {} if value is None else value for name, value in module.params.items()}

    def work() -> Outcome:
        return write_report(ReportRequest(**params), module.check_mode), None

    run(module, work)


if __name__ == "__main__":
    main()
