#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notify
short_description: Send messages about an incident, once, and record whom they reached
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Keeps each message in an outbox, as C(messages/<key>.json) with its text as C(.md), and sends it by all its routes
    at once - Slack, mail, PagerDuty, an Atlassian Statuspage. Because a message is kept before it is sent, it is not
    lost with a run.
  - A message that was sent by a route is never sent there again. If a service certainly did not take it, it is tried
    again within O(deadline), and by the next call. If a request went out without an answer, PagerDuty and the page are
    asked again, because they recognize it by its key; Slack and mail are asked again only with O(again).
  - A failed delivery does not fail the module; the result reports it.
options:
  incident_id:
    description: The incident, by which PagerDuty and the page recognize messages about it.
    type: str
    required: true
  path:
    description:
      - Directory of the incidents' records. The incident's own directory is created in it with mode C(0700) if it is
        missing.
    type: path
    required: true
  messages:
    description:
      - The messages to send. Without any, V(sent) sends what is left in the outbox.
      - In subject and text, C(**so**) is bold, and a backslash before a star makes it literal; nothing else is markup.
    type: list
    elements: dict
    default: []
    suboptions:
      key:
        description: Name of the message, unique within the incident; lower-case letters, digits, C(.), C(_) and C(-).
        type: str
        required: true
      kind:
        description: The template that it was made with.
        type: str
        required: true
      subject:
        description: Subject, in one line. Left out, it is the first line of O(messages[].text).
        type: str
        default: ""
      text:
        description: Text after the subject. If it is empty, the subject is the whole message.
        type: str
        default: ""
      locale:
        description: Language of the message.
        type: str
        default: ""
      severity:
        description:
          - Severity, for instance P0. Anything that begins with P0 is V(critical) for PagerDuty, anything else
            V(warning).
        type: str
        default: ""
      routes:
        description: Its routes, each C(slack:#channel), C(mail:list), C(pagerduty) or C(status_page).
        type: list
        elements: str
        default: []
      mention:
        description: The one Slack route in which everybody in the channel is mentioned.
        type: str
        default: ""
      pager:
        description: The action that PagerDuty takes on it.
        type: str
        choices: [trigger, acknowledge, resolve]
        default: trigger
      component_status:
        description: Status to set for the page's component.
        type: str
        choices: ["", operational, degraded_performance, partial_outage, major_outage, under_maintenance]
        default: ""
      resolves:
        description: Whether it resolves the page's incident; the component then returns to its earlier status.
        type: bool
        default: false
      stop:
        description:
          - Number of the incident's stop that it is about. If the page's incident of an earlier stop is resolved, a
            later stop gets its own incident there.
        type: int
        default: 1
      without:
        description:
          - What could not be read for it in time, either V(figures) or, for what people wrote, C(words.<name>) with a
            name of RV(chatia.kanban_rollback.incident_words#module:words). It is kept with the message.
        type: list
        elements: str
        default: []
  words:
    description:
      - RV(chatia.kanban_rollback.incident_words#module:words). Words that a message of the outbox was sent without
        (O(messages[].without)), and that no later message contained, are sent to the same Slack channels and mail
        lists, as a message C(<key>.words).
    type: dict
    default: {}
  state:
    description: V(sent) sends messages. V(listed) sends nothing and reports the state of the outbox.
    type: str
    choices: [sent, listed]
    default: sent
  again:
    description: Whether to send to Slack and mail again what they may already have received.
    type: bool
    default: false
  dry_run:
    description: Whether to keep messages as V(dry_run) and send none.
    type: bool
    default: false
  known:
    description:
      - RV(chatia.kanban_rollback.incident_documents#module:documents), which has the messages of other controllers.
        What one of them has sent is not sent again; what was not sent is sent.
    type: list
    elements: dict
    default: []
  max_age:
    description: Maximum age of a message in seconds; older ones are no longer sent. 0 means no limit.
    type: float
    default: 0
  deadline:
    description: Seconds that the module may take.
    type: float
    default: 30
  slack:
    description: A Slack workspace. Addresses must be https, or http on this machine; redirects are not followed.
    type: dict
    suboptions:
      token:
        description: Token of a bot with C(chat:write), and with C(channels:manage) if it is to create channels.
        type: str
        default: ""
      webhooks:
        description: Addresses of incoming webhooks by channel, if there is no token. They are secrets.
        type: dict
        default: {}
      api_url:
        description: Address of the API.
        type: str
        default: https://slack.com/api
      create:
        description:
          - Channels to create before the first message to them, if the token may; a C(*) stands for anything.
        type: list
        elements: str
        default: []
      ca_certs:
        description: A PEM file of the authorities to trust instead of the system's.
        type: path
  mail:
    description: A mail server.
    type: dict
    suboptions:
      host:
        description: Name of the server.
        type: str
        default: ""
      port:
        description: Port of the server. Left out, it is the usual port for O(mail.tls).
        type: int
      user:
        description: User to log in as; empty for none.
        type: str
        default: ""
      password:
        description: Password of the user.
        type: str
        default: ""
      tls:
        description:
          - How the connection is encrypted. V(none) together with a password is only for a server on this machine.
        type: str
        choices: [starttls, implicit, none]
        default: starttls
      ca_cert:
        description: A PEM file of the authorities to trust instead of the system's.
        type: path
      from:
        description: The sender's address.
        type: str
        default: ""
      lists:
        description: Addresses by the name of a list. Each list gets one mail, and nobody sees who is on the list.
        type: dict
        default: {}
  pagerduty:
    description: A PagerDuty service, used through the Events API v2.
    type: dict
    suboptions:
      routing_key:
        description: The integration key.
        type: str
        default: ""
      url:
        description: Address that events are sent to.
        type: str
        default: https://events.pagerduty.com/v2/enqueue
      source:
        description: What is affected, for instance the environment.
        type: str
        default: kanban_rollback
      link:
        description: Address of a dashboard to send along.
        type: str
        default: ""
      ca_certs:
        description: A PEM file of the authorities to trust instead of the system's.
        type: path
  status_page:
    description: A status page, as for M(chatia.kanban_rollback.status_page).
    type: dict
    suboptions:
      api_key:
        description: API key that may manage the page.
        type: str
        default: ""
      api_url:
        description: Address of the API.
        type: str
        default: https://api.statuspage.io/v1
      page_id:
        description: The page's id.
        type: str
        default: ""
      component:
        description: The component, by id or name; empty for none.
        type: str
        default: ""
      ca_certs:
        description: A PEM file of the authorities to trust instead of the system's.
        type: path
attributes:
  check_mode:
    support: full
    description: Writes and sends nothing, and reports what it would send.
  diff_mode:
    support: none
    description: What was sent is in the outbox.
notes:
  - Runs on the controller. Does not use the proxies of the environment.
  - Two runs at the same time send nothing twice. Files are replaced as a whole, and each route has a lock.
seealso:
  - module: chatia.kanban_rollback.status_page
  - module: chatia.kanban_rollback.incident_words
"""

EXAMPLES = r"""
- name: Tell Slack and the pager
  chatia.kanban_rollback.notify:
    incident_id: INC-20261125-042
    path: ~/.local/state/kanban_rollback/incidents
    messages:
      - key: scenario3-announce
        kind: announce
        severity: P0 critical
        subject: "Kanban V2 is off for everybody"
        text: "**Writes are blocked.** We look for the cause."
        routes: ["slack:#incidents", pagerduty]
        mention: "slack:#incidents"
    slack:
      token: "{{ vault_slack_token }}"
    pagerduty:
      routing_key: "{{ vault_pagerduty_key }}"
  delegate_to: localhost

- name: Send what was not sent
  chatia.kanban_rollback.notify:
    incident_id: INC-20261125-042
    path: ~/.local/state/kanban_rollback/incidents
    slack:
      token: "{{ vault_slack_token }}"
  delegate_to: localhost
"""

RETURN = r"""
directory:
  description: Directory of the outbox.
  returned: success
  type: str
messages:
  description: How many messages the outbox has.
  returned: success
  type: int
sent:
  description: What this call sent, and what another one sent meanwhile.
  returned: success
  type: list
  elements: dict
  contains: &told
    message:
      description: The message's key.
      type: str
    route:
      description: The route.
      type: str
    tries:
      description: How many requests were made.
      type: int
    why:
      description: What went wrong, or what else is worth knowing; empty if nothing.
      type: str
already:
  description: How many messages were sent before, counted by route.
  returned: success
  type: int
not_sent:
  description: What was not taken, was not sent in time, or may be sent twice; the next call tries again.
  returned: success
  type: list
  elements: dict
  contains: *told
unknown:
  description: What went out without an answer and is sent again only with O(again).
  returned: success
  type: list
  elements: dict
  contains: *told
dry_run:
  description: What was kept as a dry run and is not to be sent.
  returned: success
  type: list
  elements: dict
  contains: *told
needless:
  description: What was not sent and is not tried again, for instance to a channel that the token may not create.
  returned: success
  type: list
  elements: dict
  contains: *told
would_send:
  description:
    - In check mode and with O(state=listed), which of O(messages) were not sent yet, as C(message) and C(route).
  returned: success
  type: list
  elements: dict
would_write:
  description: The same with O(dry_run=true), instead of RV(would_send).
  returned: success
  type: list
  elements: dict
partly:
  description:
    - Mail that was sent, but not to its whole list; C(why) names the addresses that the server refused for good.
  returned: success
  type: list
  elements: dict
  contains: *told
kept:
  description:
    - What the outbox has, oldest first, as C(message) (the key), C(at) (when it was meant to be sent, in UTC) and
      C(routes).
  returned: success
  type: list
  elements: dict
without:
  description:
    - Keys of messages in the outbox that were sent without C(words) or C(figures), by these two names. C(words) leaves
      out messages whose words were sent since, and messages that went to no Slack channel and no mail list.
  returned: success
  type: dict
keep:
  description:
    - Messages as documents for M(chatia.kanban_rollback.incident_documents), if O(known) does not have them in their
      present state. A dry run has none.
  returned: success
  type: list
  elements: dict
unreached:
  description: Routes that are not configured; nothing is kept for them.
  returned: success
  type: list
  elements: str
bad_routes:
  description:
    - Invalid routes of O(messages). Nothing is sent by them; the other routes are used as usual.
    - What comes after a slash is left out, because it could be secret.
  returned: success
  type: list
  elements: str
unreadable:
  description: Files in the outbox that are not messages; they are left alone.
  returned: success
  type: list
  elements: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines, C(no_outbox), C(outbox_held), C(no_incident), C(bad_key), C(bad_route),
          C(bad_deadline), C(no_words).
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import check_seconds
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyentry import notify, request_from

COMPONENT = ["", "operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]

# What people are told, which people, and by which services.
UNLOGGED = ("messages", "known", "words", "slack", "mail", "pagerduty", "status_page")


def text(default: str = "", secret: bool = False) -> dict[str, Any]:
    """Return the spec of a text option."""
    return {"type": "str", "default": default, "no_log": secret}


def spec() -> dict[str, Any]:
    """Return the argument spec."""
    message = {
        "key": {"type": "str", "required": True, "no_log": False},
        "kind": {"type": "str", "required": True},
        **{name: text() for name in ("subject", "text", "locale", "severity", "mention")},
        "routes": {"type": "list", "elements": "str", "default": []},
        "pager": {"type": "str", "choices": ["trigger", "acknowledge", "resolve"], "default": "trigger"},
        "component_status": {"type": "str", "choices": COMPONENT, "default": ""},
        "resolves": {"type": "bool", "default": False},
        "stop": {"type": "int", "default": 1},
        "without": {"type": "list", "elements": "str", "default": []},
    }
    slack = {
        "token": text(secret=True),
        "webhooks": {"type": "dict", "default": {}, "no_log": True},
        "api_url": text("https://slack.com/api"),
        "create": {"type": "list", "elements": "str", "default": []},
        "ca_certs": {"type": "path"},
    }
    mail = {
        **{name: text() for name in ("host", "user", "from")},
        "password": text(secret=True),
        "port": {"type": "int"},
        "tls": {"type": "str", "choices": ["starttls", "implicit", "none"], "default": "starttls"},
        "ca_cert": {"type": "path"},
        "lists": {"type": "dict", "default": {}},
    }
    pagerduty = {
        "routing_key": text(secret=True),
        "url": text("https://events.pagerduty.com/v2/enqueue"),
        "source": text("kanban_rollback"),
        "link": text(),
        "ca_certs": {"type": "path"},
    }
    page = {
        "api_key": text(secret=True),
        "api_url": text("https://api.statuspage.io/v1"),
        "page_id": text(),
        "component": text(),
        "ca_certs": {"type": "path"},
    }
    services = {"slack": slack, "mail": mail, "pagerduty": pagerduty, "status_page": page}
    return {
        "incident_id": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "messages": {"type": "list", "elements": "dict", "default": [], "options": message, "no_log": True},
        "words": {"type": "dict", "default": {}, "no_log": True},
        "state": {"type": "str", "choices": ["sent", "listed"], "default": "sent"},
        "again": {"type": "bool", "default": False},
        "dry_run": {"type": "bool", "default": False},
        "known": {"type": "list", "elements": "dict", "default": [], "no_log": True},
        "max_age": {"type": "float", "default": 0},
        "deadline": {"type": "float", "default": 30},
        **{name: {"type": "dict", "options": options, "no_log": True} for name, options in services.items()},
    }


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(argument_spec=spec(), supports_check_mode=True)
    params = params_of(module, (), UNLOGGED)

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        return notify(request_from(params), module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
