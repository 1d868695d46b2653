# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the flag's place in this database, and the tenants that exist, from the names that a user gave."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import (
    MOST_NAMESAKES,
    Namesakes,
    columns_of,
    find_table,
    is_unique_on,
    namesakes,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import (
    CUT_SILENTLY,
    Column,
    Table,
    resolve_column,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import (
    refuse_lacking,
    refuse_unreachable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rowkey import find_row_key
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import catalog
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as queries

_NOT_SWITCHED = "It cannot read or switch the flag. Nothing was changed."
DOCUMENTS = ("json", "jsonb", "text", "varchar", "bpchar", "citext")
_MOST_PUT_BACK = 100  # Which of them an incident switched off, its prior values say.
DATA_EXCEPTION = "22"  # The class of SQLSTATEs for values that do not fit.


@dataclass(frozen=True)
class Targets:
    """Every place that a flag's name may mean: the likeliest, the others, and those out of reach, with the reason.

    ``named``: whether the name says which one is meant, so that the others are only there to be put back.
    """

    main: Target
    others: list[Target] = field(default_factory=list)
    refused: list[tuple[Table | None, KanbanError]] = field(default_factory=list)
    named: bool = True


@dataclass(frozen=True)
class _Meant:
    """Tables that a name may mean, each with whether its schema may be used; ``total``: how many there are."""

    tables: list[tuple[Table, bool]]
    total: int
    named: bool


def find_target(cursor: Cursor, flag: Flag, writing: bool = False) -> Target:
    """Return the flag's place with the catalog's names and types, the likeliest one if its name does not say which.

    Raises BadInput with similar names, and ServerError if the role may not read it, or write it if ``writing``.
    """
    return find_targets(cursor, flag, writing).main


def find_targets(cursor: Cursor, flag: Flag, writing: bool = False, every: bool = False) -> Targets:
    """Return every place that the flag's name may mean; raises as ``find_target`` if none can be used.

    :param every: include tables of that name in other schemas even if the name says which one is meant.
    """
    meant = _tables_meant(cursor, flag, every)
    found: list[Target] = []
    refused: list[tuple[Table | None, KanbanError]] = []
    for table, usable in meant.tables:
        if len(meant.tables) == 1 or (meant.named and not found):
            found.append(_target_in(cursor, flag, table, writing))
            continue
        try:
            if not usable:
                refuse_unreachable(cursor, str(table), _NOT_SWITCHED)
            with cursor.savepoint():
                found.append(_target_in(cursor, flag, table, writing))
        except KanbanError as error:
            if cursor.is_lost:
                raise
            refused.append((table, error))
    if not found:
        raise refused[0][1]
    if meant.total > len(meant.tables):
        refused.append((None, _too_many(flag, meant)))
    return Targets(found[0], found[1:], refused, meant.named)


def _tables_meant(cursor: Cursor, flag: Flag, every: bool) -> _Meant:
    """Return the tables that the flag's name may mean, the likeliest first; one that it names comes before all."""
    columns = [name for name in (flag.column, flag.tenant_column, flag.key_column) if name]
    most = _MOST_PUT_BACK if every else MOST_NAMESAKES
    try:
        named, _columns = find_table(cursor, flag.table)
    except BadInput as error:
        if error.code == "missing_table":
            refuse_unreachable(cursor, flag.table, _NOT_SWITCHED)
        if error.code != "ambiguous_table":
            raise
        found = namesakes(cursor, flag.table, columns, near=error.details["near"], most=most)
        if found.total < 2:
            raise
        return _Meant(found.tables, found.total, named=False)
    if flag.table.lower() == named.name.lower():
        found = namesakes(cursor, flag.table, columns, named, most=most)
        if found.total > 1:
            return _Meant(found.tables, found.total, named=False)
        return _Meant(found.tables or [(named, True)], 1, named=True)
    found = namesakes(cursor, named.name, columns, named, most=most) if every else Namesakes([], 0)
    others = [(table, usable) for table, usable in found.tables if table.oid != named.oid]
    return _Meant([(named, True), *others], max(1, found.total), named=True)


def _too_many(flag: Flag, meant: _Meant) -> KanbanError:
    return KanbanError(
        "same_name",
        f"{meant.total - len(meant.tables)} further tables are named {flag.table}.",
        "No more than this are switched at once.",
        "",
    )


def _target_in(cursor: Cursor, flag: Flag, table: Table, writing: bool) -> Target:
    columns = columns_of(cursor, table)
    place = str(table)
    target = Target(
        flag,
        table,
        tenant=resolve_column(flag.tenant_column, columns, place),
        column=resolve_column(flag.column, columns, place),
    )
    if flag.store == "jsonb" and target.column.kind not in DOCUMENTS:
        raise BadInput(
            "not_a_document",
            f"Column {place}.{target.column.name} is of type {target.column.type_name}, not jsonb, json or text.",
            "The jsonb store looks for the flag inside of a document. Nothing was changed.",
            "Set kanban_flag: store: column for a column of its own, or name the column that holds the settings.",
        )
    if flag.store == "key_value":
        target = _with_key(cursor, target, columns)
    if target.is_document and target.owners:
        raise BadInput(
            "unsupported_store",
            f"Column {place}.{target.column.name} is of type json in a key/value store with a tenants_table.",
            "Tenants without a row could be neither counted nor switched there. Nothing was changed.",
            "Leave tenants_table out (and absent_means off), or make the column jsonb.",
        )
    keys = [column.name for column in (target.tenant, target.key) if column]
    target = replace(target, one_row=is_unique_on(cursor, table, keys))
    # Several rows may have no tenant: to an index NULLs are different.
    if target.key or not target.one_row:
        target = replace(target, row_key=find_row_key(cursor, table, columns, target.column))
    _check_values(cursor, target)
    _check_privileges(cursor, target, writing)
    return target


def _check_privileges(cursor: Cursor, target: Target, writing: bool) -> None:
    """Refuse, before anything is changed, a role that could not do its part; raises ServerError."""
    written = [target.column.name] if writing else []
    refuse_lacking(cursor, target.table, ["SELECT"], written, _NOT_SWITCHED)
    if cursor.row(catalog.HIDES_ROWS, {"table": target.table.oid})[0]:
        raise ServerError(
            "row_level_security",
            f"Row-level security is active for this role on {target.table}.",
            "It would hide tenants, and a hidden tenant reads as 'off'. Nothing was changed.",
            "Use a role that owns the table or has BYPASSRLS.",
        )


def _with_key(cursor: Cursor, target: Target, columns: Sequence[Column]) -> Target:
    flag = target.flag
    key = resolve_column(flag.key_column or "", columns, str(target.table))
    given = {key.name, target.tenant.name, target.column.name}
    must_fill = tuple(column for column in columns if not column.fills_itself and column.name not in given)
    target = replace(target, key=key, must_fill=must_fill)
    if not flag.tenants_table:
        return target
    owners, owner_columns = find_table(cursor, flag.tenants_table)
    owner_id = resolve_column(flag.tenants_table_column or "id", owner_columns, str(owners))
    return replace(target, owners=owners, owner_id=owner_id)


def _check_values(cursor: Cursor, target: Target) -> None:
    """Refuse values that the column could not hold, before anything is written."""
    if target.is_jsonb or target.is_document:
        return
    if target.written(False) is None and (target.null_is_on or not target.column.holds_null):
        why = "with absent_means 'on' a tenant whose column is NULL has the feature"
        raise BadInput(
            "wrong_flag_value",
            f"disabled_value is null, and {why if target.null_is_on else 'the column may not be NULL'}.",
            f"Switching {target.table}.{target.column.name} off would leave it on. Nothing was changed.",
            "Correct absent_means or disabled_value of kanban_flag.",
        )
    kind = sql.SQL(target.column.type_name.replace("%", "%%"))
    for enabled in (True, False):
        value = target.written(enabled)
        try:
            with cursor.savepoint():
                cut = cursor.row(sql.SQL("SELECT %(value)s::{}::text").format(kind), {"value": value})[0]
            if target.column.kind in CUT_SILENTLY and cut != value:
                raise ServerError("too_long", "the value is too long.", "", "", sqlstate=DATA_EXCEPTION)
        except ServerError as error:
            if not str(error.details.get("sqlstate")).startswith(DATA_EXCEPTION):
                raise
            raise BadInput(
                "wrong_flag_value",
                f"{value!r} is no {target.column.type_name}: {error.what}",
                f"Column {target.table}.{target.column.name} could not hold it. Nothing was changed.",
                "Set enabled_value and disabled_value of kanban_flag to what the application writes there.",
            ) from error


def as_global_default(target: Target) -> Target:
    """Return the same flag for the row without a tenant; to most indexes any number of NULLs is unique."""
    return replace(target, global_default=True, owners=None, one_row=False)


def known_tenants(
    cursor: Cursor, target: Target, tenants: Sequence[str], statement: str = queries.KNOWN
) -> dict[str, str]:
    """Return those of ``tenants`` that exist, with the database's spelling; raises BadInput for a wrong type."""
    asked = target
    if target.owners and target.owner_id:
        asked = replace(target, table=target.owners, tenant=target.owner_id, key=None)
    statements = Statements(asked)
    values = {**statements.params, "tenants": list(tenants)}
    try:
        with cursor.savepoint():
            return dict(cursor.rows(statements.format(statement, queries.OF_TENANT), values))
    except ServerError as error:
        if not str(error.details.get("sqlstate")).startswith(DATA_EXCEPTION):
            raise
        raise BadInput(
            "wrong_tenant_type",
            f"The tenants' ids are of type {asked.tenant.type_name}: {error.what}",
            "An id of another type names no tenant. Nothing was changed.",
            f"Give ids as they stand in {asked.table}.{asked.tenant.name}.",
        ) from error
