# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading facts of which any may be missing or odd, and putting them into words. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

Facts = Mapping[str, Any]
# The plan's own limits, as `Limits` names them.
TRIES, PLACES, SHARE = 3, 2, 0.5
SHOWN = 5  # Metrics, checks and hosts named per line; the number given with them is complete.


@dataclass(frozen=True)
class Limits:
    """The limits from which an answer counts: tries and places until nobody is at home, and the share of tenants."""

    tries: int
    places: int
    share: float


def part(facts: Any, name: Any) -> Facts:
    """Return a map inside of a map; an empty one for anything else."""
    found = facts.get(name) if isinstance(facts, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def names_of(given: Any) -> list[Any]:
    """Return the names of a list; none for anything else."""
    return list(given) if isinstance(given, (list, tuple)) else []


def number_of(given: Any) -> float | None:
    """Return a finite number that is not negative; numeric text counts, because templates turn everything into text."""
    if isinstance(given, bool):
        return None
    try:
        value = float(given)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < float("inf") else None


def limit_of(variable: str, given: Any, plan: float) -> tuple[float, list[str]]:
    """Return a limit of the profile, and what to say about it: if it is not a number, the plan's own counts."""
    value = number_of(given)
    if value is not None:
        return value, []
    return plan, [f"{variable} is {one_line(given)}, which is no number: the plan's {plan:g} counts"]


def count_of(given: Any) -> int:
    """Return how many a list or a number stands for; 0 for anything else."""
    return len(given) if isinstance(given, (list, tuple)) else int(number_of(given) or 0)


def which(given: Any) -> str:
    """Return the first names of a list in brackets; nothing for a number."""
    names = [one_line(name) for name in names_of(given)]
    return f" ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})" if names else ""


def is_true(given: Any) -> bool:
    """Return whether something is true; templates turn everything into text."""
    return given is True or str(given).lower() in ("true", "yes", "1")


def several(number: int, word: str) -> str:
    """Return ``1 host`` or ``2 hosts``."""
    return f"{number} {word}" + ("" if number == 1 else "s")
