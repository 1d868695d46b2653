# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines of pg_dump and pg_restore, and an archive's table of contents. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError

# Tried in this order under ``auto``. Measured on 4 million TicketTags and 2 million Tickets (-j2, two processors):
# zstd:3 1.65 s and 9 MB, lz4 1.7 s and 77 MB, gzip:1 2.05 s and 50 MB, gzip:6 3.5 s and 44 MB.
AUTO = ("zstd:3", "gzip:1")
METHODS = ("zstd", "lz4", "gzip", "none")
# The first pg_dump that takes a method by its name.
NAMED_METHODS = 16
# Names go into one pattern together: each pattern costs pg_dump a query, and a pattern is a regular expression.
NAMES_PER_PATTERN = 100
# Linux allows 2 MB of arguments and environment together, and 128 kB for one argument.
MOST_ARGUMENT_BYTES = 1_500_000
MOST_PATTERN_BYTES = 100_000
# On a command line these would not stay secret; a password is passed in the environment.
SECRETS = ("sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")

_VERSION = re.compile(r"\(PostgreSQL\)\s+((\d+)\S*)")
_ENTRY = re.compile(rb"^(\d+); (\d+) (\d+) ([^\r\n]*)$", re.MULTILINE)
_ENTRIES = re.compile(rb"^;\s+TOC Entries: (\d+)", re.MULTILINE)
# Kinds of entries that hold rows of relations. The data of sequences does not count as rows.
_ROWS = (b"TABLE DATA ", b"MATERIALIZED VIEW DATA ", b"BLOBS", b"BLOB DATA", b"LARGE OBJECTS")


def parse_version(output: str) -> tuple[int, str] | None:
    """Return (major, text) of what ``pg_dump --version`` printed, for instance (17, "17.10"), or None."""
    found = _VERSION.search(output)
    return (int(found.group(2)), found.group(1)) if found else None


def compress_argument(choice: str, major: int) -> str:
    """Return the value of ``--compress`` for a pg_dump of this major version; raises BadInput.

    :param choice: a method and perhaps a level: ``zstd:3``, ``lz4``, ``gzip:1``, ``none``.
    """
    method, colon, level = choice.partition(":")
    if method not in METHODS or (colon and not re.fullmatch(r"-?\d{1,6}|[a-z]\w*(=-?\w+)?(,\w+(=-?\w+)?)*", level)):
        raise BadInput(
            "bad_compress",
            f"compress is {choice!r}.",
            "pg_dump knows no such method. Nothing was dumped.",
            f"Give auto, or one of {', '.join(METHODS)}, with a level if you like: zstd:3.",
        )
    if major >= NAMED_METHODS:
        return choice
    if method == "none":
        return "0"
    if method == "gzip" and (not colon or re.fullmatch(r"[0-9]", level)):
        return level or "6"
    raise BadInput(
        "compress_unsupported",
        f"pg_dump {major} cannot compress by {choice!r}.",
        "Before version 16 it knows gzip alone, by its level. Nothing was dumped.",
        "Leave compress out (auto takes the best there is), or give gzip:1 or none.",
    )


def python_encoding(server_encoding: str) -> str:
    """Return Python's name for a PostgreSQL encoding; UTF-8 if Python does not know it."""
    name = re.sub(r"^WIN(?=\d)", "cp", server_encoding).replace("KOI8", "koi8-")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def quoted(name: str) -> str:
    """Return a pattern that matches exactly this name: within quotes no character is a wildcard."""
    return '"' + name.replace('"', '""') + '"'


def exclusions(relations: Sequence[tuple[str, str]], encoding: str) -> list[bytes]:
    """Return ``--exclude-table-data`` arguments that together match exactly these (schema, name); raises KanbanError.

    :param encoding: Python's name of the database's encoding: pg_dump sends its arguments as they are.
    """
    by_schema: dict[str, list[str]] = {}
    for schema, name in relations:
        by_schema.setdefault(schema, []).append(quoted(name))
    arguments: list[bytes] = []
    for schema, names in sorted(by_schema.items()):
        for start in range(0, len(names), NAMES_PER_PATTERN):
            # Apart from their wildcards, pg_dump's patterns are regular expressions, so they may have alternatives.
            some = "|".join(names[start : start + NAMES_PER_PATTERN])
            arguments.append(f"--exclude-table-data={quoted(schema)}.({some})".encode(encoding))
    size = sum(len(argument) + 9 for argument in arguments)
    if size > MOST_ARGUMENT_BYTES or any(len(argument) > MOST_PATTERN_BYTES for argument in arguments):
        raise KanbanError(
            "too_many_tables",
            f"The database has {len(relations)} other tables; naming them takes {size} bytes of command line.",
            "pg_dump cannot be told so much at once. Nothing was dumped.",
            "Dump the tables by hand, or from a database that has fewer.",
        )
    return arguments


def conninfo(params: Mapping[str, Any]) -> tuple[str, str]:
    """Return (conninfo, password) from libpq's parameters; raises BadInput for a secret that conninfo would expose.

    A ``client_encoding`` is left out: the archive keeps the database's own encoding, byte for byte.
    """
    given = {name: str(value) for name, value in params.items() if value is not None}
    hidden = [name for name in SECRETS if name in given]
    if hidden:
        raise BadInput(
            "secret_on_command_line",
            f"connect_params has {', '.join(hidden)}, which pg_dump takes on its command line only.",
            "Every user of the host could read it there. Nothing was dumped.",
            "Use a key without a passphrase that only this user can read, or a password.",
        )
    password = given.pop("password", "")
    given.pop("client_encoding", None)
    escaped = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in given.items()}
    return " ".join(f"{name}='{value}'" for name, value in escaped.items()), password


@dataclass(frozen=True)
class Order:
    """The options of one pg_dump run. ``compress``: the value of ``--compress``; ``excluded``: ready-made arguments."""

    program: str
    conninfo: str
    directory: str
    jobs: int
    compress: str
    snapshot: str
    lock_wait: float
    excluded: Sequence[bytes]

    def argv(self) -> list[str | bytes]:
        """Return the command line: the whole database's schema, rows of tables not excluded, no large objects."""
        return [
            self.program,
            "--format=directory",
            f"--file={self.directory}",
            f"--jobs={self.jobs}",
            f"--compress={self.compress}",
            f"--snapshot={self.snapshot}",
            f"--lock-wait-timeout={max(1, int(self.lock_wait * 1000))}",
            "--strict-names",
            "--no-password",
            "--no-blobs",
            # A subscription holds another server's password, and once restored it could begin to replicate.
            "--no-subscriptions",
            f"--dbname={self.conninfo}",
            *self.excluded,
        ]


def restore_argv(program: str, directory: str, into: str, jobs: int) -> list[str | bytes]:
    """Return the command line that proves a dump: tables, types, functions and rows; no trigger, index or foreign key.

    :param into: conninfo of the scratch database. It has no owners, privileges or tablespaces of the original.
    """
    left_out = ("owner", "privileges", "tablespaces", "comments", "publications", "subscriptions", "security-labels")
    return [
        program,
        "--section=pre-data",
        "--section=data",
        *(f"--no-{what}" for what in left_out),
        "--exit-on-error",
        "--no-password",
        f"--jobs={jobs}",
        f"--dbname={into}",
        directory,
    ]


def rows_argv(program: str, directory: str, schema: str, table: str, encoding: str) -> list[str | bytes]:
    """Return the pg_restore command line that writes one relation's rows to standard output, in COPY's format.

    :param encoding: Python's name of the dump's encoding. Names are not patterns here.
    """
    names = [f"--schema={schema}".encode(encoding), f"--table={table}".encode(encoding)]
    return [program, "--data-only", *names, "--exit-on-error", "--file=-", directory]


def definitions_argv(program: str, path: str) -> list[str | bytes]:
    """Return the pg_restore command line that writes what is not rows to standard output, as SQL."""
    return [program, "--schema-only", "--file=-", path]


@dataclass(frozen=True)
class Contents:
    """A table of contents. ``rows``: (relation's oid, entry's number); ``strange``: other entries that hold rows."""

    entries: int
    rows: Sequence[tuple[int, int]]
    strange: Sequence[str]


def parse_contents(listing: bytes) -> Contents:
    """Parse what ``pg_restore --list`` printed.

    Entries with rows are recognized by number, never by name: a name may have spaces, and a schema may be named "DATA".
    """
    rows, strange = [], []
    for number, catalog, oid, text in _ENTRY.findall(listing):
        if int(catalog) == 0 and text.startswith(_ROWS):
            if text.startswith(b"TABLE DATA "):
                rows.append((int(oid), int(number)))
            else:
                strange.append(text.decode("utf-8", "replace"))
    total = _ENTRIES.search(listing)
    return Contents(int(total.group(1)) if total else 0, rows, strange)


def match_contents(contents: Contents, leaves: Mapping[int, str], files: Sequence[str]) -> dict[int, str]:
    """Return the file of each leaf (by oid) if the archive has the rows of exactly these; raises KanbanError.

    :param leaves: oid and name of each relation whose rows were requested.
    :param files: names of the files of the archive.
    """
    found = [oid for oid, _number in contents.rows]
    missing = sorted(name for oid, name in leaves.items() if oid not in found)
    extra = [str(oid) for oid in found if oid not in leaves] + list(contents.strange)
    doubled = sorted(leaves[oid] for oid in leaves if found.count(oid) > 1)
    named: dict[int, str] = {}
    for oid, number in contents.rows:
        data = [name for name in files if name.partition(".dat")[0] == str(number)]
        if len(data) == 1:
            named[oid] = data[0]
    fileless = sorted(name for oid, name in leaves.items() if oid in found and oid not in named)
    if not contents.entries or missing or extra or doubled or fileless:
        raise KanbanError(
            "toc_mismatch",
            f"The archive's table of contents ({contents.entries} entries) is not what was asked for: rows missing of "
            f"{missing[:20]}, without a file {fileless[:20]}, twice {doubled[:20]}, not asked for {extra[:20]}.",
            "A dump that holds something else is no dump of these tables; it was not kept.",
            "Look at what changed in the schema meanwhile, then run the same command again.",
        )
    return named
