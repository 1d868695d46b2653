# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that name variables which nothing reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Iterable

from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._misspelt import (
    misspelt,
    misspelt_lines,
    misspelt_parts,
)

_SPECS = Path(__file__).parents[2] / "roles" / "profile" / "meta" / "argument_specs.yml"


def known_variables() -> set[str]:
    """Return the names of the collection's variables; reading the specification as YAML would take half a second."""
    return set(re.findall(r"^ {6}(kanban_\w+):", _SPECS.read_text(encoding="utf-8"), re.MULTILINE))


def misspelt_variables(names: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return the names among these and those of ``-e`` that nothing reads, as ``misspelt`` does, and warn of each."""
    found = misspelt({*names} - {*others}, {*load_extra_vars(DataLoader())} - {*others}, known_variables())
    for line in misspelt_lines(found):
        Display().warning(line)
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "misspelt_variables": misspelt_variables,
            "misspelt_lines": misspelt_lines,
            "misspelt_parts": misspelt_parts,
        }
