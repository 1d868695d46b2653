# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incident an undo is about, in the ledger and in the files of runs that could not use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgernames import closed_at, kept_since
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place, Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import (
    PriorFile,
    directories,
    file_name,
    find_files,
    read_file,
)


@dataclass(frozen=True)
class KeptFile:
    """A file that runs without the ledger left; what it kept before ``since`` is another incident's."""

    file: PriorFile
    path: Path
    since: float


class Meant:
    """What an undo is about: ``incident``, whether it is ``in_ledger`` yet, and its files."""

    def __init__(self, place: Place, request: Request, targets: Sequence[Target]) -> None:
        self._place = place
        self._request = request
        self.incident = request.who.incident_id
        self.in_ledger = False
        # Since when files of each of its names are about this incident. A run without a ledger knew one name only.
        self._since = {self.incident: 0.0}
        if place.ledger_state.usable:
            with place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
                self._find(cursor, targets)

    def _find(self, cursor: Cursor, targets: Sequence[Target]) -> None:
        asked = self.incident
        found = ledger.find_incident(cursor, asked)
        if found is None:
            return
        closed = closed_at(cursor, found)
        files = [kept.path for target in targets for kept in self._named(target, asked, closed)]
        if any(change.action == "disabled" for path in files for change in read_file(path, closed)):
            # Somebody stopped again under this id, without the ledger: that is what the undo is about.
            self._since = {asked: closed}
            return
        self.incident, self.in_ledger = found, True
        names = {name: None for row in ledger.list_incidents(cursor, found) for name in (asked, *ids_of(row))}
        self._since = {name: kept_since(cursor, name, found) for name in names}

    def file_of(self, target: Target, name: str | None = None) -> PriorFile:
        """Return the file of a name, by default the one that the undo was asked for; it may not exist."""
        asked = file_name(name or self._request.who.incident_id, self._place.server.cluster, target.identity)
        return PriorFile(asked, directories(self._request.state_dir))

    def files(self, target: Target) -> list[KeptFile]:
        """Return the files with priors of the incident, under each of its names."""
        return [kept for name, since in self._since.items() for kept in self._named(target, name, since)]

    def _named(self, target: Target, name: str, since: float) -> list[KeptFile]:
        file = self.file_of(target, name)
        paths = [path for path in find_files(file.name, file.places) if path.stat().st_mtime >= since]
        return [KeptFile(PriorFile(file.name, file.places, path), path, since) for path in paths]
