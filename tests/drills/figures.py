# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill measured, for its line in the table of rounds: the properties of its case in the JUnit file."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.drills.judge import BOUND, UNDO_SECONDS
from tests.staging.account import Report


@dataclass
class Figures:
    """``off``: seconds from Enter until the flag was off, by stop; ``undone``: seconds of each undo.

    ``back``: seconds for which the flag was on again, and for which it may be.
    """

    off: list[float] = field(default_factory=list)
    undone: list[float] = field(default_factory=list)
    back: list[tuple[float, float]] = field(default_factory=list)
    account: str = ""

    def of(self, report: Report) -> None:
        """Keep what became of what people were told was done."""
        self.account = (
            f"{report.acknowledged} writes acknowledged, {report.checked} last values and {report.messages} messages "
            f"compared, {len(report.missing)} missing, {len(report.lost)} messages lost"
        )

    def properties(self) -> list[tuple[str, str]]:
        """Return them by name, as text."""
        found = {"off": _longest(self.off), "undone": _longest(self.undone), "account": self.account}
        measured = [("off after", seconds, BOUND) for seconds in self.off]
        measured += [("undone after", seconds, UNDO_SECONDS) for seconds in self.undone]
        measured += [("on again for", seconds, bound) for seconds, bound in self.back]
        found["beyond"] = "; ".join(
            f"{what} {seconds:.1f} s, {bound:.0f} s where nothing else loads the machine"
            for what, seconds, bound in measured
            if seconds > bound
        )
        return [(name, value) for name, value in found.items() if value]


def _longest(seconds: list[float]) -> str:
    return f"{max(seconds):.1f} s at most, {len(seconds)} times" if seconds else ""
