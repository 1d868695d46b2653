# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a terminal, on a real one."""

from __future__ import annotations

import os
import pty
import select
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _liveterminal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._liveterminal import Terminal


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Yield a terminal to draw on, redrawn soon: the side that reads, and the one that writes."""
    monkeypatch.setattr(_liveterminal, "REDRAWN_SECONDS", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read(descriptor: int) -> bytes:
    """Return what there is to read, within two seconds."""
    assert select.select([descriptor], [], [], 2)[0], "nothing was written"
    return os.read(descriptor, 1000)


def test_what_is_under_way_is_drawn_over_and_wiped_for_a_line_that_stays(descriptors: tuple[int, int]) -> None:
    ours, theirs = descriptors
    shown = ["for 00:12"]
    terminal = Terminal(lambda _at: shown[0], theirs)
    assert (terminal.is_live, terminal.is_due()) == (True, False)
    terminal.begin()
    assert read(ours) == b"\rfor 00:12\r"
    with terminal:
        assert read(ours).endswith(b"\r         \r")
        # Held: nothing is drawn meanwhile.
        os.write(theirs, b"stays")
        time.sleep(0.1)
        assert read(ours) == b"stays"
        shown[0] = ""
    terminal.end()
    names = [thread for thread in threading.enumerate() if thread.name == "kanban live view"]
    for thread in names:
        thread.join(2)
        assert not thread.is_alive()


def test_a_line_is_cut_at_the_width(descriptors: tuple[int, int]) -> None:
    _ours, theirs = descriptors
    terminal = Terminal(lambda _at: "x" * 300, theirs)
    assert terminal.width == 80
    terminal._draw()
    assert terminal._drawn == 79


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("CI", "true"), ("JOB_ID", "7")])
def test_nothing_is_drawn_where_a_terminal_is_only_played(
    descriptors: tuple[int, int], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert not Terminal(lambda _at: "", descriptors[1]).is_live


def test_a_file_gets_whole_lines_and_seldom_one_about_what_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    try:
        terminal = Terminal(lambda _at: "slow", writing)
        assert (terminal.is_live, terminal.width, terminal.is_due()) == (False, None, False)
        monkeypatch.setattr(_liveterminal, "SELDOM_SECONDS", 0.0)
        assert terminal.is_due()
    finally:
        os.close(reading)
        os.close(writing)
    # Gone: neither an error nor a terminal.
    assert terminal.width is None
    terminal._write("x")
