#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_documents
short_description: Keep people's notes about an incident, and the messages that were sent, in its ledger
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Keeps texts from an incident's directory on a controller in the ledger, so that another controller has them, and so
    that they outlive a purge of that directory. Returns what is kept.
  - Each change is an event of the incident, in its hash chain. A text that is already kept adds no event.
options:
  incident_id:
    description: The incident, by its id or an alias.
    type: str
    required: true
  run_id:
    description: Id of this run of a playbook. Events are chained per incident and run. If omitted, an id is generated.
    type: str
  environment:
    description: Name of the environment, for instance V(production). The ledger of another one is refused.
    type: str
  documents:
    description: Documents to keep. Without any, the ledger is only read.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The path of the file below the incident's directory, for instance C(words.md).
        type: str
        required: true
      text:
        description: Content of the file, at most 262144 characters.
        type: str
        required: true
      after:
        description:
          - SHA-256 of the texts that the author had seen, as M(chatia.kanban_rollback.incident_words) returns them. If
            omitted, the document comes after all that the ledger has.
        type: list
        elements: str
  deadline:
    description: Seconds that each statement may take.
    type: float
    default: 10
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Keeps nothing, and tells what it would keep.
  diff_mode:
    support: none
    description: What is kept is returned.
notes:
  - The ledger must know the incident, open or closed. The module opens none for a document.
seealso:
  - module: chatia.kanban_rollback.incident_words
  - module: chatia.kanban_rollback.notify
"""

EXAMPLES = r"""
- name: Read the words of an incident whose directory was purged
  chatia.kanban_rollback.incident_documents:
    login_db: chatia_db
    incident_id: INC-20261125-042
  register: papers
"""

RETURN = r"""
documents:
  description: The newest text of each document, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    text:
      description: Its content.
      type: str
    at:
      description: When the ledger took it, UTC.
      type: str
    earlier:
      description: SHA-256 of each text that it comes after, at most 50.
      type: list
      elements: str
kept:
  description: Names of the documents that this call added.
  returned: success
  type: list
  elements: str
known_as:
  description: The incident that O(incident_id) means in this ledger; null if it knows none.
  returned: success
  type: str
ledger:
  description: Whether there is a ledger, whether it can be used, its version and environment.
  returned: success
  type: dict
database:
  description: The server that was acted on.
  returned: success
  type: dict
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines, for instance C(unknown_incident), C(bad_name), C(too_long), C(too_many).
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documentsentry import (
    DocumentsRequest,
    keep_documents,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run

WHO = ("incident_id", "run_id", "environment")


def main() -> None:
    """Read the options, do the work and exit."""
    document = {
        "name": {"type": "str", "required": True},
        "text": {"type": "str", "required": True},
        "after": {"type": "list", "elements": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **{name: option for name, option in who_spec().items() if name in WHO},
            "documents": {"type": "list", "elements": "dict", "default": [], "options": document, "no_log": True},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = params_of(module, (), ("documents",))

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        who = who_from({**dict.fromkeys(who_spec()), **{name: params[name] for name in WHO}})
        request = DocumentsRequest(who, params["documents"], params["deadline"])
        return keep_documents(login_from(params), request, module.check_mode), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
