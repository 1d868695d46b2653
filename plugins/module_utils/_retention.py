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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    FILE_NAME,
    Manifest,
    parse_manifest,
    size_mismatches,
    time_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsnames import unmatched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import is_file_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagewords import number_of

DAY = 86400
# What a run of pg_dump leaves when its host dies: `.<dump>.partial-<pid>`, `.<dump>.scratch-<pid>` (see _dumpplace).
_LEFT_BY_A_RUN = re.compile(r"\..+\.(partial|scratch)-[0-9]+")
_EVIDENCE = "evidence"
# The most incidents that a ledger lists (see _ledger.list_incidents): if this many are open, there may be more.
MOST_LISTED = 100
# The inventory's group of databases; other groups of databases are made its children.
GROUP = "db"


@dataclass(frozen=True)
class Known:
    """What all ledgers say: names of open and of closed incidents, and files of prior values that no ledger has."""

    names: frozenset[str]
    closed: frozenset[str] = frozenset()
    prior_files: tuple[str, ...] = ()

    def is_open(self, incident_id: str) -> bool:
        """Return whether an incident is open, by its whole id or by a file that is named after it."""
        return incident_id in self.names or any(is_file_of(path, incident_id) for path in self.prior_files)

    def is_open_folder(self, name: str) -> bool:
        """Return whether a directory has the name of an open incident's evidence."""
        return self.is_open(name) or any(name in folders(one) for one in self.names)

    def is_closed_folder(self, name: str) -> bool:
        """Return whether a directory has the name of a closed incident's evidence."""
        return any(name in folders(one) for one in self.closed)


def days_of(given: Any) -> int:
    """Return a retention in whole days, or 0 if it is invalid, which means that nothing is removed, not that all is."""
    value = number_of(given)
    return int(value) if value is not None and value >= 1 and value == int(value) else 0


def folders(incident_id: str) -> set[str]:
    """Return the names that an incident's directory can have: the playbooks', and the module's own choice."""
    return {incident_folder(incident_id), safe_name(incident_id)}


def open_incidents(
    answers: Sequence[Mapping[str, Any]],
    hosts: Sequence[str],
    pattern: Any = "",
    groups: Mapping[str, Sequence[str]] | None = None,
    typed: bool = False,
) -> dict[str, Any]:
    """Return all ids of open (``names``) and ``closed`` incidents, ``prior_files`` and ``silent``, who left it unknown.

    :param answers: answers of ``incident_info``, in the order of the hosts; empty for a host that gave none.
    :param pattern: ``kanban_db_hosts``, as it was given.
    :param groups: Ansible's groups: the hosts of each group, and of ``all``.
    :param typed: whether the command line gave the pattern. The inventory's own says which databases are ours; a typed
        one may leave some of them out.
    """
    names: set[str] = set()
    closed: set[str] = set()
    files: set[str] = set()
    silent = _not_asked(hosts, pattern, groups or {}, typed)
    for host, answer in zip(hosts, answers):
        ledger = answer.get("ledger") or {}
        if answer.get("failed") or "open" not in answer or "present" not in ledger:
            silent.append(f"{host}: {answer.get('msg') or 'no answer'}")
        elif ledger["present"] and not ledger.get("usable"):
            silent.append(f"{host}: its ledger cannot be read as this role")
        elif len(answer["open"]) >= MOST_LISTED:
            silent.append(f"{host}: {MOST_LISTED} incidents are open in its ledger, and no more are listed")
        else:
            for incident in answer["open"]:
                # Its evidence lies under the id that was asked for, beside that of a closed incident of this id.
                names.update(ids_of(incident))
            for incident in answer.get("incidents", []):
                if incident.get("closed_at"):
                    closed.update(_names_of(incident))
            files.update(answer.get("prior_files", []))
    return {"names": sorted(names), "closed": sorted(closed), "prior_files": sorted(files), "silent": silent}


def _not_asked(hosts: Sequence[str], pattern: Any, groups: Mapping[str, Sequence[str]], typed: bool) -> list[str]:
    """Return what has a ledger, by the inventory or by what was typed, but is not among the hosts.

    An incident closed here may be open there: evidence and journals of both lie in the same directories.
    """
    found = [
        f"{one_line(name)}: NOT ASKED: no host, and no group with hosts, has that name. Mend kanban_db_hosts"
        for name in unmatched(pattern, groups)
    ]
    left_out = [one_line(host) for host in (groups.get(GROUP, ()) if typed else ()) if host not in hosts]
    if left_out:
        rest = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
        it, one = ("them", "they are") if len(left_out) > 1 else ("it", "it is")
        found.append(
            f"{', '.join(left_out[:SHOWN])}{rest}: NOT ASKED: the inventory's group {GROUP} has {it}. "
            f"Type it again without kanban_db_hosts, or name {it} too; where {one} gone for good, take {it} out of the "
            "group"
        )
    return found


def _names_of(incident: Mapping[str, Any]) -> list[str]:
    return [incident["incident_id"], *incident.get("aliases", [])]


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
    incidents = Known(frozenset(known["names"]), frozenset(known["closed"]), tuple(known["prior_files"]))
    choice = _Choice(incidents, days, now)
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
            self.keep(dump.path, "dump", _not_closed(incident))
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
                self.keep(str(path), "evidence", _not_closed(name))
            else:
                self.remove(str(path), "evidence", f"{name}, {age:.0f} days old")

    def _young(self) -> str:
        return f"it is not older than {self._days} days"


def _not_closed(incident_id: str) -> str:
    # A ledger that was lost, restored from before the incident, or not asked, knows nothing about it.
    return f"no ledger that was read knows {incident_id} as closed"
