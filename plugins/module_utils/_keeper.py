# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where prior values go: the ledger, else a file, else the module's own result. Containment waits for none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledger import add_change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerclosing import is_closed, reopen_incident
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change, PriorFile, read_file


class Keeper:
    """Where prior values are kept: the ledger, in the same transaction; else a file; else the module's result.

    ``kept_in`` says which was used: ``ledger``, ``file``, ``result`` (``unsaved`` holds them), or ``nothing yet``.
    """

    def __init__(self, incident_id: str, run_id: str, flag: str, file: PriorFile, use_ledger: bool) -> None:
        self._incident = incident_id
        self._run = run_id
        self._flag = flag
        self.file = file
        self._use_ledger = use_ledger
        self.kept_in = "nothing yet"
        self.unsaved: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    def keep(self, cursor: Cursor, change: Change) -> None:
        """Keep one batch before it commits. Never raises because of the ledger or the disk: containment goes on."""
        if not self.in_ledger(cursor, change):
            self.in_file(change)

    def in_ledger(self, cursor: Cursor, change: Change) -> bool:
        """Record one batch in this transaction; False if the ledger does not take it. Raises LostConnection alone."""
        if not self._use_ledger:
            return False
        try:
            with cursor.savepoint():
                add_change(cursor, self._incident, self._run, self._flag, change)
                # An undo looks for open incidents, and somebody may have closed this one since the run joined it.
                hidden = change.action == "disabled" and is_closed(cursor, self._incident)
        except ServerError as error:
            if cursor.is_lost:
                raise
            self._use_ledger = False
            self.warnings.append(f"The ledger refused the prior values ({error.what}); they go to a file.")
            return False
        self.kept_in = "ledger"
        if hidden:
            self.warnings.append(reopen_incident(cursor, self._incident))
        return True

    def in_file(self, change: Change) -> None:
        """Append one batch to the file or, where none takes it, to the result; never raises."""
        try:
            self.file.append(change)
            self.kept_in = "file"
        except OSError as error:
            self.unsaved.append(vars(change))
            self.kept_in = "result"
            self.warnings.append(
                f"No file could take the prior values ({error}); they are in this result only: save it."
            )

    def as_result(self, switched: bool, unsaved: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return what a module says of it.

        :param switched: whether anything was switched that had to be kept.
        :param unsaved: what neither ledger nor disk took of earlier switches: it stands nowhere but in the result.
        """
        unsaved = [*unsaved, *self.unsaved]
        kept = self.kept_in if switched else "nothing to keep"
        return {
            "kept_in": "result" if unsaved else kept,
            "path": str(self.file.path) if self.file.path else None,
            "unsaved": unsaved,
            "file_name": self.file.name,
        }


def take_over(cursor: Cursor, path: Path, incident_id: str, run_id: str | None, flag: str) -> None:
    """Record in the ledger what a file kept, in the file's order; raises ServerError. The caller then retires it."""
    for change in read_file(path):
        add_change(cursor, incident_id, run_id, flag, change)
