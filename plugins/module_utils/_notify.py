# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox: messages of an incident, the routes by which each goes, and what has become of that. Pure.

A route is named after what it leads to, with nothing secret: ``slack:#incidents``, ``mail:executives``, ``pagerduty``,
``status_page``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import split_message

SCHEMA = 1
PENDING, SENT, FAILED, UNKNOWN, DRY = "pending", "sent", "failed", "unknown", "dry_run"
STATUSES = (PENDING, SENT, FAILED, UNKNOWN, DRY)
SLACK, MAIL, PAGER, PAGE = "slack", "mail", "pagerduty", "status_page"
# Services that recognize a message by our key: it may be sent to them twice.
REPEATABLE = (PAGER, PAGE)
TRIGGER, ACKNOWLEDGE, RESOLVE = "trigger", "acknowledge", "resolve"
# The error on disk while a request is under way, so that a run that dies then has left it there.
UNDER_WAY = "the run ended while it was being sent"
_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_ROUTE = re.compile(r"slack:[#A-Za-z0-9][^\s/]{0,99}|mail:[A-Za-z0-9_-]{1,60}|pagerduty|status_page")


class NotSent(Exception):
    """It is certain that the service has not accepted it; the text says why.

    :param wait: seconds that the service asks for before another try.
    :param lasting: another try would get the same answer.
    :param needless: not worth another try, because nothing can come of it.
    """

    def __init__(self, text: str, wait: float | None = None, lasting: bool = False, needless: bool = False) -> None:
        super().__init__(text)
        self.wait, self.lasting, self.needless = wait, lasting, needless


class Partly(Exception):
    """Some have it and some may get it later; the text says why, ``left`` who has yet to get it."""

    def __init__(self, text: str, left: Sequence[str]) -> None:
        super().__init__(text)
        self.left = tuple(left)


class Unsure(Exception):
    """It was sent, and nobody knows whether the service has accepted it; the text says why."""


@dataclass(frozen=True)
class Route:
    """One route of a message. ``at``: time of the last change, UTC; ``tries``: so far; ``final``: there are no more.

    ``left``: if only some have it, those who have yet to get it.
    """

    route: str
    status: str = PENDING
    at: str | None = None
    tries: int = 0
    error: str = ""
    final: bool = False
    left: Sequence[str] = ()

    @property
    def service(self) -> str:
        """The service that it leads to."""
        return self.route.partition(":")[0]

    @property
    def target(self) -> str:
        """Where within the service: a channel, a list."""
        return self.route.partition(":")[2]

    def due(self, again: bool) -> bool:
        """Return whether it is to be sent; ``again``: even if it may then arrive twice."""
        if self.status == UNKNOWN:
            return again or self.service in REPEATABLE
        return self.status in (PENDING, FAILED) and not self.final


@dataclass(frozen=True)
class Message:
    """A message. ``incident``: the id by which services recognize it; ``mention``: the route that calls everybody.

    ``pager``: trigger, acknowledge or resolve; ``component_status``: what a status page's component gets; ``resolves``:
    it is the end on a status page; ``stop``: which stop of the incident it is about, from 1; ``without``: what could
    not be read for it in time.
    """

    key: str
    kind: str
    incident: str
    at: str
    subject: str
    text: str
    locale: str = ""
    severity: str = ""
    mention: str = ""
    pager: str = TRIGGER
    component_status: str = ""
    resolves: bool = False
    stop: int = 1
    without: Sequence[str] = ()
    routes: Sequence[Route] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """Return it as the outbox keeps it."""
        return {"schema": SCHEMA, **vars(self), "routes": [vars(route) for route in self.routes]}

    def with_route(self, route: Route) -> Message:
        """Return it with one route as it is now."""
        return replace(self, routes=tuple(route if one.route == route.route else one for one in self.routes))

    def by(self, name: str) -> Route | None:
        """Return one of its routes by name."""
        return next((route for route in self.routes if route.route == name), None)


def message_of(found: Any) -> Message:
    """Return a message of the outbox; raises ValueError for anything that is not one."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not isinstance(found.get("routes"), list):
        raise ValueError("no message of this kind")
    names = set(Message.__dataclass_fields__) - {"routes"}
    given = {name: found[name] for name in names if name in found}
    if not {"key", "kind", "incident", "at", "subject", "text"} <= set(given) or not _KEY.fullmatch(str(given["key"])):
        raise ValueError("a field is missing")
    flag, stop, without = given.pop("resolves", False), given.pop("stop", 1), given.pop("without", ())
    good = isinstance(flag, bool) and isinstance(stop, int) and not isinstance(stop, bool)
    good = good and isinstance(without, (list, tuple)) and all(isinstance(one, str) for one in without)
    if not good or not all(isinstance(value, str) for value in given.values()):
        raise ValueError("a field of another kind")
    routes = tuple(map(_route_of, found["routes"]))
    return Message(**given, resolves=flag, stop=stop, without=tuple(without), routes=routes)


def _route_of(found: Any) -> Route:
    try:
        route = Route(**{name: found[name] for name in Route.__dataclass_fields__ if name in found})
        good = bool(_ROUTE.fullmatch(route.route)) and route.status in STATUSES and isinstance(route.tries, int)
        good = good and isinstance(route.left, (list, tuple)) and all(isinstance(one, str) for one in route.left)
    except (TypeError, KeyError):
        good = False
    if not good:
        raise ValueError("a route that is none")
    return replace(route, left=tuple(route.left))


def wanted(given: Mapping[str, Any], incident: str, at: str, dry_run: bool) -> Message:
    """Return a message as the module's options describe it, with those routes that are some; raises BadInput."""
    if not _KEY.fullmatch(given["key"]):
        raise _bad("bad_key", f"The key {given['key'][:60]!r} is no word", "Give small letters, digits and dashes")
    subject, text = (given["subject"], given["text"]) if given["subject"] else split_message(given["text"])
    if not subject.strip():
        raise _bad("no_words", f"The message {given['key']} says nothing", "Give subject or text")
    return Message(
        key=given["key"],
        kind=given["kind"],
        incident=incident,
        at=at,
        subject=subject,
        text=text,
        locale=given["locale"],
        severity=given["severity"],
        mention=given["mention"],
        pager=given["pager"],
        component_status=given["component_status"],
        resolves=given["resolves"],
        stop=given["stop"],
        without=tuple(given.get("without", ())),
        routes=tuple(
            Route(name, DRY if dry_run else PENDING)
            for name in dict.fromkeys(given["routes"])
            if _ROUTE.fullmatch(name)
        ),
    )


def bad_routes(given: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the messages have as a route and is none; raises BadInput if they have no other.

    One that is misspelt keeps nobody else from being told, the pager least of all.
    """
    names = list(dict.fromkeys(name for message in given for name in message["routes"]))
    wrong = [_shown(name) for name in names if not _ROUTE.fullmatch(name)]
    if wrong and len(wrong) == len(names):
        raise _bad("bad_route", f"{wrong[0]!r} is no route", "Give slack:#channel, mail:list, pagerduty or status_page")
    return list(dict.fromkeys(wrong))


def _shown(name: str) -> str:
    """Return as much of a route that is none as may be shown: after a slash, it is an address, perhaps a webhook's."""
    shown = name.partition("/")[0][:60]
    return shown if shown == name else f"{shown}…"


def _bad(code: str, what: str, todo: str) -> BadInput:
    return BadInput(code, f"{what}.", "It would not be known who is to be told what. Nothing was sent.", f"{todo}.")


def merged(there: Message | None, new: Message) -> Message:
    """Return what the outbox keeps of a message that may be there already.

    A message that somebody has received stays as it was. New routes are added; a route written by a dry run, and now
    wanted in earnest, becomes due.
    """
    if there is None:
        return new
    known = {route.route: route for route in there.routes}
    routes = [_kept(known.get(route.route), route) for route in new.routes]
    routes += [route for name, route in known.items() if name not in {one.route for one in new.routes}]
    told = any(route.status in (SENT, UNKNOWN) or route.left for route in there.routes)
    return replace(there if told else replace(new, at=there.at), routes=tuple(routes))


def _kept(there: Route | None, new: Route) -> Route:
    return new if there is None or (there.status == DRY and new.status == PENDING) else there


def due_by_route(messages: Sequence[Message], again: bool, since: str = "") -> dict[str, list[str]]:
    """Return the keys of the messages to be sent, by route, in the order in which they were meant to go out.

    :param since: a message meant to go out before that moment is no longer worth sending.
    """
    found: dict[str, list[str]] = {}
    for message in sorted((one for one in messages if one.at >= since), key=lambda one: (one.at, one.key)):
        for route in message.routes:
            if route.due(again):
                found.setdefault(route.route, []).append(message.key)
    return found


def overtaken(message: Message, route: Route, messages: Sequence[Message]) -> bool:
    """Return whether a pager knows of the end already, so that an alarm from before it would ring again."""
    if route.service != PAGER or message.pager == RESOLVE:
        return False
    later = [one for one in messages if one.pager == RESOLVE and one.at >= message.at and one.key != message.key]
    return any(found.status == SENT for one in later for found in [one.by(route.route)] if found)
