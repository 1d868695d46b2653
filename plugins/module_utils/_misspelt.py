# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables whose names nothing reads: Ansible ignores them, and so would a run that was to obey them. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Collection, Iterable, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, Part

_PREFIX = "kanban_"
# How alike, from 0 to 1, two names must be, without the prefix that all share. One letter too few or too many scores
# higher; a team's own names mostly score lower.
_ALIKE = 0.85
# What playbooks hand on by set_stats: a job controller gives it to the next job as an extra variable.
HANDED_ON = frozenset(
    f"{_PREFIX}{name}"
    for name in (
        "command",
        "decision",
        "preflight",
        "rehearsed",
        "rehearsed_lately",
        "scenario",
        "severity",
        "status",
        "verdict",
    )
)


def misspelt(given: Iterable[str], extra: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Return the names that are meant for this collection but are none of its own, each with the one that is like it.

    :param given: every name that an inventory sets: a team's own names may begin with ``kanban_`` too, so only those
        that look like one of the collection's count.
    :param extra: names given by ``-e``: every unknown ``kanban_`` name counts, with "" if none is like it.
    :param known: the collection's own names.
    """
    extra = {name for name in extra if name.startswith(_PREFIX)}
    ours = [name[len(_PREFIX) :] for name in known if name.startswith(_PREFIX)]
    found = {}
    for name in sorted({*given, *extra} - {*known} - HANDED_ON):
        meant = get_close_matches(name[len(_PREFIX) :], ours, 1, _ALIKE) if name.startswith(_PREFIX) else []
        if meant or name in extra:
            found[name] = f"{_PREFIX}{meant[0]}" if meant else ""
    return found


def misspelt_lines(found: Mapping[str, str]) -> list[str]:
    """Return a sentence for each name that ``misspelt`` found."""
    nobody = "is no variable of this collection, so nothing reads it"
    return [f"{one_line(name)} {nobody}{f'; is {meant} meant?' if meant else '.'}" for name, meant in found.items()]


def misspelt_parts(found: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the part of a last screen that names them; nothing if every name is known."""
    lines = [f"IGNORED: {line}" for line in misspelt_lines(found)]
    return [Part(NOTHING, "", lines=lines).as_result()] if lines else []
