# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a backup to come back to, as a list of what is missing. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuplines import (
    is_recent,
    log_text,
    newest_text,
    of_each_database,
    silent_sources,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import (
    Answer,
    Item,
    Seen,
    failure_item,
    is_primary,
)

_WHY = "What corruption destroyed comes back only from a backup that is older than it, and not much older."


def backup_items(hosts: Sequence[Seen], most: float) -> list[Item]:
    """Return the databases without a backup that is young enough, and the sources that gave no answer.

    A database that several hosts lead to counts once: one host that has its backup is enough.

    :param hosts: with ``sources``, which are to be asked, and ``backup``, as ``backup_info`` gives it.
    :param most: how old a backup's data may be, in seconds.
    """
    asked = {host.name: host for host in hosts if host.reached and is_primary(host) and host.of("sources")}
    found: list[Item] = []
    for name, answer in of_each_database((host.cluster, host.name, host.of("backup")) for host in asked.values()):
        found += _items(asked[name], answer, most)
    return found


def _items(host: Seen, answer: Answer, most: float) -> list[Item]:
    if "sources" not in answer:
        return [failure_item("backup", host, answer, _WHY, "Correct kanban_backup_sources.")]
    found = []
    if not is_recent(answer):
        todo = "Mend the backup, or make one; kanban_backup_max_age says how old it may be."
        found.append(Item("backup", host.name, False, True, newest_text(answer, most), _WHY, todo))
    for what, error in silent_sources(answer):
        # If another source has one that is young enough, nothing is lost yet.
        found.append(Item("backup", host.name, False, False, what, error["why"], error["todo"]))
    if answer["archiver"]["healthy"] is False and (answer["newest"] or {}).get("physical"):
        todo = "Mend archiving; the server's log says what fails."
        why = "What was written since is in no backup."
        found.append(Item("backup", host.name, False, False, log_text(answer), why, todo))
    return found
