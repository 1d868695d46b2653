# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why rows cannot come from a point in time, in words. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, utc
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplan import (
    Stanza,
    restored_last,
    segment_after,
)

NOTHING = "Nothing was changed, and nothing is left of the scratch instance."
_LINES = 5
_CHARACTERS = 1000
_ENDED = ("recovery ended before configured recovery target", "WAL ends before", "required checkpoint record")
_TOO_EARLY = "requested recovery stop point is before consistent recovery point"
# pgBackRest's own errors; a file that is missing in the archive is not one of them.
_TOOL = re.compile(r"^ERROR: \[\d+\]: .*$", re.MULTILINE)
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")


def last_lines(said: str) -> str:
    """Return the end of what a program said, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " | ".join(lines[-_LINES:])[-_CHARACTERS:] or "it said nothing"


def choose(backups: Sequence[Backup], stanza: str, moment: float, cluster: str | None) -> Backup:
    """Return the newest backup of the cluster that had ended before a moment; raises BadInput or KanbanError.

    :param cluster: the server's system identifier; None if it is not known.
    """
    ours = [one for one in backups if not cluster or not one.cluster or one.cluster == cluster]
    if backups and not ours:
        raise BadInput(
            "other_database",
            f"pgBackRest's stanza {stanza} is of the cluster {backups[-1].cluster}, and this server's is {cluster}.",
            "Compared with it everything would be another row. Nothing was changed.",
            "Name the stanza of this server.",
        )
    usable = [one for one in ours if one.usable and one.ended is not None]
    if not usable:
        told = "; ".join(f"{one.label}: {one.why_not}" for one in ours[-3:])
        raise KanbanError(
            "no_backup",
            f"pgBackRest's stanza {stanza} has no usable backup{f' ({told})' if told else ''}.",
            "A point in time is reached from a backup, by the log. Nothing was changed.",
            "Use a dump, if there is one; and see to it that pgBackRest makes backups.",
        )
    # The catalogue has whole seconds only.
    before = [one for one in usable if (one.ended or 0.0) + 1 <= moment]
    if not before:
        first = min(usable, key=lambda one: one.ended or 0.0)
        raise KanbanError(
            "backup_too_late",
            f"The oldest usable backup of pgBackRest's stanza {stanza}, {first.label}, ended at {utc(first.ended)}, "
            f"and the target is {utc(moment)}.",
            "The log leads from a backup onwards, never back, so that moment is out of reach. Nothing was changed.",
            "Use a dump from before it, or another repository; a later target would have what is wrong in it.",
        )
    return max(before, key=lambda one: one.ended or 0.0)


def no_room(directory: str, needed: int, free: int, reserve: int) -> KanbanError:
    """Return the error for a disk on which the instance has no room."""
    return KanbanError(
        "no_space",
        f"The scratch instance takes about {needed >> 20} MB, and {max(0, free - reserve) >> 20} MB are to be had at "
        f"{directory}: {free >> 20} MB are free, of which {reserve >> 20} MB stay so.",
        f"A full disk stops whatever else lives on it, perhaps the database. {NOTHING}",
        "Free space there, name another disk as scratch_dir, or leave less free (min_free).",
    )


def disk_filled(directory: str, free: int, reserve: int) -> KanbanError:
    """Return the error for a disk that filled up meanwhile, whoever filled it."""
    return KanbanError(
        "no_space",
        f"Only {free >> 20} MB were left at {directory} while the scratch instance was there, and {reserve >> 20} MB "
        "are to stay free.",
        f"A full disk stops whatever else lives on it, perhaps the database. {NOTHING}",
        "Free space there, name another disk as scratch_dir, or leave less free (min_free).",
    )


def disk_full(directory: str) -> KanbanError:
    """Return the error for a disk, or an account's share of it, that is full."""
    return KanbanError(
        "no_space",
        f"The disk of {directory}, or what this account may have of it, is full.",
        f"The scratch instance did not come up. {NOTHING}",
        "Free space there, or name another disk as scratch_dir.",
    )


def restore_failed(said: str, directory: str) -> KanbanError:
    """Return the error that says why pgBackRest did not restore."""
    if any(word in said for word in _FULL):
        return disk_full(directory)
    return KanbanError(
        "restore_failed",
        f"pgBackRest did not restore: {last_lines(said)}.",
        f"Without the backup there is no point in time. {NOTHING}",
        "Mend what it says (pgbackrest check and verify tell more), then run the same command again.",
    )


def recovery_failed(
    said: str, directory: str, stanza: Stanza, first: str | None, newest: str | None, segment_bytes: int, target: str
) -> KanbanError:
    """Return the error that says why the log did not lead to the target.

    :param said: the end of the instance's log.
    :param first: the first file of the log that the backup needs; ``newest``: the last one in the archive.
    """
    if any(word in said for word in _FULL):
        return disk_full(directory)
    tool = _TOOL.findall(said)
    if tool:
        return KanbanError(
            "archive_get_failed",
            f"pgBackRest could not give a file of the log: {last_lines(tool[-1])}.",
            f"Without the log the target is out of reach. {NOTHING}",
            "Mend what it says, then run the same command again.",
        )
    if _TOO_EARLY in said:
        return KanbanError(
            "backup_too_late",
            f"The backup {stanza.label} is whole only after the target {target}.",
            f"The log leads from a backup onwards, never back. {NOTHING}",
            "Give a target some seconds later, if that still is before the damage; or use a dump.",
        )
    if any(word in said for word in _ENDED):
        return _log_ended(said, first, newest, segment_bytes, target)
    return KanbanError(
        "scratch_failed",
        f"The scratch instance did not come up at the target; it said: {last_lines(said)}.",
        f"Without it there are no rows of that moment. {NOTHING}",
        "Mend what it says, then run the same command again; or use a dump.",
    )


def _log_ended(said: str, first: str | None, newest: str | None, segment_bytes: int, target: str) -> KanbanError:
    last = restored_last(said)
    missing = segment_after(last, segment_bytes) if last else first
    if missing and newest and missing[8:] <= newest[8:24]:
        return KanbanError(
            "wal_missing",
            f"The archive lacks the file {missing} of the log, and has later ones, up to {newest}.",
            f"Nothing behind it can be reached, so the target {target} cannot either. {NOTHING}",
            "Put that file into the archive again if it is anywhere, take a backup from after it, or use a dump.",
            missing_wal=missing,
        )
    return KanbanError(
        "wal_not_archived",
        f"The archive's log ends with {last or newest or 'nothing'}, before any transaction at or after the target "
        f"{target}.",
        f"What came then is not archived yet, or never was; what lies before it is not proven. {NOTHING}",
        "SELECT pg_switch_wal() on the primary has the present file archived; look at the archiver (backup_info), then "
        "run the same command again.",
        missing_wal=missing,
    )


def out_of_time(seconds: float, step: str, said: str) -> KanbanError:
    """Return the error for an instance that was not there by the deadline."""
    return KanbanError(
        "scratch_not_ready",
        f"After {seconds:g} s {step}{f'; it last said: {last_lines(said)}' if said.strip() else ''}.",
        f"What takes longer than it was given is ended, so that nothing is forgotten on the host. {NOTHING}",
        "Give more deadline, or a target that is nearer to a backup; then run the same command again.",
    )


def unusable(path: str, why: object) -> KanbanError:
    """Return the error for a place where the instance cannot be kept."""
    return KanbanError(
        "scratch_unusable",
        f"{path} cannot be used for the scratch instance: {why}.",
        f"Without a place there are no rows of that moment. {NOTHING}",
        "Give scratch_dir where the account may make directories, on a local disk.",
    )


def unreadable(what: str) -> KanbanError:
    """Return the error for rows that the instance did not give."""
    return KanbanError(
        "scratch_unreadable",
        f"The scratch instance did not give its rows: {what.rstrip('.')}.",
        f"What it does not give can neither be compared nor come back. {NOTHING}",
        "Mend what it says, then run the same command again; or use a dump.",
    )


def keeper_lost() -> KanbanError:
    """Return the error for a keeper that ended without a word."""
    return KanbanError(
        "scratch_lost",
        "The process that keeps the scratch instance has ended without a word.",
        "Somebody ended it, or the kernel did when memory ran out: it is the first to go. Nothing was changed.",
        "See what the kernel's log says, then run the same command again.",
    )
