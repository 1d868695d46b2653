# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags as applications keep them, with who is on written by hand, and the cycle that each of them must survive."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.integration.module import Modules
from tests.integration.place import Database, Snapshot

KEY = "kanbanV2Enabled"
UUID = "00000000-0000-4000-8000-0000000000{:02x}"


@dataclass(frozen=True)
class Case:
    """A table, its content, and which of its tenants are on.

    ``rows``: content of the flag's column by tenant; ``on``: tenants that are on. ``table``, ``tenant``, ``column``:
    SQL text. ``off``, ``on_value``: the flag's value, as ``read`` returns it, once it is switched off or on.
    """

    ddl: Sequence[str]
    rows: Mapping[str, str | None]
    on: frozenset[str]
    options: Mapping[str, Any]
    table: str
    tenant: str = "id"
    column: str = "settings"
    off: Any = False
    on_value: Any = True
    read: Callable[[str | None], Any] = field(default=lambda text: text)

    def make(self, db: Database) -> Modules:
        """Create and fill the table; return modules that run on it."""
        with db.connect() as session, session.cursor() as cursor:
            for statement in self.ddl:
                cursor.execute(statement)
            names = ", ".join(name.replace("%", "%%") for name in (self.tenant, self.column))
            insert = f"INSERT INTO {self.table.replace('%', '%%')} ({names}) VALUES (%s, %s)"
            cursor.executemany(insert, list(self.rows.items()))
        return db.modules(**self.options)

    def snapshot(self, db: Database) -> Snapshot:
        """Return the table as it is stored."""
        return db.snapshot(self.table, self.tenant)

    def flags(self, db: Database) -> dict[str, Any]:
        """Return each tenant's flag."""
        found = db.rows(f"SELECT {self.tenant}::text, {self.column}::text FROM {self.table}")
        return {tenant: self.read(content) for tenant, content in found}


def at(*path: str) -> Callable[[str | None], Any]:
    """Return a reader of a document's member; a missing one reads as the word ``absent``."""

    def read(text: str | None) -> Any:
        here: Any = json.loads(text) if text and text.strip() else {}
        for name in path:
            here = here.get(name, "absent") if isinstance(here, dict) else "absent"
        return here

    return read


# What applications wrote into a tenant's settings over the years, by whether it counts as on.
DOCUMENTS_ON = (
    '{"kanbanV2Enabled": true, "timezone": "America/Sao_Paulo"}',
    '{"theme": {"kanbanV2Enabled": false}, "kanbanV2Enabled": true}',
    '{"kanbanV2Enabled": "false"}',
    '{"kanbanV2Enabled": "sim", "maxUsers": 12345678901234567890.123456789}',
    '{"kanbanV2Enabled": 0}',
    '{"kanbanV2Enabled": 2.50}',
    '{"kanbanV2Enabled": ""}',
    '{"kanbanV2Enabled": {}}',
    '{"kanbanV2Enabled": [false], "nome": "Padaria São João \\"A\\" 🥐"}',
)
DOCUMENTS_OFF = (
    '{"kanbanV2Enabled": false, "timezone": "UTC"}',
    '{"kanbanV2Enabled": null}',
    '{"timezone": "kanbanV2Enabled"}',
    "{}",
    "[]",
    '["kanbanV2Enabled"]',
    '"migrated"',
    "null",
    "17",
    None,
)
# What only text keeps to the letter: white space, duplicate names (the last counts), escapes that jsonb refuses.
TEXTS_ON = (
    ' {\n\t"kanbanV2Enabled" :true  ,"b":1}  ',
    '{"kanbanV2Enabled": false, "kanbanV2Enabled": true, "z": 1.0e5}',
    '{"nulo": "a\\u0000b", "kanbanV2Enabled": true}',
    '{"\\u006banbanV2Enabled": true}',
    '{"kanbanV2Enabled": 1e999, "meia": "\\ud83d"}',
)
TEXTS_OFF = ('{"kanbanV2Enabled": true, "kanbanV2Enabled": false}', '{"nulo": "\\u0000"}', ' {"a" : [ ] } ')


def documents(kind: str, *, quoted: bool, uuids: bool, absent_means: str = "off", options: Any = None) -> Case:
    """Return a flag inside a jsonb, json or text column; with ``absent_means`` on, a tenant without one is on."""
    on, off = list[str | None](DOCUMENTS_ON), list[str | None](DOCUMENTS_OFF)
    if kind != "jsonb":
        on, off = [*on, *TEXTS_ON], [*off, *TEXTS_OFF]
    if kind == "text":
        off += ["", "  \n"]
    if absent_means == "on":
        explicit = [text for text in off if at(KEY)(text) in (False, None)]
        on, off = [*on, *(text for text in off if text not in explicit)], explicit
    names = [UUID.format(i) if uuids else str(i) for i in range(1, len(on) + len(off) + 1)]
    table = '"Companies"' if quoted else "companies"
    id_type = "uuid PRIMARY KEY" if uuids else "integer PRIMARY KEY"
    return Case(
        ddl=[f"CREATE TABLE {table} (id {id_type}, name text NOT NULL DEFAULT 'Empresa', settings {kind})"],
        rows=dict(zip(names, [*on, *off], strict=True)),
        on=frozenset(names[: len(on)]),
        options={
            "table": table.strip('"'),
            "column": "settings",
            "path": [KEY],
            "absent_means": absent_means,
            **(options or {}),
        },
        table=table,
        read=at(KEY),
    )


def column(type_name: str, values: Mapping[str | None, bool], enabled: Any, disabled: Any, **more: Any) -> Case:
    """Return a flag in a column of its own; ``values`` says for each value whether it is on."""
    names = {str(i): value for i, value in enumerate(values, 1)}
    words: dict[Any, str | None] = {
        value: str(value).lower() if isinstance(value, bool) else str(value) for value in (enabled, disabled)
    }
    words[None] = None
    return Case(
        ddl=[
            "CREATE TYPE kanban_mode AS ENUM ('legacy', 'v2', 'Other One')",
            "CREATE DOMAIN onoff AS text CHECK (value IN ('enabled', 'disabled', 'sim'))",
            f'CREATE TABLE "Companies" ("companyId" integer, "kanbanV2" {type_name})',
        ],
        rows=names,
        on=frozenset(name for name, value in names.items() if values[value]),
        options={
            "store": "column",
            "table": "Companies",
            "tenant_column": "companyId",
            "column": "kanbanV2",
            "enabled_value": enabled,
            "disabled_value": disabled,
            **more,
        },
        table='"Companies"',
        tenant='"companyId"',
        column='"kanbanV2"',
        off=words[disabled],
        on_value=words[enabled],
    )


def cycle_off(db: Database, case: Case, modules: Modules, **options: Any) -> None:
    """Plan, switch off, switch off again, plan the undo, undo, undo again; read the table directly in between."""
    before = case.snapshot(db)
    others = [name for name in case.rows if name not in case.on]
    figures = {"total": len(case.rows), "changed_count": len(case.on), "enabled_before": len(case.on)}

    plan = modules.disable(check=True, **options)
    assert {name: plan[name] for name in figures} == figures
    assert plan["changed"] is bool(case.on)
    assert case.snapshot(db) == before
    assert not db.has_ledger()

    done = modules.disable(**options)
    assert {name: done[name] for name in figures} == figures
    assert done["enabled_after"] == 0
    after = case.snapshot(db)
    assert {name: case.flags(db)[name] for name in case.on} == dict.fromkeys(case.on, case.off)
    assert after.of(*others) == before.of(*others), "a tenant that was off was rewritten"

    again = modules.disable(**options)
    assert (again["changed"], again["changed_count"], again["enabled_before"]) == (False, 0, 0)
    assert case.snapshot(db) == after

    plan = modules.restore(check=True, **options)
    assert (plan["changed"], plan["changed_count"]) == (True, len(case.on))
    assert case.snapshot(db) == after

    undone = modules.restore(**options)
    assert (undone["changed_count"], undone["enabled_after"], undone["changed_since"]) == (
        len(case.on),
        len(case.on),
        [],
    )
    restored = case.snapshot(db)
    assert restored.texts == before.texts
    assert restored.of(*others) == before.of(*others)

    again = modules.restore(**options)
    assert (again["changed"], again["changed_count"]) == (False, 0)
    assert case.snapshot(db) == restored


def cycle_on(db: Database, case: Case, modules: Modules, incident: str = "INC-on", **options: Any) -> None:
    """Switch on for everybody, and undo that."""
    before = case.snapshot(db)
    others = [name for name in case.rows if name not in case.on]
    plan = modules.enable(incident, check=True, **options)
    assert plan["changed_count"] == len(others)
    assert case.snapshot(db) == before
    done = modules.enable(incident, **options)
    assert (done["changed_count"], done["enabled_after"]) == (len(others), len(case.rows))
    assert {name: case.flags(db)[name] for name in others} == dict.fromkeys(others, case.on_value)
    assert case.snapshot(db).of(*case.on) == before.of(*case.on), "a tenant that was on was rewritten"
    assert not modules.enable(incident, **options)["changed"]
    assert modules.restore(incident, **options)["changed_count"] == len(others)
    assert case.snapshot(db).texts == before.texts
