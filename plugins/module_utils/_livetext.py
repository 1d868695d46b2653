# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the live view: clocks, hosts, headings, and how they are folded. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import textwrap
from datetime import datetime, timezone
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean, visible

# What a line is, for the code that colours it. A good run has no BAD one.
PLAIN, HEADING, GOOD, ODD, BAD = "plain", "heading", "good", "odd", "bad"
LONGEST = 1000
# Fields of a result that hold a file: of modules that carry files from disk to ledger and back, and of slurp.
_FILES, _LONGEST_TEXT = ("text", "content", "words"), 200
_HOSTS_NAMED = 3
_LABEL = 13
# Marks of a screen's lines that are there to be copied; a line end within one would be typed as Enter.
_TO_COPY = ("ansible-playbook ", "SELECT ", "COMMIT PREPARED", "ACL SETUSER", "GRANT ", '{"')

# What each playbook is for, in the plan's words.
PURPOSES: Mapping[str, str] = {
    "alert": "what an alert may set off",
    "bootstrap": "set up, or take away, what the hosts need",
    "preflight": "is everything there? It changes nothing",
    "reenable": "V2 back on",
    "rehearse": "a scenario tried on staging, timed, and all put back",
    "release": "people may write again, on V1",
    "report": "the record of incidents, and what is over",
    "scenario1": "P0, the Kanban is unusable: V2 off for everybody",
    "scenario2": "P1, it suffers: V2 off for those who suffer most",
    "scenario3": "P0 CRITICAL, data is lost or corrupted: the IMMEDIATE STOP",
    "triage": "which scenario is it?",
}
# The objective of each playbook, and the last play that its clock counts for, by the number in its heading.
OBJECTIVES: Mapping[str, tuple[str, int]] = {
    "reenable": ("misfire", 4),
    "scenario1": ("scenario1", 6),
    "scenario2": ("scenario2", 7),
    "scenario3": ("scenario3", 2),
}


# How a run ended that did not end well, by its roles' verdict; a screen above says more.
ENDS: Mapping[str, str] = {
    "degraded": "DEGRADED: not all of it holds, or not everywhere",
    "failed": "FAILED",
    "raised_again": "NOT RELEASED: writes are refused again",
    "refused": "REFUSED",
}


class Line(NamedTuple):
    """One line, and what it is. ``hang``: the indent of its continuation lines; None if it is not folded."""

    text: str
    kind: str = PLAIN
    hang: int | None = 0


def clock(seconds: float) -> str:
    """Return a time as ``00:04``; from an hour on as ``1:00:04``."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{f'{hours}:' if hours else ''}{rest // 60:02}:{rest % 60:02}"


def against(seconds: float, objective: float | None) -> str:
    """Return a clock against its objective: ``00:04 / 02:00``."""
    if objective is None:
        return clock(seconds)
    return f"{clock(seconds)} / {clock(objective)}{' OVER' if seconds > objective else ''}"


def moment(at: float) -> str:
    """Return the time of day, local and in UTC."""
    utc = datetime.fromtimestamp(at, timezone.utc)
    return f"{utc.astimezone():%H:%M:%S} local, {utc:%H:%M:%S} UTC"


def hosts(names: Sequence[str]) -> str:
    """Return some of the names, and how many more there are."""
    shown = ", ".join(clean(name, 60) for name in names[:_HOSTS_NAMED]) or "NONE"
    return shown if len(names) <= _HOSTS_NAMED else f"{shown} and {len(names) - _HOSTS_NAMED:,} more"


def fact(label: str, text: str, kind: str = PLAIN) -> Line:
    """Return one fact of the first lines."""
    return Line(f"{label:<{_LABEL}}{clean(text, LONGEST)}", kind, _LABEL)


def step(seconds: float, name: str, names: Sequence[str], told: str, kind: str = PLAIN) -> Line:
    """Return one step as it ended: when, what, where, and with what outcome."""
    shown = f": {clean(told, LONGEST)}" if told else ""
    return Line(f"{clock(seconds)}  {clean(name, 200)} [{hosts(names)}]{shown}", kind, len(clock(seconds)) + 2)


def screen(message: Any) -> list[Line]:
    """Return all lines of a screen, which is a list or a text of several lines."""
    texts = message if isinstance(message, (list, tuple)) else str(message).rstrip("\n").split("\n")
    lines = [visible(str(text).expandtabs().rstrip()) for text in texts]
    return [Line(line, PLAIN, None if any(mark in line for mark in _TO_COPY) else _indent(line) + 2) for line in lines]


def is_screen(message: Any) -> bool:
    """Return whether a message has several lines."""
    return isinstance(message, (list, tuple)) or "\n" in str(message).strip()


def folded(line: Line, width: int | None) -> str:
    """Return a line folded between words to a terminal's width; None means a place without a width, such as a file."""
    if width is None or line.hang is None or len(line.text) <= width:
        return line.text
    hang = line.hang if line.hang <= width // 3 else 2
    own = _indent(line.text) if line.text.strip() else 0
    body = textwrap.wrap(
        line.text[own:],
        max(20, width),
        initial_indent=" " * own,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(body)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def without_files(result: Any, within: bool = False) -> Any:
    """Return a task's result as it is shown with -v to -vvv: of a file only its length. A failure stays whole.

    :param within: whether this is, judging by the name of its field, a file's content or a part of it.
    """
    if isinstance(result, Mapping):
        if result.get("failed") or result.get("unreachable"):
            return result
        return {name: without_files(one, within or name in _FILES) for name, one in result.items()}
    if isinstance(result, (list, tuple)):
        return [without_files(one, within) for one in result]
    if within and isinstance(result, str) and len(result) > _LONGEST_TEXT:
        return f"({len(result):,} characters, shown with -vvvv)"
    return result
