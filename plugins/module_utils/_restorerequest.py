# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of ``pg_restore_tables``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Request


@dataclass(frozen=True)
class RestoreRequest(Request):
    """The request; its fields are the options of ``pg_restore_tables``."""

    tables: Sequence[Any] = ()
    source: Mapping[str, Any] = field(default_factory=dict)
    changed: str = "report"
    deleted: str = "report"
    skip_conflicts: bool = False
    corrupt_since: str | None = None
    allow_late: bool = False
    bin_dir: str | None = None

    @property
    def inserted(self) -> list[str]:
        """Kinds of rows that come back."""
        return ["missing", *(["deleted"] if self.deleted == "restore" else [])]

    @property
    def kinds(self) -> list[str]:
        """The same, plus those that get their old values back."""
        return [*self.inserted, *(["changed"] if self.changed == "restore" else [])]

    def essence(self) -> dict[str, Any]:
        """Return what the plan's hash is made of apart from rows. Not the source: the same rows are the same plan."""
        names = ("tables", "changed", "deleted", "skip_conflicts", "checks")
        return {name: getattr(self, name) for name in names}
