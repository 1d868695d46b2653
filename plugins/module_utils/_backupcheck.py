# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what pg_dump wrote, in whatever format, to see whether it is whole. Neither Ansible nor a driver."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import IO, Any, Callable, Iterable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import source_error
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuppgdump import (
    TAIL_BYTES,
    Listing,
    Script,
    is_ended,
    local_moment,
    parse_listing,
    script_kind,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import read_child
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

Look = Callable[[], None]

_BLOCK_BYTES = 1 << 20
# A longer list of contents is not looked at.
_MOST_LISTING_BYTES = 64 << 20
# The clock that the header was written by and that of the file system may differ by this.
_CLOCK_SECONDS = 5.0
_PACKED = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
_DATA = (".dat", ".dat.gz", ".dat.lz4", ".dat.zst")


def check_file(found: Backup, contents: bool, bin_dir: str | None, look: Look) -> None:
    """Read a backup made by pg_dump and fill in what it says; raises KanbanError or OSError if it is unusable."""
    place = Path(str(found.path))
    if place.is_dir():
        _check_archive(found, place, contents, bin_dir, look)
        return
    with place.open("rb") as file:
        head = file.read(_BLOCK_BYTES)
        if not head:
            found.refuse("the file is empty")
        elif head.startswith(b"PGDMP") or (head.startswith(b"toc.dat\0") and head[257:262] == b"ustar"):
            _check_archive(found, place, contents, bin_dir, look)
        elif head.startswith(b"\x1f\x8b"):
            _check_packed(found, place, look)
        elif any(head.startswith(sign) for sign in _PACKED):
            name = next(name for sign, name in _PACKED.items() if head.startswith(sign))
            found.refuse(f"it is packed by {name}, which is not read here; use pg_dump's own --compress")
        elif contents:
            file.seek(0)
            _check_script(found, iter(lambda: file.read(_BLOCK_BYTES), b""), look)
            found.verified = "contents" if found.usable else None
        else:
            _check_ends(found, file, head)


def _check_packed(found: Backup, place: Path, look: Look) -> None:
    """Read a compressed script to its end: nothing else tells whether it has one."""
    try:
        with gzip.open(place, "rb") as file:
            _check_script(found, iter(lambda: file.read(_BLOCK_BYTES), b""), look)
        found.verified = "contents" if found.usable else None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        found.refuse(f"its compression is broken, it is cut or damaged: {error}")


def _check_ends(found: Backup, file: IO[bytes], head: bytes) -> None:
    end = script_kind(head)
    file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
    if end is None:
        found.refuse("it does not begin as what pg_dump writes")
    elif not is_ended(file.read(), end):
        found.refuse("it does not end as what pg_dump writes: it is cut, or not finished")
    else:
        found.usable, found.verified, found.facts["format"] = True, "ends", "plain"


def _check_script(found: Backup, blocks: Iterable[bytes], look: Look) -> None:
    script, end = Script(), None
    for number, block in enumerate(blocks):
        look()
        if number == 0:
            end = script_kind(block)
            if end is None:
                found.refuse("it does not begin as what pg_dump writes")
                return
        script.feed(block)
    if end is None or not is_ended(script.tail, end) or script.cut_in:
        found.refuse("it does not end as what pg_dump writes: it is cut, or not finished")
        return
    # Anything before the first \connect belongs to the one database, whose name is not in it.
    found.tables = {found.database if name is None else name: some for name, some in script.tables.items()}
    found.facts["format"] = "plain"
    found.usable = True
    if not script.tables:
        found.refuse("it has no rows of any table")


def _check_archive(found: Backup, place: Path, contents: bool, bin_dir: str | None, look: Look) -> None:
    program = _pg_restore(bin_dir)
    text, size = [], 0
    for piece in read_child([program, "--list", str(place)], look):
        text.append(piece)
        size += len(piece)
        if size > _MOST_LISTING_BYTES:
            found.refuse("its list of contents is too long to be looked at")
            return
    listing = parse_listing(b"".join(text).decode("utf-8", "replace"))
    if listing is None:
        found.refuse("its list of contents is not understood")
        return
    _take_listing(found, listing)
    if not listing.rows:
        found.refuse("it has no rows of any table")
        return
    # This comes first because pg_restore never ends on some tar files that are cut.
    problem = _visible_damage(place, listing) or (_damage(place, listing, program, look) if contents else "")
    if problem:
        found.refuse(problem)
        return
    found.usable, found.verified = True, "contents" if contents else "toc"


def _take_listing(found: Backup, listing: Listing) -> None:
    found.database = listing.database
    found.tables = listing.tables
    found.facts["format"] = listing.form.lower()
    created = local_moment(listing.created) if listing.created else None
    # The header names no zone. A time after the file's last change was written in another zone than this host's.
    if created is not None and found.ended is not None and created <= found.ended + _CLOCK_SECONDS:
        found.started = found.as_of = created
        found.time_by = "header"


def _damage(place: Path, listing: Listing, program: str, look: Look) -> str:
    """Return what is wrong with the rows of an archive, all of which are read."""
    script = Script()
    for block in read_child([program, "--file=-", str(place)], look):
        script.feed(block)
    if script.cut_in:
        return f"the rows of {script.cut_in} are cut"
    read = {name for some in script.tables.values() for _schema, name in some}
    lost = [name for _number, (_schema, name) in listing.rows if name not in read]
    return f"rows that it lists could not be read: {', '.join(lost[:10])}" if lost else ""


def _visible_damage(place: Path, listing: Listing) -> str:
    """Return what is wrong with an archive as far as that can be seen without reading the rows."""
    if place.is_dir():
        there = {one.name for one in place.iterdir()}
        lost = [table[1] for number, table in listing.rows if not any(number + end in there for end in _DATA)]
        return f"files with the rows of {', '.join(lost[:10])} are missing" if lost else ""
    with place.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1024))
        tail = file.read()
    is_tar = listing.form == "TAR"
    # A tar ends with two blocks of zeros; a custom archive ends with its rows, and those with a length of 0 in 5 bytes.
    whole = (size % 512 == 0 and not any(tail)) if is_tar else not any(tail[-5:])
    return "" if whole else "its end is missing: it is cut, or not finished"


def _pg_restore(bin_dir: str | None) -> str:
    try:
        return find_programs(bin_dir, 0, "").path("pg_restore")
    except KanbanError as error:
        raise source_error(
            "no_pg_restore", error.what, "Install the package postgresql-client, or name bin_dir."
        ) from None


def described(error: Any) -> str:
    """Return in words why a backup could not be read."""
    return str(getattr(error, "what", None) or getattr(error, "strerror", None) or error)
