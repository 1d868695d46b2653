# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where rows come back from: one of our dumps, or a file of pg_dump. Neither Ansible nor a driver.

A source says which database it is from and when it was taken, and gives tables' rows as COPY writes them. Any other
source only has to do the same, as a point in time does (``_pointscratch``).
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Collection, Iterator, Mapping, Protocol, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copyblocks import Header, Script
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    Manifest,
    check_files,
    read_manifest,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import (
    definitions_argv,
    rows_argv,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import listing, read_child
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretime import taken_at

Name = Tuple[str, str]  # Schema and table.
Look = Callable[[], None]

_PIECE_BYTES = 1 << 20
_HEAD = {
    "created": re.compile(rb"^; Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE),
    "database": re.compile(rb"^;\s+dbname: (.*?)\r?$", re.MULTILINE),
    "format": re.compile(rb"^;\s+Format: (\w+)", re.MULTILINE),
}
_DATA = re.compile(rb"^\d+; \d+ \d+ TABLE DATA ([^\r\n]*)$", re.MULTILINE)
# What else a file may begin with, and what unpacks it to a plain one.
_PACKED = {b"\x28\xb5\x2f\xfd": "zstd -d", b"\x04\x22\x4d\x18": "lz4 -d", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}


@dataclass
class About:
    """Where rows are from. ``taken_at``: the moment that they show, None if unknown.

    ``cluster`` and ``database`` are None if unknown; ``rows``: how many a table has, if that was proven; ``sizes``: how
    many bytes they took in the database, if the source tells it. ``exclusive``: changes at ``taken_at`` itself are not
    included; ``facts``: what else results show. ``partitions``: where the rows of each table lay then, as far as the
    source tells it.
    """

    kind: str
    format: str
    path: str
    taken_at: str | None = None
    database: str | None = None
    cluster: str | None = None
    bytes: int = 0
    rows: Mapping[Name, int] = field(default_factory=dict)
    sizes: Mapping[Name, int] = field(default_factory=dict)
    exclusive: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)
    partitions: Mapping[Name, Collection[Name]] = field(default_factory=dict)

    def as_result(self) -> dict[str, object]:
        """Return it as results show it."""
        names = ("kind", "format", "path", "taken_at", "database", "bytes")
        return {**{name: getattr(self, name) for name in names}, **self.facts}


class Source(Protocol):
    """Gives rows of relations. ``about`` may know more after they have been read."""

    about: About

    def streams(self, relations: Collection[Name], look: Look) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield each relation's header with its rows, which have to be read before the next; raises KanbanError."""


@dataclass
class Dump:
    """A dump of this collection: every file is compared with its manifest first, and its rows are counted."""

    about: About
    program: str
    encoding: str
    relations: Collection[Name]

    def streams(self, relations: Collection[Name], look: Look) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield rows as ``Source`` says."""
        for schema, table in sorted(set(relations) & set(self.relations)):
            yield from _out_of_archive(self.program, self.about.path, (schema, table), self.encoding, look)


@dataclass
class Archive:
    """What pg_dump wrote in its custom, directory or tar format."""

    about: About
    program: str
    encoding: str
    contents: Collection[str]

    def streams(self, relations: Collection[Name], look: Look) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield rows as ``Source`` says."""
        definitions = Script(_read(self.about.path, definitions_argv(self.program, self.about.path), look))
        for _header, _rows in definitions.blocks():
            pass
        self.about.partitions = definitions.partitions()
        for schema, table in sorted(relations):
            # Schema, name and owner, separated by spaces; a name may contain one too.
            if any(entry.startswith(f"{schema} {table} ") for entry in self.contents):
                yield from _out_of_archive(self.program, self.about.path, (schema, table), self.encoding, look)


@dataclass
class Plain:
    """A script of pg_dump, as it is or compressed by gzip."""

    about: About

    def streams(self, relations: Collection[Name], look: Look) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield rows as ``Source`` says; the whole file is read, because its last line says that it is complete."""
        script = Script(_pieces(Path(self.about.path), look))
        yield from script.blocks(relations)
        self.about.database, self.about.partitions = script.database, script.partitions()
        self.about.taken_at, self.about.facts = taken_at(script.started)
        if script.cluster:
            raise _unreadable(self.about.path, "it is pg_dumpall's, of several databases whose tables may share names")
        _refuse_inserts(self.about.path, script, relations)
        if script.truncated or not script.complete:
            raise _truncated(self.about.path, "it ends within rows" if script.truncated else "its last line is missing")


def open_dump(path: Path, pg_restore: str, encoding: str, look: Look) -> Dump:
    """Return a dump of this collection, all of whose files are as its manifest says; raises KanbanError.

    :param look: called for each piece of its files; what it raises ends the reading.
    """
    manifest = read_manifest(path)
    check_files(path, manifest, look=look)
    database = manifest["database"]
    about = About(
        "dump",
        "directory",
        str(path),
        str(manifest["snapshot"]["time"]),
        database.get("name"),
        database.get("cluster"),
        int(manifest["total_bytes"]),
        {(table["schema"], table["table"]): int(table["rows"]) for table in manifest["tables"]},
        {(table["schema"], table["table"]): int(table["bytes"]) for table in manifest["tables"]},
    )
    about.partitions = _partitions(manifest)
    return Dump(about, pg_restore, encoding, {leaf for leaves in about.partitions.values() for leaf in leaves})


def _partitions(manifest: Manifest) -> dict[Name, set[Name]]:
    return {
        (table["schema"], table["table"]): {(leaf["schema"], leaf["table"]) for leaf in table["relations"]}
        for table in manifest["tables"]
    }


def format_of(path: Path) -> str:
    """Return the format of a file of pg_dump: custom, directory, tar, plain or gzip; raises BadInput."""
    try:
        if path.is_dir():
            if any((path / name).exists() for name in ("toc.dat", "toc.dat.gz")):
                return "directory"
            raise _unreadable(str(path), "it is a directory without a table of contents (toc.dat)")
        with path.open("rb") as file:
            begin = file.read(512)
    except OSError as error:
        raise BadInput(
            "no_backup",
            f"{path} cannot be read: {error.strerror}.",
            "Without it there is nothing to compare with. Nothing was changed.",
            "Name the file or directory on the host that runs the module (option source).",
        ) from error
    if not begin:
        raise _truncated(str(path), "it is empty")
    packed = next((tool for magic, tool in _PACKED.items() if begin.startswith(magic)), None)
    if packed:
        raise _unreadable(str(path), f"it is packed; unpack it first ({packed})")
    if begin.startswith(b"PGDMP"):
        return "custom"
    if begin[257:262] == b"ustar" or begin.startswith(b"toc.dat\0"):
        return "tar"
    return "gzip" if begin.startswith(b"\x1f\x8b") else "plain"


def open_file(path: Path, pg_restore: str, encoding: str) -> Source:
    """Return the content of a file of pg_dump, by its table of contents if it has one; raises KanbanError."""
    found = format_of(path)
    about = About("file", found, str(path), bytes=_size(path))
    if found in ("plain", "gzip"):
        return Plain(about)
    if found == "tar" and not _whole_tar(path):
        # pg_restore silently reads the missing part as nothing.
        raise _truncated(str(path), "a part of it is longer than what is there")
    try:
        said = listing([pg_restore, "--list", str(path)])
    except KanbanError as error:
        raise _unreadable(str(path), error.what.rstrip(".")) from error
    head = {name: pattern.search(said) for name, pattern in _HEAD.items()}
    told = {name: one.group(1).decode(encoding, "replace") for name, one in head.items() if one}
    about.database = told.get("database")
    about.taken_at, about.facts = taken_at(told.get("created"))
    contents = [entry.decode(encoding, "replace") for entry in _DATA.findall(said)]
    return Archive(about, pg_restore, encoding, contents)


def _whole_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:") as tar:
            return all(member.offset_data + member.size <= path.stat().st_size for member in tar)
    except (tarfile.TarError, OSError):
        return False


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


def _out_of_archive(
    program: str, path: str, name: Name, encoding: str, look: Look
) -> Iterator[tuple[Header, Iterator[bytes]]]:
    script = Script(_read(path, rows_argv(program, path, *name, encoding), look))
    yield from script.blocks()
    _refuse_inserts(path, script, [name])
    if script.truncated:
        raise _truncated(path, f"it ends within the rows of {'.'.join(name)}")


def _read(path: str, argv: list[str | bytes], look: Look) -> Iterator[bytes]:
    try:
        yield from read_child(argv, look)
    except KanbanError as error:
        if error.details.get("stderr") is None:
            raise
        raise _unreadable(path, error.what.rstrip(".")) from error


def _pieces(path: Path, look: Look) -> Iterator[bytes]:
    try:
        with path.open("rb") as raw:
            file = gzip.GzipFile(fileobj=raw) if format_of(path) == "gzip" else raw
            piece = file.read(_PIECE_BYTES)
            while piece:
                look()
                yield piece
                piece = file.read(_PIECE_BYTES)
    except EOFError as error:
        raise _truncated(str(path), "what is packed ends too early") from error
    except (OSError, zlib.error) as error:
        raise _unreadable(str(path), str(error)) from error


def _refuse_inserts(path: str, script: Script, relations: Collection[Name]) -> None:
    found = sorted(script.inserts & set(relations))
    if found:
        raise BadInput(
            "rows_as_inserts",
            f"{path} has the rows of {'.'.join(found[0])} as INSERT statements.",
            "Nothing of a backup is run here, and only what COPY writes can be read without running it. "
            "Nothing was changed.",
            "Use a dump that was made without --inserts, or restore this one into a scratch database and dump that.",
        )


def _unreadable(path: str, why: str) -> KanbanError:
    return KanbanError(
        "dump_unreadable",
        f"{path} cannot be read: {why}.",
        "What it does not give can neither be compared nor come back. Nothing was changed.",
        "Use another backup; see that pg_restore here is not older than the pg_dump that made it (bin_dir).",
    )


def _truncated(path: str, why: str) -> KanbanError:
    return KanbanError(
        "dump_truncated",
        f"{path} is not whole: {why}.",
        "Rows that it lacks would read as rows that were not there then. Nothing was changed.",
        "Use another backup, or copy this one anew from where it came.",
    )
