# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command on a terminal of its own, and what a person reads there: a small part of a terminal, in Python."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.documents.started import note
from tools import costs

_SGR = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass(frozen=True)
class Shown:
    """What came out of a terminal: the letters as they were sent, and the exit status."""

    rc: int
    sent: str

    @property
    def colors(self) -> set[str]:
        """The colours that were used, as the parameters of the sequences that set them."""
        return set(_SGR.findall(self.sent))

    @property
    def sequences(self) -> list[str]:
        """Escape sequences that set no colour."""
        return re.findall(r"\x1b.{0,5}", _SGR.sub("", self.sent))

    @property
    def lines(self) -> list[str]:
        """The lines in the end: a carriage return goes back, and what follows is written over the line."""
        found = []
        for line in _SGR.sub("", self.sent).replace("\r\n", "\n").split("\n"):
            letters: list[str] = []
            for part in line.split("\r"):
                letters[: len(part)] = part
            found.append("".join(letters).rstrip())
        return found

    @property
    def drawn(self) -> list[str]:
        """What was drawn over: texts between two carriage returns."""
        found = _SGR.sub("", self.sent).replace("\r\n", "\n")
        return [text.strip() for line in found.split("\n") for text in line.split("\r")[:-1] if text.strip()]


def run(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str], *, columns: int = 80, timeout: float = 120
) -> Shown:
    """Run a command to its end on a terminal of this width; one that exceeds ``timeout`` is killed and fails."""
    note(argv, cwd)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        argv, cwd=cwd, env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    began, sent = time.monotonic(), b""
    deadline = began + timeout
    try:
        while True:
            assert time.monotonic() < deadline, f"not done after {timeout:g} s:\n{sent.decode(errors='replace')}"
            if not select.select([ours], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                read = os.read(ours, 65536)
            except OSError:
                # The last process that had it open has closed it.
                break
            if not read:
                break
            sent += read
        shown = Shown(process.wait(10), sent.decode("utf-8", "replace"))
        costs.note_playbooks(shown.sent, time.monotonic() - began)
        return shown
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        os.close(ours)
