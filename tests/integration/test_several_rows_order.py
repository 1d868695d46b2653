# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants with several rows: each value goes back into the row that it came from, whoever switched and whoever undoes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.place import Database
from tests.integration.test_key_value import make, settings, values
from tests.integration.test_preflight_breakglass import psql, script_of

# Letters that JSON may show in two ways: beyond ASCII, beyond 16 bits, quotes, and characters without a shape.
WORDS = ["sim", "talv\u00e9z \U0001f600", 'a"b\\c/d', "tab\tline\nbell\x07 delete\x7f"]


@pytest.mark.parametrize("undo_by", ["the modules", "break-glass"])
def test_any_letters_come_back_by_whoever_undoes(db: Database, directory: Path, undo_by: str) -> None:
    rows = [("kanbanV2", word, tenant) for word in WORDS for tenant in (1, 2)]
    modules = make(db, rows=rows, enabled_value="sim", disabled_value="n\u00e3o")
    before = settings(db)
    db.modules().ok("ledger")
    script = script_of(db, directory, **modules.options)
    if undo_by == "break-glass":
        modules.disable("INC-1")
    else:
        done = psql(db, script, "-v", "incident=INC-1")
        assert done.rc == 0, done.text
    assert {value for _tenant, value in values(db)} == {"n\u00e3o"}
    if undo_by == "break-glass":
        undone = psql(db, script, "-v", "undo=1")
        assert undone.rc == 0, undone.text
    else:
        assert modules.restore("INC-1")["changed_since"] == []
    assert settings(db).texts == before.texts
