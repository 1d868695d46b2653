# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the option ``tables`` to what a fence refuses, and what is in place. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

OPERATIONS = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
# pg_trigger.tgtype: the level, the moment and the events as bits.
_ROW, _BEFORE = 1, 2
_BITS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
UPDATE_BIT = _BITS["UPDATE"]
_KEYS = ("name", "operations", "columns", "when_changed")
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


@dataclass(frozen=True)
class Scope:
    """What is refused on one table.

    ``operations``: some of OPERATIONS, in that order. ``columns``: UPDATE only of these; empty means of any.
    ``when_changed``: only if one of them gets another value (a row trigger), not if it is merely named.
    """

    operations: tuple[str, ...] = OPERATIONS
    columns: tuple[str, ...] = ()
    when_changed: bool = False

    @property
    def row_level(self) -> bool:
        """Whether UPDATE is judged row by row."""
        return self.when_changed and "UPDATE" in self.operations

    @property
    def statement_operations(self) -> tuple[str, ...]:
        """Operations that a statement trigger refuses."""
        return tuple(name for name in self.operations if not (self.row_level and name == "UPDATE"))

    def same_as(self, other: Scope) -> bool:
        """Tell whether both refuse the same; the order of the columns does not matter."""
        return _ordered(self) == _ordered(other)

    def as_result(self) -> dict[str, Any]:
        """Return the scope as results and the fence's own state hold it."""
        return {
            "operations": list(self.operations),
            "columns": list(self.columns),
            "when_changed": self.when_changed,
        }


def _ordered(scope: Scope) -> Scope:
    return replace(scope, columns=tuple(sorted(scope.columns)))


@dataclass(frozen=True)
class Asked:
    """One entry of the option ``tables``; ``scope.columns`` as a person wrote them."""

    name: str
    scope: Scope


def scope_from(state: Mapping[str, Any]) -> Scope:
    """Return the scope in a fence's state."""
    return Scope(
        tuple(state.get("operations", ())), tuple(state.get("columns", ())), bool(state.get("when_changed", False))
    )


def asked_tables(given: Sequence[Any]) -> list[Asked]:
    """Return what the option ``tables`` asks for; raises BadInput."""
    return [_asked(entry) for entry in given]


def _asked(entry: Any) -> Asked:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, Mapping):
        raise _bad(f"An entry of tables is {entry!r}, neither a name nor a map.")
    unknown = sorted(str(key) for key in set(entry) - set(_KEYS))
    name = entry.get("name")
    if unknown or not isinstance(name, str) or not name.strip():
        raise _bad(f"The entry {dict(entry)!r} of tables has unknown names {unknown} or no name of a table.")
    operations = _operations(entry.get("operations"), name)
    columns = _strings(entry.get("columns"), f"columns of {name}")
    when_changed = _yes(entry.get("when_changed", False), name)
    if (columns or when_changed) and "UPDATE" not in operations:
        raise _bad(f"Table {name} names columns or when_changed, but UPDATE is not among its operations.")
    if when_changed and not columns:
        raise _bad(f"Table {name} has when_changed without columns: which ones must not change is not said.")
    return Asked(name, Scope(operations, tuple(dict.fromkeys(columns)), when_changed))


def _operations(given: Any, name: str) -> tuple[str, ...]:
    names = [text.upper() for text in _strings(given, f"operations of {name}")] or list(OPERATIONS)
    wrong = sorted(set(names) - set(OPERATIONS))
    if wrong:
        raise _bad(f"Table {name} names the operations {wrong}; there are {', '.join(OPERATIONS)}.")
    return tuple(operation for operation in OPERATIONS if operation in names)


def _strings(given: Any, what: str) -> list[str]:
    entries = [given] if isinstance(given, str) else given or []
    if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) and entry for entry in entries):
        raise _bad(f"The {what} are {given!r}, no list of names.")
    return list(entries)


def _yes(given: Any, name: str) -> bool:
    text = str(given).lower()
    if text not in _YES + _NO:
        raise _bad(f"Table {name} has when_changed {given!r}, which is neither true nor false.")
    return text in _YES


def _bad(what: str) -> BadInput:
    return BadInput(
        "bad_tables",
        what,
        "A fence that refuses something else than what is meant stops people, or stops nothing. Nothing was changed.",
        "Give a list of names, or of maps with name, operations, columns and when_changed (kanban_fence_tables).",
    )


def merged(one: Scope, other: Scope) -> Scope:
    """Return what two entries for the same table refuse together; raises BadInput if they contradict each other."""
    updates = [scope for scope in (one, other) if "UPDATE" in scope.operations]
    if len(updates) == 2 and one.when_changed != other.when_changed:
        raise _bad("Two entries for one table disagree on when_changed.")
    whole = any(not scope.columns for scope in updates)
    columns = () if whole else tuple(dict.fromkeys(name for scope in updates for name in scope.columns))
    operations = {*one.operations, *other.operations}
    return Scope(
        tuple(name for name in OPERATIONS if name in operations),
        columns,
        any(scope.when_changed for scope in updates),
    )


def covers(installed: Iterable[Scope], asked: Scope) -> bool:
    """Tell whether fences of these scopes together refuse everything that is requested."""
    there = list(installed)
    others = all(any(name in scope.operations for scope in there) for name in asked.operations if name != "UPDATE")
    if "UPDATE" not in asked.operations or not others:
        return others
    updates = [scope for scope in there if "UPDATE" in scope.operations]
    if any(not scope.columns for scope in updates):
        return True
    # A row trigger lets a statement pass that names a column and leaves it unchanged.
    usable = [scope for scope in updates if asked.when_changed or not scope.when_changed]
    columns = {name for scope in usable for name in scope.columns}
    return bool(asked.columns) and columns >= set(asked.columns)


def goes_beyond(installed: Scope, asked: Scope) -> list[str]:
    """Return in words what a fence refuses beyond what is requested; empty if there is nothing."""
    more = [name for name in installed.operations if name not in asked.operations]
    if "UPDATE" in installed.operations and "UPDATE" in asked.operations:
        if asked.columns and not installed.columns:
            more.append("UPDATE of other columns")
        elif asked.columns:
            more += [f"UPDATE of {name}" for name in installed.columns if name not in asked.columns]
        if asked.when_changed and not installed.when_changed:
            more.append("UPDATE that names a column and leaves it as it was")
    return more


def function_name(table: str, scope: Scope) -> str:
    """Return the name of the trigger function for a table and a scope; the same for every run."""
    text = json.dumps([table, _ordered(scope).as_result()], sort_keys=True)
    return f"fence_{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def trigger_names(function: str) -> tuple[str, str]:
    """Return the names of a function's statement trigger and row trigger.

    Triggers fire in the order of their names. The statement trigger comes first, so that nothing of the application
    runs for a refused write; the row trigger comes last, so that it sees what others made of the row.
    """
    return f"aa_kanban_rollback_{function}", f"zz_kanban_rollback_{function}"


def trigger_types(scope: Scope) -> tuple[int, int]:
    """Return ``pg_trigger.tgtype`` of the statement trigger and the row trigger; 0 for one that the scope lacks."""
    events = sum(_BITS[name] for name in scope.statement_operations)
    return (_BEFORE + events if events else 0), (_ROW + _BEFORE + _BITS["UPDATE"] if scope.row_level else 0)


def check_incident(incident_id: str | None, state: str, force: bool) -> str | None:
    """Return the incident's id; raises BadInput if one is needed and there is none."""
    given = (incident_id or "").strip()
    if not given and state != "dormant" and not (state == "absent" and force):
        raise BadInput(
            "no_incident",
            "incident_id is empty.",
            "The fence is raised and lowered under it, and refused writes name it. Nothing was changed.",
            "Give any text that is unique to this incident, for instance INC-20261125-042.",
        )
    return given or None
