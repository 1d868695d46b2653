# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any content of a tenant's settings: off is off by a rule written here, and the undo restores every character."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.flags import KEY, documents
from tests.integration.module import Modules
from tests.integration.place import Database

# PostgreSQL's text holds no NUL and no half of a surrogate pair; escaped, json and text columns hold both.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
words = st.one_of(st.sampled_from([KEY, "false", "a", "", "{}", "\\u0000"]), st.text(characters, max_size=8))
spaces = st.sampled_from(["", "", " ", "\n\t", "  "])
escapes = st.sampled_from(["", "", "\\u0000", "\\ud83d", "\\u006b", "\\/", "\\n"])


def numbers(exact: bool) -> st.SearchStrategy[str]:
    """Return numbers as text; jsonb normalises some and has a limit, text does neither."""
    plain = st.one_of(st.integers().map(str), st.floats(allow_nan=False, allow_infinity=False).map(repr))
    odd = st.sampled_from(["-0", "1.0", "1.00", "1e5", "0.1E-3", "1e999", "9" * 60])
    return plain if not exact else st.one_of(plain, odd)


def values(exact: bool) -> st.SearchStrategy[str]:
    """Return the text of arbitrary JSON values; ``exact`` adds what only text columns keep."""

    def quoted(word: str, escape: str) -> str:
        return f'"{escape if exact else ""}{json.dumps(word, ensure_ascii=False)[1:]}'

    strings = st.builds(quoted, words, escapes)
    gap = spaces if exact else st.just("")

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        member = st.builds(lambda name, a, b, value: f"{name}{a}:{b}{value}", strings, gap, gap, inner)
        return st.one_of(
            st.builds(lambda items, a: f"[{a}{f'{a},'.join(items)}]", st.lists(inner, max_size=3), gap),
            st.builds(lambda items, a: f"{{{a}{f',{a}'.join(items)}}}", st.lists(member, max_size=3), gap),
        )

    return st.recursive(st.one_of(st.sampled_from(["true", "false", "null"]), strings, numbers(exact)), grow)


def contents(kind: str) -> st.SearchStrategy[str | None]:
    """Return what a settings column may hold: mostly objects with the flag in them, otherwise anything."""
    exact = kind != "jsonb"
    inner = values(exact)
    spelled = st.sampled_from([f'"{KEY}"', '"kanbanV2\\u0045nabled"' if exact else f'"{KEY}"'])
    flags = st.builds(lambda name, value: f"{name}: {value}", spelled, inner)
    others = st.builds(lambda name, value: f"{json.dumps(name, ensure_ascii=False)}: {value}", words, inner)
    members = st.lists(st.one_of(flags, others), min_size=1, max_size=4)
    found: list[st.SearchStrategy[str | None]] = [
        members.map(lambda parts: "{" + ", ".join(parts) + "}"),
        members.map(lambda parts: "{" + ",".join(parts) + " }"),
        inner,
        st.none(),
    ]
    return st.one_of(*found, *([spaces] if kind == "text" else []))


def is_on(text: str | None) -> bool:
    """Apply the rule of the documentation: absent, null or false is off; anything else is on."""
    document = json.loads(text) if text and text.strip() else None
    if not isinstance(document, dict):
        return False
    flag = document.get(KEY)
    return not (flag is None or flag is False)


class Tenants:
    """One table that is refilled for each example."""

    def __init__(self, db: Database, kind: str) -> None:
        self.db = db
        self.case = documents(kind, quoted=True, uuids=False)
        self.modules: Modules = self.case.make(db)
        self.incident = 0

    def check(self, rows: list[str | None]) -> None:
        """Fill, switch off, look, put back, look."""
        self.incident += 1
        with self.db.connect() as session, session.cursor() as cursor:
            cursor.execute('TRUNCATE "Companies"')
            cursor.executemany('INSERT INTO "Companies" (id, settings) VALUES (%s, %s)', list(enumerate(rows)))
        before = self.case.snapshot(self.db)
        stored = dict(self.db.rows('SELECT id, settings::text FROM "Companies"'))
        on = [tenant for tenant, text in stored.items() if is_on(text)]
        others = [str(tenant) for tenant in stored if tenant not in on]

        done = self.modules.disable(f"INC-{self.incident}")
        assert (done["enabled_before"], done["changed_count"], done["enabled_after"]) == (len(on), len(on), 0)
        now = dict(self.db.rows('SELECT id, settings::text FROM "Companies"'))
        for tenant in on:
            want: dict[str, Any] = {**json.loads(stored[tenant] or ""), KEY: False}
            assert json.loads(now[tenant] or "") == want
        assert self.case.snapshot(self.db).of(*others) == before.of(*others), "an off tenant was rewritten"

        undone = self.modules.restore(f"INC-{self.incident}")
        assert (undone["changed_count"], undone["changed_since"]) == (len(on), [])
        assert self.case.snapshot(self.db).texts == before.texts


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_arbitrary_settings(db: Database, kind: str) -> None:
    tenants = Tenants(db, kind)
    found = set[bool]()

    # Fixed examples, so that everybody sees the same failure; many rows in each, because a row costs less than a call.
    @settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(contents(kind), min_size=1, max_size=40))
    def property_holds(rows: list[str | None]) -> None:
        found.update(map(is_on, rows))
        tenants.check(rows)

    check: Callable[[], None] = property_holds
    check()
    assert found == {True, False}, "the examples showed nothing"
