# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and evidence for tests of the retention: real directories with real manifests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _dumpmanifest as manifests
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keptfiles import kept_files
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retention import what_is_over

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC).timestamp()
DAYS = 90
# Nothing is open; the incidents that these tests use are closed.
CLOSED = ["Ação 7/a", "INC-1", "INC-11", "INC-12", "INC-2", "INC-OLD", "INC-YOUNG"]
NOBODY: Mapping[str, Any] = MappingProxyType({"names": [], "closed": CLOSED, "prior_files": [], "silent": []})


def at(days: float) -> str:
    """Return the time that many days ago, as a manifest writes it."""
    return datetime.fromtimestamp(NOW - days * 86400, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Place:
    """A directory of dumps and one of incidents."""

    def __init__(self, root: Path) -> None:
        self.dumps, self.incidents = root / "dumps", root / "incidents"
        self.dumps.mkdir()
        self.incidents.mkdir()

    def age(self, path: Path, days: float) -> Path:
        """Set the time of a directory and of what is in it."""
        for one in (*path.iterdir(), path):
            os.utime(one, (NOW - days * 86400,) * 2, follow_symlinks=False)
        return path

    def dump(self, name: str, days: float, incident: str | None = "INC-OLD", **changes: Any) -> str:
        """Make a whole dump of two files."""
        path = self.dumps / name
        path.mkdir()
        (path / "toc.dat").write_bytes(b"contents")
        (path / "1.dat").write_bytes(b"")
        content = {
            "version": manifests.VERSION,
            "incident_id": incident,
            "database": {"name": "crm", "cluster": "7001"},
            "tables": [],
            "files": manifests.file_entries(path, 2),
            "ended_at": at(days),
            "verified": "toc",
            "total_bytes": 8,
            **changes,
        }
        manifests.write_manifest(path, content)
        return str(self.age(path, days))

    def plain(self, name: str, days: float) -> str:
        """Make a directory with a file in it."""
        path = self.dumps / name
        path.mkdir()
        (path / "toc.dat").write_bytes(b"contents")
        return str(self.age(path, days))

    def evidence(self, incident: str, days: float) -> str:
        """Make a directory of evidence."""
        path = self.incidents / incident / "evidence"
        path.mkdir(parents=True)
        return str(self.age(path, days))

    def found(self) -> dict[str, Any]:
        """Return what the module finds; nothing lies in other places."""
        return kept_files(str(self.dumps), f"{self.incidents}/", ())

    def over(self, known: Mapping[str, Any] = NOBODY, days: int = DAYS) -> list[str]:
        """Return the paths to be removed."""
        return [one["path"] for one in what_is_over(self.found(), known, days, NOW)["over"]]

    def why(self, known: Mapping[str, Any] = NOBODY) -> dict[str, str]:
        """Return why each of the others stays."""
        return {one["path"]: one["why"] for one in what_is_over(self.found(), known, DAYS, NOW)["kept"]}
