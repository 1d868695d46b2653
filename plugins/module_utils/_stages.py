# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tenants belong to which stage of the return. Pure: neither Ansible nor a driver.

The tenants that had the feature are ordered by their ids, and a stage is a slice of that order: beyond one share of
them and up to another, in per cent. The order includes all of them, put back or not, so a stage that is continued
stays the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Iterable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

WHOLE = 100.0


@dataclass(frozen=True)
class Stage:
    """The ``tenants`` of this stage, of ``had_it`` in all, after ``before`` of earlier stages."""

    had_it: int
    before: int
    tenants: list[str]

    def as_result(self) -> dict[str, int]:
        """Return the module's ``stage`` result: only figures, because there may be hundreds of thousands of tenants."""
        return {"had_it": self.had_it, "before": self.before, "tenants": len(self.tenants)}


def upto(had_it: int, share: float) -> int:
    """Return how many are in the stages up to a share, in per cent: rounded up, so the first is never empty."""
    # The product of two floats may lie a hair above a whole number.
    return min(had_it, math.ceil(round(had_it * share / WHOLE, 6)))


def stage_of(
    tenants: Iterable[str], share: float, above: float = 0.0, first: str | None = None, numbers: bool = False
) -> Stage:
    """Return the stage beyond one share and up to another.

    :param tenants: all that had the feature, each once, in any order.
    :param first: the tenant that comes before all others, if it had the feature.
    :param numbers: whether the ids are numbers, and not text: 9 before 10.
    """
    ordered = in_order(tenants, first, numbers)
    before = upto(len(ordered), above)
    return Stage(len(ordered), before, ordered[before : upto(len(ordered), share)])


def in_order(tenants: Iterable[str], first: str | None = None, numbers: bool = False) -> list[str]:
    """Return tenants in the order of the stages.

    Text is ordered by code points: a collation's order may change with the server's library, between two stages. None,
    the row without a tenant, comes last.
    """
    wanted = (first or "").strip().lower()
    key: Any = Decimal if numbers else str
    return sorted(tenants, key=lambda tenant: (tenant is None, (tenant or "").lower() != wanted, key(tenant or 0)))


def shares_from(given: Any) -> list[float]:
    """Return ``kanban_stages`` as numbers; raises BadInput for what would leave a tenant out."""
    try:
        shares = [float(share) for share in given]
    except (TypeError, ValueError):
        shares = []
    rising = all(low < high for low, high in zip([0.0, *shares], shares))
    if not shares or not rising or shares[-1] != WHOLE:
        raise BadInput(
            "bad_stages",
            f"kanban_stages is {given}, and has to be rising per cent of those that had it, of which the last is 100.",
            "Else somebody would be in two stages, or in none and never get it back. Nothing was changed.",
            "For instance [10, 50, 100], the default.",
        )
    return shares


def check_share(share: float | None, above: float, state: str, withdrawn: bool) -> None:
    """Refuse options of ``feature_flag`` that name no stage; raises BadInput."""
    wrong = ""
    if share is not None and not 0 <= above < share <= WHOLE:
        wrong = f"share is {share:g} and share_above {above:g}; it takes 0 <= share_above < share <= 100."
    elif share is not None and state not in ("restored", "disabled"):
        wrong = f"share is given with state {state}, and goes with restored and disabled."
    elif withdrawn and state != "disabled":
        wrong = f"withdrawn is given with state {state}, and goes with disabled."
    if wrong:
        raise BadInput(
            "bad_share",
            wrong,
            "Nobody knows which tenants are meant. Nothing was changed.",
            "Leave it out, or correct it.",
        )
