# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every store, on lower-case and quoted schemas, with integer and uuid keys: off, on, and back exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integration.flags import KEY, Case, at, column, cycle_off, cycle_on, documents
from tests.integration.place import Database

CASES: dict[str, Case] = {
    "jsonb, quoted, integer": documents("jsonb", quoted=True, uuids=False),
    "jsonb, lower, uuid": documents("jsonb", quoted=False, uuids=True),
    "jsonb, absent is on": documents("jsonb", quoted=True, uuids=True, absent_means="on"),
    "json, quoted, uuid": documents("json", quoted=True, uuids=True),
    "json, lower, absent is on": documents("json", quoted=False, uuids=False, absent_means="on"),
    "text, lower, integer": documents("text", quoted=False, uuids=False),
    "text, quoted, absent is on": documents("text", quoted=True, uuids=True, absent_means="on"),
    "varchar, lower, integer": documents("varchar(2000)", quoted=False, uuids=False),
    "boolean": column("boolean", {"true": True, "false": False, None: False}, True, False),
    "boolean, absent is on": column(
        "boolean", {"true": True, "false": False, None: True}, True, False, absent_means="on"
    ),
    "boolean, inverted": column("boolean", {"true": False, "false": True, None: False}, False, True),
    "integer": column("integer", {"1": True, "0": False, "7": True, None: False}, 1, 0),
    "smallint from booleans": replace(
        column("smallint", {"1": True, "0": False, "-3": True, None: False}, True, False), off="0", on_value="1"
    ),
    "text": column(
        "text", {"enabled": True, "disabled": False, "": True, "sim": True, None: False}, "enabled", "disabled"
    ),
    "enum": column("kanban_mode", {"v2": True, "legacy": False, "Other One": True, None: False}, "v2", "legacy"),
    "domain": column("onoff", {"enabled": True, "disabled": False, "sim": True, None: False}, "enabled", "disabled"),
    "text, off is NULL": column("text", {"enabled": True, "null": True, "": True, None: False}, "enabled", None),
    "boolean, off is NULL": column("boolean", {"true": True, "false": False, None: False}, True, None),
    "text, on is NULL": column(
        "text", {"off": False, "null": True, "": True, None: True}, None, "off", absent_means="on"
    ),
    "varchar(8)": column("varchar(8)", {"enabled": True, "disabled": False, None: False}, "enabled", "disabled"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_off_and_back_exactly(db: Database, case: Case) -> None:
    cycle_off(db, case, case.make(db))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_info_counts_by_the_same_rule(db: Database, case: Case) -> None:
    told = case.make(db).ok("feature_flag_info", names=1000)
    assert (told["total"], told["enabled"]) == (len(case.rows), len(case.on))
    assert set(told["tenants_on"]) == case.on
    assert sum(value["tenants"] for value in told["flag_values"]) == len(case.rows)
    assert not db.has_ledger()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_on_and_back_exactly(db: Database, case: Case) -> None:
    cycle_on(db, case, case.make(db))


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_a_flag_whose_false_enables(db: Database, kind: str) -> None:
    """An inverted flag: ``useOldKanban: true`` is off."""
    rows = {"1": '{"useOldKanban": false}', "2": '{"useOldKanban": true}', "3": "{}", "4": '{"useOldKanban": null}'}
    rows |= {"5": '{"useOldKanban": "x", "b": 2}', "6": "[]"}
    case = Case(
        ddl=[f"CREATE TABLE companies (id bigint PRIMARY KEY, settings {kind})"],
        rows=rows,
        on=frozenset("15"),
        options={
            "table": "companies",
            "column": "settings",
            "path": ["useOldKanban"],
            "enabled_value": False,
            "disabled_value": True,
        },
        table="companies",
        off=True,
        on_value=False,
        read=at("useOldKanban"),
    )
    modules = case.make(db)
    cycle_off(db, case, modules)
    cycle_on(db, case, modules)


NESTED_ON = ['{"features": {"kanban": {"v2": true, "b": 1}, "c": 2}}', '{"features": {"kanban": {"v2": "x"}}, "z": []}']
NESTED_OFF = ['{"features": {"kanban": {"v2": false}}}', '{"features": {"kanban": {"v2": null}}}']
NESTED_ABSENT = ['{"features": {"kanban": {}}}', '{"features": {"kanban": "old"}, "d": 4}', '{"features": {}}']
NESTED_ABSENT += ['{"features": [1, {"v2": true}]}', '{"features": null}', "{}", "[1]", '"x"', "null"]


@pytest.mark.parametrize("absent_means", ["off", "on"])
@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_a_flag_deep_inside(db: Database, kind: str, absent_means: str) -> None:
    contents = [*NESTED_ON, *NESTED_ABSENT, None, *NESTED_OFF]
    on = len(contents) - len(NESTED_OFF) if absent_means == "on" else len(NESTED_ON)
    case = Case(
        ddl=[f'CREATE TABLE "Companies" (id integer PRIMARY KEY, settings {kind})'],
        rows={str(i): content for i, content in enumerate(contents)},
        on=frozenset(map(str, range(on))),
        options={
            "table": "Companies",
            "column": "settings",
            "path": ["features", "kanban", "v2"],
            "absent_means": absent_means,
        },
        table='"Companies"',
        read=at("features", "kanban", "v2"),
    )
    modules = case.make(db)
    cycle_off(db, case, modules)
    cycle_on(db, case, modules)


@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_a_partitioned_table(db: Database, kind: str) -> None:
    """The leaves have rows at the same places; each must be distinguished from the other."""
    case = documents(kind, quoted=False, uuids=False)
    parts = ["CREATE TABLE companies_a PARTITION OF companies FOR VALUES FROM (0) TO (8)"]
    parts += ["CREATE TABLE companies_b PARTITION OF companies DEFAULT"]
    case = replace(case, ddl=[case.ddl[0] + " PARTITION BY RANGE (id)", *parts])
    cycle_off(db, case, case.make(db))


def test_other_settings_that_changed_since_stay(db: Database) -> None:
    """The undo is about the flag: what the tenant saved meanwhile beside it is theirs."""
    for kind in ("jsonb", "json", "text"):
        case = documents(kind, quoted=False, uuids=False)
        db.rows("DROP TABLE IF EXISTS companies")
        modules = case.make(db)
        modules.disable(f"INC-{kind}")
        theirs = '{"kanbanV2Enabled": false, "timezone": "Asia/Tokyo", "novo": 1}'
        db.rows("UPDATE companies SET settings = %s WHERE id = 1", (theirs,))
        undone = modules.restore(f"INC-{kind}")
        assert undone["changed_since"] == []
        found = db.value("SELECT settings::text FROM companies WHERE id = 1")
        assert at(KEY)(found) is True
        assert at("timezone")(found) == "Asia/Tokyo"
        assert at("novo")(found) == 1


def test_text_that_is_no_json_is_left_to_the_letter_and_fails_the_count(db: Database) -> None:
    case = documents("text", quoted=False, uuids=False)
    modules = case.make(db)
    broken = '{"kanbanV2Enabled": true,'
    db.rows("INSERT INTO companies (id, settings) VALUES (99, %s)", (broken,))
    result = modules.fails("unreadable_settings", "feature_flag", incident_id="INC-1")
    assert (result["unreadable"], result["unreadable_count"], result["enabled_after"]) == (["99"], 1, 0)
    assert db.value("SELECT settings FROM companies WHERE id = 99") == broken
    flags = db.rows("SELECT settings FROM companies WHERE id::text = ANY (%s)", (sorted(case.on),))
    assert {at(KEY)(text) for (text,) in flags} == {False}
