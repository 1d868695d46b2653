# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of log files, rotated ones too, read with their owner's rights and within bounds. No Ansible, no driver.

The owner of pm2's home says where its logs are, and may put a link there: root following it would print /etc/shadow.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import stat
import zlib
from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logerrors import Counted, Tail, Wanted

_PIECE = 256 * 1024
# If a directory has more entries, the rest is ignored; of more rotated files, only the newest are read.
_MOST_ENTRIES = 5000
_MOST_ROTATED = 5
# A compressed file has to be read from its beginning: at most so many bytes for each byte that is kept.
_MOST_UNPACKED = 64
# A log can be rotated while it is read; then it is read again.
_TRIES = 3

Earlier = Mapping[str, Any]


class NotReadable(Exception):
    """A log that could not be read; ``state`` is one word, ``reason`` one line."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


@contextlib.contextmanager
def rights_of(owner: pwd.struct_passwd) -> Iterator[None]:
    """Take on the owner's rights for a while, if this is root and the owner is not."""
    if os.geteuid() != 0 or owner.pw_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups(os.getgrouplist(owner.pw_name, owner.pw_gid))
    os.setegid(owner.pw_gid)
    os.seteuid(owner.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@dataclass
class Log:
    """What was read of one log."""

    path: str
    counted: Counted
    size: int
    inode: int
    rotated: list[str]
    # What could not be read of rotated files, one line each.
    lacking: list[str]
    # Whether everything was read that could count, and everything that is both among the last lines and new.
    complete: bool = True
    recent: bool = True
    # When it was last written.
    written_at: float = 0.0

    def lacks(self, wanted: Wanted, reason: str | None = None, written_at: float = float("inf")) -> None:
        """Note that something older was not read, and why; ``written_at``: when it was last written, at the latest."""
        self.complete = False
        if reason:
            self.lacking.append(reason)
        if written_at >= wanted.since and not self.counted.settles(wanted):
            self.recent = False


def read_log(path: str, wanted: Wanted, most: int, earlier: Earlier | None, deadline: Deadline) -> Log:
    """Return the errors in the end of a log; raises NotReadable.

    :param most: bytes to read of each file.
    :param earlier: what was known of it before: ``inode``, ``size_bytes``, ``at``.
    """
    for _try in range(_TRIES):
        # Listed first, so that a file that is moved there meanwhile is not read twice.
        older = rotated(path)
        log, changed = _read(path, older, wanted, most, earlier or {}, deadline)
        if not changed:
            return log
    log.lacking.append("it was rotated again and again while it was read")
    log.complete = log.recent = False
    return log


def _read(
    path: str, older: list[tuple[str, os.stat_result]], wanted: Wanted, most: int, earlier: Earlier, deadline: Deadline
) -> tuple[Log, bool]:
    with _opened(path) as handle:
        status = os.fstat(handle)
        tail = _tail(handle, status, most, earlier, deadline)
        log = Log(path, Counted(), status.st_size, status.st_ino, [], [], written_at=status.st_mtime)
        log.counted.add(tail, wanted)
        cut = tail.cut
        for number, (name, there) in enumerate(older):
            if cut or log.counted.reaches(wanted):
                break
            if there.st_ino == status.st_ino:
                continue
            # It cannot have what is looked for: it is too old, and not among the last lines.
            if there.st_mtime < wanted.since and log.counted.lines >= wanted.last_lines:
                break
            if deadline.over or number >= _MOST_ROTATED:
                log.lacks(wanted, written_at=there.st_mtime)
                break
            try:
                cut = _add_rotated(log, name, there, wanted, most, earlier, deadline)
            except (NotReadable, OSError) as error:
                why = getattr(error, "strerror", None) or error
                log.lacks(wanted, f"{os.path.basename(name)}: {why}", there.st_mtime)
        if cut and not log.counted.reaches(wanted):
            log.lacks(wanted)
        return log, _is_changed(path, handle, status)


def _is_changed(path: str, handle: int, before: os.stat_result) -> bool:
    """Return whether the log was rotated meanwhile, by a new file in its place or by truncating it."""
    try:
        now = os.stat(path)
    except OSError:
        return True
    return now.st_ino != before.st_ino or os.fstat(handle).st_size < before.st_size


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    # Opening a pipe in a log's place would hang. With root's own rights no link is followed: see above.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if os.geteuid() == 0 else 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise NotReadable("missing", "there is no such file; pm2 reloadLogs makes it again") from None
    except OSError as error:
        link = os.path.islink(path) and os.geteuid() == 0
        reason = "it is a link, which root does not follow" if link else error.strerror or str(error)
        raise NotReadable("forbidden", reason) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotReadable("no_file", "it is no ordinary file")
        yield handle
    finally:
        os.close(handle)


def _tail(handle: int, status: os.stat_result, most: int, earlier: Earlier, deadline: Deadline) -> Tail:
    start, pieces = max(0, status.st_size - most), []
    place = start
    while place < status.st_size and not deadline.over:
        piece = os.pread(handle, min(_PIECE, status.st_size - place), place)
        if not piece:
            break
        pieces.append(piece)
        place += len(piece)
    if place < status.st_size and deadline.over:
        raise NotReadable("slow", "there was no time to read it")
    known = int(earlier.get("size_bytes") or 0) if earlier.get("inode") == status.st_ino else 0
    # A file that is shorter than it was has been truncated since, so nothing in it was known.
    known = known if known <= status.st_size else 0
    # What was there then is no newer than the file was then.
    known_at = float(earlier.get("written_at") or earlier.get("at") or 0)
    return Tail(b"".join(pieces), status.st_mtime, start > 0, start, known, known_at)


def _add_rotated(
    log: Log, name: str, there: os.stat_result, wanted: Wanted, most: int, earlier: Earlier, deadline: Deadline
) -> bool:
    """Add an older file's end; return whether it begins in the middle."""
    with _opened(name) as handle:
        status = os.fstat(handle)
        if status.st_ino != there.st_ino:
            raise NotReadable("moved", "it was moved while it was read")
        if not name.endswith(".gz"):
            tail = _tail(handle, status, most, earlier, deadline)
        else:
            content, cut, whole = _unpacked(handle, most, deadline)
            tail = Tail(content, status.st_mtime, cut)
            if not whole:
                why = "the archive is damaged or too large, its end is missing"
                log.lacks(wanted, f"{os.path.basename(name)}: {why}", status.st_mtime)
        log.counted.add(tail, wanted)
        log.rotated.append(name)
        return tail.cut


def _unpacked(handle: int, most: int, deadline: Deadline) -> tuple[bytes, bool, bool]:
    """Return the end of a gzip file, whether it begins in the middle, and whether it really is the end."""
    unpacker, kept, total, place = zlib.decompressobj(31), b"", 0, 0
    while not deadline.over and total <= most * _MOST_UNPACKED:
        packed = unpacker.unconsumed_tail
        if not packed:
            packed = os.pread(handle, _PIECE, place)
            place += len(packed)
        if not packed:
            return kept[-most:], total > most, unpacker.eof
        try:
            piece = unpacker.decompress(packed, _PIECE)
        except zlib.error:
            break
        total += len(piece)
        kept = (kept + piece)[-most:]
        if unpacker.eof:
            # A second archive after the first is not read.
            return kept, total > most, not unpacker.unused_data
    return kept, total > most, False


def rotated(path: str) -> list[tuple[str, os.stat_result]]:
    """Return the older files of a log, the newest first, by the names that logrotate and pm2-logrotate give."""
    directory, base = os.path.split(path)
    stem, ending = os.path.splitext(base)
    older = re.compile(
        # api-error.log.1, .2.gz, -20261126, -20261126.gz; api-error__2026-11-26_00-00-00.log, .gz
        rf"(?:{re.escape(base)}[.-][0-9][0-9._-]{{0,30}}|{re.escape(stem)}__[0-9][\w.-]{{0,40}}{re.escape(ending)})(?:\.gz)?"
    )
    found = []
    try:
        with os.scandir(directory) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST_ENTRIES:
                    break
                if older.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    found.append((entry.path, entry.stat(follow_symlinks=False)))
    except OSError:
        pass  # Then the log cannot be read either, or it can be read without the directory.
    return sorted(found, key=lambda one: (-one[1].st_mtime, one[0]))
