# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``notify``: keep messages, then send them by all routes. Neither Ansible nor a driver."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    FAILED,
    MAIL,
    PAGE,
    PAGER,
    SENT,
    SLACK,
    UNDER_WAY,
    UNKNOWN,
    Message,
    NotSent,
    Partly,
    Route,
    Unsure,
    bad_routes,
    due_by_route,
    overtaken,
    wanted,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyknown import (
    documents_of,
    known_from,
    with_known,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifymail import Mail
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyoutbox import LOCK_SECONDS, Outbox
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifypager import Page, Pager
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyresult import result_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyslack import Slack
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifywords import left_words

# One request may take this long; anything longer counts as silence.
ASK_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
Services = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """What the module was asked for. ``services``: the configured ones, by the first word of their routes; ``known``:
    documents of a ledger, including messages that another controller sent; ``words``: what people have written so far;
    ``bad_routes``: what was given as a route and is none.
    """

    incident: str
    directory: Path
    messages: Sequence[Message]
    services: Services
    send: bool
    again: bool
    dry_run: bool
    seconds: float
    since: str = ""
    known: Sequence[Mapping[str, Any]] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    bad_routes: Sequence[str] = ()


def request_from(params: Mapping[str, Any]) -> Request:
    """Return what the module's parameters ask for; raises BadInput."""
    if not params["incident_id"].strip():
        raise BadInput(
            "no_incident",
            "incident_id is empty.",
            "Services know messages of one incident again by it. Nothing was sent.",
            "Give any text that is unique to this incident, for instance INC-20261125-042.",
        )
    kinds = {SLACK: Slack, MAIL: Mail, PAGER: Pager, PAGE: Page}
    at = time.time()
    return Request(
        incident=params["incident_id"].strip(),
        directory=Path(params["path"]) / incident_folder(params["incident_id"].strip()),
        # A millisecond apart, so that they are sent in their order.
        messages=[
            wanted(given, params["incident_id"].strip(), moment(at + number / 1000), params["dry_run"])
            for number, given in enumerate(params["messages"])
        ],
        services={name: kind(params[name]) for name, kind in kinds.items() if params.get(name)},
        send=params["state"] == "sent",
        again=params["again"],
        dry_run=params["dry_run"],
        seconds=params["deadline"],
        since=moment(at - params["max_age"]) if params["max_age"] > 0 else "",
        known=params["known"],
        words={name: str(said) for name, said in params["words"].items()},
        bad_routes=bad_routes(params["messages"]),
    )


def notify(request: Request, check: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Send what is to be sent, and return what became of it; raises KanbanError if nothing could be kept."""
    deadline = Deadline(request.seconds)
    outbox = Outbox(request.directory, min(LOCK_SECONDS, request.seconds))
    known = known_from(request.known)
    there, broken = outbox.read()
    before = with_known(there, known)
    left = left_words(before, request.words, moment(time.time()), request.dry_run)
    new, unreached = _reached(request, [*request.messages, *left])
    ways = (unreached, request.bad_routes)
    if check or not request.send:
        return {**result_of(before, before, new, *ways, broken, outbox.directory, False), "keep": []}, None
    if new or before:
        outbox.make()
        try:
            outbox.recall(known)
            outbox.put(new)
            if not request.dry_run:
                _deliver(outbox, request, deadline)
        except OSError as error:
            raise KanbanError(
                "no_outbox",
                f"{outbox.directory} cannot be written: {error.strerror or error}.",
                "What became of messages could not be kept, so nothing more was sent.",
                "Look at the room on its disk, then type the same command again.",
            ) from None
    after, broken = outbox.read()
    result = result_of(before, after, [], *ways, broken, outbox.directory, before != after)
    return {**result, "keep": documents_of(after, request.known)}, None


def _reached(request: Request, wanted: Sequence[Message]) -> tuple[list[Message], list[str]]:
    """Return the messages with only the routes that lead somewhere, and the other routes; a dry run keeps all."""
    messages, unreached = [], []
    for message in wanted:
        routes = []
        for route in message.routes:
            if request.dry_run or _reaches(request.services, route):
                routes.append(route)
            else:
                unreached.append(route.route)
        messages.append(replace(message, routes=tuple(routes)))
    return messages, sorted(set(unreached))


def _reaches(services: Services, route: Route) -> bool:
    return route.service in services and services[route.service].reaches(route)


def _deliver(outbox: Outbox, request: Request, deadline: Deadline) -> None:
    """Send what is due, one thread per route; one that hangs delays no other route, and nobody beyond the deadline."""
    messages, _broken = outbox.read()
    threads = [
        threading.Thread(target=_Way(outbox, request, name, deadline).go, daemon=True)
        for name in due_by_route(messages, request.again, request.since)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline.left + 0.5)


class _Way:
    """One route: its messages go out in order, so that nobody reads the end before the beginning."""

    def __init__(self, outbox: Outbox, request: Request, name: str, deadline: Deadline) -> None:
        self._outbox, self._request, self._name, self._deadline = outbox, request, name, deadline

    def go(self) -> None:
        """Send what is due here, except what another run has sent in the meantime."""
        try:
            with self._outbox.route(self._name, self._deadline) as held:
                messages, _broken = self._outbox.read()
                for key in due_by_route(messages, self._request.again, self._request.since).get(self._name, []):
                    if held:
                        self._tell(key, messages)
                    else:
                        self._note(key, FAILED, "another run is sending there")
                    messages, _broken = self._outbox.read()
        except (OSError, ValueError, KanbanError):
            # The outbox keeps the state that was noted last: what could not be noted is never taken for sent.
            return

    def _note(self, key: str, status: str, error: str = "", **more: Any) -> Message:
        return self._outbox.record(key, self._name, status=status, error=error, **more)

    def _tell(self, key: str, messages: Sequence[Message]) -> None:
        message = next(one for one in messages if one.key == key)
        route = message.by(self._name)
        if route is None or self._deadline.over:
            return
        if overtaken(message, route, messages):
            self._note(key, FAILED, "not needed any more, the end of it was told", final=True)
            return
        if not _reaches(self._request.services, route):
            self._note(key, FAILED, "there is no way to it in this configuration")
            return
        pause, tries = _FIRST_PAUSE, route.tries
        while True:
            tries += 1
            # Noted before it goes out: a run that is killed now leaves a record that the outcome is unknown.
            self._note(key, UNKNOWN, UNDER_WAY, tries=tries)
            wait = self._once(message, route)
            if wait is None:
                return
            wait = wait or pause
            pause = min(2 * pause, _LONGEST_PAUSE)
            if wait >= self._deadline.left:
                return
            time.sleep(wait)

    def _once(self, message: Message, route: Route) -> float | None:
        """Send it once and note what became of it; return seconds to wait before the next try, None for no more."""
        service = self._request.services[route.service]
        try:
            note = service.send(message, route, self._deadline.slice(ASK_SECONDS))
        except NotSent as error:
            self._note(message.key, FAILED, str(error), final=error.needless)
            return None if error.lasting else error.wait or 0.0
        except Partly as error:
            # A server that defers an address does so for minutes: the next call tries again, without those who have it.
            self._note(message.key, FAILED, str(error), left=error.left)
            return None
        except Unsure as error:
            self._note(message.key, UNKNOWN, str(error))
            return 0.0 if _repeats(route) else None
        except KanbanError as error:
            self._note(message.key, FAILED, error.what)
            return None
        self._note(message.key, SENT, note, left=())
        return None


def _repeats(route: Route) -> bool:
    """Return whether what may have arrived by a route may be sent again in the same run."""
    return Route(route.route, UNKNOWN).due(False)
