# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One JSON request to a message service: its answer, or what silence means. Neither Ansible nor a driver."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping
from urllib.parse import SplitResult

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._httpapi import guarded, retry_after
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import NotSent, Unsure

MOST_BYTES = 256 * 1024
# A gateway answers with these when it does not know what became of the request behind it.
_GATEWAY = (502, 504)


@dataclass(frozen=True)
class Answer:
    """The answer of a service: the status, and the text of its body."""

    status: int
    text: str

    def json(self) -> Mapping[str, Any]:
        """Return the body as an object, an empty one if it is not an object."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def post(url: str, given: Mapping[str, Any], seconds: float, token: str = "", ca_certs: str | None = None) -> Answer:
    """Send an object and return the answer; raises NotSent, Unsure and BadInput, which have neither URL nor token.

    :param token: sent as a bearer; if it is no line of plain letters, nothing is sent.

    An answer of 429 or 5xx raises NotSent, because it was not taken; 502 and 504 raise Unsure (see ``_GATEWAY``).
    """
    request = _http.Request(_where(url), "POST", _headers(token), json.dumps(given).encode(), True, ca_certs)
    try:
        reply = _http.ask(request, seconds, MOST_BYTES)
    except _http.NoAnswer as error:
        raise (Unsure if error.sent else NotSent)(str(error)) from None
    if reply.status == 429:
        wait = retry_after(reply.headers)
        raise NotSent("429, too many requests" + (f", it asks for {wait:,.0f} s" if wait else ""), wait)
    if reply.status in _GATEWAY:
        raise Unsure(f"{reply.status}, a gateway does not know what became of it")
    if reply.status >= 500:
        raise NotSent(f"it answered {reply.status}", retry_after(reply.headers))
    if 300 <= reply.status < 400:
        raise NotSent(f"it wants to be asked elsewhere ({reply.status}), which is not followed", lasting=True)
    return Answer(reply.status, reply.body.decode("utf-8", "replace"))


def _headers(token: str) -> dict[str, str]:
    if not (token.isascii() and token.isprintable()):
        raise BadInput(
            "bad_header",
            "The token is not one line of plain letters.",
            "No request can carry it, so nothing was sent.",
            "Give it as the service shows it, then type the same command again.",
        )
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


def _where(url: str) -> SplitResult:
    """Return the parts of an address; raises BadInput, which does not contain it."""
    parts = _http.split(url, "The address of a service", "Nobody could be told.")
    return guarded(parts, "The address of a service", "Whoever is on the way could read the key and use it.")
