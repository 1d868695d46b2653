# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the server archives its log, and how far the archive reaches. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, utc

_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?![0-9A-F])")
_PER_LOG = 1 << 32


@dataclass(frozen=True)
class Archive:
    """What the server says about archiving; moments are seconds since 1970, positions are bytes.

    :ivar written: when files of the log were last written, as far as they exist and may be seen.
    :ivar receivers: the clients that stream the log without being a replica, each with name, state and behind_bytes.
    """

    written: Mapping[str, float]
    receivers: Sequence[dict[str, Any]]
    mode: str
    has_command: bool
    in_recovery: bool
    archived_count: int
    last_archived_wal: str | None
    last_archived_time: float | None
    failed_count: int
    last_failed_wal: str | None
    last_failed_time: float | None
    stats_reset: float | None
    now: float
    position: int | None
    segment_bytes: int

    def number(self, name: str | None) -> int | None:
        """Return the number of a file of the log, whatever its timeline; None for any other name."""
        found = _SEGMENT.match(name or "")
        if not found:
            return None
        return int(found.group(2), 16) * (_PER_LOG // self.segment_bytes) + int(found.group(3), 16)

    @property
    def current(self) -> int | None:
        """The number of the file that is being written."""
        return None if self.position is None else self.position // self.segment_bytes

    @property
    def behind(self) -> int | None:
        """How many files are full and not archived; None if that is unknown."""
        last = self.number(self.last_archived_wal)
        return None if last is None or self.current is None else max(0, self.current - last - 1)

    @property
    def unarchived_bytes(self) -> int | None:
        """How much of the log would be lost with the server."""
        last = self.number(self.last_archived_wal)
        if last is None or self.position is None:
            return None
        return max(0, self.position - (last + 1) * self.segment_bytes)

    def written_at(self, segment: str | None) -> float | None:
        """Return when a full file of the log was last written: everything that happened by then is in it or before it.

        A file with a later number may be an old one that waits to be reused, under its new name.
        """
        number = self.number(segment)
        if number is None or self.current is None or number >= self.current:
            return None
        return self.written.get(str(segment)[:24])


def archiver_result(archive: Archive, most_behind: int) -> dict[str, Any]:
    """Return the module's ``archiver``: the figures, whether it is healthy (None: unknown), and why."""
    healthy, why = _health(archive, most_behind)
    last = archive.last_archived_time
    return {
        "asked": True,
        "healthy": healthy,
        "why": why,
        "archive_mode": archive.mode,
        "archived_count": archive.archived_count,
        "last_archived_wal": archive.last_archived_wal,
        "last_archived_time": utc(last),
        "last_archived_age_seconds": None if last is None else round(archive.now - last),
        "failed_count": archive.failed_count,
        "last_failed_wal": archive.last_failed_wal,
        "last_failed_time": utc(archive.last_failed_time),
        "stats_reset": utc(archive.stats_reset),
        "behind_segments": archive.behind,
        "unarchived_bytes": archive.unarchived_bytes,
        "receivers": list(archive.receivers),
        "error": None,
    }


def no_archiver(error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return ``archiver`` for a server that was not asked, or did not answer."""
    figures = ("archive_mode", "archived_count", "last_archived_wal", "last_archived_time", "last_archived_age_seconds")
    more = ("failed_count", "last_failed_wal", "last_failed_time", "stats_reset", "behind_segments", "unarchived_bytes")
    return {
        "asked": error is not None,
        "healthy": None,
        "why": f"it is not known: {error['what']}" if error else "the server was not asked",
        **dict.fromkeys((*figures, *more)),
        "receivers": [],
        "error": error,
    }


def _health(archive: Archive, most_behind: int) -> tuple[bool | None, str]:
    if archive.in_recovery and archive.mode != "always":
        return None, "this is a replica, which archives nothing; ask the primary"
    if archive.mode == "off" and archive.receivers:
        names = ", ".join(str(one["application_name"]) for one in archive.receivers)
        return None, f"archive_mode is off; the log is streamed to {names}, which is not asked whether it keeps it"
    problem = _problem(archive, most_behind)
    if not problem and archive.last_archived_time is None:
        return None, "no file of the log was archived since the counters were reset, and none has failed"
    return not problem, problem


def _problem(archive: Archive, most_behind: int) -> str:
    """Return why archiving is not as it should be; empty if it is, or has not begun."""
    if archive.mode == "off":
        return "archive_mode is off, and nobody streams the log: only what a backup holds can be brought back"
    if not archive.has_command:
        return "neither archive_command nor archive_library is set: the log piles up on the server's disk"
    failed, archived = archive.last_failed_time, archive.last_archived_time
    if failed is not None and (archived is None or failed >= archived):
        last = f"the last one was {archive.last_archived_wal} at {utc(archived)}" if archived else "none ever was"
        text = f"archiving fails: {archive.last_failed_wal} could not be archived at {utc(failed)}; {last}"
        return f"{text}, and {archive.failed_count} tries have failed; the server's log says why"
    if archive.behind is not None and archive.behind > most_behind:
        return f"{archive.behind} full files of the log wait to be archived, and {most_behind} may"
    return ""


def set_reach(backup: Backup, archive: Archive | None) -> None:
    """Set how far a physical backup reaches with the log; if that is unknown it stays None, with the reason.

    It reaches to when the last file in the backup's archive was written. If the server no longer has that file, it is
    when it was archived, if no try ever failed: after a failure a file is archived long after it was written.
    """
    if not backup.physical:
        return
    moment = by = None
    if archive and backup.last_segment:
        moment, by = archive.written_at(backup.last_segment), "segment"
        same = archive.number(backup.last_segment) == archive.number(archive.last_archived_wal)
        if moment is None and same and not archive.failed_count:
            moment, by = archive.last_archived_time, "archiver"
    if moment is not None:
        ends = [one for one in (moment, backup.as_of) if one is not None]
        backup.reaches_to, backup.reach_by = max(ends), by
    elif archive is None:
        backup.facts["reach_unknown"] = "the server was not asked when it wrote its log"
    elif not backup.last_segment:
        backup.facts["reach_unknown"] = "the tool did not say which is the last file of the log that it has"
    else:
        backup.facts["reach_unknown"] = (
            f"the server does not say when it wrote {backup.last_segment}: it has that file no more, or the role is no "
            "member of pg_monitor"
        )
