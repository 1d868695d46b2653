# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack and PagerDuty in memory, as they are documented, and what goes wrong on the way to them."""

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
from urllib.parse import urlsplit

from tests.support import web

TOKEN, ROUTING_KEY, HOOK = "xoxb-t0ken-of-a-b0t", "r0uting-key-of-32-letters-012345", "T0/B0/h00k-secret"
CHANNELS = ("#incidents", "#kanban-v2-rollout", "#engineering")
_LOCK = threading.Lock()
# One process, one workspace and one pager.
_FAULTS: list[dict[str, Any]] = []
_MADE: dict[str, str] = {}
_SCOPES = {"chat:write", "channels:manage"}


class Handler(web.Handler):
    """Web API, incoming webhooks, Events API; faults are ordered beforehand, each for the first request that fits."""

    def do_POST(self) -> None:  # noqa: N802 - its name is the library's
        path = urlsplit(self.path).path
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        body = json.loads(text)
        if path == "/_order":
            _FAULTS[:] = [*_FAULTS, *body] if body else []
            self.send(200, {})
            return
        if path == "/_scopes":
            _SCOPES.clear()
            _SCOPES.update(body)
            self.send(200, {})
            return
        fault = self.fault(path, text)
        if fault.get("hang"):
            self.note("hung", path, body)
            time.sleep(fault["hang"])
        if fault.get("closed"):
            self.note("lost", path, body)
            self.close_connection = True
            return
        if "status" in fault:
            self.note("refused", path, body)
            answer = fault.get("answer", {"ok": False})
            said = answer.encode() if isinstance(answer, str) else answer
            self.send(fault["status"], said, **fault.get("headers", {}))
            return
        status, answer = self.answer(path, body)
        self.note("taken" if status < 300 and answer != b"" and self.good(answer) else "refused", path, body)
        self.send(status, answer)

    @staticmethod
    def good(answer: Any) -> bool:
        return answer == b"ok" or (isinstance(answer, dict) and (answer.get("ok") or answer.get("status") == "success"))

    def fault(self, path: str, text: str) -> dict[str, Any]:
        with _LOCK:
            for fault in list(_FAULTS):
                if fault["on"] in path and fault.get("has", "") in text:
                    fault["times"] = fault.get("times", 1) - 1
                    if fault["times"] < 1:
                        _FAULTS.remove(fault)
                    return fault
        return {}

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v2/enqueue":
            if body.get("routing_key") != ROUTING_KEY:
                return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["key"]}
            return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}
        if path.startswith("/services/"):
            return (200, b"ok") if path == f"/services/{HOOK}" else (404, b"no_service")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        return 200, self.api(path.rpartition("/")[2], body)

    def api(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if method == "conversations.create":
            return self.create(body["name"])
        if method != "chat.postMessage":
            return {"ok": False, "error": "unknown_method"}
        if body["channel"] not in (*CHANNELS, *_MADE, *_MADE.values()):
            return {"ok": False, "error": "channel_not_found"}
        if len(body["text"]) > 40_000:
            return {"ok": False, "error": "msg_too_long"}
        return {"ok": True, "channel": "C1", "ts": "1.2"}

    @staticmethod
    def create(name: str) -> dict[str, Any]:
        if "channels:manage" not in _SCOPES:
            return {"ok": False, "error": "missing_scope", "needed": "channels:manage"}
        if f"#{name}" in _MADE:
            return {"ok": False, "error": "name_taken"}
        _MADE[f"#{name}"] = f"C{len(_MADE)}"
        return {"ok": True, "channel": {"id": _MADE[f"#{name}"], "name": name}}


@dataclass
class Told:
    """Running Slack and PagerDuty, and what they were told."""

    running: web.Running
    record: Path

    @property
    def slack(self) -> dict[str, Any]:
        """The module's option for the workspace."""
        return {"token": TOKEN, "api_url": f"{self.running.url}/api"}

    @property
    def webhook(self) -> str:
        """The address of an incoming webhook."""
        return f"{self.running.url}/services/{HOOK}"

    @property
    def pager(self) -> dict[str, Any]:
        """The module's option for the pager."""
        return {"routing_key": ROUTING_KEY, "url": f"{self.running.url}/v2/enqueue"}

    def asked(self, path: str = "", what: str = "") -> list[dict[str, Any]]:
        """Return the bodies of requests, by a part of the path and by their outcome: taken, refused, lost, hung."""
        return [body for how, where, body in web.asked(self.record) if path in where and what in how]

    def posts(self, channel: str = "") -> list[dict[str, Any]]:
        """Return what Slack has taken for a channel."""
        return [body for body in self.asked("chat.postMessage", "taken") if channel in body["channel"]]

    def events(self) -> list[str]:
        """Return what PagerDuty has taken, as actions in order."""
        return [body["event_action"] for body in self.asked("enqueue", "taken")]

    def order(self, *faults: dict[str, Any]) -> None:
        """Let things go wrong: ``on`` a part of the path, ``has`` a part of the body, ``times``; without any, all end.

        ``status`` with ``headers`` and ``answer``; ``hang`` seconds first; ``closed`` without an answer.
        """
        self._post("/_order", list(faults))

    def scopes(self, *names: str) -> None:
        """Set what the token may do."""
        self._post("/_scopes", list(names))

    def _post(self, path: str, body: Any) -> None:
        request = urllib.request.Request(self.running.url + path, json.dumps(body).encode(), method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - our own server
            pass


@contextmanager
def telling(directory: Path) -> Iterator[Told]:
    """Run both, before they have been told anything."""
    record = directory / "told"
    with web.serving(web.Server(Handler, record)) as running:
        yield Told(running, record)
