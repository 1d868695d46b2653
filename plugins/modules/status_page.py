#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: status_page
short_description: Manage components and an incident on an Atlassian Statuspage
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Opens an incident on a status page, posts updates to it, resolves it, and gives components a status.
  - Repeating the same call posts nothing. What was posted, and the earlier status of components, is kept with the
    incident on the page itself, as C(metadata) that travels in the same request as the text. So it does not matter
    which controller repeats the call, or whether an answer was lost.
  - Texts are shown literally; the page does not interpret markup in them.
options:
  api_key:
    description: An API key that may manage the page, as the page's API info shows it.
    type: str
    required: true
  api_url:
    description:
      - Address of the API. It must be https, because the key travels with each request; http is only for a server on
        this machine. A redirect is never followed.
    type: str
    default: https://api.statuspage.io/v1
  ca_certs:
    description: A PEM file of the authorities to trust instead of the system's.
    type: path
  page_id:
    description: The page's id, as its API info shows it.
    type: str
    required: true
  component:
    description:
      - Components, each by its id, or by its exact name if only one has that. A group is not a component.
      - An incident that is opened or updated is marked as affecting them. Components that others marked as affected
        stay so.
    type: list
    elements: str
    default: []
  component_status:
    description:
      - The status that each O(component) gets. A component that already has it is not written. If omitted, none is
        changed.
      - V(prior) is the status that each had before O(incident) first changed it. A component that was changed since is
        left alone, and a warning names it.
    type: str
    choices: [operational, degraded_performance, partial_outage, major_outage, under_maintenance, prior]
  incident:
    description:
      - Your own id of the incident, by which it is found again, for instance V(INC-20261125-042). It is kept in the
        incident's C(metadata), so what people change in names and texts does not matter.
      - Open incidents are searched whatever their age, those that are over only among the newest 50.
      - If omitted, only components are changed.
    type: str
  name:
    description:
      - The incident's title, at most 255 characters on one line. It is needed to open an incident and is not used
        again, so a title changed by hand is kept.
    type: str
  status:
    description:
      - Status of the incident. An incident that is opened without one is V(investigating); otherwise, if omitted, the
        status stays.
    type: str
    choices: [investigating, identified, monitoring]
  impact_override:
    description:
      - Impact of the incident, sent with what is posted. If omitted, the page calculates it from the components.
    type: str
    choices: [none, minor, major, critical]
  body:
    description:
      - The text of the update, at most 25,000 characters with markup escaped.
      - The same text with the same O(status) is posted only once for an incident, whatever was posted in between.
    type: str
  deliver_notifications:
    description: Whether subscribers are notified of what is posted.
    type: bool
    default: true
  state:
    description:
      - V(present) opens the incident, or posts an update if it is open. If it is resolved, what was posted before is
        skipped, and anything else is an error, because it would reopen the incident.
      - V(resolved) resolves it, with O(body) as the last text. If it is resolved already, or never existed, that stays
        so.
    type: str
    choices: [present, resolved]
    default: present
  timeout:
    description:
      - Seconds for all of it. Within this time a request is sent again if the API has had too many (C(Retry-After) is
        honoured), fails or does not answer.
      - If a failed request may have taken effect, the module looks for it on the page before sending it again.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    description: Reads the page, and sends nothing that changes it.
  diff_mode:
    support: full
    description: Shows the status of components and incident, and the text that is posted.
notes:
  - The API has no way to open an incident only if there is none. Two calls that open one of the same id at the same
    moment can both succeed; the next call continues with the oldest and warns of the other.
  - Proxies of the environment are not used.
seealso:
  - module: chatia.kanban_rollback.incident
"""

EXAMPLES = r"""
- name: Say that the board is being maintained
  chatia.kanban_rollback.status_page:
    api_key: "{{ vault_statuspage_key }}"
    page_id: kctbh9vrtdwd
    incident: INC-20261125-042
    name: Kanban board unavailable
    status: identified
    impact_override: critical
    body: The board is closed while we repair data. Tickets and messages work as usual.
    component: [Kanban]
    component_status: under_maintenance
  delegate_to: localhost
  run_once: true

- name: Say that it is over, and put the component back to how it was
  chatia.kanban_rollback.status_page:
    api_key: "{{ vault_statuspage_key }}"
    page_id: kctbh9vrtdwd
    incident: INC-20261125-042
    state: resolved
    body: The board works again. No data was lost.
    component: [Kanban]
    component_status: prior
  delegate_to: localhost
  run_once: true

- name: Give a component a status, without an incident
  chatia.kanban_rollback.status_page:
    api_key: "{{ vault_statuspage_key }}"
    page_id: kctbh9vrtdwd
    component: [Kanban]
    component_status: degraded_performance
"""

RETURN = r"""
actions:
  description:
    - What was done, or would be done in check mode. C(open), C(update) and C(resolve) are about the incident, with its
      components. C(component) and an id is a component by itself, and C(remember) keeps its earlier status.
  returned: always, unless the options are wrong or nothing could be read
  type: list
  elements: str
incident:
  description: The incident as it is afterwards; null if there is none.
  returned: always, unless the options are wrong or nothing could be read
  type: dict
  contains:
    id:
      description: The page's own id; null if it is opened in check mode.
      type: str
    name:
      description: Its title.
      type: str
    status:
      description: C(investigating), C(identified), C(monitoring), C(resolved) or C(postmortem).
      type: str
    impact:
      description: How bad the page says it is.
      type: str
    url:
      description: Where people read it.
      type: str
components:
  description: The components that O(component) names.
  returned: always, unless the options are wrong or nothing could be read
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
    name:
      description: Its name.
      type: str
    status:
      description: Its status afterwards.
      type: str
    status_before:
      description: Its status when this call first looked.
      type: str
    prior:
      description:
        - Its status before O(incident) first changed it, however many calls followed. Without O(incident) it is
          RV(components[].status_before) of a call that changes it. Null if nothing was changed.
      type: str
page_id:
  description: The page.
  returned: always, unless the options are wrong or nothing could be read
  type: str
requests:
  description: How many requests were sent.
  returned: always, unless the options are wrong or nothing could be read
  type: int
retries:
  description: How often something was asked or sent again.
  returned: always, unless the options are wrong or nothing could be read
  type: int
elapsed_ms:
  description: Milliseconds for all of it.
  returned: always, unless the options are wrong or nothing could be read
  type: int
status_code:
  description: The status of the answer.
  returned: when the API refuses something
  type: int
doubtful:
  description: The one of RV(actions) that may or may not have been done. The next call looks for it first.
  returned: when the time was over before that could be looked up
  type: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines. About the API there are C(no_answer), C(rate_limited), C(wrong_key),
          C(unknown_page), C(refused), C(redirected), C(not_statuspage).
        - About components and incidents there are C(unknown_component), C(ambiguous_component), C(component_group),
          C(incident_resolved).
        - About the options there are C(no_name), C(no_incident), C(bad_url), C(url_with_more), C(key_in_the_clear),
          C(bad_key), C(bad_page), C(bad_incident), C(bad_status), C(no_component), C(bad_ca_certs), C(bad_deadline),
          C(empty_body), C(body_too_long), C(empty_name), C(name_too_long).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import check_seconds
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspageentry import change_page, request_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspageplan import PRIOR, STATUSES

OF_AN_INCIDENT = ("name", "status", "impact_override", "body")


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "api_key": {"type": "str", "required": True, "no_log": True},
            "api_url": {"type": "str", "default": "https://api.statuspage.io/v1"},
            "ca_certs": {"type": "path"},
            "page_id": {"type": "str", "required": True},
            "component": {"type": "list", "elements": "str", "default": []},
            "component_status": {"type": "str", "choices": [*STATUSES, PRIOR]},
            "incident": {"type": "str"},
            "name": {"type": "str"},
            "status": {"type": "str", "choices": ["investigating", "identified", "monitoring"]},
            "impact_override": {"type": "str", "choices": ["none", "minor", "major", "critical"]},
            "body": {"type": "str"},
            "deliver_notifications": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "resolved"], "default": "present"},
            "timeout": {"type": "float", "default": 60},
        },
        required_one_of=[("incident", "component_status")],
        required_by=dict.fromkeys(OF_AN_INCIDENT, ("incident",)),
        required_if=[("state", "resolved", ("incident",))],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("timeout", params["timeout"], 1)
        return change_page(request_from(params), module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
