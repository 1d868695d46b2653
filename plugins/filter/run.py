# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which a run knows the time, when it began, where its incident is kept, and what its operator said."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import sendable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._clock import epoch, run_began
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder


def incident_directory(incident_id: Any) -> str:
    """Return the name of an incident's directory; also accepts an id that is a number in an inventory."""
    return incident_folder(str(incident_id))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "epoch": epoch,
            "incident_directory": incident_directory,
            "run_began": run_began,
            "sendable": sendable,
        }
