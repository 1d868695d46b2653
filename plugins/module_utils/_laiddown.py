# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of what bootstrap.yml made on a host. Pure: neither Ansible nor a driver.

One line for each thing that did not exist before: ``package NAME``, ``directory /PATH`` or ``file /PATH``. The record
is acted upon as root, so a name counts only if the profile has it too.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import AbstractSet, Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

KINDS = ("package", "directory", "file")
_SHOWN = 5
_NO_HOST = "No host is in the group of databases, so no ledger was read."


def ancestors(path: str) -> list[str]:
    """Return a directory with all its parents, outermost first, without the root."""
    pure = PurePosixPath(path)
    return [str(one) for one in (*reversed(pure.parents), pure) if one.name]


def read_record(
    text: str, packages: Sequence[str], directories: Sequence[str], files: Sequence[str]
) -> dict[str, list[str]]:
    """Return ``packages``, ``files`` and ``directories`` of a record, child before parent; ``refused``, other lines.

    :param packages: those that bootstrap.yml may have installed.
    :param directories: those that it may have made.
    :param files: those that it may have written.
    """
    named = zip(KINDS, (packages, directories, files))
    known = {f"{kind} {name}" for kind, names in named for name in names}
    lines = [line for line in text.splitlines() if line.strip()]
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for line in lines:
        if line in known:
            kind, _space, name = line.partition(" ")
            found[kind].append(name)
    return {
        "packages": sorted(set(found["package"])),
        # A path sorts after its parents.
        "directories": sorted(set(found["directory"]), reverse=True),
        "files": sorted(set(found["file"])),
        "refused": [line[:200] for line in lines if line not in known],
    }


def who_needs_it(
    asked: Sequence[Mapping[str, Any]], tried: Sequence[Mapping[str, Any]], hosts: Sequence[str]
) -> list[str]:
    """Return a line for each database that has not said that no incident is open; empty if all have.

    :param asked: answers of ``incident_info``, in the order of the hosts; an empty one for a host that gave none.
    :param tried: answers of ``ledger``, asked whether it could be removed; skipped on a replica, which removes nothing.
    """
    lines = []
    for host, answer, attempt in zip(hosts, asked, tried):
        if why := _why_not(answer, attempt):
            lines.append(f"{host}: {one_line(why)}")
    return lines if hosts else [_NO_HOST]


def _why_not(asked: Mapping[str, Any], tried: Mapping[str, Any]) -> str | None:
    ledger = asked.get("ledger") or {}
    if asked.get("failed") or asked.get("unreachable") or "open" not in asked or "present" not in ledger:
        return str(asked.get("msg") or "no answer")
    if tried.get("failed") or tried.get("unreachable"):
        return str(tried.get("msg") or "no answer")
    if why := _in_use(asked):
        return why
    if ledger["present"] and not ledger.get("usable"):
        return "its ledger cannot be read as this role"
    if asked["database"]["writable"] and tried.get("skipped", not tried):
        return "no answer"
    return None


def _in_use(asked: Mapping[str, Any]) -> str | None:
    """Return which incidents are open, or began without a ledger; None if there are none."""
    if asked["open"]:
        names = ", ".join(one["incident_id"] for one in asked["open"][:_SHOWN])
        return f"Incidents are open in this ledger: {names}"
    if files := asked.get("prior_files"):
        more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        return (
            f"Prior values that no ledger has taken over lie in files here: {', '.join(files[:_SHOWN])}{more}. "
            "Undo their incident, by its id; of one that is undone, move the file away"
        )
    return None


def needed_by(code: int, said: str) -> str:
    """Return why a package cannot be removed, in one line; empty if it can be, or is gone already.

    :param code: exit status of the package manager, which was asked to try.
    """
    return "" if code == 0 or "is not installed" in said else " ".join(said.split())[:300]


def what_is_left(
    needed: Mapping[str, str], made: Sequence[str], inside: Mapping[str, Sequence[str]], gone: AbstractSet[str]
) -> dict[str, list[str]]:
    """Return ``lines`` about what stays on a host when all else is gone, and ``record``, what of it is ours.

    :param needed: why each package stays that cannot be removed.
    :param made: directories that were made, child before parent.
    :param inside: the paths in each directory that matters and exists.
    :param gone: paths that were removed; in check mode, in which they still exist, those that would be.
    """
    lines = [f"The package {name} stays, for something else needs it: {why}" for name, why in needed.items()]
    for path in inside:
        names = sorted(PurePosixPath(one).name for one in inside[path] if one not in gone)
        shown = f"{len(names)} in it: {_some(names)}" if names else "it is empty"
        if path in made and path not in gone:
            lines.append(f"{path} stays, for what is in it was not made by bootstrap.yml ({shown}).")
        elif path not in gone:
            lines.append(f"{path} stays, for it was there before ({shown}).")
    directories = [path for path in made if path in inside and path not in gone]
    return {
        "lines": lines,
        "record": [f"package {name}" for name in needed] + [f"directory {path}" for path in directories],
    }


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
