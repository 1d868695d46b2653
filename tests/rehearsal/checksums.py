# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files compared with the list that was written with them: that of a dump, and those of evidence."""

from __future__ import annotations

import json

# For Python on a host. Arguments: a directory, and the name of the lists in it or below. Each has, under ``files``,
# name, size and checksum of what lies beside it.
COMPARE = """
import hashlib, json, pathlib, sys
count, wrong = 0, []
for listed in pathlib.Path(sys.argv[1]).rglob(sys.argv[2]):
    for entry in json.loads(listed.read_text())["files"]:
        held = (listed.parent / entry["name"]).read_bytes()
        count += 1
        if (len(held), hashlib.sha256(held).hexdigest()) != (entry["bytes"], entry["sha256"]):
            wrong.append(str(listed.parent / entry["name"]))
print(json.dumps([count, wrong]))
"""


def compared(output: str) -> tuple[int, list[str]]:
    """Return how many files were compared, and those that are not as listed, from what COMPARE prints."""
    count, wrong = json.loads(output)
    return count, wrong
