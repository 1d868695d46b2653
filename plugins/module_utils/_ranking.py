# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ranking is asked for, what it tells, and which part of it is frozen. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankmatch import Match, match_for

# The event in the incident's chain that freezes a list.
FROZEN = "ranking frozen"
# Every tenant of a list is shown, switched and recorded; with more tenants a rollback is not selective any more.
MOST = 1000
LONGEST_WINDOW = 366 * 86400
# If the application's clock is right, an error's date and its arrival differ by less than this.
ON_THE_WAY_SECONDS = 5.0
# A table up to this size is read whole in a tenth of a second.
BIG_BYTES = 32 * 1024 * 1024

# Figures that say how bad it is; frozen with the list, so that what a decision was based on can be read again.
FIGURES = (
    "affected_count",
    "affected_on_count",
    "on_count",
    "total",
    "share",
    "users_count",
    "errors_total",
    "errors_without_tenant",
    "unknown_count",
    "window",
    "more_than",
    "top",
    "since",
)
_OF_TENANT = ("tenant", "name", "errors", "first_at", "last_at", "mean_seconds_between")
# Which columns of the map ``columns`` each table needs.
NEEDED = {
    "error_logs": ("company", "context", "created_at"),
    "companies": ("id", "name"),
    "users": ("company",),
}


@dataclass(frozen=True)
class RankRequest:
    """What is asked; the fields are the options of ``affected_tenants_info``."""

    flag: Flag
    error_logs: str
    columns: Mapping[str, Mapping[str, str]]
    companies: str | None = None
    users: str | None = None
    users_query: str | None = None
    window: float = 3600.0
    more_than: int = 10
    top: int = 20
    contains: str = ""
    ignore_case: bool = True
    naive_timezone: str = "UTC"
    tenants: Sequence[str] | None = None
    incident_id: str | None = None
    adopt: bool = False
    environment: str | None = None
    frozen_age: float = 86400.0
    since_switch: float | None = None
    frozen: str = "prefer"
    deadline: float = 30.0
    on_missing: str = "fail"
    on_replica: str = "read"

    def __post_init__(self) -> None:
        """Refuse values that make no ranking; raises BadInput."""
        for name, value, least, most in (
            ("window", self.window, 1, LONGEST_WINDOW),
            ("more_than", self.more_than, 0, 10**9),
            ("top", self.top, 0, MOST),
            ("frozen_age", self.frozen_age, 0, LONGEST_WINDOW),
            ("since_switch", self.since_switch or 0, 0, float("inf")),
            ("deadline", self.deadline, 1, 3600),
        ):
            if not least <= value <= most:
                raise BadInput(
                    "bad_number",
                    f"{name} is {value:g}; it goes from {least:g} to {most:g}.",
                    "It would be another question than the one that is meant. Nothing was read.",
                    f"Leave {name} out, or set it in the profile.",
                )
        match_for(self.contains, self.ignore_case)

    @property
    def match(self) -> Match:
        """How the text is looked for."""
        return match_for(self.contains, self.ignore_case)

    def column(self, table: str, logical: str) -> str:
        """Return the column that the profile's map gives; raises BadInput if it gives none."""
        found = (self.columns.get(table) or {}).get(logical)
        if not found:
            raise BadInput(
                "incomplete_columns",
                f"columns names no {table}.{logical}.",
                "Without it the ranking would be a guess. Nothing was read.",
                f"Give it in kanban_columns: {{{table}: {{{', '.join(NEEDED[table])}}}}}.",
            )
        return str(found)

    @property
    def limit(self) -> int:
        """How many tenants the list may have."""
        return self.top or MOST


def since_switch(request: RankRequest, seconds: float) -> RankRequest:
    """Return the request for the ``seconds`` since a switch: the same rate of errors as before makes a tenant affected.

    At most the window is looked at: the question is who is affected now, however long ago the switch was.
    """
    window = min(max(1.0, seconds), request.window)
    scaled = int(request.more_than * window / request.window)
    return replace(request, window=window, more_than=max(scaled, min(request.more_than, 1)))


def written_late(now: int, frozen: Mapping[str, Any]) -> int:
    """Return how many errors were written after a ranking and dated before it; 0 if so few may have been on the way.

    :param now: errors that the ranking's window has by now.
    :param frozen: the ranking's figures.
    """
    late = now - int(frozen["errors_total"])
    on_the_way = ON_THE_WAY_SECONDS * int(frozen["errors_total"]) / float(frozen["window"])
    return late if late > on_the_way + 1 else 0


def share(affected_on: int, on: int) -> float | None:
    """Return what part of the tenants that are on is affected; None if none is on."""
    return round(affected_on / on, 4) if on else None


def name_of(text: str | None) -> str | None:
    """Return a name as one line, because it is shown on screens and sent in messages."""
    return None if text is None else " ".join("".join(c if c.isprintable() else " " for c in text).split())


def as_tenants(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the list from the ranking's rows (id, name, errors, first, last, mean)."""
    found = []
    for row in rows:
        tenant = dict(zip(_OF_TENANT, row))
        mean = tenant["mean_seconds_between"]
        tenant["mean_seconds_between"] = None if mean is None else round(mean, 3)
        found.append({**tenant, "name": name_of(tenant["name"])})
    return found


def freeze(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event's content: the list and the figures beside it."""
    return {"tenants": list(result["tenants"]), **{name: result[name] for name in FIGURES}}


def thaw(data: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return the result that a frozen list stands for; what an older event lacks is None."""
    tenants = [
        {name: row.get(name) for name in _OF_TENANT}
        for row in data["tenants"]
        if isinstance(row, dict) and row.get("tenant") is not None
    ]
    return {**{name: data.get(name) for name in FIGURES}, "tenants": tenants, "frozen": True, "frozen_at": at}


def listed_ids(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ids of all lists, each once, except those that no longer exist in that list's database.

    :param answers: the registered results of ``affected_tenants_info``, failed and unreachable ones too.
    """
    listed = [(answer, row["tenant"]) for answer in answers for row in answer.get("tenants", [])]
    return list(dict.fromkeys(tenant for answer, tenant in listed if tenant not in answer.get("gone", [])))


def of_now(ranked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the present figures beside a frozen list."""
    return {**{name: ranked[name] for name in FIGURES}, "note": ranked["note"]}


def plan_note(plan: Any) -> str:
    """Return how the planner reads the table of errors, from EXPLAIN's JSON: for instance ``Index Scan``.

    The ranking calls that table ``e``; its partitions are ``e_1``, ``e_2`` and so on, and the first few are named.
    """
    nodes = _nodes(plan[0]["Plan"] if isinstance(plan, list) else plan["Plan"])
    told = []
    for node in nodes:
        if "Relation Name" in node and re.fullmatch(r"e(_\d+)?", str(node.get("Alias"))):
            names = [below["Index Name"] for below in _nodes(node) if "Index Name" in below]
            index = f" using {names[0]}" if names else ""
            parallel = "Parallel " if node.get("Parallel Aware") else ""
            told.append(f"{parallel}{node['Node Type']}{index} on {node['Relation Name']}")
    unique = list(dict.fromkeys(told))
    return "; ".join(unique[:3]) + (f" and {len(unique) - 3} more" if len(unique) > 3 else "")


def _nodes(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node, *(below for child in node.get("Plans", []) for below in _nodes(child))]
