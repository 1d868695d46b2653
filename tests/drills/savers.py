# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who keep saving another of their company's settings, in the very row and document that the flag is in."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.rehearsal.boards import logged_in
from tests.rehearsal.estate import Estate
from tests.staging.local import ask

# Each save adds a key of its own, so that one which others followed can still be missed.
KEY = "saved"
_THREADS = 4
_PAUSE_SECONDS = 0.1
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Save:
    """A save that was acknowledged. ``at``: monotonic seconds at which it was; ``took``: seconds."""

    company: int
    key: str
    at: float
    took: float


class Savers:
    """They save from ``with Savers(...) as savers`` to its end, several at a time, each company by one of them.

    ``failed``: what was not acknowledged, in words; nobody may be refused, because settings are neither fenced nor
    blocked.
    """

    def __init__(self, estate: Estate, companies: Sequence[int]) -> None:
        self.saves: list[Save] = []
        self.failed: list[str] = []
        self._urls = estate.application.urls
        self._tokens = {company: logged_in(estate, self._urls[0], company) for company in companies}
        self._ends = threading.Event()
        parts = [companies[number::_THREADS] for number in range(_THREADS)]
        self._threads = [threading.Thread(target=self._run, args=[part], name="savers") for part in parts]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; what was sent is still answered."""
        self._ends.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_SECONDS)

    def _run(self, companies: Sequence[int]) -> None:
        for number, company in enumerate(itertools.cycle(companies)):
            if self._ends.wait(_PAUSE_SECONDS):
                return
            self._save(company, f"{KEY} {number}", self._urls[number % len(self._urls)])

    def _save(self, company: int, key: str, url: str) -> None:
        began = time.monotonic()
        token = self._tokens[company]
        try:
            status, answer = ask(f"{url}/settings", {key: True}, method="PUT", token=token, timeout=_TIMEOUT_SECONDS)
        except OSError as error:
            self.failed.append(f"{company} at {url}: {error}")
            return
        at = time.monotonic()
        if status == 200:
            self.saves.append(Save(company, key, at, at - began))
        else:
            self.failed.append(f"{company} at {url}: {status} {answer}")
