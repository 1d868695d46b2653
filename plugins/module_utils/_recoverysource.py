# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore of scenario 3 compares with: since when the data counts as corrupt, and which backup there would be.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line

# Checks that tell by unusual hours when it began; the first row that other checks find may be far older than that.
BY_HOURS = ("mass_delete", "timeline")


def earliest(checks: Answer) -> tuple[str | None, str | None, bool]:
    """Return since when data is corrupt by the checks of ``integrity_info``, which check tells it, and if by the hour.

    It is the earliest that a check by hours tells; if none does, the earliest of the rows that other checks found.
    """
    told = [
        (str(check["first_at"]), str(check["name"]), check["kind"] in BY_HOURS)
        for check in checks.get("checks") or []
        if check.get("status") == "corrupt" and check.get("first_at")
    ]
    return min([one for one in told if one[2]] or told, default=(None, None, False))


def corrupt_since(checks: Answer, given: str, opened: str | None, began: float, silence: str = "") -> dict[str, str]:
    """Return since when one database's data counts as corrupt: ``at``, with its zone, and ``by``, what says so.

    An empty ``at`` means that it is not known: ``by`` says why.

    :param checks: as ``integrity_info`` gives them; ``given``: ``kanban_corrupt_since``, which takes precedence.
    :param opened: when the ledger opened the incident, if it has; ``began``: when this run did, in seconds since 1970.
        By then somebody had seen that something was wrong.
    :param silence: why the ledger has not said when it was opened. That may be long before this run, and a backup from
        in between would bring back what is corrupt.
    """
    if given:
        return {"at": given, "by": "kanban_corrupt_since says so"}
    at, name, by_hours = earliest(checks)
    if at and by_hours:
        return {"at": at, "by": f"the check {one_line(name)} tells it"}
    if opened:
        return {"at": opened, "by": "the incident was opened then, and no check tells an earlier moment"}
    if silence:
        return {"at": "", "by": f"the ledger has not said when the incident was opened: {one_line(silence)}"}
    at = datetime.fromtimestamp(began, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"at": at, "by": "this run began then, and no check tells an earlier moment"}


def without_source(backups: Answer, since: Mapping[str, str]) -> str:
    """Return what to say if no source is named: that, and which usable backup from before the corruption there is.

    :param backups: as ``backup_info`` gives it, asked for what is from before that moment; empty if nobody asked.
    """
    lacks = "kanban_restore_source is not given, so there is nothing to compare with"
    if not backups or backups.get("skipped"):
        return f"{lacks}: name a backup; where kanban_backup_sources says where they are, the newest is named here"
    if "sources" not in backups:
        return f"{lacks}, and which backups there are is not known: {why_not(backups)}"
    newest: Mapping[str, Any] | None = backups.get("before")
    if not newest:
        return f"{lacks}, and no usable backup is from before {since['at']}: {one_line(backups.get('before_why'))}"
    where = f" in {one_line(newest['path'])}" if newest.get("path") else ""
    return (
        f"{lacks}; the newest usable backup from before {since['at']} is {one_line(newest['label'])} "
        f"({one_line(newest['kind'])}){where}, with the data of {newest['as_of']}"
    )
