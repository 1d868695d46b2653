# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small helpdesk over HTTP for walks: login, tickets, board, labels; and what goes wrong on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support import web

PASSWORD, TOKEN, SESSION = "tr0ub4dor-and-3", "eyJ0-tok3n-of-the-walk", "s3ssion-of-the-walk"
TICKET = 4711


class Handler(web.Handler):
    """A small helpdesk: login, tickets, board, tags; and what goes wrong on the way."""

    tags: dict[int, str] = {}  # noqa: RUF012 - one process, one set of tags

    def answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.note(self.command, self.path, dict(self.headers), body)
        head, _slash, rest = parts.path.strip("/").partition("/")
        if head == "auth":
            self.login(json.loads(body))
        elif head == "signin":
            self.form(parse_qs(body))
        elif head == "moved":
            self.send(307 if self.command == "POST" else 302, {}, Location=unquote(parts.query) or "/echo/after")
        elif head == "around":
            self.send(302, {}, Location="/around")
        elif head == "echo":
            self.send(200, {"path": unquote(rest), "raw": rest, "query": parse_qs(parts.query), "body": body})
        elif head == "odd":
            self.send(200, b"<html>" + TOKEN.encode())
        elif head == "slow":
            time.sleep(float(rest))
            self.send(200, {})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}" and f"sid={SESSION}" not in self.cookies():
            self.send(401, {"error": "ERR_SESSION_EXPIRED"})
        else:
            getattr(self, head, self.nowhere)(rest)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - their names are the library's

    def cookies(self) -> str:
        return str(self.headers.get("Cookie", ""))

    def login(self, given: dict[str, Any]) -> None:
        if given != {"email": "oncall@chatia.com", "password": PASSWORD, "company": 7}:
            self.send(401, {"error": PASSWORD})
            return
        self.send(200, {"token": TOKEN, "user": {"id": 5, "name": "Conceição"}, "odd": "../tags", "nothing": None})

    def form(self, given: dict[str, list[str]]) -> None:
        good = given == {"email": ["oncall@chatia.com"], "password": [PASSWORD]}
        self.send(
            303 if good else 401, {}, Location="/kanban/board", **{"Set-Cookie": f"sid={SESSION}; Path=/; HttpOnly"}
        )

    def tickets(self, rest: str) -> None:
        self.send(200 if rest == str(TICKET) else 404, {"id": TICKET, "contact": "Conceição", "unread": 3})

    def kanban(self, _rest: str) -> None:
        self.send(200, {"version": 1, "lanes": [{"id": 1}, {"id": 2}], "secret": TOKEN})

    def labels(self, rest: str) -> None:
        if self.command == "POST":
            Handler.tags[len(Handler.tags) + 41] = "made"
            self.send(201, {"id": max(Handler.tags)})
        elif self.command == "DELETE":
            self.send(200 if Handler.tags.pop(int(rest), None) else 404, {})
        else:
            self.send(200, {"tags": list(Handler.tags)})

    def nowhere(self, _rest: str) -> None:
        self.send(404, {})


@dataclass
class Helpdesk:
    url: str
    record: Path

    @property
    def asked(self) -> list[tuple[str, str, dict[str, str], str]]:
        return [tuple(row) for row in web.asked(self.record)]

    @property
    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _headers, _body in self.asked]


@contextmanager
def helpdesk(record: Path) -> Iterator[Helpdesk]:
    """Run it, and record its requests in a file."""
    with web.serving(web.Server(Handler, record)) as running:
        yield Helpdesk(running.url, record)
