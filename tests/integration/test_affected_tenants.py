# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranking: who is in the list, in which order, with which figures, on each kind of schema."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.errors import Errors, ids, uuids, warned
from tests.integration.flags import KEY
from tests.integration.place import Database


def test_the_list_and_its_figures(db: Database) -> None:
    """Strictly more than ten; on; existing; worst first; ties by the id's own order."""
    errors = Errors(db)
    errors.companies(9, 10, 100, 3, 4, users=2)
    errors.companies(2, on=False, users=50)
    for tenant, number in ((9, 12), (10, 12), (100, 12), (3, 40), (4, 10), (2, 99), (777, 99)):
        errors.log(tenant, number)
    errors.log(None, 30)
    errors.log(4, 30, "webhook")
    errors.log(4, 30, ago=4000)
    before = db.snapshot('"Companies"')

    for check in (True, False):
        told = errors.modules.ok("affected_tenants_info", check, users="Users")
        assert ids(told) == ["3", "9", "10", "100"]
        assert told["changed"] is False
    figures = {"affected_count": 5, "affected_on_count": 4, "on_count": 5, "total": 6, "share": 0.8, "users_count": 8}
    figures |= {"errors_total": 12 * 3 + 40 + 10 + 99 + 99 + 30, "errors_without_tenant": 30, "unknown_count": 1}
    assert {name: told[name] for name in figures} == figures
    assert (told["measured"], told["frozen"], told["index_missing"]) == (True, False, False)
    worst = told["tenants"][0]
    assert (worst["name"], worst["errors"], worst["mean_seconds_between"]) == ("Empresa 3", 40, 1.0)
    shown = """SELECT to_char(min("createdAt") AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        to_char(max("createdAt") AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        FROM "ErrorLogs" WHERE "companyId" = 3"""
    assert (worst["first_at"], worst["last_at"]) == tuple(db.rows(shown)[0])
    assert warned(told, "30 errors name no tenant", "1 ids")
    assert told["freeze"]["tenants"] == told["tenants"]
    # A short list may cut a tie, by the same order.
    assert ids(errors.rank(top=2)) == ["3", "9"]
    assert db.snapshot('"Companies"') == before
    assert not db.has_ledger()


def test_who_is_off_or_is_no_more_takes_nobodys_place(db: Database) -> None:
    errors = Errors(db)
    errors.companies(1, 2, 3)
    errors.companies(4, 5, on=False)
    for tenant, number in ((1, 20), (2, 19), (3, 18), (4, 90), (5, 91), (6, 92), (7, 93), (None, 94)):
        errors.log(tenant, number)
    assert ids(errors.rank(top=2)) == ["1", "2"]
    assert ids(errors.rank(top=0)) == ["1", "2", "3"]
    told = errors.rank(top=2, companies=None)
    assert ids(told) == ["1", "2"]
    assert (told["unknown_count"], told["affected_count"], told["tenants"][0]["name"]) == (2, 5, None)
    told = errors.rank(tenants=["3", "2", "5", "99"])
    assert ids(told) == ["2", "3"]
    assert (told["total"], told["on_count"], told["affected_count"], told["unknown_tenants"]) == (3, 2, 3, ["99"])


def test_one_error_has_no_mean_and_every_error_counts_without_a_text(db: Database) -> None:
    errors = Errors(db)
    errors.companies(1, 2)
    errors.log(1, 1, "webhook")
    errors.log(2, 2, "kanban", every=30)
    told = errors.rank(more_than=0, contains="")
    assert [(row["errors"], row["mean_seconds_between"]) for row in told["tenants"]] == [(2, 30.0), (1, None)]


def test_names_are_one_line_and_no_markup_is_lost_or_followed(db: Database) -> None:
    errors = Errors(db)
    name = "Padaria <b>São João</b> <!channel> {{ 7 * 7 }}\nlinha\t2 \x1b[31m"
    errors.companies(1, name=name + "x" * 400)
    errors.log(1, 11)
    shown = errors.rank()["tenants"][0]["name"]
    assert shown.startswith("Padaria <b>São João</b> <!channel> {{ 7 * 7 }} linha 2 [31m")
    assert len(shown) <= 200


@pytest.mark.parametrize(
    "shape",
    [
        {"quoted": False},
        {"key": "uuid"},
        {"key": "uuid", "errors_key": "text"},
        {"key": "bigint", "errors_key": "integer"},
        {"key": "integer", "errors_key": "varchar(20)"},
        {"key": "text"},
        {"context": "varchar(100)", "at": "timestamp"},
        {"context": "json"},
        {"context": "jsonb", "at": "timestamp"},
        {"settings": "json"},
        {"settings": "text"},
        {"quoted": False, "key": "uuid", "settings": "text"},
    ],
    ids=str,
)
def test_schemas(db: Database, shape: dict[str, Any]) -> None:
    errors = Errors(db, **shape)
    one, two, off, gone = uuids(10, 11, 12, 13) if shape.get("key") == "uuid" else ("10", "11", "12", "13")
    kept = str.upper if shape.get("errors_key") == "text" else str
    errors.companies(one, two, users=3)
    errors.companies(off, on=False)
    for tenant, number in ((two, 30), (one, 20), (off, 40), (gone, 50)):
        errors.log(kept(tenant), number)
    told = errors.rank(users="Users")
    assert ids(told) == [two, one]
    assert (told["affected_count"], told["on_count"], told["unknown_count"], told["users_count"]) == (3, 2, 1, 6)
    # What is listed is what can be switched.
    switched = db.modules(**{name: errors.options()[name] for name in ("table", "column", "path")})
    done = switched.disable(tenants=ids(told))
    assert (done["changed_count"], done["unknown_tenants_count"], done["enabled_after"]) == (2, 0, 0)


def test_on_is_what_feature_flag_switches(db: Database) -> None:
    """No cast: a value that no boolean can hold is on; absent, null, false and settings that are no object are off."""
    errors = Errors(db)
    on = [f'{{"{KEY}": {value}}}' for value in ('"sim"', '""', "0", "{}", '"false"', "true")]
    off = [f'{{"{KEY}": null}}', f'{{"{KEY}": false}}', "{}", "[]", '"x"', "null", None]
    for number, settings in enumerate([*on, *off], 1):
        db.rows('INSERT INTO "Companies" VALUES (%s, %s, %s)', (number, "E", settings))
        errors.log(number, 11)
    told = errors.rank()
    assert ids(told) == ["1", "2", "3", "4", "5", "6"]
    assert (told["on_count"], told["affected_on_count"], told["affected_count"]) == (6, 6, 13)


def test_settings_that_are_no_json_are_said(db: Database) -> None:
    errors = Errors(db, settings="text")
    errors.companies(1)
    db.rows("""INSERT INTO "Companies" VALUES (2, 'E', '{"kanbanV2Enabled": true,')""")
    for tenant in (1, 2):
        errors.log(tenant, 11)
    told = errors.rank()
    assert ids(told) == ["1"]
    assert warned(told, "1 tenants have settings that are no JSON", ": 2")


@pytest.mark.parametrize("absent", ["off", "on"])
@pytest.mark.parametrize("default", ["enabled", "disabled"])
@pytest.mark.parametrize("indexed", [True, False])
def test_a_key_value_store(db: Database, absent: str, default: str, indexed: bool) -> None:
    """Several rows of one tenant, the default of all, rows of tenants that are gone; absent rows may be on."""
    errors = Errors(db)
    errors.companies(1, 2, 3, 4, 5)
    db.rows('CREATE TABLE "Settings" (key text NOT NULL, value text, "companyId" integer)')
    if indexed:
        db.rows('CREATE INDEX ON "Settings" ("companyId", key)')
    flags = ((1, "enabled"), (2, "disabled"), (3, "disabled"), (3, "sim"), (None, default), (9, "enabled"))
    for tenant, value in flags:
        db.rows("INSERT INTO \"Settings\" VALUES ('v2', %s, %s), ('other', 'enabled', %s)", (value, tenant, tenant))
    for tenant in (None, 1, 2, 3, 4, 9, 9, 9):
        errors.log(tenant, 11)
    options: dict[str, Any] = {"store": "key_value", "table": "Settings", "tenant_column": "companyId", "path": None}
    options |= {"column": "value", "key_column": "key", "key": "v2", "enabled_value": "enabled"}
    options |= {"disabled_value": "disabled", "absent_means": absent, "tenants_table": "Companies"}
    errors.extra = options
    told = errors.rank()
    assert ids(told) == (["1", "3", "4"] if absent == "on" or default == "enabled" else ["1", "3"])
    assert (told["affected_count"], told["unknown_count"]) == (4, 1)
    assert ids(errors.rank(companies=None)) == ids(told)


@pytest.mark.parametrize("kind", ["text", "boolean"])
def test_a_column_of_its_own(db: Database, kind: str) -> None:
    errors = Errors(db)
    errors.companies(1, 2, 3)
    db.rows(f'ALTER TABLE "Companies" ADD v2 {kind}')
    on, off = ("enabled", "disabled") if kind == "text" else (True, False)
    for tenant, value in ((1, on), (2, off), (3, None)):
        db.rows('UPDATE "Companies" SET v2 = %s WHERE id = %s', (value, tenant))
        errors.log(tenant, 11)
    errors.extra = {"store": "column", "column": "v2", "path": None, "enabled_value": on, "disabled_value": off}
    assert ids(errors.rank()) == ["1"]


CONTEXTS = {
    "1": "GET /kanban/board",
    "2": "Kanban: SESSÃO expirada",
    "3": "kanban: sessão",
    "4": "kanban: sessao",
    "5": "load 100% of lanes",
    "6": "load 100 of lanes",
    "7": "file_name",
    "8": "filename fileXname",
    "9": "C:\\temp",
    "10": 'say "x"',
}


LOOKED_FOR = (
    ("sessão", True, "2 3"),
    ("sessão", False, "3"),
    ("%", True, "5"),
    ("e_n", False, "7"),
    ("c:\\T", True, "9"),
    ('"x"', True, "10"),
    ("kanban", True, "1 2 3 4"),
    ("kanban", False, "1 3 4"),
    ("SESSÃO", True, "2 3"),
    ("sessa\u0303o", True, "2 3"),
    ("100%", False, "5"),
    ("C:\\", True, "9"),
    (".", True, ""),
    ('\'; DROP TABLE "ErrorLogs"; --', True, ""),
)


@pytest.mark.parametrize("context", ["text", "json", "jsonb", 'text COLLATE "loose"'])
def test_a_text_is_looked_for_to_the_letter(db: Database, context: str) -> None:
    if "loose" in context:
        # With this collation, a search for a part of a text is an error.
        db.rows("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    errors = Errors(db, context=context)
    errors.companies(*CONTEXTS)
    for tenant, text in CONTEXTS.items():
        errors.log(tenant, 1, text)
    for contains, ignore_case, expected in LOOKED_FOR if context == "text" else LOOKED_FOR[:7]:
        told = errors.rank(contains=contains, ignore_case=ignore_case, more_than=0)
        assert sorted(ids(told), key=int) == expected.split(), (contains, ignore_case)


def test_json_that_was_written_in_ascii(db: Database) -> None:
    errors = Errors(db, context="json")
    errors.companies(1, 2)
    for tenant, text in ((1, '{"a": "sess\\u00e3o"}'), (2, '{"a": "SESS\\u00C3O \\u0000"}')):
        db.rows('INSERT INTO "ErrorLogs" VALUES (DEFAULT, %s, %s, now())', (tenant, text))
    assert ids(errors.rank(contains="sessão", more_than=0)) == ["1", "2"]
