# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables with a misspelt name or a wrong value: Ansible accepts both until something reads them. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Collection, Iterable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import Item, Seen

_PREFIX = "kanban_"
# How alike, from 0 to 1, two names must be, without the prefix that all share. One letter too few or too many scores
# higher; a team's own names mostly score lower.
_ALIKE = 0.85


def misspelt_items(given: Iterable[str], known: Collection[str]) -> list[Item]:
    """Return the variables that are not the profile's but look like one of its own.

    :param given: every name that an inventory or ``-e`` sets; ``known``: the profile's.
    """
    names = [name[len(_PREFIX) :] for name in known if name.startswith(_PREFIX)]
    found = []
    for name in sorted(set(given) - set(known)):
        meant = get_close_matches(name[len(_PREFIX) :], names, 1, _ALIKE) if name.startswith(_PREFIX) else []
        if meant:
            what = f"{one_line(name)} is no variable of the profile; {_PREFIX}{meant[0]} is."
            why = "Nothing reads it, so what it was to say does not hold."
            todo = "Correct the name, where the inventory or -e has it."
            found.append(Item("variables", "", False, False, what, why, todo))
    return found


def wrong_items(hosts: Sequence[Seen]) -> list[Item]:
    """Return Ansible's complaints about values that the profile does not allow, each once, with the hosts concerned."""
    whose: dict[str, list[str]] = {}
    for host in hosts:
        for complaint in host.answers.get("wrong") or []:
            whose.setdefault(one_line(complaint), []).append(host.name)
    why = "The step that reads it would fail, and the stop may be one of them."
    todo = "Correct the value, where the inventory or -e has it."
    return [
        Item("values", ", ".join(names), False, True, f"A variable has a wrong value: {complaint}.", why, todo)
        for complaint, names in whose.items()
    ]
