# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time until the stop goes, from the lines of many runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.timed.figures import statistics

Line = Mapping[str, Any]
STARTED = "Ansible starts and reads the playbook"


def moment(text: str) -> float:
    """Return seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def stopped_in(lines: Sequence[Line]) -> int:
    """Return the number of the play that stops, or puts back; 0 if there is none."""
    ended = [line["data"] for line in lines if line["event"] == "task ended" and line["source"] == "feature_flag"]
    return min((int(data["play"]) for data in ended if data["changed"]), default=0)


def path(lines: Sequence[Line]) -> dict[str, float]:
    """Return the seconds of each step of a run until the stop, in order; for a task, those of the slowest host.

    If a host does a step several times, try by try, all of them count.
    """
    last = stopped_in(lines)
    plays = [line for line in lines if line["event"] == "play began"]
    if not last or not plays:
        return {}
    tasks: dict[str, dict[str, float]] = {}
    for line in lines:
        data = line["data"]
        if line["event"] == "task ended" and data["play"] <= last and data["seconds"] is not None:
            hosts = tasks.setdefault(data["task"], {})
            hosts[data["host"]] = hosts.get(data["host"], 0.0) + data["seconds"]
    started = moment(plays[0]["at"]) - moment(lines[0]["at"])
    return {STARTED: started} | {name: max(hosts.values()) for name, hosts in tasks.items()}


def table(runs: Sequence[Sequence[Line]]) -> list[str]:
    """Return a line for each step, those of the first run first; a step that only some runs have shows how many."""
    paths = [found for lines in runs if (found := path(lines))]
    names = dict.fromkeys(name for found in paths for name in found)
    told = []
    for name in names:
        values = [found[name] for found in paths if name in found]
        seconds = "".join(f"{value:8.2f} s" for value in statistics(values).values())
        told.append(f"  {name[:60]:60}{seconds}{'' if len(values) == len(paths) else f'  ({len(values)} runs)'}")
    return told
