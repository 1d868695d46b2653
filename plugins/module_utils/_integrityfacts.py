# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all databases together say about their data, for the decision tree. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import DECIDES, is_lacking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

Answer = Mapping[str, Any]


def integrity_facts(names: Sequence[str], answers: Sequence[Answer]) -> dict[str, Any]:
    """Return ``status`` (ok, corrupt, unknown), ``counts``, ``noted``, ``not_applicable`` and ``why`` of all hosts.

    A check that decides but whose own table does not exist is a doubt: the name is wrong, or the table was dropped.
    Only checks of severity critical decide, and are counted in ``counts``. ``noted`` has what the others found beyond
    what they tolerate, None for one that did not count; it is shown for a person to judge.

    :param names: the hosts that should have answered; ``answers`` are what ``integrity_info`` returned there, in the
        same order. Several hosts that lead to one database count once, and its primary is preferred to its replicas.
    """
    # A host without an answer must count, so the loop goes over the names.
    given: Iterator[Answer] = iter(answers)
    chosen: dict[str, tuple[str, Answer]] = {}
    doubts: list[str] = []
    for name in names:
        answer = next(given, {})
        if not isinstance(answer, Mapping) or "checks" not in answer:
            doubts.append(f"{name}: {why_not(answer) if isinstance(answer, Mapping) else 'no answer'}")
            continue
        cluster = str(answer["database"]["cluster"])
        if cluster not in chosen or answer["database"]["writable"]:
            chosen[cluster] = (str(name), answer)
    counts: dict[str, int] = {}
    noted: dict[str, int | None] = {}
    lacking: set[str] = set()
    for name, answer in chosen.values():
        for check in answer["checks"]:
            if is_lacking(check):
                lacking.add(check["name"])
            elif check["severity"] != DECIDES:
                _note(noted, check)
            elif check["count"] is None:
                doubts.append(f"{name}: {one_line(check['name'])}: {one_line(check['why'])}")
            else:
                counts[check["name"]] = counts.get(check["name"], 0) + check["count"]
    corrupt = any(
        check["status"] == "corrupt" and check["severity"] == DECIDES
        for _name, answer in chosen.values()
        for check in answer["checks"]
    )
    if not names:
        doubts.append("no host is in the group of databases")
    elif not counts and not doubts:
        doubts.append("no check that decides applies to this schema")
    return {
        "status": "corrupt" if corrupt else "unknown" if doubts else "ok",
        "counts": counts,
        "noted": noted,
        # A check may apply to another of the databases; then ``counts`` has its count there.
        "not_applicable": sorted(lacking),
        "why": "; ".join(doubts),
    }


def _note(noted: dict[str, int | None], check: Answer) -> None:
    """Add a check that does not decide: the rows it found on all databases, unknown as soon as one count is."""
    name, count = str(check["name"]), check["count"]
    if count is None or (name in noted and noted[name] is None):
        noted[name] = None
    elif check["status"] == "corrupt":
        noted[name] = (noted.get(name) or 0) + count
