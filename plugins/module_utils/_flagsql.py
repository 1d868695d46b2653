# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flag's expressions in SQL, for each way of storing it. Builds statements, runs none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rowkey import RowKey
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch


@dataclass(frozen=True)
class Target:
    """A flag whose names were found in the catalog.

    ``one_row``: an index guarantees one row per tenant; else ``row_key`` tells a tenant's rows apart.
    ``global_default``: this is the key/value row without a tenant, a flag of its own. ``owners``: the tenants' table
    beside a key/value store. ``must_fill``: the columns that a new row must not leave out.
    """

    flag: Flag
    table: Table
    tenant: Column
    column: Column
    key: Column | None = None
    one_row: bool = True
    row_key: RowKey = field(default_factory=RowKey)
    global_default: bool = False
    owners: Table | None = None
    owner_id: Column | None = None
    must_fill: tuple[Column, ...] = ()

    @property
    def is_document(self) -> bool:
        """True for JSON kept as json or text: edited as text, outside the server."""
        return self.column.kind == "json" or (self.flag.store == "jsonb" and self.column.kind != "jsonb")

    @property
    def is_jsonb(self) -> bool:
        """True for jsonb: edited by the server."""
        return self.column.kind == "jsonb"

    @property
    def full_depth(self) -> int:
        """Steps down to the flag itself; 0 if the column is the flag, and for documents (kept whole)."""
        return len(self.flag.path) if self.is_jsonb else 0

    @property
    def identity(self) -> str:
        """The flag's name in the ledger, made of the catalog's names so that the user's spelling does not matter."""
        flag = self.flag
        where = f"{self.table}.{self.column.name}"
        if flag.store == "jsonb":
            return " -> ".join((where, *flag.path))
        if flag.store == "key_value":
            whose = ", default of all" if self.global_default else ""
            return f"{where} [{flag.key_column} = {flag.key}{whose}]"
        return where

    @property
    def null_is_on(self) -> bool:
        """True if SQL NULL counts as on: in a column of its own it is the flag that a tenant does not have."""
        return self.flag.absent_is_on and self.flag.store == "column"

    def written(self, enabled: bool) -> str | None:
        """Return what we write as text: JSON inside a document, else the column's own form, None for NULL."""
        if self.is_jsonb or self.is_document:
            return self.flag.json_value(enabled)
        return self.flag.scalar_value(enabled, self.column.kind)


class Statements:
    """The statements of one target; ``params`` has every value, ``format`` puts the names in."""

    def __init__(self, target: Target, as_jsonb: bool = False, bare: bool = False, as_json: bool = False) -> None:
        """Build the fragments; ``as_jsonb`` casts a json or text column, ``bare`` names no type of the column.

        ``as_json`` reads such a column as json, also what jsonb refuses, and is not there to write it.
        """
        self.target = target
        self._by_server = target.is_jsonb or as_jsonb or as_json
        self._as_json = as_json
        flag = target.flag
        self.params: dict[str, Any] = {
            **{f"path_{i}": name for i, name in enumerate(flag.path)},
            "path": list(flag.path),
            "key": flag.key,
            "passing": [target.column.name, *target.row_key.passing],
            "off_values": flag.json_off_values,
            "off": flag.scalar_off(target.column.kind),
            "needle": flag.path[-1] if flag.path else "",
        }
        self._column = _of_t(target.column.name)
        self._column = sql.SQL("({}::jsonb)").format(self._column) if as_jsonb else self._column
        if as_json:
            self.params.update(latch.AS_JSON_VALUES)
            self._column = sql.SQL(latch.AS_JSON).format(content=sql.SQL("{}::text").format(self._column))
        self._own_tenant = _of_t(target.tenant.name)
        self._tenant = sql.SQL("''::text") if target.global_default else self._own_tenant
        self._type = sql.SQL(target.column.cast_name.replace("%", "%%"))
        self._cast = sql.SQL("") if bare else sql.SQL("::{}").format(self._type)
        self.fragments: dict[str, sql.Composable] = {
            "table": identifier(target.table.schema, target.table.name),
            "tenant": self._tenant,
            "tenant_type": sql.SQL("text" if target.global_default else target.tenant.cast_name.replace("%", "%%")),
            "own_tenant": self._own_tenant,
            "column": self._column,
            "column_name": identifier(target.column.name),
            "row_key": target.row_key.key,
            "row_rest": target.row_key.rest,
            "column_type": self._type,
            "key_matches": self._key_matches(),
            "rows": self._rows(),
            "is_on": self._is_on(),
            "leaf": self._leaf(),
            "full_depth": sql.Literal(target.full_depth),
            "count": self._count(),
            "may_matter": self._may_matter(),
            "written": self._written(),
        }

    def format(self, statement: str, scope: str = queries.SCOPE_ALL, **more: sql.Composable) -> sql.Composed:
        """Return a statement of ``_sql/flag.py`` with this target's names, in a scope, with further fragments."""
        fragments = {**self.fragments, **more}
        return sql.SQL(statement).format(**fragments, scope=sql.SQL(scope).format(**fragments))

    def to_switch(self, enabled: bool) -> sql.Composable:
        """Return the condition for rows that are not yet as wanted."""
        is_on = self.fragments["is_on"]
        return sql.SQL("NOT ({})").format(is_on) if enabled else is_on

    def switch(self, scope: str, enabled: bool, wait: bool) -> sql.Composed:
        """Return the statement that switches one batch on or off."""
        return self.format(
            queries.SWITCH,
            scope,
            to_switch=self.to_switch(enabled),
            prior=self._by_depth("text"),
            depth=self._by_depth("depth"),
            written=self._written() if enabled or self.target.flag.absent_is_on else self._written_in_place(),
            waiting=sql.SQL("" if wait else "SKIP LOCKED"),
            same_leaf=sql.SQL(queries.SAME_LEAF if self.target.table.partitioned else "TRUE"),
        )

    def restore(self, whose: str = queries.OF_TENANT) -> sql.Composed:
        """Return the statement that puts one batch of priors back."""
        leaf: sql.Composable
        written: sql.Composable
        if self.target.is_jsonb:
            leaf, prior, written = self._json_leaf(), sql.SQL("w.prior::jsonb"), sql.SQL("w.written::jsonb")
            before = sql.SQL("CASE WHEN w.depth = {} THEN {} END").format(self.fragments["full_depth"], prior)
            put_back = sql.SQL("({})::{}").format(self._put_back_json(), self._type)
        else:
            leaf, before = self._column, sql.SQL("w.prior::{}").format(self._type)
            written, put_back = sql.SQL("w.written::{}").format(self._type), before
        return self.format(
            queries.RESTORE,
            whose,
            already=sql.SQL("({} IS NOT DISTINCT FROM {})").format(leaf, before),
            unchanged=sql.SQL("({} IS NOT DISTINCT FROM {})").format(leaf, written),
            put_back=put_back,
        )

    def of_missing(self, statement: str, listed: bool, **more: sql.Composable) -> sql.Composed:
        """Return a statement about tenants that have no row in a key/value store; ``listed``: only those requested."""
        owner_id = identifier(self.target.owner_id.name if self.target.owner_id else "id")
        among = sql.SQL("o.{}::text = ANY (%(tenants)s::text[])").format(owner_id) if listed else sql.SQL("TRUE")
        owners, key, must_fill = self.target.owners, self.target.key, self.target.must_fill
        return self.format(
            statement,
            queries.SCOPE_TENANTS if listed else queries.SCOPE_ALL,
            tenants_table=identifier(owners.schema, owners.name) if owners else self.format(queries.LISTED),
            owner_id=owner_id,
            owner_scope=among,
            tenant_name=identifier(self.target.tenant.name),
            key_name=identifier(key.name) if key else sql.SQL(""),
            more_names=sql.Composed([sql.SQL(", ") + identifier(column.name) for column in must_fill]),
            # The other columns that such a table requires are its bookkeeping: createdAt and updatedAt.
            more_values=sql.Composed([sql.SQL(", now()") for _column in must_fill]),
            **more,
        )

    def delete_made(self) -> sql.Composed:
        """Return the undo of INSERT_MISSING."""
        kind = sql.SQL("jsonb") if self.target.is_jsonb else self._type
        return self.format(queries.DELETE_MADE, written_as_text=sql.SQL("w.written::{}::text").format(kind))

    # Expressions. Each is small on purpose: the statements are read in the server's log at three in the morning.

    def _key_matches(self) -> sql.Composable:
        if self.target.key is None:
            return sql.SQL("TRUE")
        return sql.SQL("{} = %(key)s").format(_of_t(self.target.key.name))

    def _rows(self) -> sql.Composable:
        """Match the rows that are tenants' flags; a key/value row without a tenant is the default of all."""
        if self.target.key is None:
            return sql.SQL("TRUE")
        whose = sql.SQL("IS NULL" if self.target.global_default else "IS NOT NULL")
        return sql.SQL("({} AND {} {})").format(self._key_matches(), self._own_tenant, whose)

    def _count(self) -> sql.Composable:
        # If nothing guarantees one row per tenant, rows are not tenants. Only a text is counted, and NULL is none.
        tenant = "{}::text" if self.target.key else "COALESCE({}::text, '')"
        return sql.SQL("count(*)" if self.target.one_row else f"count(DISTINCT {tenant})").format(self._tenant)

    def _leaf(self) -> sql.Composable:
        return sql.SQL("({})::text").format(self._json_leaf() if self._by_server else self._column)

    def _json_leaf(self, steps: int | None = None) -> sql.Composable:
        """Return ``t.settings -> 'a' -> 'b'``: NULL if a container is absent or not an object."""
        path = self.target.flag.path[:steps]
        return sql.Composed([self._column, *[sql.SQL(f" -> %(path_{i})s::text") for i in range(len(path))]])

    def _is_on(self) -> sql.Composable:
        target = self.target
        if self._as_json:
            absent = sql.Literal(target.flag.absent_is_on)
            return sql.SQL(latch.JSON_IS_ON).format(leaf=self._json_leaf(), absent=absent)
        if self._by_server:
            return sql.SQL("COALESCE(({}) <> ALL (%(off_values)s::text[]::jsonb[]), {})").format(
                self._json_leaf(), sql.Literal(target.flag.absent_is_on)
            )
        if target.is_document:
            return sql.SQL("NULL")
        if self.params["off"] is None:
            return sql.SQL("({} IS NOT NULL)").format(self._column)
        null = sql.Literal(target.null_is_on)
        return sql.SQL("COALESCE({} <> %(off)s{}, {})").format(self._column, self._cast, null)

    def _may_matter(self) -> sql.Composable:
        """Match documents worth reading: a key may be spelled with escapes; text that is not JSON must be reported."""
        if self.target.flag.absent_is_on or self.target.column.kind != "json" or not self.target.flag.path:
            return sql.SQL("TRUE")
        text = sql.SQL("{}::text").format(self._column)
        return sql.SQL("(position(%(needle)s in {0}) > 0 OR position('\\' in {0}) > 0)").format(text)

    def _by_depth(self, what: str) -> sql.Composable:
        """Return what is at the point of change (``text``), or how deep that point is (``depth``)."""
        full = self.target.full_depth
        if not self.target.is_jsonb or full == 0:
            return self._leaf() if what == "text" else sql.Literal(0)
        cases: list[sql.Composable] = [sql.SQL("CASE")]
        for depth in range(full):
            point = self._json_leaf(depth)
            result = sql.SQL("({})::text").format(point) if what == "text" else sql.Literal(depth)
            cases.append(sql.SQL(" WHEN jsonb_typeof({}) IS DISTINCT FROM 'object' THEN {}").format(point, result))
        last = self._leaf() if what == "text" else sql.Literal(full)
        return sql.Composed([*cases, sql.SQL(" ELSE {} END").format(last)])

    def _written(self) -> sql.Composable:
        if not self._by_server:
            return sql.SQL("%(written)s{}").format(self._cast)
        whole = self._set_json(0, len(self.target.flag.path), sql.SQL("%(written)s::jsonb"))
        return sql.SQL("({}){}").format(whole, self._cast)

    def _written_in_place(self) -> sql.Composable:
        """Write a flag that is there, so its containers are objects: this saves a fifth of the kill's time."""
        if not self.target.is_jsonb or not self.target.full_depth:
            return self._written()
        in_place = sql.SQL("jsonb_set({}, %(path)s::text[], %(written)s::jsonb)").format(self._column)
        return sql.SQL("({})::{}").format(in_place, self._type)

    def _set_json(self, step: int, until: int, value: sql.Composable) -> sql.Composable:
        """Return the document with ``value`` at the first ``until`` steps of the path; a non-object becomes one."""
        if step == until:
            return value
        here = self._json_leaf(step)
        container = sql.SQL("CASE WHEN jsonb_typeof({0}) = 'object' THEN {0} ELSE '{{}}'::jsonb END").format(here)
        member = sql.SQL("jsonb_build_object({}, {})").format(_path(step), self._set_json(step + 1, until, value))
        return sql.SQL("{} || {}").format(container, member)

    def _put_back_json(self) -> sql.Composable:
        """Restore the point of change; if other settings were added there since, remove only the flag."""
        full = self.target.full_depth
        without_flag = sql.SQL("{} #- %(path)s::text[]").format(self._column)
        cases: list[sql.Composable] = [sql.SQL("CASE")]
        for depth in range(full + 1):
            point = self._json_leaf(depth)
            cut = sql.SQL("{} #- (%(path)s::text[])[1:{}]").format(self._column, sql.Literal(depth))
            absent = sql.SQL("NULL") if depth == 0 else cut
            back = sql.SQL("CASE WHEN w.prior IS NULL THEN {} ELSE {} END").format(
                absent, self._set_json(0, depth, sql.SQL("w.prior::jsonb"))
            )
            wrote = self._wrapped(self.target.flag.path[depth:], depth)
            cases.append(
                sql.SQL(" WHEN w.depth = {} AND {} = {} THEN {}").format(sql.Literal(depth), point, wrote, back)
            )
        return sql.Composed([*cases, sql.SQL(" ELSE {} END").format(without_flag)])

    def _wrapped(self, rest: Sequence[str], depth: int) -> sql.Composable:
        """Return what we wrote at a point: the value inside one object per missing step."""
        value: sql.Composable = sql.SQL("w.written::jsonb")
        for i in reversed(range(depth, depth + len(rest))):
            value = sql.SQL("jsonb_build_object({}, {})").format(_path(i), value)
        return value


def _path(step: int) -> sql.Composable:
    return sql.SQL(f"%(path_{int(step)})s::text")


def _of_t(name: str) -> sql.Composable:
    return sql.SQL("t.") + identifier(name)
