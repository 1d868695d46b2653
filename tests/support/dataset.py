# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of an application, made on the server, the same in each run: ``DataSet(tenants=100).load(session)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from psycopg2.extensions import connection

from . import dataset_sql

KEY = dataset_sql.KEY


@dataclass(frozen=True)
class DataSet:
    """A population of tenants and tickets, and the shape of the schema that holds it.

    ``quoted``: quoted camelCase names, else all lower case. ``share_on``: of the tenants. ``store`` and ``settings``:
    where the flag is and the type of the settings column. ``column_type``: of the ``column`` store. ``corruption``:
    orphan tags, duplicates, invalid lanes, tickets without company; foreign keys are then NOT VALID, as on databases
    that got them late. ``on_delete``: of the foreign keys, None for a schema without. ``keyed``: TicketTags has an id.
    """

    tenants: int = 1_000
    tickets: int = 20_000
    quoted: bool = True
    ids: Literal["integer", "uuid"] = "integer"
    settings: Literal["jsonb", "json", "text"] = "jsonb"
    store: Literal["jsonb", "key_value", "column"] = "jsonb"
    column_type: Literal["text", "boolean"] = "text"
    share_on: Decimal = Decimal("0.3")
    corruption: bool = False
    on_delete: Literal["CASCADE", "NO ACTION"] | None = "CASCADE"
    keyed: bool = True

    def name(self, logical: str) -> str:
        """Return a table's or column's real name (``Companies``, ``companyId``), without quotes."""
        return logical if self.quoted else logical.lower()

    def sql_name(self, logical: str) -> str:
        """Return a table's or column's name as SQL text."""
        return f'"{logical}"' if self.quoted else logical.lower()

    def load(self, session: connection) -> None:
        """Create and fill the tables in one transaction. The database must not have them yet."""
        statements = [*dataset_sql.tables(self), *dataset_sql.rows(self), *dataset_sql.constraints(self)]
        before, session.autocommit = session.autocommit, False
        try:
            with session, session.cursor() as cursor:
                # Building indexes dominates; the default of 64 MB makes it sort on disk.
                cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
                for statement in statements:
                    cursor.execute(statement)
        finally:
            session.autocommit = before

    def expected_on(self) -> int:
        """Return how many tenants are on: not absent, not null, not false and not the disabled value."""
        return int(self.tenants * self.share_on)

    def expected_corruption(self) -> dict[str, int]:
        """Return how many rows of each corruption there are."""
        return dataset_sql.corruption_counts(self)

    def flag_options(self) -> dict[str, Any]:
        """Return the options of the module ``feature_flag`` that name this flag."""
        options: dict[str, Any] = {"store": self.store, "table": self.name("Companies")}
        if self.store == "jsonb":
            return {**options, "tenant_column": self.name("id"), "column": self.name("settings"), "path": [KEY]}
        values: dict[str, Any] = {"enabled_value": "enabled", "disabled_value": "disabled"}
        if self.store == "column":
            if self.column_type == "boolean":
                values = {"enabled_value": True, "disabled_value": False}
            return {**options, "tenant_column": self.name("id"), "column": self.name(KEY), **values}
        return {
            **values,
            "store": self.store,
            "table": self.name("Settings"),
            "tenant_column": self.name("companyId"),
            "column": self.name("value"),
            "key_column": self.name("key"),
            "key": KEY,
        }

    def count_by_kind(self, session: connection) -> Mapping[str, int]:
        """Return how many tenants have which value of the flag, read without anything of the collection."""
        with session.cursor() as cursor:
            cursor.execute(dataset_sql.count_by_kind(self))
            return dict(cursor.fetchall())

    def count_on(self, session: connection) -> int:
        """Return how many tenants are on in the database, read without anything of the collection."""
        return sum(number for kind, number in self.count_by_kind(session).items() if kind not in self.off_kinds())

    def off_kinds(self) -> tuple[str, ...]:
        """Return the values, as ``count_by_kind`` names them, that are off."""
        if self.store == "jsonb":
            return dataset_sql.OFF_IN_DOCUMENT
        boolean = self.store == "column" and self.column_type == "boolean"
        return dataset_sql.OFF_IN_BOOLEAN if boolean else dataset_sql.OFF_IN_TEXT
