# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's table of a run, from its journal: seconds to disable the flag, to verify, and in total. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

# The play in which a scenario stops the feature, the play whose end verifies that, and which of the two the plan's
# objective is about. The headings are the runbook's.
_SCENARIOS = {
    "1. Contain: flag off for every tenant": ("scenario1", "5. Validate: metrics", "verified"),
    "3. Contain: flag off for the listed tenants": (
        "scenario2",
        "7. Decide: hold, pause, or off for every tenant",
        "verified",
    ),
    "1. Contain: flag off for every tenant, fence, write block": (
        "scenario3",
        "4. Preserve: evidence of every tier, and the dump",
        "disabled",
    ),
}
OBJECTIVES = {"scenario1": 300.0, "scenario2": 1800.0, "scenario3": 120.0}
_STOPS = ("feature_flag", "write_block", "write_fence")
# The plays in which reenable.yml undoes a misfire.
_UNDOES = (
    "2. Re-enable: every tenant as before",
    "3. Re-enable: release writes in the database",
    "4. Re-enable: release writes in the application",
)


@dataclass(frozen=True)
class Timings:
    """Seconds since the run began; None for what it did not reach.

    ``disabled``: the flag, and in scenario 3 fence and block with it.
    """

    scenario: str
    run_id: str
    disabled: float | None
    verified: float | None
    total: float | None

    @property
    def within_objective(self) -> bool:
        """Whether the moment that the plan sets an objective for came in time."""
        decisive = next(which for name, _verified_by, which in _SCENARIOS.values() if name == self.scenario)
        took = self.disabled if decisive == "disabled" else self.verified
        return took is not None and took <= OBJECTIVES[self.scenario]

    def as_record(self) -> dict[str, Any]:
        """Return it for a file."""
        return {**asdict(self), "objective": OBJECTIVES[self.scenario], "within_objective": self.within_objective}


def timings_of(lines: Sequence[Mapping[str, Any]]) -> Timings | None:
    """Return the timings of a scenario's journal; None if the run stopped nothing."""
    plays = _headings(lines)
    flags = [line["data"] for line in _of(lines, "task ended") if line["source"] == "feature_flag"]
    found = [task["play"] for task in flags if plays.get(task["play"]) in _SCENARIOS]
    if not found:
        return None
    scenario, verified_by, _decisive = _SCENARIOS[plays[found[0]]]
    stopped = _done(lines, found[:1])
    verified = [_moment(line["at"]) for line in _of(lines, "play ended") if line["data"]["play"] == verified_by]
    ended = [_moment(line["at"]) for line in _of(lines, "run ended")]
    run_id = str(lines[0]["run_id"])
    # Only the first: a triage goes on through scenarios that it did not decide on, the same plays without any host.
    return Timings(scenario, run_id, _since(lines, stopped), _since(lines, verified[:1]), _since(lines, ended))


def stopped_at(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the Unix time at which a scenario was done with the flag, and with fence and block; None if it was not."""
    timings = timings_of(lines)
    return _moment(lines[0]["at"]) + timings.disabled if timings and timings.disabled is not None else None


def undone_after(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds until reenable.yml had undone a misfire: flag, fence and block; None if it did not."""
    plays = [number for number, heading in _headings(lines).items() if heading in _UNDOES]
    flags = [line for line in _of(lines, "task ended") if line["source"] == "feature_flag"]
    if not any(line["data"]["play"] in plays and not line["data"]["failed"] for line in flags):
        return None
    return _since(lines, _done(lines, plays))


def accepted_since_the_fence(lines: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """Return a journal's measurements of the recovery point: writes that got past the fence; None if not measured."""
    points = [
        line["data"].get("details", {}).get("point", {})
        for line in _of(lines, "task ended")
        if line["source"] == "recovery_point_info"
    ]
    return [point["writes"] if point.get("measured") else None for point in points]


def table(timings: Timings) -> list[str]:
    """Return the plan's "Record actual timings" for people."""

    def seconds(value: float | None) -> str:
        return "not measured" if value is None else f"{round(value, 1):g} seconds"

    objective = f"objective {OBJECTIVES[timings.scenario]:g} s {'met' if timings.within_objective else 'NOT MET'}"
    return [
        f"{timings.scenario}, run {timings.run_id}: {objective}",
        f"- Time to disable feature flag: {seconds(timings.disabled)}",
        f"- Time to verify: {seconds(timings.verified)}",
        f"- Total rollback time: {seconds(timings.total)}",
    ]


def parsed(text: str) -> list[dict[str, Any]]:
    """Return a journal's lines, without the last one if it is cut."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _headings(lines: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    return {line["data"]["number"]: line["data"]["play"] for line in _of(lines, "play began")}


def _done(lines: Sequence[Mapping[str, Any]], plays: Sequence[int]) -> list[float]:
    """Return when flag, fence and block were done on each host, in these plays."""
    return [
        _moment(line["data"]["ended"])
        for line in _of(lines, "task ended")
        if line["source"] in _STOPS and line["data"]["play"] in plays and not line["data"]["failed"]
    ]


def _since(lines: Sequence[Mapping[str, Any]], moments: Sequence[float]) -> float | None:
    return round(max(moments) - _moment(lines[0]["at"]), 3) if moments else None


def _of(lines: Iterable[Mapping[str, Any]], event: str) -> list[Mapping[str, Any]]:
    return [line for line in lines if line["event"] == event]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
