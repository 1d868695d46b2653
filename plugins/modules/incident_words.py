#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_words
short_description: Make and read the file with people's own words about an incident
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Creates C(words.md) in an incident's directory, with headings to write below, if it is missing, and reads it. What
    people wrote there and no ledger has is never overwritten (see O(known)).
  - Returns which of these words, and of people's changes to C(incident.md), C(postmortem.md) and C(checklists.md), a
    ledger does not have yet. What another controller has put into the ledger since is written to those files.
options:
  path:
    description: Directory of the incidents' records.
    type: path
    required: true
  incident_id:
    description: The incident.
    type: str
    required: true
  locale:
    description: Language of the headings of a new file. If it is unknown, they are in English.
    type: str
    default: en
  make:
    description: Whether to create the file if it is missing.
    type: bool
    default: true
  known:
    description:
      - RV(chatia.kanban_rollback.incident_documents#module:documents). A file that is missing here, or in which nobody
        wrote since an earlier one of them, is replaced by the newest. If people wrote here and elsewhere, the file here
        stays, and the other text is put beside it as C(<name>.elsewhere.md).
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    support: full
    description: Creates no file, and reads the one that exists.
  diff_mode:
    support: none
    description: A new file has only headings.
seealso:
  - module: chatia.kanban_rollback.incident_documents
  - module: chatia.kanban_rollback.notify
"""

EXAMPLES = r"""
- name: Read what people wrote
  chatia.kanban_rollback.incident_words:
    path: ~/.local/state/kanban_rollback/incidents
    incident_id: INC-20261125-042
    locale: pt_BR
  delegate_to: localhost
  register: said
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
words:
  description:
    - The text below each heading, by the name of the heading, C(detected_at), C(what_happened), C(root_cause), C(eta),
      C(next_steps), C(prevention), C(went_well), C(improve) and C(action_items); empty if there is none.
  returned: success
  type: dict
unknown:
  description: Headings that are none of these.
  returned: success
  type: list
  elements: str
cut:
  description: Names whose text is too long and was cut.
  returned: success
  type: list
  elements: str
keep:
  description:
    - What people wrote, as documents for M(chatia.kanban_rollback.incident_documents), without what O(known) has.
  returned: success
  type: list
  elements: dict
too_long:
  description: Files whose text cannot be kept because it has more than 262144 characters.
  returned: success
  type: list
  elements: str
beside:
  description: Files with what people wrote elsewhere meanwhile.
  returned: success
  type: list
  elements: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, C(no_words).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wordsfile import WordsRequest, words_of


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "incident_id": {"type": "str", "required": True},
            "locale": {"type": "str", "default": "en"},
            "make": {"type": "bool", "default": True},
            "known": {"type": "list", "elements": "dict", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    params = params_of(module, (), ("known",))

    def work() -> Outcome:
        request = WordsRequest(**params)
        return words_of(request, module.check_mode), None

    run(module, work)


if __name__ == "__main__":
    main()
