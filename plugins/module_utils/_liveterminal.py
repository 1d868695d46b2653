# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal of the live view: its width, and a last line that is redrawn each second. No Ansible."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable

# How often what is under way is drawn on a terminal, and how rarely it gets a line of its own elsewhere.
REDRAWN_SECONDS, SELDOM_SECONDS = 1.0, 15.0


class Terminal:
    """Where a run is shown. As a context manager, it is held for lines that stay: nothing is drawn meanwhile.

    A thread draws the last line, because no event comes from a task that takes long. It writes to the descriptor and
    holds no lock that a forked process could wait for.
    """

    def __init__(self, status: Callable[[float], str], descriptor: int = 1) -> None:
        """Take the function that returns the last line at a moment; if that is empty, none is drawn."""
        self._status, self._descriptor = status, descriptor
        self._lock = threading.RLock()
        self._drawn, self._over = 0, threading.Event()
        self._said_at = time.monotonic()
        self.is_live = self._is_terminal() and _draws(os.environ)

    def __enter__(self) -> None:
        self._lock.acquire()
        self._wipe()

    def __exit__(self, *_error: Any) -> None:
        self._lock.release()

    @property
    def width(self) -> int | None:
        """Letters in a line; None if lines have no limit, as in a file."""
        if not self._is_terminal():
            return None
        try:
            return max(20, os.get_terminal_size(self._descriptor).columns or 80)
        except OSError:
            return 80

    def begin(self) -> None:
        """Begin to draw what is under way, if there is a terminal."""
        self._over.clear()
        if self.is_live:
            threading.Thread(target=self._draw_on, name="kanban live view", daemon=True).start()

    def end(self) -> None:
        """Stop drawing."""
        self._over.set()

    def said(self) -> None:
        """Note that a line was shown, so that the next one about what is slow can wait."""
        self._said_at = time.monotonic()

    def is_due(self) -> bool:
        """Return whether a line about what is slow is due: rarely, and never where it is drawn."""
        return not self.is_live and time.monotonic() - self._said_at >= SELDOM_SECONDS

    def _draw_on(self) -> None:
        while not self._over.wait(REDRAWN_SECONDS):
            with self._lock:
                if not self._over.is_set():
                    self._draw()

    def _draw(self) -> None:
        width = (self.width or 80) - 1
        shown = self._status(time.time())[:width]
        if shown or self._drawn:
            # The cursor stays at the beginning, so that other output does not continue after this.
            self._write(f"\r{shown.ljust(self._drawn)}\r")
        self._drawn = len(shown)

    def _wipe(self) -> None:
        if self._drawn:
            self._write(f"\r{' ' * self._drawn}\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        try:
            os.write(self._descriptor, text.encode("utf-8", "replace"))
        except OSError:
            # The terminal is gone; the run goes on.
            self._over.set()

    def _is_terminal(self) -> bool:
        try:
            return os.isatty(self._descriptor)
        except OSError:
            return False


def _draws(environment: Any) -> bool:
    """Return whether lines may be drawn over: not where a terminal is only simulated, as by AWX and in CI."""
    dumb = environment.get("TERM", "") in ("", "dumb", "unknown")
    return not dumb and not environment.get("CI") and not environment.get("JOB_ID")
