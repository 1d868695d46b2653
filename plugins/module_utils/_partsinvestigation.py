# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The investigation on the last screen. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, PRESERVE, Part


def investigation_part(investigation: Mapping[str, Any]) -> dict[str, Any]:
    """Report where the investigation is, what it found first, and who did not answer.

    :param investigation: what the role ``investigate`` left: ``file``, ``problem`` (why the file is not there),
        ``silent`` and ``lines``; empty if nothing was investigated. A file that could not be written is reported and
        is not a failure: this screen has in short what it would say of the moment, and can be asked for again.
    """
    part = Part(PRESERVE, "the investigation is kept")
    if not investigation:
        part.kind, part.good = NOTHING, "nothing was investigated"
        return part.as_result()
    file, problem = investigation.get("file"), investigation.get("problem")
    if problem or not file:
        part.good = "the investigation is not kept in a file"
        part.lines.append(f"The investigation could not be written: {one_line(problem or 'no reason given')}")
    else:
        part.good = f"the investigation is in {one_line(file)}"
        part.lines.append(f"Investigation: {one_line(file)}")
    part.lines += [one_line(line) for line in investigation.get("lines", [])]
    for row in investigation.get("silent", []):
        part.bad.append(f"no investigation of {one_line(row['host'])}: {one_line(row['what'])}")
        part.lines.append(f"{one_line(row['host'])}: not investigated, {one_line(row['what'])}: {one_line(row['why'])}")
    return part.as_result()
