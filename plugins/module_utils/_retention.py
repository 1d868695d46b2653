# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dumps and which evidence have expired on one host. Pure: no Ansible, no driver; nothing is removed here.

Anything uncertain stays: a directory without a manifest of ours, a dump whose files are not as its manifest says,
anything that belongs to an incident that some ledger has open or that no ledger knows as closed.
"""

from __future__ import annotations

import posixpath
import re
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    FILE_NAME,
    Manifest,
    parse_manifest,
    size_mismatches,
    time_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionledgers import Known, known_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagewords import number_of

DAY = 86400
# What a run of pg_dump leaves when its host dies: `.<dump>.partial-<pid>`, `.<dump>.scratch-<pid>` (see _dumpplace).
_LEFT_BY_A_RUN = re.compile(r"\..+\.(partial|scratch)-[0-9]+")
_EVIDENCE = "evidence"


def days_of(given: Any) -> int:
    """Return a retention in whole days, or 0 if it is invalid, which means that nothing is removed, not that all is."""
    value = number_of(given)
    return int(value) if value is not None and value >= 1 and value == int(value) else 0


@dataclass
class _Dump:
    path: str
    incident: str | None
    database: tuple[str, str]
    tables: frozenset[str]
    ended_at: str
    days: float

    def replaces(self, other: _Dump) -> bool:
        """Return whether it is a newer dump of the same database with every table of the other."""
        newer = (self.ended_at, self.path) > (other.ended_at, other.path)
        return newer and self.database == other.database and self.tables >= other.tables


def what_is_over(
    found: Mapping[str, Any], known: Mapping[str, Any], days: int, now: float
) -> dict[str, list[dict[str, str]]]:
    """Return ``over``, what is to be removed, and ``kept``, each with ``path``, ``what`` and ``why``.

    :param found: ``dump_dir``, a full path, and ``incidents_dirs``, several; ``dumps``, what lies in the first and in
        its directories, and ``evidence``, as ``find`` returns them; ``manifests`` as ``slurp`` does; ``skipped``, paths
        with reasons.
    :param known: the result of ``open_incidents``. While a host is silent nothing is over anywhere.
    :param days: anything not older stays; less than 1 means no retention, and nothing is over.
    :param now: seconds since 1970.
    """
    choice = _Choice(known_from(known), days, now)
    if not known["silent"] and days >= 1:
        choice.dumps(posixpath.normpath(found["dump_dir"]), found["dumps"], found["manifests"])
        choice.evidence({posixpath.normpath(one) for one in found["incidents_dirs"]}, found["evidence"])
        for path, why in sorted(found["skipped"].items()):
            choice.keep(path, "directory", f"it cannot be looked into: {why}")
    return {"over": choice.over, "kept": choice.kept}


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

    def dumps(self, root: str, entries: Sequence[Mapping[str, Any]], manifests: Sequence[Mapping[str, Any]]) -> None:
        """Choose among what lies directly in the directory of dumps; nothing else is a dump."""
        texts = {one["item"]["path"]: one.get("content") for one in manifests}
        inside: dict[str, dict[str, Mapping[str, Any]]] = {}
        for entry in entries:
            path = PurePosixPath(entry["path"])
            inside.setdefault(str(path.parent), {})[path.name] = entry
        whole = []
        for name, entry in sorted(inside.get(root, {}).items()):
            # A link to a directory is not a directory.
            if not entry["isdir"]:
                continue
            if name.startswith("."):
                self._left_by_a_run(name, entry)
                continue
            files = inside.get(entry["path"], {})
            dump = self._read(entry["path"], files, texts.get(f"{entry['path']}/{FILE_NAME}"))
            if dump:
                whole.append(dump)
        for dump in whole:
            self._judge(dump, any(one.replaces(dump) for one in whole))

    def _left_by_a_run(self, name: str, entry: Mapping[str, Any]) -> None:
        # A dump in progress is never older than a day, and no retention is shorter.
        age = self._age(entry["mtime"])
        if _LEFT_BY_A_RUN.fullmatch(name) and age > self._days:
            self.remove(entry["path"], "unfinished dump", f"left {age:.0f} days ago")

    def _read(self, path: str, files: Mapping[str, Mapping[str, Any]], text: str | None) -> _Dump | None:
        """Return a dump that is complete by names and sizes; anything else is kept."""
        if FILE_NAME not in files:
            self.keep(path, "directory", "it has no manifest of ours")
            return None
        if text is None:
            self.keep(path, "directory", "its manifest was not read: too large, or too many at once")
            return None
        # Anything but a regular file gets a size that no manifest can name, because it would go with the directory.
        sizes = {name: one["size"] if one["isreg"] else -1 for name, one in files.items() if name != FILE_NAME}
        try:
            manifest = parse_manifest(b64decode(text), Path(path) / FILE_NAME)
            dump = self._dump(path, manifest, files[FILE_NAME]["mtime"])
            differing = size_mismatches(manifest, sizes)
        except (KanbanError, KeyError, TypeError, ValueError, AttributeError):
            self.keep(path, "directory", "its manifest is none of ours, or broken")
            return None
        if differing:
            self.keep(path, "dump", f"its files are not as its manifest says ({', '.join(differing[:3])})")
            return None
        return dump

    def _dump(self, path: str, manifest: Manifest, written: float) -> _Dump:
        database = manifest["database"]
        incident = manifest.get("incident_id")
        # The manifest's time and the file's time: if one of them says that the dump is young, it is.
        ended = time_of(manifest["ended_at"]).timestamp()
        return _Dump(
            path=path,
            incident=None if incident is None else str(incident),
            database=(str(database["cluster"]), str(database["name"])),
            tables=frozenset(str(table["name"]) for table in manifest["tables"]),
            ended_at=manifest["ended_at"],
            days=self._age(max(ended, written)),
        )

    def _judge(self, dump: _Dump, is_replaced: bool) -> None:
        incident = dump.incident
        if incident is not None and self._known.is_open(incident):
            self.keep(dump.path, "dump", f"{incident} is open")
        elif not is_replaced:
            self.keep(dump.path, "dump", f"it is the newest proven one of {dump.database[1]} with all its tables")
        elif dump.days <= self._days:
            self.keep(dump.path, "dump", self._young())
        elif incident is not None and incident not in self._known.closed:
            self.keep(dump.path, "dump", self._not_closed(incident))
        else:
            self.remove(dump.path, "dump", f"{incident or 'no incident'}, {dump.days:.0f} days old")

    def evidence(self, roots: Collection[str], directories: Sequence[Mapping[str, Any]]) -> None:
        """Choose among ``<incidents>/<incident>/evidence``."""
        for directory in sorted(directories, key=lambda one: str(one["path"])):
            path = PurePosixPath(directory["path"])
            if path.name != _EVIDENCE or str(path.parent.parent) not in roots or not directory["isdir"]:
                continue
            age, name = self._age(directory["mtime"]), path.parent.name
            if self._known.is_open_folder(name):
                self.keep(str(path), "evidence", f"{name} is open")
            elif age <= self._days:
                self.keep(str(path), "evidence", self._young())
            elif not self._known.is_closed_folder(name):
                self.keep(str(path), "evidence", self._not_closed(name))
            else:
                self.remove(str(path), "evidence", f"{name}, {age:.0f} days old")

    def _young(self) -> str:
        return f"it is not older than {self._days} days"

    def _not_closed(self, incident_id: str) -> str:
        # A ledger that was lost, restored from before the incident, or not asked, knows nothing about it.
        knows = "lists" if self._known.cut else "knows"
        return f"no ledger that was read {knows} {incident_id} as closed"
