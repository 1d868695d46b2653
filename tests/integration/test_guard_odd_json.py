# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latch on settings that jsonb cannot parse, and on rows that take another key or tenant."""

from __future__ import annotations

import json

import pytest

from tests.integration.crowd import population
from tests.integration.flags import KEY
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_dormant_latch import dormant
from tests.integration.test_key_value import make, values
from tests.integration.test_stays_off import app, latched

# What JSON allows, and PostgreSQL cannot keep or cannot look into. The customer's text around the flag.
ODD = {
    "nul": r'"note": "cut\u0000here"',
    "half a pair": r'"note": "cut \ud83d"',
    "the other half": r'"note": "\uDE00 cut"',
    "whole and half": r'"note": "\ud83d\ude00\ud83d and \\ud83d, \\\u0000\u0000"',
    "huge number": '"n": 1e400000',
    "plain": '"b":2,  "a" : 1.50, "a": {"x": []}, "é": "\\ufffd"',
    "both": '"n": 1e400000, "note": "\\u0000"',
}
SAVE = "UPDATE companies SET settings = %s WHERE id = %s"


def saved(db: Database, tenant: int) -> str:
    text: str = db.value("SELECT settings::text FROM companies WHERE id = %s", (tenant,))
    return text


def as_app(db: Database, *saves: tuple[str, tuple[object, ...] | None]) -> None:
    with db.as_role(app(db)) as session, session.cursor() as cursor:
        for statement, given in saves:
            cursor.execute(statement, given)


@pytest.mark.parametrize("installed", [False, True], ids=["on demand", "dormant"])
@pytest.mark.parametrize("kind", ["json", "text"])
def test_a_save_that_jsonb_cannot_parse_comes_out_off_and_otherwise_as_it_was(
    db: Database, kind: str, installed: bool
) -> None:
    modules = population(db, kind=kind)
    modules = dormant(db) if installed else modules
    assert modules.disable(latch=True)["latch"]["raised"]
    texts = {number: f'{{"{KEY}": true, {odd}}} \n' for number, odd in enumerate(ODD.values(), 1)}
    as_app(db, *[(SAVE, (text, number)) for number, text in texts.items()])
    for number, text in texts.items():
        # The last of two members of one name counts, and every character before it is the customer's.
        assert saved(db, number) == text.replace("} \n", f', "{KEY}": false}} \n'), text
        assert json.loads(saved(db, number))[KEY] is False
    assert [row[:2] for row in latched(db)] == [(str(number), "true") for number in texts]
    assert modules.disable()["enabled_before"] == 0


@pytest.mark.parametrize("kind", ["json", "text"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_nested_flag_is_off_in_a_container_that_comes_last(db: Database, kind: str, odd: str) -> None:
    population(db, kind=kind)
    modules = db.modules(table="companies", column="settings", path=["features", "kanban"])
    assert modules.disable(latch=True)["latch"]["raised"]
    inner = f'{{"kanban": true, {odd}}}'
    text = f'{{"z": 1, {odd}, "features": {inner}, "y": 2}}'
    as_app(db, (SAVE, (text, 3)))
    last = inner[:-1] + ', "kanban": false}'
    assert saved(db, 3) == f'{text[:-1]}, "features": {last}}}'
    assert [row[0] for row in latched(db)] == ["3"]


def test_where_an_absent_flag_is_on_a_container_is_made(db: Database) -> None:
    population(db, kind="text")
    modules = db.modules(table="companies", column="settings", path=["features", "kanban"], absent_means="on")
    modules.disable(latch=True)
    texts = [
        "{}",
        " { } ",
        '{"a": "{"}',
        '{"features": []}',
        "[]",
        r'{"n": "\u0000"}',
        '{"features": {"kanban": 1e400000}}',
    ]
    as_app(
        db, *[(SAVE, (text, number)) for number, text in enumerate(texts, 1)], (SAVE, (None, 40)), (SAVE, ("  ", 41))
    )
    off = '{"kanban": false}'
    assert [saved(db, number) for number in (*range(1, len(texts) + 1), 40, 41)] == [
        f'{{"features": {off}}}',
        f' {{ "features": {off}}} ',
        f'{{"a": "{{", "features": {off}}}',
        f'{{"features": [], "features": {off}}}',
        f'{{"features": {off}}}',
        f'{{"n": "\\u0000", "features": {off}}}',
        '{"features": {"kanban": 1e400000}, "features": {"kanban": 1e400000, "kanban": false}}',
        f'{{"features": {off}}}',
        f'{{"features": {off}}}',
    ]


def test_a_text_that_is_no_json_passes_unchanged_and_is_recorded(db: Database) -> None:
    modules = population(db, kind="text")
    assert modules.disable(latch=True)["latch"]["raised"]
    broken = [f'{{"{KEY}": true, "a": ', f'{{"{KEY}": true, "a": "\x01"}}', f'{{"{KEY}": true, "a": "\\u00"}}']
    as_app(
        db,
        *[(SAVE, (text, number)) for number, text in enumerate(broken, 1)],
        # The same once more, and an empty text, say nothing new.
        (SAVE, (broken[0], 1)),
        (SAVE, ("", 9)),
        ("INSERT INTO companies VALUES (99, 'no json')", None),
    )
    assert [saved(db, number) for number in (1, 2, 3, 9, 99)] == [*broken, "", "no json"]
    assert [(row[0], row[1].startswith("passed: ")) for row in latched(db)] == [
        ("1", True), ("2", True), ("3", True), ("99", True),
    ]  # fmt: skip
    told = db.modules().ok("incident_info", incident_id="INC-1")
    assert (told["latched_writes"], told["latched_tenants"], told["latched_passed"]) == (0, 0, 4)


def test_a_text_that_was_no_json_does_not_come_back_on(db: Database) -> None:
    modules = population(db, kind="text")
    db.rows("UPDATE companies SET settings = 'no json' WHERE id = 3")
    db.rows("UPDATE companies SET settings = '' WHERE id = 4")
    modules.run("feature_flag", incident_id="INC-1", latch=True)
    on = f'{{"{KEY}": true}}'
    as_app(db, (SAVE, (on, 3)), (SAVE, (on, 4)))
    assert [json.loads(saved(db, tenant))[KEY] for tenant in (3, 4)] == [False, False]


def test_a_column_without_room_for_one_more_member_is_written_anew(db: Database) -> None:
    modules = population(db, kind="varchar(60)")
    assert modules.disable(latch=True)["latch"]["raised"]
    as_app(db, (SAVE, (f'{{"{KEY}": true, "padding": "{"x" * 15}"}}', 3)))
    assert json.loads(saved(db, 3)) == {KEY: False, "padding": "x" * 15}


def test_a_tenant_that_stays_on_may_save_what_jsonb_cannot_parse(db: Database) -> None:
    modules = population(db, kind="text")
    text = f'{{"{KEY}": true, "note": "\\u0000"}}'
    db.rows(SAVE, (text, 3))
    db.rows(SAVE, ("no json", 5))
    modules.disable(tenants=["1"], latch=True)
    upsert = "INSERT INTO companies VALUES (3, %s) ON CONFLICT (id) DO UPDATE SET settings = EXCLUDED.settings"
    as_app(db, (SAVE, (text + " ", 3)), (upsert, (text,)))
    assert saved(db, 3) == text
    assert latched(db) == []


def test_the_undo_of_what_was_turned_back_takes_only_the_flag(db: Database) -> None:
    modules = population(db, kind="text")
    modules.disable(latch=True)
    text = f'{{"{KEY}": true, "note": "\\u0000"}}'
    as_app(db, (SAVE, (text, 3)))
    assert modules.restore()["enabled_after"] == 50
    assert json.loads(saved(db, 3)) == json.loads(text)


def key_value(db: Database, installed: bool, *tenants: str) -> Modules:
    modules = make(db)
    if installed:
        names = ("store", "table", "tenant_column", "key_column", "key", "column", "enabled_value", "disabled_value")
        flag = {name: modules.options[name] for name in names}
        role = db.role("ops", "pg_read_all_stats")
        db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)
        modules = db.modules(role, **flag)
    assert modules.disable(latch=True, tenants=list(tenants) or None)["latch"]["raised"]
    return modules


@pytest.mark.parametrize("installed", [False, True], ids=["on demand", "dormant"])
def test_a_row_that_is_renamed_to_the_flag_s_key_is_off(db: Database, installed: bool) -> None:
    key_value(db, installed)
    db.rows("""UPDATE "Settings" SET key = 'kanbanV2' WHERE key = 'timezone' AND "companyId" = 4""")
    assert (4, "disabled") in values(db)
    assert [row[:2] for row in latched(db)] == [("4", "enabled")]


def test_a_row_that_is_given_to_another_tenant_is_off(db: Database) -> None:
    key_value(db, False, "2", "3")
    # Without this tenant 4 was on before, by the default of all.
    db.rows("""DELETE FROM "Settings" WHERE key = 'kanbanV2' AND "companyId" IS NULL""")
    db.rows("""UPDATE "Settings" SET "companyId" = 4 WHERE key = 'kanbanV2' AND "companyId" = 1""")
    assert (4, "disabled") in values(db)
    # Who is on may be renamed to itself, and keeps it.
    db.rows("""UPDATE "Settings" SET "companyId" = "companyId", key = key WHERE "companyId" = 6""")
    assert [row[:2] for row in latched(db)] == [("4", "enabled")]


def test_a_trigger_of_an_older_version_is_replaced_by_bootstrap_and_named_until_then(db: Database) -> None:
    modules = key_value(db, True)
    modules.restore()
    (role,) = db.roles
    triggers = db.rows("SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE '%latch%' ORDER BY 1")
    assert len(triggers) == 2
    for name, definition in triggers:
        older = definition.replace('UPDATE OF value, "companyId", key', "UPDATE OF value")
        assert older != definition, definition
        db.rows(f'DROP TRIGGER {name} ON "Settings"; {older}; ALTER TABLE "Settings" ENABLE ALWAYS TRIGGER {name}')
    flag = {name: value for name, value in modules.options.items() if not name.startswith("login")}
    told = db.modules(role).ok("preflight_info", **flag)
    (latch,) = [check for check in told["checks"] if check["name"] == "latch"]
    assert "(value, companyId, key)" in latch["what"], latch
    # It is raised: what it covers is kept off.
    assert modules.disable("INC-2", latch=True)["latch"]["raised"]
    modules.restore("INC-2")
    assert db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)["changed"]
    now = db.rows("SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE '%latch%' ORDER BY 1")
    assert now == triggers
    assert not db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)["changed"]
