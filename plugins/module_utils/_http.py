# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request and its whole answer, bounded in time and size. Neither Ansible nor a driver.

This uses ``http.client`` and nothing more, so no redirect is followed, no proxy from the environment is used, and no
other scheme is understood. Errors repeat nothing of what was sent or answered.
"""

from __future__ import annotations

import base64
import functools
import http.client
import io
import os
import re
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence
from urllib.parse import SplitResult, quote, unquote, urlsplit

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

MAX_BYTES = 1024 * 1024
_PIECE = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What is encoded already stays as it is.
_SAFE = "/%:@!$&'()*+,;=~?"


def split(url: str, what: str, why: str) -> SplitResult:
    """Return the parts of an http or https URL; raises BadInput, which does not repeat the URL.

    :param what: what the URL is, for instance ``One of urls``.
    :param why: why it matters.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise BadInput(
            "bad_url",
            f"{what} is no http or https URL.",
            why,
            "Write it out, for instance http://127.0.0.1:3000/metrics.",
        )
    return parts


def shown(parts: SplitResult) -> str:
    """Return a URL without what may be secret: user, password, query and fragment."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def base(url: str, what: str) -> SplitResult:
    """Return the parts of a URL that paths are appended to and that may be shown; raises BadInput."""
    parts = split(url, what, "The application could not be asked.")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadInput(
            "url_with_more",
            f"{what} has a user, a query or a fragment.",
            "It is shown in results, and what is secret must not be.",
            "Give scheme, host, port and path alone; a password or token belongs to the headers.",
        )
    return parts


def under(parts: SplitResult, path: str, query: Sequence[tuple[str, str]] = ()) -> SplitResult:
    """Return the URL of a path (perhaps with a query of its own) under a base, with more added to the query."""
    own, _mark, given = path.partition("?")
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    joined = parts.path.rstrip("/") + "/" + own.lstrip("/")
    return parts._replace(path=joined, query="&".join(text for text in (given, pairs) if text), fragment="")


@dataclass(frozen=True)
class Request:
    """What to ask. ``parts``: of the whole URL; ``ca_certs``: a file of authorities to trust, not the system's."""

    parts: SplitResult
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    validate_certs: bool = True
    ca_certs: str | None = None


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Any
    body: bytes


class NoAnswer(Exception):
    """There is no answer to judge; the text says why, in one line.

    ``code``: the same for machines: refused, timeout, unresolved, tls, closed, too_big, no_http, unreachable.
    ``sent``: whether any part of the request may have been sent; without a connection none was.
    """

    def __init__(self, text: str, code: str, sent: bool = True) -> None:
        super().__init__(text)
        self.code = code
        self.sent = sent


def check_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return headers as text; raises BadInput, which repeats no value."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(str(name)) or re.search(r"[\r\n\0]", str(value)):
            raise BadInput(
                "bad_header",
                "One of the headers has a name or a value that HTTP does not allow.",
                "Nothing was sent.",
                "A name is letters, digits and dashes; a value is one line.",
            )
    return {str(name): str(value) for name, value in headers.items()}


def ask(request: Request, seconds: float, most: int = MAX_BYTES) -> Reply:
    """Ask over a new connection, and return the whole answer; raises NoAnswer.

    :param seconds: for everything, however slowly the answer arrives.
    :param most: the largest body, in bytes, that is accepted as an answer.
    """
    with closing(Conversation(request.parts, seconds, request.validate_certs, request.ca_certs)) as conversation:
        return conversation.ask(replace(request, headers={"Connection": "close", **request.headers}), most)


class Conversation:
    """Several requests to one server within one deadline, over one connection as long as the server keeps it.

    There may be several processes behind one port: over one connection the same one answers.
    """

    def __init__(
        self, parts: SplitResult, seconds: float, validate_certs: bool = True, ca_certs: str | None = None
    ) -> None:
        self._seconds, self._deadline = seconds, Deadline(seconds)
        self._connection = connection(parts, validate_certs, seconds, ca_certs)
        self._connection.response_class = functools.partial(_Response, self._deadline)  # type: ignore[assignment]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, request: Request, most: int = MAX_BYTES) -> Reply:
        """Ask, and return the whole answer; raises NoAnswer, after which the conversation is over."""
        connected = False
        try:
            if self._deadline.over:
                raise socket.timeout
            if self._connection.sock is None:
                self._connection.connect()
            connected = True
            sent = {"Accept": "application/json, */*", "User-Agent": "chatia.kanban_rollback"}
            sent = {**sent, **authorization(request.parts), **request.headers}
            headers = {name: value.encode() for name, value in sent.items()}
            self._connection.request(request.method, target(request.parts), body=request.body, headers=headers)
            with self._connection.getresponse() as response:
                return Reply(response.status, response.headers, _body(response, most))
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise _no_answer(error, self._seconds, connected) from None


def _body(response: http.client.HTTPResponse, most: int) -> bytes:
    pieces, left = [], most + 1
    while left:
        piece = response.read(min(_PIECE, left))
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    if not left:
        raise NoAnswer(f"the answer is larger than {most // 1024:,} KiB", "too_big")
    if response.length:
        raise NoAnswer("the answer ended before it was whole", "closed")
    return b"".join(pieces)


# The first match gives the reason.
_WHY: tuple[tuple[type[Exception], str, str], ...] = (
    (ssl.SSLCertVerificationError, "tls", "its certificate is not trusted"),
    (ssl.SSLEOFError, "closed", "it closed the connection without an answer"),
    (ssl.SSLError, "tls", "no TLS connection could be made"),
    (http.client.RemoteDisconnected, "closed", "it closed the connection without an answer"),
    (http.client.IncompleteRead, "closed", "the answer ended before it was whole"),
    (socket.gaierror, "unresolved", "its name could not be resolved"),
)


def _no_answer(error: Exception, seconds: float, sent: bool) -> NoAnswer:
    """Say why there is no answer; the error's own text may repeat the URL or the answer, its type does not."""
    if isinstance(error, socket.timeout):
        return NoAnswer(f"no whole answer within {seconds:.1f} s", "timeout", sent)
    for kind, code, text in _WHY:
        if isinstance(error, kind):
            return NoAnswer(text, code, sent)
    if isinstance(error, OSError):
        code = "refused" if isinstance(error, ConnectionRefusedError) else "unreachable"
        code = "closed" if isinstance(error, (ConnectionResetError, BrokenPipeError)) else code
        text = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        return NoAnswer(text, code, sent)
    return NoAnswer(f"what answers there speaks no HTTP ({type(error).__name__})", "no_http", sent)


def target(parts: SplitResult) -> str:
    """Return path and query as they are sent, with anything that is not ASCII encoded."""
    return quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")


def connection(
    parts: SplitResult, validate_certs: bool, seconds: float, ca_certs: str | None = None
) -> http.client.HTTPConnection:
    """Return a connection that is not open; ``seconds`` limits each of its steps. Raises BadInput for ``ca_certs``."""
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=seconds)
    return http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=_context(validate_certs, ca_certs))


@functools.lru_cache(maxsize=4)
def _context(validate_certs: bool, ca_certs: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_certs)
    except OSError as error:
        raise BadInput(
            "bad_ca_certs",
            f"ca_certs cannot be read as certificates ({type(error).__name__}).",
            "Without them it is not known who answers. Nothing was sent.",
            "Give the path of a readable PEM file with the authority's certificates, or leave it out for the system's.",
        ) from None
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def authorization(parts: SplitResult) -> dict[str, str]:
    """Return the header for the user and password of a URL, none if it has none."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


class _Response(http.client.HTTPResponse):
    """A response whose every read has only what is left of the whole time: even one byte a second comes to an end."""

    def __init__(self, deadline: Deadline, sock: socket.socket, *rest: Any, **more: Any) -> None:
        super().__init__(sock, *rest, **more)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock, deadline))


class _Timed(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._raw: Any = sock.makefile("rb", buffering=0)
        self._socket, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline.over:
            raise socket.timeout
        self._socket.settimeout(self._deadline.slice(self._deadline.left))
        found: int | None = self._raw.readinto(buffer)
        return found

    def close(self) -> None:
        self._raw.close()
        super().close()
