# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a scenario, from molecule's output: how long each takes, which one failed, and which is late. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Seconds for each stage, several times what it takes on two idle cores. The image of the hosts may have to be made.
LIMITS = {"create": 1200, "prepare": 400, "converge": 900, "verify": 300, "side_effect": 900}
_OTHER_SECONDS = 180
_BEGINS = re.compile(r"\[\w+ > (\w+)\] Executing$")
_FAILS = re.compile(r"\[\w+ > (\w+)\] .*Executed: Failed")
# What pytest and Ansible print about a failure. A play may go on after one: the last before the stage failed counts.
_REASON = re.compile(r"(?:(?:FAILED|ERROR) (?=\S+::)|\[ERROR\]: )(.*)")
_REASON_LENGTH = 300
_BEFORE = "start"


class Stages:
    """The clock of a scenario; ``now`` is in seconds since it began.

    ``ended``: name and seconds of each stage that is over. ``failed``: the first that failed; empty while none has.
    ``reason``: the last that was printed about that, cut; may be empty.
    """

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        self.ended: list[tuple[str, float]] = []
        self.failed = self.reason = ""
        self._limits = LIMITS if limits is None else limits
        self._name, self._began, self._rest = _BEFORE, 0.0, ""

    def read(self, text: str, now: float) -> None:
        """Take the output since the last call; a line may come in pieces."""
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            if found := _BEGINS.search(line):
                self.end(now)
                self._name, self._began = found[1], now
                if not self.failed:
                    self.reason = ""
            elif not self.failed:
                self._judge(line)

    def _judge(self, line: str) -> None:
        """Note whether the stage failed, and why."""
        if found := _REASON.match(line):
            self.reason = found[1][:_REASON_LENGTH]
        elif found := _FAILS.search(line):
            self.failed = found[1]

    def end(self, now: float) -> None:
        """End the current stage."""
        if self._name != _BEFORE:
            self.ended.append((self._name, now - self._began))

    def late(self, now: float) -> str:
        """Say which stage has exceeded its time; empty while none has."""
        limit = self._limits.get(self._name, _OTHER_SECONDS)
        return f"{self._name} was not done after {limit:g} s" if now - self._began > limit else ""
