# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where prior values go: the ledger, else a file, else the module's own result. Containment waits for none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
        if self._use_ledger:
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
            else:
                self.kept_in = "ledger"
                if hidden:
                    self.warnings.append(reopen_incident(cursor, self._incident))
                return
        try:
            self.file.append(change)
            self.kept_in = "file"
        except OSError as error:
            self.unsaved.append(vars(change))
            self.kept_in = "result"
            self.warnings.append(
                f"No file could take the prior values ({error}); they are in this result only: save it."
            )


def take_over(cursor: Cursor, path: Path, incident_id: str, run_id: str | None, flag: str) -> None:
    """Record in the ledger what a file kept, in the file's order; raises ServerError. The caller then retires it."""
    for change in read_file(path):
        add_change(cursor, incident_id, run_id, flag, change)
