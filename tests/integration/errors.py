# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of errors as applications keep them, and the options that name them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.integration.flags import KEY
from tests.integration.module import Modules, Result
from tests.integration.place import Database


@dataclass
class Errors:
    """Companies, their users and their errors. ``quoted``: camelCase names, otherwise all lower case."""

    db: Database
    quoted: bool = True
    key: str = "integer"
    context: str = "text"
    at: str = "timestamptz"
    settings: str = "jsonb"
    errors_key: str | None = None
    role: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the tables."""
        for statement in (
            f"CREATE TABLE {self.sql('Companies')} (id {self.key} PRIMARY KEY, name text, settings {self.settings})",
            f"CREATE TABLE {self.sql('Users')} (id serial, {self.sql('companyId')} {self.key})",
            f"CREATE TABLE {self.sql('ErrorLogs')} (id serial, {self.sql('companyId')} {self.errors_key or self.key}, "
            f"context {self.context}, {self.sql('createdAt')} {self.at})",
        ):
            self.db.rows(statement)

    def sql(self, name: str) -> str:
        """Return a name as SQL text."""
        return f'"{name}"' if self.quoted else name.lower()

    def options(self) -> dict[str, Any]:
        """Return the module's options, always in camelCase, as a profile has them."""
        return {
            "table": "Companies",
            "column": "settings",
            "path": [KEY],
            "error_logs": "ErrorLogs",
            "companies": "Companies",
            "columns": {
                "error_logs": {"id": "id", "company": "companyId", "context": "context", "created_at": "createdAt"},
                "companies": {"id": "id", "name": "name", "settings": "settings"},
                "users": {"id": "id", "company": "companyId"},
                "tags": {"id": "id"},
            },
            "contains": "kanban",
            **self.extra,
        }

    @property
    def modules(self) -> Modules:
        """Modules that run on this database."""
        return self.db.modules(self.role, **self.options())

    def rank(self, **options: Any) -> Result:
        """Rank; must succeed."""
        return self.modules.ok("affected_tenants_info", **options)

    def fails(self, code: str, **options: Any) -> Result:
        """Rank; must fail, and return nothing that reads as a list."""
        result = self.modules.fails(code, "affected_tenants_info", **options)
        assert "tenants" not in result, result
        assert "Traceback" not in str(result)
        return result

    def companies(self, *ids: object, on: bool = True, name: str = "Empresa", users: int = 0) -> None:
        """Add companies."""
        for one in ids:
            values = (one, f"{name} {one}", json.dumps({KEY: on}))
            self.db.rows(f"INSERT INTO {self.sql('Companies')} VALUES (%s, %s, %s)", values)
            users_of = (
                f"INSERT INTO {self.sql('Users')} ({self.sql('companyId')}) SELECT %s FROM generate_series(1, %s)"
            )
            self.db.rows(users_of, (one, users))

    def log(
        self, tenant: object, number: int, context: str = "kanban:drag", *, ago: float = 600, every: float = 1
    ) -> None:
        """Add ``number`` errors of a tenant: the first ``ago`` seconds ago, then one every ``every`` seconds."""
        text = f"to_json(%s::text)::{self.context}" if self.context in ("json", "jsonb") else "%s"
        now = "now()" if self.at == "timestamptz" else "now() AT TIME ZONE 'UTC'"
        self.db.rows(
            f"""INSERT INTO {self.sql("ErrorLogs")} ({self.sql("companyId")}, context, {self.sql("createdAt")})
            SELECT %s, {text}, {now} - make_interval(secs => %s - (g - 1) * %s) FROM generate_series(1, %s) AS g""",
            (tenant, context, ago, every, number),
        )


def ids(result: Result) -> list[str]:
    """Return the ids of a list, in its order."""
    return [tenant["tenant"] for tenant in result["tenants"]]


def warned(result: Result, *words: str) -> bool:
    """Tell whether one warning has all these words."""
    return any(all(word in text for word in words) for text in result["warnings"])


def uuids(*numbers: int) -> Sequence[str]:
    """Return ids with letters, so that upper and lower case differ."""
    return [f"00000000-0000-4000-8000-0000000000{number:02x}" for number in numbers]
