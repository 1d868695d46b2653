# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports written from a story, and what their checklists say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportentry import ReportRequest, write_report
from tests.unit.chronicles import INCIDENT, OBJECTIVES


def report(root: Path, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Write the reports of the incident that the stories are about; options are those of the request."""
    return write_report(ReportRequest(str(root), INCIDENT, objectives=OBJECTIVES, **options), check_mode)


def boxes(place: Path) -> dict[str, str]:
    """Return each line of the checklists by the label of its box."""
    lines = (place / "checklists.md").read_text(encoding="utf-8").splitlines()
    return {found[2]: line for line in lines if (found := re.match(r"- \[(.)\] \*\*(.+?)\*\*", line))}


def message(place: Path, kind: str, route: str, status: str = "sent") -> None:
    """Lay down a message of a kind, as the outbox has it."""
    (place / "messages").mkdir(exist_ok=True)
    routes = [{"route": route, "status": status, "at": "", "tries": 1, "error": ""}]
    told = {"key": kind, "kind": kind, "at": "2027-01-15T08:00:09Z", "subject": "P0", "routes": routes}
    (place / f"messages/{kind}.json").write_text(json.dumps(told))
