# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small staging database that rehearse.yml is run on, and its rows, read without any code of the collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.journals import Place
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.playbooks.runner import Run, Running
from tests.support.dataset import DataSet


@dataclass
class Staging(Place):
    """A database with a data set, with the fence in use; partly corrupt already, as staging is."""

    @classmethod
    def load(cls, db: Database, directory: Path, **shape: Any) -> Staging:
        """Load the data set."""
        with db.connect() as session:
            DataSet(**{"tenants": 40, "tickets": 300, "corruption": True, **shape}).load(session)
        return cls(db, directory)

    def begin(self, *options: str, **extra: Any) -> Running:
        """Start rehearse.yml; ``extra`` goes into the inventory."""
        given = {
            "kanban_environment": "staging",
            "kanban_fence": True,
            "kanban_flag": {},
            "kanban_rehearse_share": 0.5,
            "kanban_rehearse_rows": 7,
            "kanban_evidence_seconds": 1,
            **extra,
        }
        return self.start("rehearse", *options, **given)

    def rehearse(self, *options: str, **extra: Any) -> Run:
        """Run it to its end."""
        return self.begin(*options, **extra).wait(timeout=300)

    def rows(self) -> dict[str, list[str]]:
        """Return every row of every table of the application."""
        return whole(self.db)

    def open(self) -> list[tuple[str, str]]:
        """Return the open incidents, each with its scenario."""
        if not self.db.has_ledger():
            return []
        return self.db.rows("SELECT incident_id, scenario FROM kanban_rollback.incidents WHERE closed_at IS NULL")

    def age(self, seconds: float) -> None:
        """Let everything in the ledger's journal be that many seconds older."""
        when = "(at::timestamptz - %s * interval '1 s') AT TIME ZONE 'UTC'"
        shown = f"""to_char({when}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        self.db.rows(f"UPDATE kanban_rollback.events SET at = {shown}", (seconds,))
