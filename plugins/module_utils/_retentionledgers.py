# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all ledgers say about incidents, before anything is removed: open, closed, or unknown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsnames import unmatched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import is_file_of

# The most open incidents that a ledger lists (see _ledger.list_incidents): if this many are open, there may be more.
MOST_LISTED = 100
# The inventory's group of databases; other groups of databases are made its children.
GROUP = "db"


@dataclass(frozen=True)
class Known:
    """What all ledgers say: names of open and of closed incidents, and files of prior values that no ledger has.

    ``cut``: one of them knows older incidents than it lists.
    """

    names: frozenset[str]
    closed: frozenset[str] = frozenset()
    prior_files: tuple[str, ...] = ()
    cut: bool = False

    def is_open(self, incident_id: str) -> bool:
        """Return whether an incident is open, by its whole id or by a file that is named after it."""
        return incident_id in self.names or any(is_file_of(path, incident_id) for path in self.prior_files)

    def is_open_folder(self, name: str) -> bool:
        """Return whether a directory has the name of an open incident's evidence."""
        return self.is_open(name) or name in self._open_folders

    def is_closed_folder(self, name: str) -> bool:
        """Return whether a directory has the name of a closed incident's evidence."""
        return name in self._closed_folders

    # Once, because thousands may be closed.
    @cached_property
    def _open_folders(self) -> frozenset[str]:
        return frozenset(name for one in self.names for name in folders(one))

    @cached_property
    def _closed_folders(self) -> frozenset[str]:
        return frozenset(name for one in self.closed for name in folders(one))


def known_from(answer: Mapping[str, Any]) -> Known:
    """Return what ``open_incidents`` found, as it is asked about."""
    names, closed = frozenset(answer["names"]), frozenset(answer["closed"])
    return Known(names, closed, tuple(answer["prior_files"]), bool(answer.get("cut")))


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

    ``cut``: not every ledger lists all of its incidents, but only the newest.

    :param answers: answers of ``incident_info``, in the order of the hosts; empty for a host that gave none.
    :param pattern: ``kanban_db_hosts``, as it was given.
    :param groups: Ansible's groups: the hosts of each group, and of ``all``.
    :param typed: whether the command line gave the pattern. The inventory's own says which databases are ours; a typed
        one may leave some of them out.
    """
    names: set[str] = set()
    closed: set[str] = set()
    files: set[str] = set()
    cut = False
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
            cut = cut or bool(answer.get("more_incidents"))
    found = {"names": sorted(names), "closed": sorted(closed), "prior_files": sorted(files)}
    return {**found, "cut": cut, "silent": silent}


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
