# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which preflight.yml says whether everything is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightscreen import preflight
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._version import collection_version


def version_in(root: str) -> str:
    """Return the version of the collection in a directory; empty if there is none."""
    return collection_version(Path(root))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"collection_version": version_in, "preflight": preflight}
