# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting to Socket.IO as a browser first does: Engine.IO 4 over HTTP polling, then the namespace. No driver."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping
from urllib.parse import quote

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import NoSample, clean
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._http import Conversation, NoAnswer, Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import parse
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson

_OPEN, _CLOSE, _PING, _PONG = "0", "1", "2", "3"
_CONNECT, _DISCONNECT, _REFUSED = "40", "41", "44"
_BETWEEN = "\x1e"
# Other packets may come before the answer; a server that sends only those is not waited for.
_MOST_POLLS = 5
_MOST_BYTES = 256 * 1024
# What a healthy server answers to a client that it does not know, or that asks at the wrong place.
_NOT_ALLOWED = (401, 403)
_NOT_THERE = (400, 404, 405)


@dataclass(frozen=True)
class Talk:
    """One session with a server; ``request`` has its address and headers. ``known``: we connect as its users do."""

    conversation: Conversation
    request: Request
    known: bool

    def ask(self, body: str | None = None) -> str:
        """Send packets, or fetch those that are there; raises NoSample if the server refuses."""
        method = "GET" if body is None else "POST"
        kind = {} if body is None else {"Content-Type": "text/plain;charset=UTF-8"}
        sent = replace(
            self.request,
            method=method,
            body=None if body is None else body.encode(),
            headers={"Accept": "*/*", **self.request.headers, **kind},
        )
        try:
            reply = self.conversation.ask(sent, _MOST_BYTES)
        except NoAnswer as none:
            raise NoSample(none.code, str(none)) from none
        if reply.status in _NOT_THERE:
            raise NoSample("not_socketio", f"nothing of Socket.IO answers at this path: HTTP {reply.status}")
        if reply.status in _NOT_ALLOWED:
            raise self.refusal(f"HTTP {reply.status}")
        if reply.status != 200:
            raise NoSample("refused", f"refused: HTTP {reply.status}")
        return reply.body.decode("utf-8", "replace")

    def refusal(self, why: str) -> NoSample:
        """Return what a refusal means: without credentials, it says nothing about clients that have some."""
        if self.known:
            return NoSample("refused", f"refused: {why}")
        return NoSample("not_allowed", f"not let in, and no auth was given: {why}")

    def within(self, query: str) -> Talk:
        """Return the same session with more in the query."""
        parts = self.request.parts
        more = f"{parts.query}&{query}" if parts.query else query
        return replace(self, request=replace(self.request, parts=parts._replace(query=more)))


def connect(
    conversation: Conversation,
    request: Request,
    namespace: str,
    auth: Mapping[str, Any] | None,
    done: Callable[[], None],
) -> None:
    """Connect, call ``done``, and disconnect again; raises NoSample.

    :param auth: what the application requires of clients. Empty: it lets anybody in. None: that is not known.
    """
    talk = Talk(conversation, request, auth is not None).within("EIO=4&transport=polling")
    talk = talk.within(f"sid={quote(_handshake(talk.ask()))}")
    to = "" if namespace in ("", "/") else f"{namespace},"
    talk.ask(f"{_CONNECT}{to}{json.dumps(dict(auth)) if auth else ''}")
    _await(talk, to)
    done()
    try:
        # Otherwise the server keeps the session until it misses a heartbeat.
        talk.ask(f"{_DISCONNECT}{to}{_BETWEEN}{_CLOSE}")
    except NoSample:
        pass  # It connected, which is what was asked.


def _handshake(text: str) -> str:
    try:
        sid = parse(text[1:])["sid"] if text.startswith(_OPEN) else None
    except (NotJson, LookupError, TypeError):
        sid = None
    if not isinstance(sid, str) or not sid:
        raise NoSample("not_socketio", "the answer is no handshake of Engine.IO 4")
    return sid


def _await(talk: Talk, to: str) -> None:
    for _poll in range(_MOST_POLLS):
        for packet in talk.ask().split(_BETWEEN):
            if packet.startswith(_CONNECT + to):
                return
            if packet.startswith(_REFUSED):
                raise talk.refusal(_message(packet[len(_REFUSED) :]))
            if packet == _CLOSE:
                raise NoSample("refused", "refused: the server closed the session")
            if packet == _PING:
                talk.ask(_PONG)
    raise NoSample("not_socketio", "the server gave no answer to the request to connect")


def _message(text: str) -> str:
    """Return what the server says; it may follow the namespace."""
    try:
        return clean(parse(text[text.index("{") :])["message"])
    except (NotJson, LookupError, TypeError, ValueError):
        return "without a reason"
