#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notify
short_description: Tell people of an incident, once, and know whom it reached
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Keeps messages in an outbox, C(messages/<key>.json) with its words as C(.md), and sends each by all its
    routes side by side - Slack, mail, PagerDuty, an Atlassian Statuspage. What is kept first is not lost with a run.
  - A message that was sent by a route is never sent there again. What a service certainly did not take is tried again
    within O(deadline), and by the next call. Where a request went out and no answer came, PagerDuty and the page are
    asked again, for they know it by its key; Slack and mail are asked again with O(again) alone.
  - A failed delivery does not fail the module; it is in the result.
options:
  incident_id:
    description: The incident, by which PagerDuty and the page know again what is told of it.
    type: str
    required: true
  path:
    description: Directory of the incidents' records. The incident's is made in it, C(0700), where it is missing.
    type: path
    required: true
  messages:
    description:
      - What is to be told. Without any, V(sent) sends what is left in the outbox.
      - In subject and text C(**so**) is bold, and a backslash takes the meaning from a star; nothing else is markup.
    type: list
    elements: dict
    default: []
    suboptions:
      key:
        description: What it is, once for an incident, in small letters, digits and dashes.
        type: str
        required: true
      kind:
        description: By which template it was made.
        type: str
        required: true
      subject:
        description: One line. Left out, it is the first of O(messages[].text).
        type: str
        default: ""
      text:
        description: What follows; empty, the subject says it all.
        type: str
        default: ""
      locale:
        description: Its language.
        type: str
        default: ""
      severity:
        description: For instance P0. What begins with it is V(critical) to PagerDuty, anything else V(warning).
        type: str
        default: ""
      routes:
        description: By which ways, each C(slack:#channel), C(mail:list), C(pagerduty) or C(status_page).
        type: list
        elements: str
        default: []
      mention:
        description: The one route, of Slack, in which everybody is called.
        type: str
        default: ""
      pager:
        description: What PagerDuty does with it.
        type: str
        choices: [trigger, acknowledge, resolve]
        default: trigger
      component_status:
        description: The status that the page's component gets.
        type: str
        choices: ["", operational, degraded_performance, partial_outage, major_outage, under_maintenance]
        default: ""
      resolves:
        description: Whether the page's incident is resolved by it; the component goes back to how it was.
        type: bool
        default: false
      stop:
        description:
          - Which stop of the incident it tells of. Where the page's incident of an earlier stop is resolved, a later
            one has an incident of its own there.
        type: int
        default: 1
      without:
        description:
          - What could not be read for it in time, V(figures) or, for what people wrote, C(words.<name>) with a name of
            RV(chatia.kanban_rollback.incident_words#module:words). It is kept with the message.
        type: list
        elements: str
        default: []
  words:
    description:
      - RV(chatia.kanban_rollback.incident_words#module:words). What of it a message of the outbox was told without
        (O(messages[].without)), and what no later one said, is told by the same channels of Slack and lists of mail, as
        a message C(<key>.words).
    type: dict
    default: {}
  state:
    description: V(listed) sends nothing and tells how it stands.
    type: str
    choices: [sent, listed]
    default: sent
  again:
    description: Whether Slack and mail, too, are sent again what they may have had.
    type: bool
    default: false
  dry_run:
    description: Whether messages are kept as V(dry_run) and none is sent.
    type: bool
    default: false
  known:
    description:
      - RV(chatia.kanban_rollback.incident_documents#module:documents), in which are the messages that other controllers
        told. What was sent by one of them is not sent again, and what was not is.
    type: list
    elements: dict
    default: []
  max_age:
    description: Seconds; what was meant to be told before that is not sent any more. 0 is no limit.
    type: float
    default: 0
  deadline:
    description: Seconds for all of it.
    type: float
    default: 30
  slack:
    description: A workspace. Addresses are https, or http on this machine; none is redirected.
    type: dict
    suboptions:
      token:
        description: Of a bot, with C(chat:write), and C(channels:manage) where channels are to be made.
        type: str
        default: ""
      webhooks:
        description: Without a token, addresses of incoming webhooks by channel. They are secrets.
        type: dict
        default: {}
      api_url:
        description: Where the API is.
        type: str
        default: https://slack.com/api
      create:
        description:
          - Channels that are made before the first message to them, where the token may; a C(*) stands for anything.
        type: list
        elements: str
        default: []
      ca_certs:
        description: A PEM file of the authorities to trust, and not the system's.
        type: path
  mail:
    description: A mail server.
    type: dict
    suboptions:
      host:
        description: Its name.
        type: str
        default: ""
      port:
        description: Its port; left out, the usual one of O(mail.tls).
        type: int
      user:
        description: Whose account; empty for none.
        type: str
        default: ""
      password:
        description: Its password.
        type: str
        default: ""
      tls:
        description: How the connection is made safe. V(none) and a password are for a server on this machine.
        type: str
        choices: [starttls, implicit, none]
        default: starttls
      ca_cert:
        description: A PEM file of the authorities to trust, and not the system's.
        type: path
      from:
        description: The sender's address.
        type: str
        default: ""
      lists:
        description: Addresses by the name of a list. A list gets one mail, and nobody sees who is on it.
        type: dict
        default: {}
  pagerduty:
    description: A service of PagerDuty, by its Events API v2.
    type: dict
    suboptions:
      routing_key:
        description: The integration's key.
        type: str
        default: ""
      url:
        description: Where events are sent.
        type: str
        default: https://events.pagerduty.com/v2/enqueue
      source:
        description: What is affected, for instance the environment.
        type: str
        default: kanban_rollback
      link:
        description: Address of a dashboard that goes along.
        type: str
        default: ""
      ca_certs:
        description: A PEM file of the authorities to trust, and not the system's.
        type: path
  status_page:
    description: A page, as M(chatia.kanban_rollback.status_page) takes it.
    type: dict
    suboptions:
      api_key:
        description: A key that may manage the page.
        type: str
        default: ""
      api_url:
        description: Where the API is.
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
        description: A PEM file of the authorities to trust, and not the system's.
        type: path
attributes:
  check_mode:
    support: full
    description: Writes and sends nothing, and tells what it would send.
  diff_mode:
    support: none
    description: What was told is in the outbox.
notes:
  - Runs on the controller. Proxies of the environment are not used.
  - Two runs at once tell nothing twice. Files are replaced whole, and a route has a lock.
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
  description: The outbox.
  returned: success
  type: str
messages:
  description: How many messages it has.
  returned: success
  type: int
sent:
  description: What this call sent, and what another did meanwhile.
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
      description: How many requests there were.
      type: int
    why:
      description: What went wrong, or what else is to be known; empty for nothing.
      type: str
already:
  description: How many were sent before.
  returned: success
  type: int
not_sent:
  description: What was not taken, or not sent in time, or may be sent twice; the next call tries again.
  returned: success
  type: list
  elements: dict
  contains: *told
unknown:
  description: What went out without an answer, and is sent again with O(again) alone.
  returned: success
  type: list
  elements: dict
  contains: *told
dry_run:
  description: What was kept and is not to be sent.
  returned: success
  type: list
  elements: dict
  contains: *told
needless:
  description: What was not sent and is not tried again, for instance a channel that the token may not make.
  returned: success
  type: list
  elements: dict
  contains: *told
would_send:
  description: In check mode and with O(state=listed), what of O(messages) was not sent yet, as C(message) and C(route).
  returned: success
  type: list
  elements: dict
would_write:
  description: The same with O(dry_run=true), in the place of RV(would_send).
  returned: success
  type: list
  elements: dict
partly:
  description: Mail that was sent, and not to all of its list; why names whom the server refused for good.
  returned: success
  type: list
  elements: dict
  contains: *told
kept:
  description:
    - What the outbox has, oldest first, as C(message), its key, C(at), when it was meant to be told, UTC, and
      C(routes).
  returned: success
  type: list
  elements: dict
without:
  description:
    - Keys of messages in the outbox that were told without C(words) or C(figures), by these two names. Those whose
      words were told since are not among them, nor those that went to no channel of Slack and no list of mail.
  returned: success
  type: dict
keep:
  description:
    - Messages as documents for M(chatia.kanban_rollback.incident_documents), those that O(known) has not as they are
      now. A dry run has none.
  returned: success
  type: list
  elements: dict
unreached:
  description: Routes that are not configured; nothing is kept of them.
  returned: success
  type: list
  elements: str
unreadable:
  description: Files in the outbox that are no messages; they are left alone.
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
          C(bad_deadline).
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

# What is told, to whom, and by which services.
UNLOGGED = ("messages", "known", "words", "slack", "mail", "pagerduty", "status_page")


def text(default: str = "", secret: bool = False) -> dict[str, Any]:
    """Return the spec of a text."""
    return {"type": "str", "default": default, "no_log": secret}


def spec() -> dict[str, Any]:
    """Return the options."""
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
    """Read the options, do the work, end."""
    module = AnsibleModule(argument_spec=spec(), supports_check_mode=True)
    params = params_of(module, (), UNLOGGED)

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        return notify(request_from(params), module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
