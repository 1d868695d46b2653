# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of the AWX of ``awx.py`` over HTTP on loopback: lists in pages, objects, associations, approvals."""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support import awxrules as rules
from tests.support import web
from tests.support.awx import API, KINDS, RUNS, Refused, Row, started
from tests.support.awxobjects import chosen, cleaned, created, given, page, shown, survey

TOKEN, USER, PASSWORD = "t0ken-of-an-admin-of-awx", "admin", "p4ssword-of-awx"
# The user of each token; a test that approves is one of these.
PEOPLE = {TOKEN: USER, "t0ken-of-ana": "ana", "t0ken-of-rui": "rui", "t0ken-of-the-reader": "reader"}
_LOCK = threading.Lock()
# One process, one AWX.
_STORE = started()
_UPDATES = {"project_updates": "projects", "inventory_updates": "inventory_sources"}


class Handler(web.Handler):
    """One request: who asks, where it leads, and the answer."""

    def answer(self) -> None:
        parts = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        body = json.loads(text) if text else {}
        with _LOCK:
            if parts.path == "/_state":
                self.send(200, state())
                return
            if parts.path == "/_seed":
                self.send(200, [_STORE.add(kind, one) for kind, one in body])
                return
            self.note(self.command, self.path)
            try:
                status, said = self.route(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)
            except Refused as error:
                status, said = error.status, error.said
        headers = {"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1", "Content-Type": "application/json"}
        self.send(status, b"" if said is None else said, **headers)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - their names are the library's

    def who(self) -> str:
        """Return the user; raises Refused."""
        scheme, _space, value = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and value in PEOPLE:
            return PEOPLE[value]
        if scheme == "Basic" and base64.b64decode(value).decode() == f"{USER}:{PASSWORD}":
            return USER
        raise Refused(401, {"detail": "Authentication credentials were not provided."})

    def route(self, path: str, query: Row, body: Row) -> tuple[int, Any]:
        user = self.who()
        if not path.startswith(API) or not path.endswith("/"):
            raise Refused(404, {"detail": "Not found."})
        where = path.removeprefix(API).strip("/").split("/")
        if where[0] == "tokens":
            return (204, None) if self.command == "DELETE" else (201, {"id": 1, "token": TOKEN})
        if where[0] == "me":
            return 200, page([{"id": 1, "username": user}], query, path)
        if where[0] == "unified_job_templates":
            found = [shown(_STORE, kind, row) for kind in RUNS if kind != "workflow_approval_templates"
                     for row in _STORE.rows[kind].values()]  # fmt: skip
            return 200, page(chosen(_STORE, found, query), query, path)
        if where[0] in _UPDATES:
            return 200, {
                "id": int(where[1]),
                "status": "successful",
                "finished": "2026-11-25T03:00:00Z",
                "failed": False,
            }
        if where[0] == "roles":
            return self.association([f"roles/{where[1]}", where[2]], query, body, path)
        return self.objects(where, query, body, user, path)

    def objects(self, where: list[str], query: Row, body: Row, user: str, path: str) -> tuple[int, Any]:
        kind = where[0]
        if kind not in KINDS:
            raise Refused(404, {"detail": "Not found."})
        if len(where) == 1 and self.command == "POST":
            return 201, created(_STORE, kind, body)
        if len(where) == 1:
            found = chosen(_STORE, [shown(_STORE, kind, row) for row in _STORE.rows[kind].values()], query)
            gone = [one["id"] for one in found if one.get("pending_deletion")]
            for id in gone:
                # A deletion takes time: the object is shown once more, and gone the next time.
                _STORE.remove(kind, id)
            return 200, page(found, query, path)
        row = _STORE.rows[kind].get(int(where[1]))
        if row is None:
            raise Refused(404, {"detail": "Not found."})
        if len(where) == 2:
            return self.one(kind, row, body)
        return self.below(kind, row, where, (query, body, user, path))

    def one(self, kind: str, row: Row, body: Row) -> tuple[int, Any]:
        if self.command == "GET":
            return 200, shown(_STORE, kind, row)
        if self.command == "PATCH":
            new = cleaned(_STORE, kind, {**row, **given(kind, body, row)}, row)
            row.update(new)
            return 200, shown(_STORE, kind, row)
        used = [one for one in _STORE.rows["credentials"].values() if one["credential_type"] == row["id"]]
        if kind == "credential_types" and (used or row["managed"]):
            raise Refused(403, {"detail": "Credential types that are in use cannot be deleted"})
        if kind == "inventories":
            row["pending_deletion"] = True
            return 202, None
        if kind == "organizations":
            for other in ("projects", "teams", "credentials", "notification_templates", "workflow_job_templates"):
                for id in [one["id"] for one in _STORE.rows[other].values() if one["organization"] == row["id"]]:
                    _STORE.remove(other, id)
        _STORE.remove(kind, row["id"])
        return 204, None

    def below(self, kind: str, row: Row, where: list[str], asked: tuple[Row, Row, str, str]) -> tuple[int, Any]:
        query, body, user, path = asked
        what = where[2]
        if what == "survey_spec":
            return 200, survey(_STORE, row["id"], self.command, body)
        if what == "update":
            update = "project_updates" if kind == "projects" else "inventory_updates"
            return 202, {"id": row["id"], "status": "pending", "url": f"{API}/{update}/{row['id']}/"}
        if what == "create_approval_template":
            names = ("name", "description", "timeout")
            approval = _STORE.add("workflow_approval_templates", {name: body[name] for name in names if name in body})
            row["unified_job_template"] = approval["id"]
            return 201, shown(_STORE, "workflow_approval_templates", approval)
        if kind == "workflow_jobs" and what == "workflow_nodes":
            nodes = [one for one in _STORE.rows["workflow_job_nodes"].values() if one["workflow_job"] == row["id"]]
            return 200, page([shown(_STORE, "workflow_job_nodes", one) for one in nodes], query, path)
        if kind == "workflow_approvals" and what in ("approve", "deny") and self.command == "POST":
            row.update(
                status="successful" if what == "approve" else "failed", decided=user, finished="2026-11-25T03:00:00Z"
            )
            return 204, None
        if what in KINDS[kind].associations:
            return self.association([f"{kind}/{row['id']}", what], query, body, path)
        raise Refused(404, {"detail": "Not found."})

    def association(self, where: list[str], query: Row, body: Row, path: str) -> tuple[int, Any]:
        owner, what = where
        kind = "notification_templates" if what.startswith("notification") else what
        kind = "workflow_job_template_nodes" if what.endswith("_nodes") else kind
        ids = _STORE.links.setdefault("/".join(where), [])
        if what.endswith("_nodes"):
            ids = _STORE.rows[kind][int(owner.rpartition("/")[2])][what]
        if self.command == "GET":
            return 200, page([shown(_STORE, kind, _STORE.rows[kind][id]) for id in ids], query, path)
        id = body["id"]
        if body.get("disassociate"):
            ids[:] = [one for one in ids if one != id]
            return 204, None
        said = "" if id in _STORE.rows[kind] else "Invalid id"
        if what == "credentials":
            types = {_STORE.rows[kind][one]["credential_type"] for one in ids}
            said = said or (
                "Cannot assign multiple credentials" if _STORE.rows[kind][id]["credential_type"] in types else ""
            )
        if what.endswith("_nodes"):
            said = said or rules.edge(_STORE.rows[kind], int(owner.rpartition("/")[2]), id, what)
        if said:
            raise Refused(400, {"error": said})
        ids.append(id)
        return 204, None


def state() -> Row:
    """Return everything that is stored."""
    return {"rows": _STORE.rows, "links": _STORE.links, "surveys": _STORE.surveys}


@dataclass
class Awx:
    """A running AWX."""

    running: web.Running
    record: Path

    @property
    def url(self) -> str:
        """Its base URL."""
        return self.running.url

    @property
    def environment(self) -> dict[str, str]:
        """What a credential of its own type puts into a job's environment."""
        return {"CONTROLLER_HOST": self.url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "CONTROLLER_VERIFY_SSL": "true"}

    @property
    def state(self) -> Row:
        """Everything that it has by now: ``rows`` by kind, ``links`` and ``surveys``; ids are texts."""
        found: Row = self._ask("/_state")
        return found

    @property
    def written(self) -> list[str]:
        """The requests that change something, in order."""
        return [f"{method} {path.removeprefix(API)}" for method, path in web.asked(self.record) if method != "GET"]

    def seed(self, *rows: tuple[str, Row]) -> list[Row]:
        """Store objects as they are given, by kind, and return them with their ids."""
        found: list[Row] = self._ask("/_seed", rows)
        return found

    def send(self, path: str, body: Row, method: str = "PATCH", token: str = TOKEN) -> int:
        """Send a request as a person does with their own token, and return the status."""
        request = urllib.request.Request(self.url + API + path, json.dumps(body).encode(), method=method)  # noqa: S310
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return int(answer.status)

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=10) as answer:  # noqa: S310 - our own server
            return json.load(answer)


@contextmanager
def awx(directory: Path) -> Iterator[Awx]:
    """Run an AWX that has just been installed."""
    record = directory / "asked-awx"
    with web.serving(web.Server(Handler, record)) as running:
        yield Awx(running, record)
