# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message about what a triage by an alert has found, without its text. Pure: neither Ansible nor a driver.

An alert that keeps firing is triaged again and again, so each finding of an alert is sent once, and a new one at once.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._alert import moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import TRIGGER
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyplan import OWN_CHANNEL, incident_channel

ALERT, TRIAGED = "alert", "triaged"


def alert_message(
    routes: Mapping[str, Mapping[str, Sequence[str]]],
    decision: Mapping[str, Any],
    name: str,
    began_at: Any,
    locale: str = "en",
    channels: Mapping[str, str] | None = None,
    kept: Sequence[Mapping[str, Any]] = (),
    incident_id: str = "",
) -> dict[str, Any]:
    """Return the options for the module ``notify``, without the text, and ``about``, the facts for that text.

    :param routes: who is told what, by place and kind; the place is ``alert``, the kind is ``triaged``.
    :param decision: of ``triage_decision``.
    :param name: the alert's name; ``began_at``: since when it fires.
    :param channels: other names for channels.
    :param kept: what the incident's outbox has, from the module ``notify``; it shows the incident's own channel. If
        there is none, the route to it is left out.
    :param incident_id: the incident that it is recorded in; empty if none is open.
    """
    names = {f"slack:{old}": f"slack:{new}" for old, new in (channels or {}).items()}
    own = incident_channel({}, kept)
    ways = [f"slack:{own}" if way == OWN_CHANNEL else way for way in (routes.get(ALERT) or {}).get(TRIAGED) or ()]
    scenario = str(decision.get("scenario") or "unknown")
    about = {key: one_line(decision.get(key) or "") for key in ("severity", "headline", "command")}
    about.update(alert=name, began_at=_since(began_at), scenario=scenario, incident_id=incident_id)
    return {
        "key": f"alert-{_digest(name, _since(began_at))}-{re.sub(r'[^a-z0-9]', '', scenario)[:20]}",
        "kind": ALERT,
        "severity": about["severity"],
        "locale": locale,
        "routes": [names.get(way, way) for way in dict.fromkeys(ways) if way != "slack:"],
        "mention": "",
        "pager": TRIGGER,
        "component_status": "",
        "resolves": False,
        "about": about,
    }


def alert_outbox(name: str, began_at: Any) -> str:
    """Return the name under which an alert's messages are kept while no incident is open, one name per firing."""
    return f"alert-{name[:64]}-{re.sub(r'[^0-9]', '', _since(began_at))}"


def _since(began_at: Any) -> str:
    """Return the moment as text, in whichever form it was handed on; empty for none."""
    found = moment(began_at)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ") if found else ""


def _digest(name: str, began_at: str) -> str:
    """Return a digest in place of a name that could read like a part of another message's key."""
    return hashlib.sha256(f"{name} {began_at}".encode()).hexdigest()[:12]
