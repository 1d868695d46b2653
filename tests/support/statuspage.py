# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A status page in memory, as Statuspage's API v1 is documented, and what goes wrong on the way to it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support import web

KEY, PAGE = "k3y-of-the-status-page-0123", "kctbh9vrtdwd"
STATUSES = {"operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"}
_LOCK = threading.Lock()
# One process, one page.
_FAULTS: list[dict[str, Any]] = []
_LATE: list[tuple[list[str], dict[str, Any]]] = []
_COMPONENTS: list[dict[str, Any]] = [
    {"id": "grp0", "name": "Product", "status": "operational", "group": True},
    {"id": "cmpkanban", "name": "Kanban", "status": "operational", "group": False},
    {"id": "cmpchat", "name": "Chat", "status": "degraded_performance", "group": False},
    {"id": "cmpapi1", "name": "API", "status": "operational", "group": False},
    {"id": "cmpapi2", "name": "API", "status": "operational", "group": False},
    *({"id": f"more{number}", "name": f"More {number}", "status": "operational"} for number in range(100)),
    {"id": "cmplast", "name": "Last <b>", "status": "operational", "group": False},
]
_INCIDENTS: list[dict[str, Any]] = []


class Handler(web.Handler):
    """The page's components and incidents, one key, and faults that are ordered beforehand."""

    def answer(self) -> None:
        parts = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        body = json.loads(text) if text else {}
        if parts.path == "/_order":
            _FAULTS.extend(body)
            self.send(200, {})
            return
        if parts.path == "/_page":
            for one in _COMPONENTS:
                one.update(body.get(one["id"], {}))
            for one in _INCIDENTS:
                one.update(body.get(one["name"], {}))
            self.send(200, {"components": _COMPONENTS, "incidents": _INCIDENTS})
            return
        self.note(self.command, self.path, dict(self.headers), body)
        fault = self.fault(parts.path)
        where = parts.path.strip("/").split("/")
        if fault.get("late"):
            _LATE.append((where, body))
        if "status" in fault:
            self.send(fault["status"], fault.get("answer", {"error": "ordered"}), **fault.get("headers", {}))
            return
        with _LOCK:
            if self.command != "GET":
                while _LATE:
                    self.api(_LATE[0][0], {}, _LATE.pop(0)[1])
            status, answer = self.api(where, parse_qs(parts.query), body)
        if fault.get("lost"):
            # It is done, but nobody hears of it.
            time.sleep(fault.get("hang", 0))
            self.close_connection = True
            return
        self.send(status, answer)

    do_GET = do_POST = do_PATCH = answer  # noqa: N815 - their names are the library's

    def fault(self, path: str) -> dict[str, Any]:
        with _LOCK:
            for fault in list(_FAULTS):
                method, _space, rest = fault["on"].partition(" ")
                if self.command == method and rest in path:
                    _FAULTS.remove(fault)
                    return fault
        return {}

    def api(self, path: list[str], query: dict[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        if self.headers.get("Authorization") != f"OAuth {KEY}":
            return 401, {"error": "Could not authenticate"}
        if path[:3] != ["v1", "pages", PAGE]:
            return 404, {"error": "Not found"}
        kind, rest = path[3], path[4:]
        if kind == "components":
            return self.components(rest, query, body["component"] if body else {})
        return self.incidents(rest, query, body["incident"] if body else {})

    def components(self, path: list[str], query: dict[str, list[str]], given: dict[str, Any]) -> tuple[int, Any]:
        if not path:
            if "per_page" not in query:
                return 429, {"error": "unpaged, this is allowed once a minute"}
            return 200, paged(_COMPONENTS, query, "per_page")
        found = [one for one in _COMPONENTS if one["id"] == path[0]]
        if not found:
            return 404, {"error": "Not found"}
        return self.put(found[0], given["status"]) or (200, found[0])

    def put(self, component: dict[str, Any], status: str) -> tuple[int, Any] | None:
        if status not in STATUSES:
            return 422, {"error": ["Component status is not valid"]}
        component["status"] = status
        return None

    def incidents(self, path: list[str], query: dict[str, list[str]], given: dict[str, Any]) -> tuple[int, Any]:
        if path == ["unresolved"]:
            return 200, paged([one for one in _INCIDENTS if one["status"] != "resolved"], query, "per_page")
        if self.command == "GET":
            return 200, paged(_INCIDENTS, query, "limit")
        if self.command == "POST":
            if not given.get("name"):
                return 422, {"error": ["Name can't be <b>blank</b>\r\n@channel " + "x" * 9999]}
            number = len(_INCIDENTS)
            one: dict[str, Any] = {
                "id": f"inc{number}", "created_at": f"2026-11-25T03:00:{number:02}Z", "components": [],
                "incident_updates": [], "metadata": {}, "impact": "none", "status": "investigating",
                "shortlink": f"https://stspg.io/inc{number}",
            }  # fmt: skip
            _INCIDENTS.insert(0, one)
            return 201, self.update(one, given)
        found = [one for one in _INCIDENTS if one["id"] == path[0]]
        return (200, self.update(found[0], given)) if found else (404, {"error": "Not found"})

    def update(self, one: dict[str, Any], given: dict[str, Any]) -> Any:
        if {"body", "status"} & set(given):
            update = {name: given.get(name) for name in ("body", "status", "deliver_notifications")}
            one["incident_updates"].insert(0, update)
        for name in ("name", "status", "metadata", "impact_override"):
            one[name] = given.get(name, one.get(name))
        one["impact"] = one["impact_override"] or one["impact"]
        for id, status in given.get("components", {}).items():
            self.put(next(component for component in _COMPONENTS if component["id"] == id), status)
        if "component_ids" in given:
            one["components"] = [component for component in _COMPONENTS if component["id"] in given["component_ids"]]
        return one


def paged(everything: list[Any], query: dict[str, list[str]], size: str) -> list[Any]:
    number, most = int(query.get("page", ["1"])[0]), min(100, int(query.get(size, ["100"])[0]))
    return everything[(number - 1) * most : number * most]


@dataclass
class StatusPage:
    """A running page. ``url``: of the API."""

    running: web.Running
    record: Path

    @property
    def url(self) -> str:
        return f"{self.running.url}/v1"

    @property
    def asked(self) -> list[Any]:
        """Every request to the API: method, path, headers, body."""
        return web.asked(self.record)

    @property
    def written(self) -> list[str]:
        """The requests that change something, in order."""
        return [f"{method} {path.partition(PAGE)[2]}" for method, path, *_rest in self.asked if method != "GET"]

    def order(self, *faults: dict[str, Any]) -> None:
        """Let things go wrong: each fault once, at the first request that matches its ``on`` (method, part of a path).

        ``status`` with ``headers`` and ``answer``: sent instead of doing it; ``late``: it is still done, when the next
        change comes; ``lost``: it is done, and the connection closed after ``hang`` seconds without an answer.
        """
        self._post("/_order", list(faults))

    def change(self, **changes: dict[str, Any]) -> dict[str, Any]:
        """Change components by id and incidents by name as people do on the page, and return everything on it."""
        found: dict[str, Any] = self._post("/_page", changes)
        return found

    def status(self, id: str) -> str:
        """Return a component's status."""
        return next(str(one["status"]) for one in self.change()["components"] if one["id"] == id)

    @property
    def incidents(self) -> list[dict[str, Any]]:
        """All incidents, the newest first."""
        found: list[dict[str, Any]] = self.change()["incidents"]
        return found

    def _post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.running.url + path, json.dumps(body).encode(), method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return json.load(answer)


@contextmanager
def status_page(directory: Path) -> Iterator[StatusPage]:
    """Run a page on which nothing has happened yet."""
    record = directory / "asked"
    with web.serving(web.Server(Handler, record)) as running:
        yield StatusPage(running, record)
