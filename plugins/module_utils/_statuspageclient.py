# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Statuspage's API, tried again within one deadline. Neither Ansible nor a driver."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence
from urllib.parse import SplitResult

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._httpapi import guarded, retry_after
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspagetext import told

MOST_BYTES = 8 * 1024 * 1024
# The limit of one request, and at most a third of the deadline, so that one that hangs is tried again.
ASK_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
_TOO_MANY = (420, 429)
# Without a connection nothing was done; after any other silence it may have been done.
_NOT_SENT = ("refused", "unresolved")
_HOPELESS = ("tls", "no_http", "too_big")


class Doubtful(Exception):
    """A change was sent and it is not known whether it was made; the text says why."""


@dataclass
class Site:
    """Where the API is and who asks. ``key`` is shown nowhere."""

    url: SplitResult
    page: str
    key: str = field(repr=False)
    ca_certs: str | None = None


def address(url: str) -> SplitResult:
    """Return the parts of the API's address; raises BadInput if the key would travel in the clear."""
    return guarded(
        _http.base(url, "api_url"), "api_url", "Whoever is on the way could read the key and write the page."
    )


class Client:
    """Client for one page of the API. ``sent``: number of requests; ``again``: how many of them were repeats."""

    def __init__(self, site: Site, seconds: float) -> None:
        self._site = site
        self._seconds = seconds
        self.deadline = Deadline(seconds)
        self._each = min(ASK_SECONDS, seconds / 3)
        self._pause = _FIRST_PAUSE
        self.sent = self.again = 0

    def read(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        """Return what is at a path of the page; raises KanbanError."""
        return self._send("GET", path, None, True, query)

    def write(self, method: str, path: str, given: Mapping[str, Any], harmless: bool) -> Any:
        """Change something, and return the answer; raises KanbanError.

        :param harmless: whether it may be sent twice. If it may not, silence raises Doubtful.
        """
        return self._send(method, path, json.dumps(given).encode(), harmless)

    def pause(self, why: str, seconds: float | None = None) -> None:
        """Wait before the next request; raises KanbanError if no time would be left for it."""
        seconds = self._pause if seconds is None else seconds
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if seconds >= self.deadline.left:
            raise self._late(why, seconds)
        time.sleep(seconds)
        self.again += 1

    def _send(
        self, method: str, path: str, body: bytes | None, harmless: bool, query: Sequence[tuple[str, str]] = ()
    ) -> Any:
        headers = {"Authorization": f"OAuth {self._site.key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        parts = _http.under(self._site.url, f"pages/{self._site.page}{path}", query)
        request = _http.Request(parts, method, headers, body, True, self._site.ca_certs)
        while True:
            self.sent += 1
            try:
                reply = _http.ask(request, self.deadline.slice(self._each), MOST_BYTES)
            except _http.NoAnswer as error:
                self._silence(error, harmless)
                continue
            if reply.status in _TOO_MANY:
                self.pause(f"it has had too many requests ({reply.status})", retry_after(reply.headers))
            elif reply.status >= 500:
                why = f"it answered {reply.status}"
                if not harmless:
                    raise Doubtful(why)
                self.pause(why, retry_after(reply.headers))
            else:
                self._pause = _FIRST_PAUSE
                return _read(reply, method)

    def _silence(self, error: _http.NoAnswer, harmless: bool) -> None:
        if not harmless and error.code not in (*_NOT_SENT, "tls"):
            raise Doubtful(str(error)) from None
        if error.code in _HOPELESS:
            raise KanbanError(
                "no_answer",
                f"The status page's API cannot be asked: {error}.",
                "Customers read what stood there before.",
                "Look at api_url and ca_certs, or change the page by hand.",
                reason=error.code,
            ) from None
        self.pause(str(error))

    def _late(self, why: str, seconds: float) -> KanbanError:
        limited = "too many requests" in why
        return KanbanError(
            "rate_limited" if limited else "no_answer",
            f"The status page's API did not do it within {self._seconds:g} s: {why}"
            + (f", and wants a pause of {seconds:,.0f} s." if limited else "."),
            "Customers read what stood there before, or a part of what was to be told.",
            "Run the same again later: what is there by then is not posted twice.",
        )


_REFUSED: Mapping[int, tuple[str, str, str]] = {
    401: ("wrong_key", "does not take the key", "Give api_key a key of the page's organisation (its API info has it)."),
    403: ("wrong_key", "does not let the key do this", "Give api_key a key that may manage this page."),
    404: ("unknown_page", "knows no such page, or what was there a moment ago is gone", "Look at page_id."),
    422: ("refused", "does not take what was sent", "Change what it names."),
}


def _read(reply: _http.Reply, method: str) -> Any:
    if 200 <= reply.status < 300:
        try:
            return json.loads(reply.body)
        except ValueError:
            if method != "GET":
                raise Doubtful("its answer is no JSON") from None
            raise not_the_page("its answer is no JSON") from None
    if 300 <= reply.status < 400:
        raise KanbanError(
            "redirected",
            f"What answers at api_url wants to be asked elsewhere ({reply.status}).",
            "It is not followed, for the key would go along. Nothing was changed by this request.",
            "Give the API's own address, or leave api_url out.",
        )
    code, what, todo = _REFUSED.get(reply.status, ("refused", "refuses", "See what it says."))
    raise KanbanError(
        code,
        f"The status page's API {what} ({reply.status}): {told(reply.body)}.",
        "Customers read what stood there before. Nothing was changed by this request.",
        todo,
        status_code=reply.status,
    )


def not_the_page(why: str) -> KanbanError:
    """Return the error for something that answers but is not the API."""
    return KanbanError(
        "not_statuspage",
        f"What answers at api_url does not speak Statuspage's API: {why}.",
        "It is not known what people read on the page.",
        "Look at api_url; left out, it is the documented one.",
    )
