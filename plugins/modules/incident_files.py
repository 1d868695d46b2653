#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_files
short_description: Keep journals and plans of an incident in its ledger
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Keeps what runs leave in an incident's directory on a controller, so that a run on another controller has it.
    Returns what is kept.
  - The ledger has a separate table for them. M(chatia.kanban_rollback.ledger) with
    O(chatia.kanban_rollback.ledger#module:state=purged) removes them when retention says so.
  - A journal only grows. Of two texts of one journal, the one that continues the other is kept, and nothing else
    replaces it.
options:
  incident_id:
    description: The incident, by its id or an alias.
    type: str
    required: true
  run_id:
    description: Id of this run of a playbook, recorded with what is kept. If omitted, an id is generated.
    type: str
  environment:
    description: Name of the environment, for instance V(production). The ledger of another one is refused.
    type: str
  files:
    description: Files to keep. Without any, the ledger is only read.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - C(journal-*.jsonl), C(plan-*.json), C(comparison-*.json), C(investigation-*.json) or C(investigation-*.md).
        type: str
        required: true
      text:
        description: Content of the file, at most 4194304 characters.
        type: str
        required: true
  texts:
    description: Whether to return the texts as well, the newest first, up to 16777216 characters in all.
    type: bool
    default: false
  but:
    description: Names of files, each with a number of characters. The text of a file is returned only if it is longer.
    type: dict
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
  - The ledger must know the incident, open or closed. The module opens none for a file.
  - An incident can have at most 400 journals and 100 other files. The module keeps what there is room for.
seealso:
  - module: chatia.kanban_rollback.incident_folder
  - module: chatia.kanban_rollback.incident_documents
"""

EXAMPLES = r"""
- name: See which plans and journals a ledger has of an incident
  chatia.kanban_rollback.incident_files:
    login_db: chatia_db
    incident_id: INC-20261125-042
  register: kept
"""

RETURN = r"""
files:
  description: Each file that the ledger had, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    at:
      description: When the ledger took it, UTC.
      type: str
    run_id:
      description: The run that kept it.
      type: str
    length:
      description: How many characters it has.
      type: int
    text:
      description: Its content, if O(texts) asks for it and O(but) does not leave it out.
      type: str
left_out:
  description: Names of files whose text did not fit into the answer.
  returned: success
  type: list
  elements: str
kept:
  description: Names of the files that this call added or updated.
  returned: success
  type: list
  elements: str
no_room:
  description: Names of the files that were not kept because the incident has as many as it can have.
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
        - A short, stable word for machines, for instance C(unknown_incident), C(bad_name), C(too_long), C(too_many),
          C(no_place).
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._filesentry import FilesRequest, keep_files

WHO = ("incident_id", "run_id", "environment")


def main() -> None:
    """Read the options, do the work and exit."""
    file = {"name": {"type": "str", "required": True}, "text": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **{name: option for name, option in who_spec().items() if name in WHO},
            "files": {"type": "list", "elements": "dict", "default": [], "options": file, "no_log": True},
            "texts": {"type": "bool", "default": False},
            "but": {"type": "dict"},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = params_of(module, (), ("files",))

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        who = who_from({**dict.fromkeys(who_spec()), **{name: params[name] for name in WHO}})
        but = {str(name): int(length) for name, length in (params["but"] or {}).items()}
        request = FilesRequest(who, params["files"], params["texts"], but, params["deadline"])
        return keep_files(login_from(params), request, module.check_mode), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
