# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of what bootstrap.yml made on a host. Pure: neither Ansible nor a driver.

One line for each thing that was not there before: ``package NAME`` or ``directory /PATH``. It is acted upon as
root, so a name counts only where the profile has it too.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Mapping, Sequence

KINDS = ("package", "directory")
_SHOWN = 5


def ancestors(path: str) -> list[str]:
    """Return a directory with all that it lies in, outermost first, the root left out."""
    pure = PurePosixPath(path)
    return [str(one) for one in (*reversed(pure.parents), pure) if one.name]


def read_record(text: str, packages: Sequence[str], directories: Sequence[str]) -> dict[str, Any]:
    """Return ``packages`` and ``directories`` of a record, child before parent, and ``refused``, the other lines.

    :param packages: those that bootstrap.yml may have installed.
    :param directories: those that it may have made.
    """
    known = {f"package {name}" for name in packages} | {f"directory {path}" for path in directories}
    lines = [line for line in text.splitlines() if line.strip()]
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for line in lines:
        if line in known:
            kind, _space, name = line.partition(" ")
            found[kind].append(name)
    return {
        "packages": sorted(set(found["package"])),
        # A path sorts after what it lies in.
        "directories": sorted(set(found["directory"]), reverse=True),
        "refused": [line[:200] for line in lines if line not in known],
    }


def what_is_left(
    packages: Sequence[Mapping[str, Any]],
    directories: Sequence[Mapping[str, Any]],
    full: Sequence[Mapping[str, Any]],
    kept: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return ``lines`` of what stays on a host after everything else is gone, and ``record``, what is still of ours.

    :param packages: results of asking whether each could be removed, with ``item``, ``rc`` and what was said.
    :param directories: results of removing each if it is empty.
    :param full: what ``find`` saw in each directory that is there still.
    :param kept: what it saw in the directories of dumps and evidence.
    """
    needed = {
        one["item"]: " ".join(f"{one.get('stdout', '')} {one.get('stderr', '')}".split())[:300]
        for one in packages
        if one["rc"] != 0 and "is not installed" not in f"{one.get('stdout', '')} {one.get('stderr', '')}"
    }
    not_empty = [one["item"] for one in directories if one.get("rc", 0) != 0]
    lines = [f"The package {name} stays, for something else needs it: {why}" for name, why in needed.items()]
    for one in full:
        path, names = one["item"], sorted(PurePosixPath(file["path"]).name for file in one["files"])
        inside = f"{len(names)} in it: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
        if path in not_empty:
            lines.append(f"{path} stays, for what is in it was not made by bootstrap.yml ({inside}).")
        else:
            lines.append(f"{path} stays, for it was there before ({inside if names else 'it is empty'}).")
    for one in kept:
        if one["files"]:
            names = sorted(PurePosixPath(file["path"]).name for file in one["files"])
            shown = f"{', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
            lines.append(f"{one['item']} stays, with {len(names)} in it ({shown}); report.yml goes by retention.")
    record = [f"package {name}" for name in needed] + [f"directory {path}" for path in not_empty]
    return {"lines": lines, "record": record}
