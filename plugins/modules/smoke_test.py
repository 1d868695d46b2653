#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke_test
short_description: Walk through an application over HTTP, step by step
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Sends requests in order as a person's browser would, checks each answer, and keeps values of it for the steps that
    follow. The first step that fails ends the walk, except for the steps that clean up.
  - A text such as C(<ticket>) in a step stands for a value of O(variables) or O(secrets), or one that an earlier step
    saved. If it is the whole of a JSON value, the value keeps its type. In a path it is quoted, and can never lead to
    another path. A value is inserted once and never interpreted again, whatever an answer contained.
  - The module does not fail if a step fails; RV(passed) says so, and RV(failed_step) names the step.
  - Cookies are kept from step to step. Proxies of the environment are not used.
options:
  base_url:
    description: Address of the application, as this host reaches it, without a user, a query or a fragment.
    type: str
    required: true
  steps:
    description: The requests, at most 100.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the step, as a person would call it.
        type: str
        required: true
      method:
        description: The method of the request.
        type: str
        choices: [DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT]
        default: GET
      path:
        description: Path after O(base_url). It begins with C(/).
        type: str
        required: true
      query:
        description: Names and values for the query.
        type: dict
      headers:
        description:
          - Further headers, for instance C(Authorization) with V(Bearer <token>). Secrets belong in O(secrets), because
            O(steps) are shown.
        type: dict
      json:
        description: Body, sent as JSON.
        type: raw
      form:
        description: Body, sent as a form's names and values.
        type: dict
      status:
        description: The statuses that pass; by default V([200]).
        type: list
        elements: int
      expect:
        description: What the JSON answer must contain.
        type: list
        elements: dict
        suboptions:
          path:
            description: Where to look, as C(data.items[0].id) or a list of steps.
            type: raw
            required: true
          equals:
            description:
              - The value, including its type (V(1) is not V("1")). If it has a placeholder, a number and a text that
                represent the same id are equal.
            type: raw
          matches:
            description: A regular expression that must be found in the text there.
            type: str
          exists:
            description: Whether there must be something other than null.
            type: bool
          at_least:
            description: The smallest number that passes.
            type: float
          at_most:
            description: The greatest number that passes.
            type: float
          contains:
            description:
              - What the list there must contain, compared as in O(steps[].expect[].equals). A map means an object that
                has at least these members, with these values.
            type: raw
          lacks:
            description: What the list there must not contain, as in O(steps[].expect[].contains).
            type: raw
      save:
        description: Names for later steps, each with the path of its value in the JSON answer. None may be null.
        type: dict
      always:
        description:
          - Whether it is sent after a failure too, for instance to remove what an earlier step created. If what it
            needs was never saved, there is nothing to remove, and it is not sent.
          - Its time may extend up to 10 seconds beyond O(deadline).
        type: bool
        default: false
      max_ms:
        description: Milliseconds that it may take.
        type: int
      follow:
        description: Whether up to 5 redirects are followed. A redirect to another server never is.
        type: bool
        default: false
  variables:
    description: Values by name, for placeholders. They are shown with the options.
    type: dict
    default: {}
  secrets:
    description:
      - The same for values that must not be shown, for instance a password. They are masked wherever they appear in a
        result, so ordinary ids do not belong here.
    type: dict
    default: {}
  deadline:
    description: Seconds for all of it.
    type: float
    default: 60
  timeout:
    description: Seconds within which a step's answer must be complete, redirects included.
    type: float
    default: 10
  validate_certs:
    description: Whether the certificates of https addresses are checked.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Sends nothing, and lists the steps; RV(passed) is then null.
  diff_mode:
    support: none
    description: What an application has before and after is not known.
notes:
  - RV(ignore:changed) is always false. The steps are meant to remove what they create.
  - Results never contain texts of answers, headers, cookies, or values of placeholders.
seealso:
  - module: chatia.kanban_rollback.kill_proof_info
"""

EXAMPLES = r"""
- name: Log in, open a ticket, see the board
  chatia.kanban_rollback.smoke_test:
    base_url: http://127.0.0.1:8080
    variables:
      user: oncall@chatia.com
      ticket: 4711
    secrets:
      password: "{{ vault_oncall_password }}"
    steps:
      - name: log in
        method: POST
        path: /auth/login
        json: {email: <user>, password: <password>}
        save: {token: token}
      - name: open a ticket
        path: /tickets/<ticket>
        headers: {Authorization: Bearer <token>}
        expect:
          - {path: id, equals: <ticket>}
      - name: see the V1 board
        path: /kanban/board
        headers: {Authorization: Bearer <token>}
        expect:
          - {path: version, equals: 1}
        max_ms: 2000
  register: walk

- name: Make a tag and take it away again, whatever comes between
  chatia.kanban_rollback.smoke_test:
    base_url: http://127.0.0.1:8080
    secrets:
      token: "{{ vault_token }}"
    steps:
      - name: make a tag
        method: POST
        path: /tags
        headers: {Authorization: Bearer <token>}
        json: {name: smoke test}
        status: [201]
        save: {tag: id}
      - name: find it
        path: /tags
        headers: {Authorization: Bearer <token>}
        expect:
          - {path: tags, contains: {id: <tag>}}
      - name: take it away
        method: DELETE
        path: /tags/<tag>
        headers: {Authorization: Bearer <token>}
        always: true
"""

RETURN = r"""
passed:
  description: Whether every step that was to be sent passed; null in check mode.
  returned: success
  type: bool
failed_step:
  description: Name of the first step that failed; null if none did.
  returned: success
  type: str
steps:
  description: The steps in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    status:
      description: The status of the answer; null if there was none.
      type: int
    ms:
      description: Milliseconds to the complete answer; null if the step was not sent.
      type: int
    passed:
      description: Whether it passed; null if it was not sent.
      type: bool
    why:
      description: Why it failed or was not sent, in one line; null if it passed.
      type: str
    code:
      description:
        - Why there was no answer that could be judged, for machines (C(refused), C(timeout), C(unresolved), C(tls),
          C(closed), C(too_big), C(no_http) or C(unreachable)); null if there was one, or the step was not sent.
      type: str
base_url:
  description: The address at which the application was asked.
  returned: success
  type: str
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokerun import go, plan, walk_from

EXPECT = {
    "path": {"type": "raw", "required": True},
    "equals": {"type": "raw"},
    "matches": {"type": "str"},
    "exists": {"type": "bool"},
    "at_least": {"type": "float"},
    "at_most": {"type": "float"},
    "contains": {"type": "raw"},
    "lacks": {"type": "raw"},
}
STEP = {
    "name": {"type": "str", "required": True},
    "method": {
        "type": "str",
        "choices": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
        "default": "GET",
    },
    "path": {"type": "str", "required": True},
    "query": {"type": "dict"},
    "headers": {"type": "dict"},
    "json": {"type": "raw"},
    "form": {"type": "dict"},
    "status": {"type": "list", "elements": "int"},
    "expect": {"type": "list", "elements": "dict", "options": EXPECT},
    "save": {"type": "dict"},
    "always": {"type": "bool", "default": False},
    "max_ms": {"type": "int"},
    "follow": {"type": "bool", "default": False},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "steps": {"type": "list", "elements": "dict", "required": True, "options": STEP},
            "variables": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "deadline": {"type": "float", "default": 60},
            "timeout": {"type": "float", "default": 10},
            "validate_certs": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        for name, least in (("deadline", 0.5), ("timeout", 0.1)):
            check_seconds(name, params[name], least)
        walk = walk_from(params)
        return (plan(walk) if module.check_mode else go(walk)), None

    run(module, work)


if __name__ == "__main__":
    main()
