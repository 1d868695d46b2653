# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody whom a run can notify, as servers on this machine, and what has reached them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.mailserver import MailServer, mail_server
from tests.support.statuspage import KEY, PAGE, StatusPage, status_page
from tests.support.telling import ROUTING_KEY, TOKEN, Told, telling

SECRETS = (TOKEN, ROUTING_KEY, KEY)
LISTS = {"tech_leads": "lead", "executives": "ceo", "users": "user"}
# The channel of an incident, whatever its name is.
INCIDENT = "#incident"


@dataclass
class People:
    """Slack and PagerDuty, a mail server and a status page, all running."""

    told: Told
    mail: MailServer
    page: StatusPage

    @property
    def services(self) -> dict[str, Any]:
        """The profile's variables that point to them."""
        return {
            "kanban_notify": True,
            "kanban_notify_dry_run": False,
            "kanban_notify_seconds": 5,
            "kanban_notify_slack_token": TOKEN,
            "kanban_notify_slack_api_url": self.told.slack["api_url"],
            "kanban_notify_mail_host": "localhost",
            "kanban_notify_mail_port": self.mail.port,
            "kanban_notify_mail_tls": "none",
            "kanban_notify_mail_from": "kanban@chatia.example",
            "kanban_notify_mail_lists": {name: [f"{one}@chatia.example"] for name, one in LISTS.items()},
            "kanban_notify_pagerduty_key": ROUTING_KEY,
            "kanban_notify_pagerduty_url": self.told.pager["url"],
            "kanban_notify_status_page_key": KEY,
            "kanban_notify_status_page_id": PAGE,
            "kanban_notify_status_page_component": "Kanban",
            "kanban_notify_status_page_url": self.page.url,
        }

    @property
    def heard(self) -> dict[str, list[str]]:
        """The whole text of each message, in order of arrival, by recipient: ``#channel``, the name of a list,
        ``pagerduty`` (the action), ``page`` (the status and its text).
        """
        found: dict[str, list[str]] = {}
        for post in self.told.posts():
            own = not post["channel"].startswith("#") or post["channel"].startswith("#incident-")
            found.setdefault(INCIDENT if own else post["channel"], []).append(post["text"])
        for to, letter in self.mail.mails:
            (name,) = (name for name, one in LISTS.items() if to == [f"{one}@chatia.example"])
            found.setdefault(name, []).append(f"{letter['Subject']}\n{letter.get_content()}")
        for body in self.told.asked("enqueue", "taken"):
            alarm = body.get("payload", {}).get("summary", "")
            found.setdefault("pagerduty", []).append(f"{body['event_action']} {alarm}".strip())
        for incident in reversed(self.page.incidents):
            for update in reversed(incident["incident_updates"]):
                found.setdefault("page", []).append(f"{update['status']}: {update['body']}")
        return found

    @property
    def headlines(self) -> dict[str, list[str]]:
        """The first line of each message, by recipient."""
        return {who: [text.partition("\n")[0] for text in texts] for who, texts in self.heard.items()}


@contextmanager
def people(directory: Path) -> Iterator[People]:
    """Run the servers, which have received nothing yet."""
    with telling(directory) as told, mail_server(directory) as mail, status_page(directory) as page:
        yield People(told, mail, page)


def outbox(incidents: Path, incident: str) -> dict[str, dict[str, str]]:
    """Return the status of each message of an incident, by its key and route."""
    found = [json.loads(path.read_text()) for path in (incidents / incident / "messages").glob("*.json")]
    return {one["key"]: {route["route"]: route["status"] for route in one["routes"]} for one in found}
