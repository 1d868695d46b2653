# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a dump: made, read and checked against the files it lists. Neither Ansible nor a driver."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

Manifest = Dict[str, Any]

FILE_NAME = "manifest.json"
# What becomes the manifest; one that a killed run left is not a file of the dump.
_NEW = f".{FILE_NAME}.new"
_MANIFESTS = (FILE_NAME, _NEW)
VERSION = 1
# A directory with more siblings than this is not searched to its end.
MOST_SIBLINGS = 1000
_BLOCK_BYTES = 1 << 20
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_NEEDED = ("version", "database", "tables", "files", "ended_at", "verified", "total_bytes", "sha256")


def now_text() -> str:
    """Return the time in UTC, as manifests write it."""
    return datetime.now(timezone.utc).strftime(_TIME)


def time_of(when: str) -> datetime:
    """Return a manifest's time; raises ValueError."""
    return datetime.strptime(when, _TIME).replace(tzinfo=timezone.utc)


def age_seconds(when: str) -> int:
    """Return how long ago a manifest's time was."""
    return round((datetime.now(timezone.utc) - time_of(when)).total_seconds())


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content in its canonical form: keys sorted, no white space, ASCII only."""
    bare = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def text_of(content: Mapping[str, Any]) -> str:
    """Return the file's text, with the digest that tells whether it is whole."""
    return json.dumps({**content, "sha256": digest_of(content)}, indent=1, sort_keys=True) + "\n"


def write_manifest(directory: Path, content: Mapping[str, Any]) -> None:
    """Put the manifest in its place in one step, mode 0600, on disk before this returns; raises OSError."""
    temporary = directory / _NEW
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text_of(content))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, directory / FILE_NAME)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make names as durable as what they name; raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(directory: Path) -> Manifest:
    """Return a dump's manifest, known to be whole; raises KanbanError (``no_manifest``, ``manifest_broken``).

    The files are not looked at: ``check_files`` does that.
    """
    path = directory / FILE_NAME
    try:
        text = path.read_bytes()
    except OSError as error:
        raise KanbanError(
            "no_manifest",
            f"{path} cannot be read: {error.strerror}.",
            "Without it nobody knows whether this is a whole dump, or of what.",
            "Name the directory of a dump that this collection made.",
        ) from error
    return parse_manifest(text, path)


def parse_manifest(text: bytes, path: Path) -> Manifest:
    """Return the content of a manifest's file, known to be whole; raises KanbanError (``manifest_broken``)."""
    try:
        content = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise _broken(path, f"it is no JSON ({error})") from error
    if not isinstance(content, dict) or any(name not in content for name in _NEEDED):
        raise _broken(path, "something is missing in it")
    if content["version"] != VERSION:
        raise _broken(path, f"it has version {content['version']!r}, and {VERSION} is the one known here")
    if content["sha256"] != digest_of(content):
        raise _broken(path, "its content does not have the digest that it names")
    return content


def _broken(path: Path, reason: str) -> KanbanError:
    return KanbanError(
        "manifest_broken",
        f"{path} cannot be trusted: {reason}.",
        "Nobody knows then whether the dump is whole.",
        "Use another dump; this one may be evidence of what happened to it, so do not delete it.",
    )


def file_entry(path: Path, look: Callable[[], None] = lambda: None) -> Manifest:
    """Return name, size and SHA-256 of a file, read in pieces; raises OSError, or what ``look`` raises at a piece."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while True:
            look()
            block = file.read(_BLOCK_BYTES)
            if not block:
                return {"name": path.name, "bytes": size, "sha256": digest.hexdigest()}
            digest.update(block)
            size += len(block)


def file_entries(directory: Path, jobs: int, look: Callable[[], None] = lambda: None) -> list[Manifest]:
    """Return entries of all files of a dump except its manifest, ``jobs`` at a time; raises as ``file_entry`` does."""
    paths = sorted(path for path in directory.iterdir() if path.name not in _MANIFESTS)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(lambda path: file_entry(path, look), paths))


def check_files(
    directory: Path,
    manifest: Mapping[str, Any],
    jobs: int = 2,
    contents: bool = True,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Compare a dump's files with its manifest; raises KanbanError (``checksum_mismatch``) that names what differs.

    :param contents: False compares names and sizes only, which costs nothing.
    :param look: called for each piece of contents that is read; what it raises ends the check.
    """
    wanted = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in manifest["files"]}
    try:
        if contents:
            found = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in file_entries(directory, jobs, look)}
        else:
            sizes = {path.name: path.stat().st_size for path in directory.iterdir() if path.name not in _MANIFESTS}
            found = {name: (size, wanted.get(name, (0, ""))[1]) for name, size in sizes.items()}
    except OSError as error:
        found, unread = {}, f" ({error})"
    else:
        unread = ""
    differing = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if differing:
        raise KanbanError(
            "checksum_mismatch",
            f"{directory}: {len(differing)} files are not as the manifest says: {', '.join(differing[:10])}{unread}.",
            "They were changed, added or lost after the dump was proven, so it cannot be trusted. Nothing was changed.",
            "Use another dump, or make one with another dest; keep this one until it is known what happened.",
            files=differing[:100],
        )


def size_mismatches(manifest: Mapping[str, Any], sizes: Mapping[str, int]) -> list[str]:
    """Return the names of files that are missing, surplus, or of another size than the manifest says.

    :param sizes: of the files beside the manifest.
    """
    wanted = {entry["name"]: entry["bytes"] for entry in manifest["files"]}
    return sorted(name for name in {*wanted, *sizes} - {_NEW} if wanted.get(name) != sizes.get(name))


def previous_dump(
    directory: Path, cluster: str, before: str | None = None, tables: Collection[str] = ()
) -> Manifest | None:
    """Return a database's newest proven dump beside ``directory`` (names and sizes are compared, contents are not).

    None if there is none: dumps of other databases may be there, too.

    :param cluster: which database it is, as ``identify`` returns it.
    :param before: only dumps that were whole before this time.
    :param tables: only dumps of at least these, each as ``schema.name``.

    It has ``path``, ``incident_id``, ``ended_at``, ``age_seconds`` and ``bytes``.
    """
    try:
        siblings = sorted(directory.parent.iterdir())[:MOST_SIBLINGS]
    except OSError:
        return None
    found = []
    for path in siblings:
        if path.name.startswith(".") or path == directory or not (path / FILE_NAME).exists():
            continue
        try:
            manifest = read_manifest(path)
            check_files(path, manifest, contents=False)
        except KanbanError:
            continue
        names = {table["name"] for table in manifest["tables"]}
        fits = manifest["database"].get("cluster") == cluster and names >= {*tables}
        if fits and (before is None or manifest["ended_at"] < before):
            found.append((manifest["ended_at"], str(path), manifest))
    if not found:
        return None
    ended_at, name, manifest = max(found, key=lambda one: one[:2])
    return {
        "path": name,
        "incident_id": manifest.get("incident_id"),
        "ended_at": ended_at,
        "age_seconds": age_seconds(ended_at),
        "bytes": manifest["total_bytes"],
    }
