# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that would be something else in SQL, in a template or on a command line are just names."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from psycopg2.extensions import quote_ident

from tests.integration.flags import Case, at, column, cycle_off, cycle_on
from tests.integration.place import Database

NASTY = {
    "quotes": """Com"panies'; DROP TABLE x; --""",
    "template": "{{ 7 * 7 }} {% raw %}",
    "percent": "100%s %(table)s %% {column} {{}}",
    "newline": "line one\nline two\t\\n $1 $$",
    "unicode": "Ação 🥐 \u202e",
    "dot": "a.b",
}
TENANTS = [*NASTY.values(), "{1,2}", "NULL", "null", "", " ", 'a"b\\', "-- x", "'"]
nasty = pytest.mark.parametrize("name", NASTY.values(), ids=NASTY.keys())


def quoted(db: Database, name: str) -> str:
    with db.connect() as session:
        return quote_ident(name, session)


@pytest.mark.parametrize("kind", ["jsonb", *(pytest.param(kind, marks=pytest.mark.drill) for kind in ("json", "text"))])
@nasty
def test_in_documents(db: Database, name: str, kind: str) -> None:
    """The same name as table, column, key of the document and incident; tenants of all kinds."""
    here = quoted(db, name)
    path = [name, "x'y\"z"]
    values: list[object] = [True, name, {}, False, None]
    contents = [json.dumps({name: {path[1]: value}}) for value in values]
    case = Case(
        ddl=[f"CREATE TABLE {here} (id text PRIMARY KEY, {here} {kind})"],
        rows={tenant: contents[i % 5] for i, tenant in enumerate(TENANTS)},
        on=frozenset(tenant for i, tenant in enumerate(TENANTS) if i % 5 < 3),
        options={"table": name, "column": name, "path": path, "operator": name, "reason": name, "run_id": name},
        table=here,
        column=here,
        read=at(*path),
    )
    modules = case.make(db)
    cycle_off(db, case, modules, incident=name)
    cycle_on(db, case, modules)
    told = db.modules().ok("incident_info", incident_id=name)
    assert (told["incidents"][0]["incident_id"], told["incidents"][0]["reason"]) == (name, name)
    assert told["chain_broken_at"] == []
    # The kill, the kill that found nothing left to switch, the way back.
    assert [event["event"] for event in told["events"]] == ["disabled", "disabled", "restored"]


@nasty
def test_in_schemas_columns_and_values(db: Database, name: str) -> None:
    here = quoted(db, name)
    case = column("text", {name: True, "off": False, None: False}, name, "off")
    case = replace(
        case,
        ddl=[f"CREATE SCHEMA {here}", f"CREATE TABLE {here}.{here} (id text, {here} text)"],
        table=f"{here}.{here}",
        tenant="id",
        column=here,
        options={**case.options, "table": f"{name}.{name}", "tenant_column": "id", "column": name},
    )
    modules = case.make(db)
    cycle_off(db, case, modules)
    cycle_on(db, case, modules)


@nasty
def test_in_keys_and_some_tenants(db: Database, name: str) -> None:
    here = quoted(db, name)
    db.rows(f"CREATE TABLE {here} ({quoted(db, name + ' k')} text, value text, tenant text)")
    insert = f"INSERT INTO {here.replace('%', '%%')} VALUES (%s, '1', %s)"
    for tenant in TENANTS:
        db.rows(insert, (name, tenant))
        db.rows(insert, ("other", tenant))
    modules = db.modules(
        store="key_value",
        table=name,
        tenant_column="tenant",
        column="value",
        key_column=f"{name} k",
        key=name,
        enabled_value="1",
        disabled_value="0",
    )
    before = db.snapshot(here, "tenant")
    chosen = TENANTS[::2]
    done = modules.disable(name, tenants=chosen)
    assert (done["changed_count"], done["enabled_after"], done["unknown_tenants"]) == (len(chosen), 0, [])
    after = db.snapshot(here, "tenant")
    assert after.without(*chosen) == before.without(*chosen)
    assert len(set(after.texts) - set(before.texts)) == len(chosen)
    modules.restore(name, tenants=chosen)
    assert db.snapshot(here, "tenant").texts == before.texts
