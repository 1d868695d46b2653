#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident
short_description: Open, find again, append to and close an incident in the ledger
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Keeps the record of an incident in the application's database. Creates the ledger if there is none and the role may.
  - Takes the lease for work that only one run may do at a time (recover, restore, release, re-enable). The lease is a
    row with holder, heartbeat and expiry.
options:
  state:
    description:
      - V(open) opens the incident, or finds it again. V(closed) closes it and takes its latches away; it stays open if
        this role may not lower them.
    type: str
    choices: [open, closed]
    default: open
  incident_adopt:
    description:
      - Whether an incident that is already open is the same one. O(incident_id) then becomes its alias. For ids that
        the controller generated.
    type: bool
    default: false
  aliases:
    description:
      - Further ids that mean this incident, for instance the one that another primary knows it as.
      - An id that already means another incident stays with that one.
    type: list
    elements: str
    default: []
  event:
    description: An event to append to the hash chain of this incident and O(run_id).
    type: dict
    suboptions:
      phase:
        description: Phase of the runbook.
        type: str
        required: true
        choices: [contain, preserve, assess, recover, validate, release, re-enable, report]
      event:
        description: What happened, in one or two words.
        type: str
        required: true
      data:
        description: Figures and names that belong to it, but no secrets.
        type: dict
  lease:
    description:
      - V(held) takes the lease, or renews the one of this O(run_id). If another run has it, the module fails and names
        the holder. V(released) releases it. An incident whose lease another run has is not closed either, unless with
        O(lease_by_force).
    type: str
    choices: [held, released]
  latch:
    description:
      - V(lowered) removes this incident's latches while it stays open, for instance when everybody has the feature
        back.
    type: str
    choices: [lowered]
  switched_off:
    description:
      - How many tenants the incident had switched off when the caller last read it, for instance as
        RV(chatia.kanban_rollback.feature_flag#module:switched_off) of the undo. With O(state=closed), if the incident
        has switched off more since, it stays open and the module fails with C(stopped_again); if another run keeps
        writing under it for 5 seconds, with C(busy). So it does with O(latch=lowered), and the latch stays.
      - Without it, the incident is closed no matter who is off.
    type: int
  lease_seconds:
    description: Seconds without a sign of life after which anybody may take the lease.
    type: float
    default: 60
  lease_by_force:
    description: Take the lease from its holder. This is an override, to be given with a reason.
    type: bool
    default: false
  lease_wait:
    description:
      - With O(lease=held), seconds to wait for the lease of another run of the same O(operator), which may have been
        killed. For another operator's lease nobody waits.
    type: float
    default: 0
  deadline:
    description:
      - Seconds that each statement may take. What is not written by then is rolled back and keeps nobody else from the
        ledger.
    type: float
    default: 30
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.incident
attributes:
  check_mode:
    support: partial
    description: Changes nothing.
    details: Whether the incident would be opened, or the lease obtained, is not predicted.
  diff_mode:
    support: none
    description: An incident is a record, not a configuration.
seealso:
  - module: chatia.kanban_rollback.incident_info
"""

EXAMPLES = r"""
- name: Record that support was notified
  chatia.kanban_rollback.incident:
    login_db: chatia_db
    incident_id: INC-20261125-042
    operator: ana
    event:
      phase: contain
      event: support told

- name: Close it
  chatia.kanban_rollback.incident:
    login_db: chatia_db
    incident_id: INC-20261125-042
    operator: ana
    state: closed
"""

RETURN = r"""
incident_id:
  description: Id of the incident in the ledger.
  returned: success
  type: str
opened_now:
  description: Whether this call opened it.
  returned: when not in check mode
  type: bool
open_before:
  description: Incidents that were open before, newest first.
  returned: when not in check mode
  type: list
  elements: dict
names:
  description: The id of the incident in the ledger, and all other ids that now mean it.
  returned: when not in check mode
  type: list
  elements: str
kills:
  description: How many kills the ledger has recorded, as RV(chatia.kanban_rollback.incident_info#module:kills).
  returned: when not in check mode
  type: int
event:
  description: The event that was appended.
  returned: when O(event) is given, and not in check mode
  type: str
latch_left:
  description: Latches that could only be made pass-throughs, with the reason.
  returned: when O(state=closed) or O(latch=lowered)
  type: list
  elements: str
ledger:
  description: Whether the ledger existed before this call, its version and its environment.
  returned: success
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
lease:
  description: The holder of the lease, if another run has it.
  returned: failure
  type: dict
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, for instance C(read_only_server).
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
    PSYCOPG2,
    check_seconds,
    login_from,
    postgres_spec,
    who_from,
    who_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import PHASES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    IncidentRequest,
    set_incident,
)


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **who_spec(),
            "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
            "incident_adopt": {"type": "bool", "default": False},
            "aliases": {"type": "list", "elements": "str", "default": []},
            "event": {
                "type": "dict",
                "options": {
                    "phase": {"type": "str", "required": True, "choices": list(PHASES)},
                    "event": {"type": "str", "required": True},
                    "data": {"type": "dict"},
                },
            },
            "lease": {"type": "str", "choices": ["held", "released"]},
            "latch": {"type": "str", "choices": ["lowered"]},
            "switched_off": {"type": "int"},
            "lease_seconds": {"type": "float", "default": 60},
            "lease_by_force": {"type": "bool", "default": False},
            "lease_wait": {"type": "float", "default": 0},
            "deadline": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("lease_seconds", params["lease_seconds"], 1)
        check_seconds("lease_wait", params["lease_wait"], 0)
        check_seconds("deadline", params["deadline"], 1)
        names = (
            "state",
            "aliases",
            "event",
            "lease",
            "lease_seconds",
            "lease_by_force",
            "lease_wait",
            "latch",
            "deadline",
        )
        request = IncidentRequest(
            who=who_from(params),
            adopt=params["incident_adopt"],
            switched_off=params["switched_off"],
            **{name: params[name] for name in names},
        )
        return set_incident(login_from(params), request, module.check_mode), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
