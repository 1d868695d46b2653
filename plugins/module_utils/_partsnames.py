# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of hosts that were typed and match none: Ansible warns about them and goes on without. Pure."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import CONTAIN, VALIDATE, Part

# Characters that make a name a pattern: only Ansible can say whom it means.
_PATTERN = re.compile(r"[*?\[\]~!&]")


def unmatched(pattern: Any, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of a list that are neither a host nor a group with hosts.

    A single name is not judged here: if a whole tier has no hosts, each of its parts says so.
    """
    if isinstance(pattern, str):
        # A colon that may be part of an address is not taken for a separator.
        terms = re.split(r"," if "::" in pattern or "[" in pattern else r"[,:]", pattern)
    else:
        terms = [str(term) for term in pattern or []]
    named = [term.strip() for term in terms if term.strip()]
    hosts = {"localhost", *groups.get("all", ())}
    found = [name for name in named if name not in hosts and not groups.get(name) and not _PATTERN.search(name)]
    return found if len(named) > 1 else []


def names_parts(patterns: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Judge whether each name that was typed matches a host; empty if each does.

    :param patterns: ``kanban_db_hosts``, ``kanban_redis_hosts`` and ``kanban_app_hosts``, as they are.
    :param groups: Ansible's: the hosts of each group, and of ``all``.
    """
    parts = []
    for variable, pattern in patterns.items():
        lacking = [one_line(name) for name in unmatched(pattern, groups)]
        if lacking:
            part = Part(VALIDATE if variable == "kanban_app_hosts" else CONTAIN, "")
            part.bad = [f"{name} of {variable} is no host, so nothing was done there" for name in lacking]
            part.lines = [
                f"{name}: NOT ACCOUNTED FOR: no host, and no group with hosts, has that name" for name in lacking
            ]
            parts.append(part.as_result())
    return parts
