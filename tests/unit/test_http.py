# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is asked, and answers that are not valid: against sockets on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._http import (
    NoAnswer,
    Reply,
    Request,
    ask,
    base,
    check_headers,
    shown,
    split,
    target,
)

SECRET = "tr0ub4dor"


@pytest.mark.parametrize(
    "url", ["", "metrics", "file:///etc/passwd", "http://", "http://[", "http://h:0/", "http://h:x/"]
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        split(url, "base_url", "Nothing was asked.")
    assert refused.value.code == "bad_url"
    assert refused.value.what == "base_url is no http or https URL."


@pytest.mark.parametrize("more", [f"http://u:{SECRET}@h/", f"http://h/?token={SECRET}", f"http://h/#{SECRET}"])
def test_a_base_url_that_could_hold_a_secret_is_refused(more: str) -> None:
    with pytest.raises(BadInput) as refused:
        base(more, "url")
    assert refused.value.code == "url_with_more"
    assert SECRET not in str(refused.value)


def test_a_url_is_shown_without_its_secrets_and_sent_with_what_http_allows() -> None:
    parts = split(f"http://u:{SECRET}@[::1]:80/ação%20x y?q=ç&a[]=1#{SECRET}", "url", "why")
    assert shown(parts) == "http://[::1]:80/ação%20x y"
    assert target(parts) == "/a%C3%A7%C3%A3o%20x%20y?q=%C3%A7&a%5B%5D=1"


@pytest.mark.parametrize("headers", [{"A B": "x"}, {"A": f"{SECRET}\r\nB: c"}, {"": "x"}, {"A": "\0"}, {"A\n": "x"}])
def test_headers_that_http_does_not_allow_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadInput) as refused:
        check_headers(headers)
    assert SECRET not in str(refused.value)


@contextmanager
def answering(*pieces: bytes, pause: float = 0, hang: float = 0) -> Iterator[Request]:
    """Serve on a socket that takes one connection after another and answers each with these pieces."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    taken, _address = listening.accept()
                except OSError:
                    return
                with taken:
                    try:
                        taken.recv(65536)
                        for piece in pieces:
                            taken.sendall(piece)
                            over.wait(pause)
                        over.wait(hang)
                    except OSError:
                        pass

        request = Request(split(f"http://127.0.0.1:{listening.getsockname()[1]}/x", "url", "why"))
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield request
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def why_not(request: Request, seconds: float = 5) -> str:
    with pytest.raises(NoAnswer) as none:
        ask(request, seconds, most=10_000)
    assert SECRET not in str(none.value)
    return str(none.value)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: "


@pytest.mark.parametrize(
    "pieces",
    [[HEAD + b"2\r\n\r\nhi"], [HEAD, b"2\r\n", b"\r\nh", b"i"],
     [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n", b"1\r\ni\r\n0\r\n\r\n"],
     [b"HTTP/1.0 200 OK\r\n\r\nhi"]],
)  # fmt: skip
@pytest.mark.parametrize("hang", [0, 3])
def test_a_whole_answer_is_returned_at_once(pieces: list[bytes], hang: float) -> None:
    if b"HTTP/1.0" in pieces[0]:
        hang = 0  # Only the end of the connection shows that it is whole.
    with answering(*pieces, pause=0.02, hang=hang) as request:
        started = time.monotonic()
        reply = ask(request, 5)
        assert (reply.status, reply.body) == (200, b"hi")
        assert isinstance(reply, Reply)
        assert time.monotonic() - started < 2


def test_answers_that_are_none_say_so_in_one_line_each() -> None:
    with answering(HEAD + b"9\r\n\r\nhi") as request:
        assert why_not(request) == "the answer ended before it was whole"
    with answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi") as request:
        assert why_not(request) == "the answer ended before it was whole"
    with answering(HEAD + b"20000\r\n\r\n", b"x" * 20_000) as request:
        assert why_not(request) == "the answer is larger than 9 KiB"
    with answering(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 20_000) as request:
        assert why_not(request) == "the answer is larger than 9 KiB"
    with answering() as request:
        assert why_not(request) == "it closed the connection without an answer"
    with answering(b"SSH-2.0-" + SECRET.encode() + b"\r\n") as request:
        assert why_not(request) == "what answers there speaks no HTTP (BadStatusLine)"
    # Nobody listens there any more.
    assert why_not(request) == "connection refused"


def test_who_hangs_up_on_tls_has_closed_and_is_not_distrusted() -> None:
    with answering() as request:
        secure = Request(request.parts._replace(scheme="https"))
        with pytest.raises(NoAnswer) as none:
            ask(secure, 5)
        assert none.value.code == "closed"
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as request, pytest.raises(NoAnswer) as none:
        ask(Request(request.parts._replace(scheme="https")), 5)
    assert none.value.code == "tls"


@pytest.mark.parametrize("head", [b"", HEAD + b"1000\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_one_letter_at_a_time_ends_when_the_time_is_over(head: bytes) -> None:
    with answering(head, *([b"x"] * 200), pause=0.02) as request:
        started = time.monotonic()
        assert why_not(request, 0.6) == "no whole answer within 0.6 s"
        assert time.monotonic() - started < 1.5


def test_a_host_that_is_none_is_no_answer() -> None:
    assert why_not(Request(split("http://" + "x" * 70 + ".invalid/", "url", "why"))) != ""


def test_without_a_connection_nothing_was_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NoAnswer) as refused:
        ask(Request(split(f"http://127.0.0.1:{port}/", "url", "")), 5)
    assert (refused.value.code, refused.value.sent) == ("refused", False)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer) as lost:
        ask(Request(split(f"http://127.0.0.1:{silent.getsockname()[1]}/", "url", "")), 0.2)
    assert (lost.value.code, lost.value.sent) == ("timeout", True)
