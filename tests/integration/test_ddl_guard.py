# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event trigger that refuses DDL does not keep fence and latch from being raised and lowered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.fences import MOVES, board, refused
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.preflights import checks
from tests.integration.test_fence_with_kill import FENCE, FLAG, ON, SETTINGS

GUARD = (
    """CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'schema changes go through the pipeline'; END $$""",
    "CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION no_ddl()",
)
STALE = """UPDATE "Companies" SET settings = '{"kanbanV2Enabled": true}' WHERE id = 2"""


@pytest.mark.parametrize("installed", [True, False], ids=["dormant", "on demand"])
def test_it_does_not_stop_a_raise(db: Database, installed: bool) -> None:
    fence = board(db, *SETTINGS)
    role = db.role("ops", 'SELECT, UPDATE ON TABLE "Companies"') if installed else None
    granted: dict[str, Any] = {"grant_to": [role], "flag": FLAG, "latch": True} if installed else {}
    db.modules().ok("ledger", **granted)
    if installed:
        fence.ok("write_fence", state="dormant", grant_to=[role])
    for statement in GUARD:
        db.rows(statement)
    flag = db.modules(role, **FLAG)
    done = flag.disable(fence=FENCE, latch=True)
    assert (done["fence"]["status"], done["latch"]) == ("proven", {"raised": True, "reason": None}), done
    assert refused(db, MOVES) == list(MOVES)
    db.rows(STALE)
    assert db.value(ON) == 0, "the latch is up"
    flag.restore()
    db.modules(role, tables=FENCE["tables"]).ok("write_fence", state="absent", incident_id="INC-1")
    assert (refused(db, MOVES), db.value(ON)) == ([], 3)


def test_preflight_names_what_would_and_the_lines_against_it(db: Database) -> None:
    board(db, *SETTINGS)
    role = db.role("ops", 'SELECT, UPDATE ON TABLE "Companies"')
    flag, owner = db.modules(role, **FLAG), db.modules(**FLAG)

    def seen(modules: Modules) -> tuple[Any, ...]:
        found = checks(modules.ok("preflight_info")).get("ddl_guard")
        return (found["ok"], found["severity"], found["todo"]) if found else ()

    assert seen(owner) == ()
    for statement in GUARD:
        db.rows(statement)
    assert seen(owner) == (True, "must", "")
    granted = db.value("SELECT current_setting('server_version_num')::int >= 150000")
    grant, disable = (
        f"GRANT SET ON PARAMETER session_replication_role TO {role};",
        "ALTER EVENT TRIGGER no_ddl DISABLE;",
    )
    line = grant if granted else disable
    assert seen(flag) == (False, "must", f"As a superuser: {line}")
    if granted:
        db.rows(line)
        assert seen(flag)[0] is True
        db.rows(f"REVOKE SET ON PARAMETER session_replication_role FROM {role}")
    db.rows("ALTER EVENT TRIGGER no_ddl ENABLE ALWAYS")
    assert seen(owner) == (False, "must", "As a superuser: ALTER EVENT TRIGGER no_ddl ENABLE;")
    db.rows(disable)
    assert seen(owner) == ()


def test_preflight_knows_what_a_fence_without_an_installation_does(db: Database) -> None:
    """It makes and drops triggers. One that is installed is raised by replacing its function, whatever they forbid."""
    fence, modules = board(db, *SETTINGS), db.modules(**FLAG)
    db.rows(GUARD[0])
    for name, event, tag in (("made", "ddl_command_end", "CREATE TRIGGER"), ("dropped", "sql_drop", "DROP TRIGGER")):
        db.rows(f"CREATE EVENT TRIGGER {name} ON {event} WHEN TAG IN ('{tag}') EXECUTE FUNCTION no_ddl()")
        db.rows(f"ALTER EVENT TRIGGER {name} ENABLE ALWAYS")
    found = checks(modules.ok("preflight_info"))["ddl_guard"]
    assert (found["ok"], found["todo"]) == (
        False,
        "As a superuser: ALTER EVENT TRIGGER dropped ENABLE; ALTER EVENT TRIGGER made ENABLE;",
    )
    for name in ("made", "dropped"):
        db.rows(f"ALTER EVENT TRIGGER {name} DISABLE")
    fence.ok("write_fence", state="dormant")
    for name in ("made", "dropped"):
        db.rows(f"ALTER EVENT TRIGGER {name} ENABLE ALWAYS")
    assert "ddl_guard" not in checks(modules.ok("preflight_info"))
    fence.ok("write_fence", state="present", incident_id="INC-1")
    fence.ok("write_fence", state="absent", incident_id="INC-1")
