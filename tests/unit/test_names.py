# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table or column that is meant is found, or an error lists what there is; nothing is ever guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import (
    NEAR_NAMES,
    Column,
    Table,
    near_names,
    resolve_column,
    resolve_table,
)


def tables(*names: str, path: tuple[str, ...] = ("public",)) -> list[Table]:
    """Return a catalog from ``schema.name`` texts."""
    found = []
    for oid, name in enumerate(names, start=1):
        schema, _dot, table = name.partition(".")
        found.append(Table(oid, schema, table, path.index(schema) if schema in path else None))
    return found


def columns(*names: str) -> list[Column]:
    return [Column(name, "text", "text", fills_itself=False) for name in names]


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        ("Companies", ["public.Companies", "public.Tickets"], "public.Companies"),
        ("Companies", ["public.companies"], "public.companies"),
        ("Companies", ["public.companies", "public.Companies"], "public.Companies"),
        ("companies", ["public.Companies", "public.companies"], "public.companies"),
        ("public.Companies", ["public.Companies"], "public.Companies"),
        ("public.Companies", ["public.companies"], "public.companies"),
        ("Public.Companies", ["public.companies"], "public.companies"),
        ("app.Companies", ["public.Companies", "app.Companies"], "app.Companies"),
        ("odd.name", ["public.odd.name"], "public.odd.name"),
        ("public.odd.name", ["public.odd.name"], "public.odd.name"),
        ('it"s; {{ x }}', ['public.it"s; {{ x }}'], 'public.it"s; {{ x }}'),
        ("two\nlines", ["public.two\nlines"], "public.two\nlines"),
    ],
)
def test_the_exact_name_comes_first_and_then_the_folded_one(wanted: str, there: list[str], found: str) -> None:
    assert str(resolve_table(wanted, tables(*there))) == found


def test_the_search_path_decides_between_schemas_as_in_sql() -> None:
    there = tables("public.companies", "app.companies", path=("app", "public"))
    assert str(resolve_table("companies", there)) == "app.companies"
    # An exact name late in the path takes precedence over a folded one in front.
    there = tables("public.Companies", "app.companies", path=("app", "public"))
    assert str(resolve_table("Companies", there)) == "public.Companies"


@pytest.mark.parametrize("wanted", ["my.app.Companies", "My.App.Companies"])
def test_a_schema_may_have_a_dot_in_its_name(wanted: str) -> None:
    there = [Table(1, "my.app", "companies", None), Table(2, "public", "other", 0)]
    assert resolve_table(wanted, there) == there[0]


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("Companies", ["public.COMPANIES"]),
        ("companies", ["public.Companies"]),
        ("Companies", ["public.COMPANIES", "public.CompanieS"]),
        ("companies", ["elsewhere.companies"]),
        ("companies", ["elsewhere.companies", "other.Companies"]),
    ],
)
def test_a_name_that_might_be_meant_is_listed_and_not_taken(wanted: str, there: list[str]) -> None:
    with pytest.raises(BadInput) as refused:
        resolve_table(wanted, tables(*there))
    assert refused.value.code == "ambiguous_table"
    assert refused.value.details["near"] == there
    for name in there:
        assert name in refused.value.what


def test_a_missing_table_is_told_with_the_names_that_look_like_it() -> None:
    with pytest.raises(BadInput) as refused:
        resolve_table("Compnies", tables("public.Tickets", "public.Companies", "public.Tags"))
    assert refused.value.code == "missing_table"
    assert refused.value.details["near"] == ["Companies"]
    assert "'Companies'" in refused.value.todo


def test_a_database_without_tables_is_told_apart_from_a_wrong_name() -> None:
    with pytest.raises(BadInput) as refused:
        resolve_table("Companies", [])
    assert refused.value.code == "missing_table"
    assert "login_db" in refused.value.todo


def test_a_schema_that_is_named_is_the_only_one_looked_at() -> None:
    with pytest.raises(BadInput) as refused:
        resolve_table("app.Companies", tables("public.Companies", "app.Tickets"))
    assert refused.value.code == "missing_table"
    assert refused.value.details["near"] == ["Companies"]


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        ("companyId", ["id", "companyId", "companyid"], "companyId"),
        ("companyId", ["id", "companyid"], "companyid"),
    ],
)
def test_a_column_is_found_by_the_same_rule(wanted: str, there: list[str], found: str) -> None:
    assert resolve_column(wanted, columns(*there), "public.Tickets").name == found


@pytest.mark.parametrize("wanted", ["companyid", "settings2", ""])
def test_a_missing_column_is_told_with_near_names(wanted: str) -> None:
    with pytest.raises(BadInput) as refused:
        resolve_column(wanted, columns("id", "companyId", "settings"), "public.Tickets")
    assert refused.value.code == "missing_column"
    assert refused.value.details["near"]
    assert "public.Tickets" in refused.value.what


def test_near_names_are_few_best_first_and_never_none() -> None:
    there = [f"table{i}" for i in range(20)]
    assert near_names("TABLE7", there)[0] == "table7"
    assert len(near_names("TABLE7", there)) == NEAR_NAMES
    assert near_names("nothing like it", ["b", "a"]) == ["a", "b"]
    assert near_names("companies", ["Companies", "COMPANIES"]) == ["Companies"]


_words = st.text(st.sampled_from('aAbB."; ç'), min_size=1, max_size=4)


@given(_words, st.lists(_words, max_size=5, unique=True))
def test_whatever_is_found_is_the_name_or_its_folded_form(wanted: str, names: list[str]) -> None:
    there = [Table(oid, "public", name, 0) for oid, name in enumerate(names)]
    try:
        found = resolve_table(wanted, there).name
    except BadInput:
        assert wanted not in names
        assert wanted.lower() not in names
        return
    if wanted in names:
        assert found == wanted
    else:
        assert found == wanted.lower()
