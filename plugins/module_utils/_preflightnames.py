# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables with a misspelt name or a wrong value: Ansible accepts both until something reads them. Pure."""

from __future__ import annotations

from typing import Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._misspelt import misspelt_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import Item, Seen


def misspelt_items(found: Mapping[str, str]) -> list[Item]:
    """Return an item for each variable that nothing reads, as ``misspelt`` found them."""
    todo = "Correct the name, where the inventory or -e has it, or add it to kanban_other_variables if it is your own."
    return [Item("variables", "", False, False, line, "", todo) for line in misspelt_lines(found)]


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
