# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns the modules read and repairs change, from the profile's maps. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import NEEDED
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import repair_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.integrity import DEPENDS

Read = Mapping[str, Any]


def reads(
    tables: Mapping[str, Any],
    columns: Mapping[str, Mapping[str, Any]],
    checks: Sequence[Mapping[str, Any]] = (),
    context: bool = True,
) -> list[Read]:
    """Return what the ranking and the checks of the data read, as the option ``reads`` of the module ``ledger``.

    :param tables: the profile's names of tables, by what they mean; an empty one means that there is none.
    :param columns: the same for their columns.
    :param checks: as the option ``checks`` of ``integrity_info``.
    :param context: whether errors are chosen by their text, which is then read.
    """
    found: list[Read] = []
    for logical, needed in NEEDED.items():
        of = columns.get(logical) or {}
        named = [of[name] for name in needed if of.get(name) and (context or name != "context")]
        if tables.get(logical) and named:
            found.append({"table": tables[logical], "columns": named, "key": False})
    for check in checks:
        found += [read for read in _of_check(check) if read["table"]]
    return found


_BY_TIME = ("mass_delete", "missing_since", "timeline")
# Kinds whose samples are not rows, and so have no primary key.
_OF_GROUPS = ("duplicate", "mass_delete", "ordering", "timeline", "two_lanes")


def check_queries(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the queries of checks that have their own, each in a form that depends on what it reads."""
    given = [str(check["query"]).strip().rstrip("; \n\t") for check in checks if check.get("query")]
    return [DEPENDS.format(query=query) for query in given]


def mends(checks: Sequence[Mapping[str, Any]]) -> list[Read]:
    """Return what the checks' repairs do to which tables, as the option ``repairs`` of ``ledger``; raises BadInput."""
    found = []
    for check in checks:
        action = repair_of(check).action
        if action == "none":
            continue
        # Renumbering a lane changes its positions; any other change is to the column that the check is about.
        column = check.get("position" if action == "renumber" else "column")
        columns = [] if action == "delete" else [column]
        elsewhere = {"unless": check["unless"]} if check.get("unless") else {}
        found.append({"table": check["table"], "delete": action == "delete", "columns": columns, **elsewhere})
    return [mend for mend in found if mend["table"]]


def restores(tables: Sequence[Any]) -> list[Read]:
    """Return entries that say that rows of these tables come back, as the option ``repairs`` of ``ledger``.

    :param tables: the option ``tables`` of ``pg_restore_tables``, names or maps with one.
    """
    names = [table["name"] if isinstance(table, Mapping) else table for table in tables]
    return [{"table": name, "restore": True} for name in names if name]


def _of_check(check: Mapping[str, Any]) -> Iterator[Read]:
    """Yield what one check reads: what it compares, what names a row in its samples, and its time.

    It can do without the time unless it counts by it. A check for another schema can do without all of it, and reads
    nothing if that schema's table ``unless`` exists.
    """
    by_time = check.get("kind") in _BY_TIME
    single = [check.get(name) for name in ("column", "other_column", "position", "tenant", "time" if by_time else "")]
    references, others, lanes = (check.get(name) or {} for name in ("references", "other_references", "lanes"))
    # If it is not named, a parent's tenant has the same name as the row's.
    whose = references.get("tenant") or (check.get("tenant") if check.get("kind") == "invalid_reference" else None)
    found = [
        _read(check, *(check.get("columns") or []), *(check.get("lane") or []), *single),
        _read(references, references.get("column"), whose, lanes.get("through")),
        _read(others, others.get("column"), others.get("tenant")),
        _read(lanes, lanes.get("column"), lanes.get("tenant"), lanes.get("mark")),
    ]
    spare = {"optional": True}
    elsewhere = {**spare, "unless": check["unless"]} if check.get("unless") else {}
    for read in found:
        yield {**read, **elsewhere}
    if check.get("time") and not by_time:
        yield {"table": check.get("table") or "", "columns": [check["time"]], "key": False, **spare, **elsewhere}


def _read(place: Mapping[str, Any], *names: str | None) -> Read:
    """Return the columns of one table; ``key`` tells whether it is a check's own table, whose rows are named."""
    named = list(dict.fromkeys(name for name in names if name))
    is_check = "kind" in place and place["kind"] not in _OF_GROUPS
    return {"table": place.get("table") or "", "columns": named, "key": is_check}
