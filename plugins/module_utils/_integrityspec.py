# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a data check, defined once for all modules with checks. Pure: neither Ansible nor a driver.

The documentation fragment ``integrity_checks`` describes them.
"""

from __future__ import annotations

from typing import Any

SEVERITIES = ("critical", "high", "low")
KIND_NAMES = (
    "cardless_ticket",
    "cross_tenant",
    "duplicate",
    "invalid_reference",
    "mass_delete",
    "missing_since",
    "null_reference",
    "ordering",
    "orphan",
    "sql",
    "timeline",
    "two_lanes",
)
DEPARTURES = ("either", "fewer", "more")
REPAIRS = ("delete", "none", "renumber", "set_null", "set_value")

_REFERENCES: dict[str, Any] = {
    "table": {"type": "str", "required": True},
    "column": {"type": "str", "required": True},
    "tenant": {"type": "str"},
}
_LANES: dict[str, Any] = {
    **_REFERENCES,
    "mark": {"type": "str"},
    "mark_value": {"type": "str", "default": "1"},
    "through": {"type": "str"},
}
_AGAINST: dict[str, Any] = {
    "manifest": {"type": "path"},
    "rows": {"type": "int"},
    "at": {"type": "str"},
    "ids": {"type": "list", "elements": "str"},
}
_REPAIR: dict[str, Any] = {
    "action": {"type": "str", "choices": list(REPAIRS)},
    "value": {"type": "str"},
    "order_by": {"type": "str"},
}
CHECK: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "required": True, "choices": list(KIND_NAMES)},
    "severity": {"type": "str", "choices": list(SEVERITIES), "default": "critical"},
    "table": {"type": "str"},
    "unless": {"type": "str"},
    "column": {"type": "str"},
    "columns": {"type": "list", "elements": "str"},
    "references": {"type": "dict", "options": _REFERENCES},
    "other_column": {"type": "str"},
    "other_references": {"type": "dict", "options": _REFERENCES},
    "tenant": {"type": "str"},
    "null_is": {"type": "str", "choices": ["orphan", "ignored"], "default": "orphan"},
    "position": {"type": "str"},
    "lane": {"type": "list", "elements": "str"},
    "gaps": {"type": "str", "choices": ["corrupt", "ignored"], "default": "corrupt"},
    "lanes": {"type": "dict", "options": _LANES},
    "share": {"type": "float", "default": 0.95},
    "time": {"type": "str"},
    "time_zone": {"type": "str", "default": "UTC"},
    "window_hours": {"type": "int", "default": 24},
    "baseline_days": {"type": "int", "default": 28},
    "threshold": {"type": "float", "default": 5},
    "departure": {"type": "str", "choices": list(DEPARTURES)},
    "against": {"type": "dict", "options": _AGAINST},
    "query": {"type": "str"},
    "tolerate": {"type": "int", "default": 0},
    "repair": {"type": "dict", "options": _REPAIR},
}


def checks_spec() -> dict[str, Any]:
    """Return the option ``checks``."""
    return {"checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK}}
