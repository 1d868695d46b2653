# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on is counted even if the ledger cannot be read."""

from __future__ import annotations

from tests.integration.crowd import population
from tests.integration.place import Database


def test_who_is_on_is_told_without_the_ledger(db: Database) -> None:
    population(db).disable("INC-1", tenants=[1, 2], environment="staging")
    role = db.role("ops", "SELECT ON companies")
    db.rows(f"GRANT USAGE ON SCHEMA kanban_rollback TO {role}")
    theirs = db.modules(role, table="companies", column="settings", path=["kanbanV2Enabled"])
    told = theirs.ok("feature_flag_info", environment="staging")
    assert (told["enabled"], told["database"]["ledger_environment"]) == (48, None)
    (warning,) = [text for text in told["warnings"] if "ledger" in text]
    assert "whose it is was not compared: permission denied for table meta." in warning
