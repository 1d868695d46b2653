# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See from a second connection when a commit has happened, by asking every 20 ms in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, cursor

from .entry import CannotMeasure

EVERY_SECONDS = 0.02
# Asked on one snapshot; returns the moment at which it was seen, or None if not yet.
Question = Callable[[cursor], float | None]


class Watch:
    """``seen_at`` is when it was first seen, by ``time.monotonic``; None until then."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.seen_at: float | None = None
        self.error: Exception | None = None
        self.ended = threading.Event()

    def since(self, started: float) -> float:
        """Return the seconds from ``started`` until it was seen. Raises CannotMeasure if it never was."""
        if self.error:
            raise CannotMeasure(f"the second connection broke: {self.error}")
        if self.seen_at is None:
            raise CannotMeasure("what should have been committed was not seen from the second connection")
        return self.seen_at - started


@contextmanager
def watching(dsn: str, question: Question, *, timeout: float = 300) -> Iterator[Watch]:
    """Ask on a separate connection until it is seen, the block is left, or ``timeout`` seconds have passed."""
    watch = Watch()
    session = psycopg2.connect(dsn)
    session.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    give_up_at = time.monotonic() + timeout

    def ask() -> None:
        try:
            while watch.seen_at is None and not watch.ended.is_set() and time.monotonic() < give_up_at:
                with session, session.cursor() as cur:
                    watch.seen_at = question(cur)
                watch.ended.wait(EVERY_SECONDS)
        except psycopg2.Error as error:
            watch.error = error

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        # One last look: a commit just before the end of what was watched still counts.
        time.sleep(3 * EVERY_SECONDS)
        watch.ended.set()
        thread.join(30)
        session.close()
