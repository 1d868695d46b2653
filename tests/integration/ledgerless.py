# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role that may switch the flag and has no ledger, and the files in which it keeps prior values."""

from __future__ import annotations

from pathlib import Path

from tests.integration.crowd import FLAG
from tests.integration.module import Modules
from tests.integration.place import Database


def without_ledger(db: Database, directory: Path) -> Modules:
    """Return modules as a role that may switch the flag but create nothing."""
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    return db.modules(role, **FLAG, state_dir=str(directory / "state"))


def files(directory: Path) -> list[Path]:
    """Return what is in that directory."""
    return sorted((directory / "state").glob("*"))
