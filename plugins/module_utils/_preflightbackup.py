# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a backup to come back to, as a list of what is missing. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightchecks import HOUR
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import (
    Answer,
    Item,
    Seen,
    failure_item,
    is_primary,
)

_WHY = "What corruption destroyed comes back only from a backup that is older than it, and not much older."


def backup_items(hosts: Sequence[Seen], most: float) -> list[Item]:
    """Return where no backup is young enough, and which source gave no answer.

    A database that several hosts lead to counts once: one host that has its backup will do.

    :param hosts: with ``sources``, what is to be asked, and ``backup``, as ``backup_info`` gives it.
    :param most: seconds that a backup's data may be old.
    """
    found: list[Item] = []
    by_cluster: dict[str, list[Seen]] = {}
    for host in [host for host in hosts if host.reached and is_primary(host) and host.of("sources")]:
        by_cluster.setdefault(host.cluster, []).append(host)
    for group in by_cluster.values():
        host = next((one for one in group if _is_recent(one.of("backup"))), group[0])
        found += _items(host, host.of("backup"), most)
    return found


def _is_recent(answer: Answer) -> bool:
    return bool(answer.get("recent") or answer.get("recent_with_log"))


def _items(host: Seen, answer: Answer, most: float) -> list[Item]:
    if "sources" not in answer:
        return [failure_item("backup", host, answer, _WHY, "Correct kanban_backup_sources.")]
    found = []
    if not _is_recent(answer):
        todo = "Mend the backup, or make one; kanban_backup_max_age says how old it may be."
        found.append(Item("backup", host.name, False, True, _age(answer, most), _WHY, todo))
    for source in [one for one in answer["sources"] if one["error"]]:
        error = source["error"]
        what = f"Backups: {source['name']} gave no answer: {error['what']}"
        # Where another source has one that is young enough, nothing is lost yet.
        found.append(Item("backup", host.name, False, False, what, error["why"], error["todo"]))
    archiver = answer["archiver"]
    if archiver["healthy"] is False and (answer["newest"] or {}).get("physical"):
        what = f"The log is not archived as it should be: {archiver['why']}."
        todo = "Mend archiving; the server's log says what fails."
        found.append(Item("backup", host.name, False, False, what, "What was written since is in no backup.", todo))
    return found


def _age(answer: Answer, most: float) -> str:
    limit = f"at most {most / HOUR:,.1f} h are allowed."
    newest = answer["furthest"] or answer["newest"]
    if not newest:
        return str(answer["newest_why"])
    age = newest["reach"]["age_seconds"]
    old = "of which nobody can tell how old its data is" if age is None else f"whose data is {age / HOUR:,.1f} h old"
    return f"The newest usable backup is {newest['label']} ({newest['kind']}), {old}; {limit}"
