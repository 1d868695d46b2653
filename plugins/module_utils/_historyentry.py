# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident_history`` does: read all timings and write their index. Neither Ansible nor a driver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._history import (
    history,
    index_markdown,
    index_page,
    last_green,
    together,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportentry import TIMINGS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportfiles import alone, read_json, write_whole
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportlabels import Labels
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import is_timings

MOST = 5000
LARGEST = 65536


def write_history(
    path: str, locale: str, version: str, seconds: float, check_mode: bool, known: Sequence[Any] = ()
) -> dict[str, Any]:
    """Write the index if it changed; return how many incidents it has and the last green rehearsal; raises BadInput.

    :param known: timings that ledgers keep; of several for one incident, the one that covers more runs counts.
    """
    root, deadline = Path(path), Deadline(seconds)
    here, warnings = _timings(root, deadline)
    found = together(here, [one for one in known if is_timings(one)])
    index = history(found)
    green = last_green(index["incidents"], version) if version else None
    told = {"last_green": green, "incidents": len(index["incidents"]), "warnings": warnings, "files": []}
    if not found or not root.is_dir():
        return {"changed": False, **told}
    label = Labels(locale)
    files = {
        "index.json": json.dumps(index, indent=1, sort_keys=True) + "\n",
        "index.md": index_markdown(index, label),
        "index.html": index_page(index, label),
    }
    changed = []
    try:
        with alone(root, deadline, check_mode):
            for name, content in files.items():
                if write_whole(root / name, content.encode("utf-8", "replace"), check_mode):
                    changed.append(name)
    except OSError as error:
        warnings.append(f"The index in {root} could not be written: {error.strerror or error}.")
    return {"changed": bool(changed), **told, "files": changed}


def _timings(root: Path, deadline: Deadline) -> tuple[list[dict[str, Any]], list[str]]:
    found, warnings, broken = [], [], 0
    try:
        folders = sorted((one for one in root.iterdir() if one.is_dir() and not one.is_symlink()), reverse=True)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise BadInput(
            "unreadable_directory",
            f"{root} cannot be read: {error.strerror or error}.",
            "What was rehearsed, and how long it took, is not known here.",
            "Look at its owner and mode, or at kanban_incidents_dir.",
        ) from None
    for folder in folders[:MOST]:
        if deadline.over:
            warnings.append("Not all timings were read: there was no time left.")
            break
        timings = read_json(folder / TIMINGS, LARGEST)
        if is_timings(timings):
            found.append(timings)
        elif timings is not None:
            broken += 1
    if broken:
        warnings.append(f"{broken} files of timings are not as we write them, and were left out.")
    return found, warnings
