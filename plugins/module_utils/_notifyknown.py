# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that another controller's outbox has, as the ledger keeps them. Pure.

The outbox on this controller's disk is what a run works with; what the ledger has comes into it first, so that a job on
another machine tells nothing a second time, and sends what was not sent.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import LONGEST, newest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    DRY,
    SENT,
    UNKNOWN,
    Message,
    Route,
    message_of,
)

FOLDER = "messages/"


def known_from(documents: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return the messages among documents of a ledger; what is none is left out."""
    found = []
    for name, one in newest(documents).items():
        try:
            message = message_of(json.loads(one["text"])) if name.startswith(FOLDER) else None
        except (ValueError, RecursionError):
            continue
        if message is not None and name == FOLDER + message.key:
            found.append(message)
    return found


def documents_of(messages: Sequence[Message], known: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return messages as documents that a ledger is to keep, without those that it has; a dry run has told nobody."""
    there = {name: one["text"] for name, one in newest(known).items()}
    told = [one for one in messages if not one.routes or any(route.status != DRY for route in one.routes)]
    found = [{"name": FOLDER + one.key, "text": _text(one)} for one in told]
    return [one for one in found if there.get(one["name"]) != one["text"]]


def _text(message: Message) -> str:
    whole = json.dumps(message.as_json(), ensure_ascii=False, sort_keys=True)
    # That it was told counts for more than what was told.
    return whole if len(whole) <= LONGEST else json.dumps(replace(message, text="").as_json(), sort_keys=True)


def recalled(there: Message | None, known: Message) -> Message:
    """Return what the outbox keeps of a message of which a ledger tells, too.

    What was sent is sent, whoever knows of it; of anything else that may have become of a route the later counts.
    """
    if there is None:
        return known
    routes = {route.route: route for route in there.routes}
    for route in known.routes:
        routes[route.route] = _further(routes.get(route.route), route)
    told = any(route.status in (SENT, UNKNOWN) for route in there.routes)
    return replace(there if told else known, routes=tuple(routes.values()))


def _further(one: Route | None, other: Route) -> Route:
    if one is None:
        return other
    # A dry run is none beside anything else.
    return max(one, other, key=lambda route: (route.status == SENT, route.status != DRY, route.at or ""))


def with_known(messages: Sequence[Message], known: Sequence[Message]) -> list[Message]:
    """Return the messages of an outbox with what a ledger tells, in the order of their moments."""
    found = {one.key: one for one in messages}
    for one in known:
        found[one.key] = recalled(found.get(one.key), one)
    return sorted(found.values(), key=lambda one: (one.at, one.key))
