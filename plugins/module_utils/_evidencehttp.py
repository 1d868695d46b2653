# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP GET as evidence: what a metrics or health address says now. Neither Ansible nor a driver.

``http.client`` rather than more: no redirect is followed to elsewhere, no proxy of the environment is asked, and no
other scheme is understood.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from contextlib import closing
from typing import Any, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

SECONDS = 3.0
MAX_BYTES = 1024 * 1024
_PIECE = 64 * 1024


def split(url: str) -> SplitResult:
    """Return the parts of an http or https URL; raises BadInput, which does not repeat it."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise BadInput(
            "bad_url",
            "One of urls is no http or https URL.",
            "Its answer is missing from the evidence.",
            "Write it out, for instance http://127.0.0.1:3000/metrics.",
        )
    return parts


def shown(parts: SplitResult) -> str:
    """Return a URL without what may be secret: user, password, query and fragment."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


class Answer:
    """An answer whose body has not been read yet. ``facts`` are for the index."""

    def __init__(self, parts: SplitResult, validate_certs: bool, seconds: float = SECONDS) -> None:
        """Ask; raises OSError (no answer) or http.client.HTTPException (no HTTP)."""
        self._connection = _connection(parts, validate_certs, seconds)
        try:
            headers = {"Accept": "*/*", "User-Agent": "chatia.kanban_rollback", **_authorization(parts)}
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            self._connection.request("GET", target, headers=headers)
            self._response = self._connection.getresponse()
        except BaseException:
            self._connection.close()
            raise
        self.facts: dict[str, Any] = {
            "url": shown(parts),
            "status": self._response.status,
            "content_type": self._response.getheader("Content-Type"),
        }

    def chunks(self) -> Iterator[bytes]:
        """Yield the body, at most MAX_BYTES of it; a longer one is marked as truncated in ``facts``."""
        left = MAX_BYTES
        with closing(self._connection):
            while left:
                piece = self._response.read1(min(_PIECE, left))
                if not piece:
                    return
                left -= len(piece)
                yield piece
            self.facts["truncated"] = bool(self._response.read1(1))


def _connection(parts: SplitResult, validate_certs: bool, seconds: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=seconds)
    context = ssl.create_default_context()
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)


def _authorization(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
