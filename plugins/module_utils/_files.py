# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of an incident that only a controller's disk has, and that its ledger keeps for a later run elsewhere. Pure.

Journals, plans and investigations: what a run writes and nobody edits. They name people, so retention removes them,
which never happens to an event of the ledger's chain; what people write is a document (``_documents``).
"""

from __future__ import annotations

import re
from typing import Any, Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import not_kept, readable

# Most characters of a file, journals of an incident, other files of an incident, and characters in one answer. Journals
# are counted apart from other files, so that a plan awaiting approval has room after any number of runs.
LONGEST, MOST, MOST_OTHERS, MOST_AT_ONCE = 4194304, 400, 100, 16777216
JOURNAL = "journal-"
_NAME = re.compile(
    r"(?:journal-[A-Za-z0-9._-]{1,200}\.jsonl|plan-[0-9a-f]{16}\.json|comparison(?:-[0-9a-f]{16})?\.json"
    r"|investigation-[A-Za-z0-9._-]{1,200}\.(?:json|md))"
)


def is_file(name: Any) -> bool:
    """Tell whether this is the name of such a file, and never one that leads elsewhere."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def is_journal(name: str) -> bool:
    """Tell whether a file only grows, line by line: of two texts, the one that continues the other is newer."""
    return name.startswith(JOURNAL)


def wanted(given: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return files to keep, the last of each name; raises BadInput for a wrong name or a text that is too long."""
    found = {}
    for one in given:
        name, text = str(one["name"]), readable(str(one["text"]))
        if not is_file(name):
            raise not_kept(
                "bad_name", f"{name[:60]!r} is no name of a file that is kept", "Give for instance a journal's"
            )
        if len(text) > LONGEST:
            raise not_kept(
                "too_long", f"{name} has {len(text):,} characters, and {LONGEST:,} are kept", "Make it shorter"
            )
        found[name] = {"name": name, "text": text}
    return list(found.values())


def with_room(there: Collection[str], given: Sequence[Mapping[str, str]]) -> tuple[list[Mapping[str, str]], list[str]]:
    """Return the files that an incident has room for in addition to those already there, and the names of the
    others."""
    room = {True: MOST, False: MOST_OTHERS}
    for name in there:
        room[is_journal(name)] -= 1
    taken, full = [], []
    for one in given:
        new = one["name"] not in there
        if new and room[is_journal(one["name"])] < 1:
            full.append(one["name"])
            continue
        room[is_journal(one["name"])] -= int(new)
        taken.append(one)
    return taken, full


def bounded(name: str, text: str, longest: int = LONGEST) -> str | None:
    """Return a file as it can be kept: a journal up to a line's end, where its chain is still intact; None if it
    cannot."""
    if len(text) <= longest:
        return text
    return text[: text.rfind("\n", 0, longest) + 1] or None if is_journal(name) else None


def goes_on(before: str, text: str) -> bool:
    """Tell whether a journal's text is the earlier one with more lines."""
    return len(text) > len(before) and text.startswith(before)


def newest(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the newest text of each name that several ledgers gave, the longest of a journal; skip anything else."""
    texts: dict[str, tuple[int, str, str]] = {}
    for one in found:
        name, text = one.get("name"), one.get("text")
        if not is_file(name) or not isinstance(text, str):
            continue
        rank = (len(text) if is_journal(str(name)) else 0, str(one.get("at") or ""), text)
        texts[str(name)] = max(rank, texts.get(str(name), rank))
    return {name: text for name, (_length, _at, text) in texts.items()}
