# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranking's statements for one schema. Builds statements, runs none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._identity import as_text, same
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankmatch import Match
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as flag_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ranking as queries

_SHOWN_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'


@dataclass(frozen=True)
class Logs:
    """The table of errors; ``context`` is None if no text is looked for."""

    table: Table
    company: Column
    at: Column
    context: Column | None = None

    @property
    def naive(self) -> bool:
        """Whether the time has no zone, so that a reader must say which."""
        return self.at.kind == "timestamp"


@dataclass(frozen=True)
class Owners:
    """A table with a row per tenant, or several; ``name`` is what a person calls the tenant."""

    table: Table
    id: Column
    name: Column | None = None


class Ranking:
    """The statements about one table of errors; with ``target``, those that also ask for the flag."""

    def __init__(self, logs: Logs, match: Match, target: Target | None = None, companies: Owners | None = None) -> None:
        self._logs = logs
        self._target = target
        self._companies = companies
        self.params: dict[str, Any] = {"needle": match.value}
        tenant_kind = target.tenant.kind if target else logs.company.kind
        stamp = "{}::timestamp" if logs.naive else "{}::timestamptz"
        self._fragments: dict[str, sql.Composable] = {
            "error_logs": identifier(logs.table.schema, logs.table.name),
            "company": identifier(logs.company.name),
            "at": identifier(logs.at.name),
            "matches": self._matches(match),
            "since": sql.SQL(stamp).format(sql.SQL("%(since)s")),
            "now": sql.SQL(stamp).format(sql.SQL("%(now)s")),
            "zone": sql.SQL("%(zone)s" if logs.naive else "'UTC'"),
            "offset": sql.SQL("''" if logs.naive else "'+00'"),
            "id": as_text(sql.SQL("c.tenant"), logs.company.kind, tenant_kind),
            "first_at": self._shown("c.first_at"),
            "last_at": self._shown("c.last_at"),
        }
        if target:
            statements = Statements(target)
            self.params = {**statements.params, **self.params}
            self._flag = {
                **statements.fragments,
                "same_tenant": self._same(statements.fragments["tenant"], target.tenant),
                "id": self._fragments["id"],
            }

    def format(self, statement: str) -> sql.Composed:
        """Return a statement of ``_sql/ranking.py`` about the errors alone."""
        return sql.SQL(statement).format(**self._fragments)

    def rank(self, only_some: bool) -> sql.Composed:
        """Return the ranking; ``only_some``: among the tenants of the parameter ``tenants``."""
        scope = "{} IN (SELECT unnest(%(tenants)s::text[]))" if only_some else "TRUE"
        return sql.SQL(queries.RANK).format(
            **self._fragments,
            scope=sql.SQL(scope).format(self._fragments["id"]),
            known=self._known(),
            on_now=self._on_now(),
            name=self._name(),
        )

    def _same(self, column: sql.Composable, of: Column) -> sql.Composable:
        return same(sql.SQL("c.tenant"), self._logs.company.kind, column, of.kind)

    def _matches(self, match: Match) -> sql.Composable:
        if self._logs.context is None or match.kind == "all":
            return sql.SQL("TRUE")
        # The collation is given because with the column's own a search for part of a text may not work.
        text = sql.SQL('e.{}::text COLLATE "C"').format(identifier(self._logs.context.name))
        if match.kind == "pattern":
            return sql.SQL("{} ~ %(needle)s").format(text)
        lowered = "strpos(lower({}), %(needle)s) > 0" if match.kind == "folded" else "strpos({}, %(needle)s) > 0"
        return sql.SQL(lowered).format(text)

    def _shown(self, moment: str) -> sql.Composable:
        zone = " AT TIME ZONE %(zone)s" if self._logs.naive else ""
        return sql.SQL(f"to_char({moment}{zone} AT TIME ZONE 'UTC', '{_SHOWN_TIME}')")

    def _on_now(self) -> sql.Composable:
        target = self._of_flag()
        is_on = queries.IS_ON_LISTED if target.is_document else queries.IS_ON
        on_now = sql.SQL(queries.ON_NOW).format(is_on=sql.SQL(is_on).format(**self._flag))
        if target.key is None or target.is_document:
            return on_now
        absent_is_on = target.flag.absent_is_on and target.owners is not None
        without = sql.SQL(queries.ON_WITHOUT_ROW).format(
            is_owner=self._is_owner(),
            has_row=self._has_row(),
            absent_is_on=sql.SQL("TRUE") if absent_is_on else self._default_is_on(),
        )
        return sql.SQL("{} UNION ALL {}").format(on_now, without)

    def _default_is_on(self) -> sql.Composable:
        of_all = Statements(replace(self._of_flag(), global_default=True))
        return sql.SQL("({})").format(of_all.format(flag_queries.DEFAULT_IS_ON))

    def _is_owner(self) -> sql.Composable:
        """Match tenants that exist; where no table says which there are, all that have errors."""
        target = self._of_flag()
        if target.owners and target.owner_id:
            return self._exists(target.owners, target.owner_id)
        return self._exists(self._companies.table, self._companies.id) if self._companies else sql.SQL("TRUE")

    def _known(self) -> sql.Composable:
        target = self._of_flag()
        if self._companies:
            return self._exists(self._companies.table, self._companies.id)
        if target.owners and target.owner_id:
            return self._exists(target.owners, target.owner_id)
        if target.key is None or target.is_document:
            return self._has_row()
        return sql.SQL("({} OR {})").format(self._has_row(), self._default_is_on())

    def _has_row(self) -> sql.Composable:
        return sql.SQL(queries.HAS_ROW).format(**self._flag)

    def _exists(self, table: Table, column: Column) -> sql.Composable:
        return sql.SQL(queries.EXISTS_IN).format(**self._beside(table, column))

    def _name(self) -> sql.Composable:
        if self._companies is None or self._companies.name is None:
            return sql.SQL("NULL::text")
        names = self._beside(self._companies.table, self._companies.id)
        return sql.SQL(queries.NAME).format(name=identifier(self._companies.name.name), **names)

    def _beside(self, table: Table, column: Column) -> dict[str, sql.Composable]:
        return {
            "table": identifier(table.schema, table.name),
            "same": self._same(sql.SQL("k.") + identifier(column.name), column),
        }

    def _of_flag(self) -> Target:
        if self._target is None:
            raise ValueError("a ranking asks who is on, so it needs the flag's place")
        return self._target


def users_of(users: Owners, target: Target) -> sql.Composed:
    """Return the count of the users of the tenants of the parameter ``tenants``."""
    typed = users.id.kind == target.tenant.kind
    return sql.SQL(queries.USERS).format(
        users=identifier(users.table.schema, users.table.name),
        company=sql.SQL("u.{}" if typed else "u.{}::text").format(identifier(users.id.name)),
        type=sql.SQL(users.id.cast_name.replace("%", "%%") if typed else "text"),
    )


def given_query(query: str) -> sql.Composed:
    """Return a count that the profile gives, with ``%(tenants)s`` as its parameter; any other ``%`` stays as it is."""
    text = query.strip().rstrip(";").replace("%", "%%").replace("%%(tenants)s", "%(tenants)s")
    return sql.SQL(queries.USERS_QUERY).format(query=sql.SQL(text))
