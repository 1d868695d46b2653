# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask application processes side by side until each serves V1 or the time is over. Neither Ansible nor a driver."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence
from urllib.parse import SplitResult

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killproof import Apart, Look, Shared, outcome
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import UNKNOWN, Reading, Said

# More URLs on one host are a mistake, and each has a thread of its own, so that one that hangs holds up no other.
MOST_URLS = 64
# Askers of a shared port. Some may hang at a process that hangs, while the others go on.
ASKERS = 8
# The longer a process has been asked, the less often it is asked, up to this interval.
SLOWEST_SECONDS = 0.3
GROWTH = 1.3
# Behind a shared port nobody chooses which process answers, so the pace must hardly drop.
SHARED_SLOWEST = 1.2
_LOOK_SECONDS = 0.02
_ENDING_SECONDS = 0.5


@dataclass(frozen=True)
class Wish:
    """What to ask; the fields are the module's options of the same names, ``reading`` has those about the answer."""

    reading: Reading
    urls: Sequence[SplitResult] = ()
    url: SplitResult | None = None
    path: str = "/"
    processes: int | None = None
    pids: Sequence[int] = ()
    committed_seconds_ago: float = 0.0
    deadline: float = 30.0
    interval: float = 0.1
    timeout: float = 2.0
    headers: Mapping[str, str] = field(default_factory=dict)
    validate_certs: bool = True


def wish_from(params: Mapping[str, Any], reading: Reading) -> Wish:
    """Return what a module's parameters describe; raises BadInput."""
    same = ("path", "processes", "deadline", "interval", "timeout", "validate_certs")
    if params["url"] and reading.pid is None:
        raise BadInput(
            "no_pid_path",
            "url is given without pid_path.",
            "Behind one port only the process id tells processes apart, so nothing could be proven.",
            "Give pid_path, or urls with an address for each process.",
        )
    if bool(params["url"]) == bool(params["urls"]):
        raise BadInput(
            "whom_to_ask",
            "Both url and urls are given, or neither.",
            "It has to be known which processes there are.",
            "Give urls, one for each process, or url where they share a port.",
        )
    if params["urls"] and (params["processes"] or len(params["urls"])) != len(params["urls"]):
        raise BadInput(
            "whom_to_ask",
            f"urls has {len(params['urls'])} addresses, and there are {params['processes']} processes.",
            "A process without an address of its own could still serve V2.",
            "Name each one's address (kanban_app_process_urls), or correct their number (kanban_app_processes).",
        )
    urls = [_http.base(url, "One of urls") for url in params["urls"] or []]
    if len(set(urls)) < len(urls) or len(urls) > MOST_URLS:
        raise BadInput(
            "bad_urls",
            f"urls has more than {MOST_URLS} addresses, or one of them twice.",
            "Each stands for one process, and what is counted twice proves nothing.",
            "Give each process's own address once, or url for processes that share a port.",
        )
    return Wish(
        reading,
        urls=urls,
        url=_http.base(params["url"], "url") if params["url"] else None,
        pids=sorted(set(params["pids"] or [])),
        # A moment before the commit, by a clock that was set back meanwhile, counts as the moment of the commit.
        committed_seconds_ago=max(0.0, params["committed_seconds_ago"]),
        headers=_http.check_headers(params["headers"] or {}),
        **{name: params[name] for name in same},
    )


class Probe:
    """Asks processes, with one thread for each URL, or several for a shared port."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._started = time.monotonic()
        self._deadline = Deadline(wish.deadline)
        self._changed = threading.Condition()
        self._over = False
        self._asked = 0
        questions = wish.reading.questions
        self._watched: Apart | Shared
        if wish.url is None:
            self._watched = Apart([_http.shown(url) for url in wish.urls], questions)
            self._addresses = list(wish.urls)
        else:
            self._watched = Shared(_http.shown(wish.url), questions, _count(wish))
            self._addresses = [wish.url] * ASKERS

    def run(self) -> dict[str, Any]:
        """Ask until all is proven or the deadline is over, and return the module's result."""
        threads = [
            # Resolving a name heeds no deadline; such a thread is not waited for.
            threading.Thread(target=self._ask_on, args=(number, url), daemon=True)
            for number, url in enumerate(self._addresses)
        ]
        for thread in threads:
            thread.start()
        with self._changed:
            while not self._done() and not self._deadline.over:
                self._changed.wait(min(_LOOK_SECONDS, self._deadline.left))
            # Questions still under way have a time limit that ends with the deadline.
            result = outcome(self._watched, self._done())
            self._over = True
            self._changed.notify_all()
        until = time.monotonic() + _ENDING_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        took = {"committed_seconds_ago": self._wish.committed_seconds_ago, "elapsed_ms": self._deadline.elapsed_ms}
        reading = self._wish.reading
        result["warnings"] += reading.warnings
        whom = {"tenants_asked": len(reading.tenants), "tenants_named": reading.named}
        return {"changed": False, **result, "asked": self._asked, **whom, **took}

    def _done(self) -> bool:
        if isinstance(self._watched, Shared):
            self._watched.alive = set(_living(self._wish.pids))
        return self._watched.done(self._now)

    @property
    def _now(self) -> float:
        """Seconds since the commit."""
        return self._wish.committed_seconds_ago + time.monotonic() - self._started

    def _ask_on(self, number: int, url: SplitResult) -> None:
        pause = self._wish.interval
        slowest, share = max(SLOWEST_SECONDS, pause), 1.0
        if isinstance(self._watched, Shared):
            # Together they ask as often as if each process were asked at this interval.
            slowest, share = (
                pause * SHARED_SLOWEST,
                len(self._addresses) / (self._watched.count or len(self._addresses)),
            )
        while True:
            with self._changed:
                if self._over:
                    return
                question = self._watched.next_question(number)
                self._asked += 1
            look = self._look(url, question)
            with self._changed:
                if self._over:
                    return
                before = self._watched.confirms_from()
                self._watched.see(number, look)
                if self._watched.confirms_from() != before:
                    self._changed.notify_all()
                # The questions about several tenants are asked one right after the other.
                if question == self._wish.reading.questions[-1]:
                    self._wait(min(_LOOK_SECONDS, pause) if self._watched.at_once(number) else pause * share)
            pause = min(slowest, pause * GROWTH)

    def _wait(self, pause: float) -> None:
        """Wait until it is time for the next look; or less, if the next look can confirm."""
        until = self._now + pause
        while not self._over:
            now, moment = self._now, self._watched.confirms_from()
            due = until if moment is None or moment <= now else min(until, moment)
            if due <= now or (moment is not None and until - pause < moment <= now):
                return
            self._changed.wait(due - now)

    def _look(self, url: SplitResult, question: str | None) -> Look:
        wish, asked = self._wish, self._now
        query = [(wish.reading.tenant_parameter or "", question)] if question is not None else []
        request = _http.Request(
            _http.under(url, wish.path, query), headers=wish.headers, validate_certs=wish.validate_certs
        )
        try:
            reply = _http.ask(request, self._deadline.slice(wish.timeout))
            said = wish.reading.of(reply.status, reply.body, question)
        except _http.NoAnswer as none:
            said = Said(UNKNOWN, None, str(none))
        return Look(asked, self._now, said, question)


def _count(wish: Wish) -> int | None:
    counts = [count for count in (wish.processes, len(wish.pids)) if count]
    return max(counts) if counts else None


def _living(pids: Sequence[int]) -> list[int]:
    """Return the ids that are processes of this host at this moment."""
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
