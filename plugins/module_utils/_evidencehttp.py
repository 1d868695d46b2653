# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP GET as evidence: what a metrics or health endpoint says now. Neither Ansible nor a driver."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Iterator
from urllib.parse import SplitResult

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._http import MAX_BYTES, shown

__all__ = ["MAX_BYTES", "SECONDS", "Answer", "shown", "split"]

SECONDS = 3.0
_PIECE = 64 * 1024


def split(url: str) -> SplitResult:
    """Return the parts of an http or https URL; raises BadInput, which does not repeat the URL."""
    return _http.split(url, "One of urls", "Its answer is missing from the evidence.")


class Answer:
    """An answer whose body has not been read yet. ``facts`` are for the index."""

    def __init__(self, parts: SplitResult, validate_certs: bool, seconds: float = SECONDS) -> None:
        """Send the request; raises OSError (no answer) or http.client.HTTPException (not HTTP)."""
        self._connection = _http.connection(parts, validate_certs, seconds)
        try:
            headers = {"Accept": "*/*", "User-Agent": "chatia.kanban_rollback", **_http.authorization(parts)}
            self._connection.request("GET", _http.target(parts), headers=headers)
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
