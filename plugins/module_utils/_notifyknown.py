# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of another controller's outbox, as the ledger keeps them. Pure.

A run works with the outbox on this controller's disk; what the ledger has is copied into it first, so that a job on
another machine sends nothing a second time, and sends what was not sent.
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
    """Return the messages among documents of a ledger; anything else is left out."""
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
    """Return messages as documents for a ledger to keep, without those that it has; a dry run has told nobody."""
    there = {name: one["text"] for name, one in newest(known).items()}
    told = [one for one in messages if not one.routes or any(route.status != DRY for route in one.routes)]
    found = [{"name": FOLDER + one.key, "text": _text(one)} for one in told]
    return [one for one in found if there.get(one["name"]) != one["text"]]


def _text(message: Message) -> str:
    whole = json.dumps(message.as_json(), ensure_ascii=False, sort_keys=True)
    # That a message was sent matters more than its text.
    return whole if len(whole) <= LONGEST else json.dumps(replace(message, text="").as_json(), sort_keys=True)


def recalled(there: Message | None, known: Message) -> Message:
    """Return what the outbox keeps of a message that a ledger knows, too.

    What was sent is sent, no matter which of them knows of it; for any other status of a route the later one counts.
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
    # A dry run counts for nothing beside anything else.
    return max(one, other, key=lambda route: (route.status == SENT, route.status != DRY, route.at or ""))


def with_known(messages: Sequence[Message], known: Sequence[Message]) -> list[Message]:
    """Return the messages of an outbox merged with those of a ledger, in the order of their moments."""
    found = {one.key: one for one in messages}
    for one in known:
        found[one.key] = recalled(found.get(one.key), one)
    return sorted(found.values(), key=lambda one: (one.at, one.key))
