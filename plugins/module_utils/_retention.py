# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dumps and which evidence have expired on one host. Pure: no Ansible, no driver; nothing is removed here.

Anything uncertain stays: a directory without a manifest of ours, a dump whose files are not as its manifest says,
anything that belongs to an incident that some ledger has open or that no ledger knows as closed.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionledgers import Known, known_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagewords import number_of

DAY = 86400


def days_of(given: Any) -> int:
    """Return a retention in whole days, or 0 if it is invalid, which means that nothing is removed, not that all is."""
    value = number_of(given)
    return int(value) if value is not None and value >= 1 and value == int(value) else 0


def what_is_over(
    found: Mapping[str, Any], known: Mapping[str, Any], days: int, now: float
) -> dict[str, list[dict[str, str]]]:
    """Return ``over``, what is to be removed, and ``kept``, each with ``path``, ``what`` and ``why``.

    :param found: the result of ``kept_files_info`` on one host.
    :param known: the result of ``open_incidents``. While a host is silent nothing is over anywhere.
    :param days: anything not older stays; less than 1 means no retention, and nothing is over.
    :param now: seconds since 1970.
    """
    choice = _Choice(known_from(known), days, now)
    if not known["silent"] and days >= 1:
        choice.kept += found["uncertain"]
        choice.unfinished(found["unfinished"])
        choice.dumps(found["dumps"])
        choice.evidence(found["evidence"])
    return {"over": choice.over, "kept": choice.kept}


def _replaces(newer: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    """Return whether it is a newer dump of the same database with every table of the other."""
    later = (newer["ended_at"], newer["path"]) > (older["ended_at"], older["path"])
    return later and newer["database"] == older["database"] and {*newer["tables"]} >= {*older["tables"]}


class _Choice:
    def __init__(self, known: Known, days: int, now: float) -> None:
        self.over: list[dict[str, str]] = []
        self.kept: list[dict[str, str]] = []
        self._known = known
        self._days = days
        self._now = now

    def keep(self, path: str, what: str, why: str) -> None:
        self.kept.append({"path": path, "what": what, "why": why})

    def remove(self, path: str, what: str, why: str) -> None:
        self.over.append({"path": path, "what": what, "why": why})

    def _age(self, at: float) -> float:
        return (self._now - at) / DAY

    def unfinished(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Choose among what dead runs left; a dump in progress is never older than a day, the shortest retention."""
        for entry in entries:
            age = self._age(entry["written"])
            if age > self._days:
                self.remove(entry["path"], "unfinished dump", f"left {age:.0f} days ago")

    def dumps(self, dumps: Sequence[Mapping[str, Any]]) -> None:
        """Choose among complete dumps."""
        for dump in dumps:
            incident, age, name = dump["incident_id"], self._age(dump["written"]), dump["database"]["name"]
            if incident is not None and self._known.is_open(incident):
                self.keep(dump["path"], "dump", f"{incident} is open")
            elif not any(_replaces(one, dump) for one in dumps):
                self.keep(dump["path"], "dump", f"it is the newest proven one of {name} with all its tables")
            elif age <= self._days:
                self.keep(dump["path"], "dump", self._young())
            elif incident is not None and incident not in self._known.closed:
                self.keep(dump["path"], "dump", self._not_closed(incident))
            else:
                self.remove(dump["path"], "dump", f"{incident or 'no incident'}, {age:.0f} days old")

    def evidence(self, directories: Sequence[Mapping[str, Any]]) -> None:
        """Choose among ``<incidents>/<incident>/evidence``."""
        for directory in directories:
            path, age = directory["path"], self._age(directory["written"])
            name = PurePosixPath(path).parent.name
            if self._known.is_open_folder(name):
                self.keep(path, "evidence", f"{name} is open")
            elif age <= self._days:
                self.keep(path, "evidence", self._young())
            elif not self._known.is_closed_folder(name):
                self.keep(path, "evidence", self._not_closed(name))
            else:
                self.remove(path, "evidence", f"{name}, {age:.0f} days old")

    def _young(self) -> str:
        return f"it is not older than {self._days} days"

    def _not_closed(self, incident_id: str) -> str:
        # A ledger that was lost, restored from before the incident, or not asked, knows nothing about it.
        knows = "lists" if self._known.cut else "knows"
        return f"no ledger that was read {knows} {incident_id} as closed"
