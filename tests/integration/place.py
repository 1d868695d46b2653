# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test's own database on the shared server, read without any code of the collection."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection

from tests.integration.module import Modules
from tests.support.servers import Postgres

Statement = str | sql.Composable


@dataclass(frozen=True)
class Row:
    """One row as stored: ``place`` (leaf, ctid, xmin) changes when it is rewritten, ``text`` is all of it."""

    tenant: str | None
    place: tuple[str, str, str]
    text: str


@dataclass
class Snapshot:
    """All rows of a table at one moment."""

    rows: list[Row]

    @property
    def texts(self) -> list[str]:
        """The rows' whole contents, sorted: equal lists are equal tables."""
        return sorted(row.text for row in self.rows)

    def of(self, *tenants: str | None) -> list[Row]:
        """Return the rows of these tenants."""
        return [row for row in self.rows if row.tenant in tenants]

    def without(self, *tenants: str | None) -> list[Row]:
        """Return the rows of all other tenants."""
        return [row for row in self.rows if row.tenant not in tenants]


@dataclass
class Database:
    """One empty database; ``roles`` made for it are dropped with it."""

    server: Postgres
    name: str
    roles: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def connect(self, application_name: str = "test", **changes: Any) -> Iterator[connection]:
        """Give an autocommit connection, as the superuser unless ``user`` and ``password`` say otherwise."""
        with self.server.connect(self.name, application_name=application_name, **changes) as session:
            yield session

    @contextlib.contextmanager
    def as_role(self, role: str, application_name: str = "app") -> Iterator[connection]:
        """Give a connection as one of this database's own roles."""
        with self.connect(application_name, user=role, password=self.roles[role]) as session:
            yield session

    @contextlib.contextmanager
    def transaction(self, *statements: str, application_name: str = "whaticket-api") -> Iterator[connection]:
        """Hold a transaction open after some statements: idle, like that of an application that is busy elsewhere.

        The server may have ended it by the end of the block; the test must know that.
        """
        with self.connect(application_name) as session:
            session.autocommit = False
            with session.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            yield session
            if not session.closed:
                with contextlib.suppress(Exception):
                    session.rollback()

    @property
    def variables(self) -> dict[str, Any]:
        """Variables by which a playbook on this machine reaches it, as the superuser."""
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_postgresql_host": self.server.host,
            "kanban_postgresql_port": self.server.port,
            "kanban_postgresql_db": self.name,
            "kanban_postgresql_user": self.server.user,
            "kanban_postgresql_password": self.server.password,
        }

    def rows(self, statement: Statement, values: Any = None) -> list[Any]:
        """Run one statement as the superuser and return its rows."""
        return self.server.query(statement, values, self.name)

    def value(self, statement: Statement, values: Any = None) -> Any:
        """Return the one value of the one row."""
        return self.rows(statement, values)[0][0]

    def snapshot(self, table: str, tenant: str = "id") -> Snapshot:
        """Return all rows of a table; names come as SQL text."""
        statement = (
            f"SELECT {tenant}::text, t.tableoid::regclass::text, t.ctid::text, t.xmin::text, t::text FROM {table} t"
        )
        found = self.rows(statement + " ORDER BY 1, 2, 3")
        return Snapshot([Row(row[0], (row[1], row[2], row[3]), row[4]) for row in found])

    def has_ledger(self) -> bool:
        """Tell whether the ledger's schema exists."""
        return bool(self.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'kanban_rollback'"))

    def role(self, suffix: str, *grants: LiteralString) -> str:
        """Make a role that may log in, with grants such as ``SELECT ON companies``; return its name."""
        name = f"{self.name}_{suffix}"
        self.roles[name] = secrets.token_urlsafe(12)
        who = sql.Identifier(name)
        self.rows(sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(who), (self.roles[name],))
        for grant in grants:
            self.rows(sql.SQL("GRANT {} TO {}").format(sql.SQL(grant), who))
        return name

    def modules(self, role: str | None = None, **options: Any) -> Modules:
        """Return modules that run here, as the superuser or as one of the roles."""
        login: Mapping[str, Any] = {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_db": self.name,
            "login_user": role or self.server.user,
            "login_password": self.roles[role] if role else self.server.password,
        }
        return Modules({**login, **options})

    @property
    def version(self) -> int:
        """The server's major version."""
        number: int = self.server.query("SELECT current_setting('server_version_num')::int / 10000")[0][0]
        return number

    def needs(self, version: int, why: str) -> None:
        """Skip the test if the server's major version is older, and say why."""
        if self.version < version:
            pytest.skip(f"before PostgreSQL {version} {why}")

    def drop(self) -> None:
        """Drop the database and its roles, after prepared transactions, which would keep it."""
        for (gid,) in self.rows("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
            self.rows("ROLLBACK PREPARED %s", (gid,))
        self.server.drop_database(self.name)
        for role in self.roles:
            self.server.query(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
