# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a metric may be: from an option of the modules to a threshold. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

GROWTHS = ("percent", "per_minute")
POLICIES = ("no_data", "degraded", "ignore")


@dataclass(frozen=True)
class Threshold:
    """What a metric may be; the fields are the keys of a value in ``thresholds``."""

    max: float | None = None
    min: float | None = None
    critical: float | None = None
    unit: str = ""
    consecutive: int = 3
    no_data: str = "no_data"
    growth: str | None = None
    least: int = 6

    def breaks(self, value: float) -> bool:
        """Tell whether a value is beyond the threshold."""
        return (self.max is not None and value > self.max) or (self.min is not None and value < self.min)

    def is_critical(self, value: float) -> bool:
        """Tell whether a value is so far beyond the threshold that one is enough."""
        if self.critical is None:
            return False
        return value > self.critical if self.max is not None else value < self.critical

    def as_result(self) -> dict[str, Any]:
        """Return the threshold as a result shows it."""
        return {name: value for name, value in vars(self).items() if value not in (None, "")}


def threshold_from(metric: str, given: Any) -> Threshold:
    """Return the threshold that a map describes; raises BadInput."""
    names = set(Threshold.__dataclass_fields__)
    try:
        made = Threshold(
            **{name: _limit(given.get(name)) for name in ("max", "min", "critical")},
            unit=str(given.get("unit") or ""),
            consecutive=int(given.get("consecutive", 3)),
            no_data=given.get("no_data", "no_data"),
            growth=given.get("growth") or None,
            least=int(given.get("least", 6)),
        )
        wrong = _complaint(made) or (f"unknown: {sorted(set(given) - names)}" if set(given) - names else "")
    except (AttributeError, TypeError, ValueError):
        wrong = "a value has the wrong type"
    if wrong:
        raise BadInput(
            "bad_threshold",
            f"The threshold of metric {metric!r} cannot be used: {wrong}.",
            "What is good and what is bad would be a guess. Nothing was judged.",
            f"Its keys are {', '.join(sorted(names))}; see the documentation of metric_gate.",
        )
    return made


def _limit(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise ValueError(value)
    return float(value)


def _complaint(made: Threshold) -> str:
    if made.max is None and made.min is None:
        return "it has neither max nor min"
    if made.critical is not None and (made.max is None) == (made.min is None):
        return "critical needs either max or min"
    if made.critical is not None and not made.breaks(made.critical) and made.critical not in (made.max, made.min):
        return "critical is on the good side of it"
    if made.consecutive < 1 or made.least < 2:
        return "consecutive is at least 1, least at least 2"
    if made.no_data not in POLICIES:
        return f"no_data is one of {', '.join(POLICIES)}"
    return "" if made.growth in (None, *GROWTHS) else f"growth is one of {', '.join(GROWTHS)}"
