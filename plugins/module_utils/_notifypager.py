# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to a pager, PagerDuty's Events API v2, and to a status page. Neither Ansible nor a driver.

Both recognize an incident by a key of ours, so what may have arrived can be sent again without making a second one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    RESOLVE,
    Message,
    NotSent,
    Route,
    Unsure,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyhttp import post
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import fitting, line_of, plain
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspageentry import (
    change_page,
    request_from,
    standing,
)

# Limits that the API documents, in characters: of the summary, and of the key.
MOST_SUMMARY, MOST_KEY = 1024, 255
MOST_DETAILS = 8_000
# A page escapes some letters to five; this many fit, whatever they are.
MOST_BODY = 4_900
# The incident's id on a page; that of a later stop has a number appended.
MOST_INCIDENT, MOST_NUMBERED = 100, 90
CUT = "[…]"


class Pager:
    """One service of PagerDuty. ``options``: routing_key, url, source, link, ca_certs."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def reaches(self, route: Route) -> bool:
        """Return whether there is a key."""
        return bool(self._options.get("routing_key"))

    def send(self, message: Message, route: Route, seconds: float) -> str:
        """Send an event; raises NotSent and Unsure."""
        options = self._options
        answer = post(options["url"], event_of(message, options), seconds, "", options.get("ca_certs"))
        if answer.status == 202 or (200 <= answer.status < 300 and answer.json().get("status") == "success"):
            return ""
        if 200 <= answer.status < 300:
            raise Unsure("its answer is none of PagerDuty's")
        raise NotSent(f"it refuses the event or its key ({answer.status})", lasting=True)


def event_of(message: Message, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a message: all alarms of an incident are one, which is resolved at its end."""
    event = {
        "routing_key": options["routing_key"],
        "event_action": message.pager,
        "dedup_key": message.incident[:MOST_KEY],
    }
    if message.pager == RESOLVE:
        return event
    link = options.get("link")
    return {
        **event,
        "client": "chatia.kanban_rollback",
        "payload": {
            "summary": line_of(message.subject, MOST_SUMMARY),
            "source": options.get("source") or "kanban_rollback",
            "severity": "critical" if message.severity.startswith("P0") else "warning",
            "timestamp": message.at,
            "component": "kanban",
            "class": message.kind,
            "custom_details": {"text": fitting(plain(message.text), MOST_DETAILS, CUT)},
        },
        "links": [{"href": link, "text": "Dashboard"}] if link else [],
    }


def page_incident(message: Message, look: Callable[[Sequence[str]], Mapping[str, bool]]) -> str:
    """Return the id by which the page knows the incident of a later stop.

    While the page's incident of an earlier stop is open, this stop continues it; if the page has none, this is the
    first. A resolved one is over for its readers, whoever resolved it, so this stop has an incident of its own.

    :param look: returns which of the given ids the page has, each with whether it is resolved.
    """
    first = line_of(message.incident, MOST_INCIDENT)
    stem = line_of(message.incident, MOST_NUMBERED)
    names = [first, *(f"{stem} ({number})" for number in range(2, message.stop + 1))]
    there = look(names)
    is_open = [name for name in names if there.get(name) is False]
    return is_open[-1] if is_open else names[-1] if there else first


class Page:
    """One status page. ``options``: api_key, api_url, page_id, component, ca_certs."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def reaches(self, route: Route) -> bool:
        """Return whether there is a page and a key to it."""
        return bool(self._options.get("api_key") and self._options.get("page_id"))

    def send(self, message: Message, route: Route, seconds: float) -> str:
        """Open the incident, update it, or resolve it; raises NotSent, Unsure and BadInput."""
        try:
            asked = request_from(self._wish(message, seconds))
            name = asked.wish.incident
            if message.stop > 1:
                name = page_incident(message, lambda names: standing(asked, names))
            # With the key, because a state that holds a second time is reported in the same words.
            request = replace(asked, wish=replace(asked.wish, incident=name, key=message.key))
            result, error = change_page(request, False)
        except KanbanError as failure:
            result, error = {}, failure
        if error is None:
            return " ".join(result.get("warnings", []))
        if "doubtful" in error.details:
            raise Unsure(error.what)
        needless = error.code == "incident_resolved"
        raise NotSent(error.what, lasting=error.code not in ("no_answer", "rate_limited"), needless=needless)

    def _wish(self, message: Message, seconds: float) -> dict[str, Any]:
        options = self._options
        component = [options["component"]] if options.get("component") else []
        status = ("prior" if message.resolves else message.component_status) if component else ""
        return {
            "api_key": options["api_key"],
            "api_url": options["api_url"],
            "ca_certs": options.get("ca_certs"),
            "page_id": options["page_id"],
            "incident": line_of(message.incident, MOST_INCIDENT),
            "name": line_of(message.subject),
            "body": fitting(plain(message.text) or line_of(message.subject), MOST_BODY, CUT),
            "status": None,
            "impact_override": None,
            "deliver_notifications": True,
            "state": "resolved" if message.resolves else "present",
            "component": component,
            "component_status": status or None,
            "timeout": max(1.0, seconds),
        }
