# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fact, one check: what is missing comes with why it matters and what to do; what is unknown is not missing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflightchecks as checks
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflightothers as others
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError, Timeout

HOUR = 3600.0
REFUSED = ServerError("missing_privilege", "permission denied for table x.", "Rolled back.", "Grant the privilege.")
HELD = Timeout("lock_timeout", "PostgreSQL gave up waiting.", "Rolled back.", "See who blocks.")
DUMP = {"age_seconds": 2 * HOUR}
ARCHIVER: dict[str, Any] = {"enabled": True, "age_seconds": 60.0, "failing": False}
FORECAST: dict[str, Any] = {
    "on": 300,
    "tenants": 1000,
    "seconds": 0.4,
    "locked_now": 0,
    "open_transactions": {"count": 0, "oldest_seconds": None},
}


def complete(check: checks.Check) -> checks.Check:
    """Check that a person can act on what is missing."""
    assert check.ok is not True
    for text in (check.what, check.why, check.todo):
        assert len(text) > 10, check
    return check


def test_what_was_tried() -> None:
    assert checks.of_error("kill", "must", None, "Tried.").ok is True
    refused = complete(checks.of_error("kill", "must", REFUSED, "Tried."))
    assert (refused.ok, refused.what) == (False, "permission denied for table x.")
    held = complete(checks.of_error("kill", "must", HELD, "Tried."))
    assert held.ok is None


@pytest.mark.parametrize(
    ("present", "usable", "creatable", "error", "ok", "severity"),
    [
        (True, True, False, None, True, "must"),
        (True, True, True, REFUSED, False, "must"),
        (True, False, True, None, False, "must"),
        (False, False, True, None, False, "should"),
        (False, False, True, REFUSED, False, "must"),
        (False, False, False, None, False, "must"),
    ],
)
def test_the_ledger(
    present: bool, usable: bool, creatable: bool, error: ServerError | None, ok: bool, severity: str
) -> None:
    check = checks.ledger_check(present, usable, creatable, error)
    assert (check.ok, check.severity) == (ok, severity)
    if not ok:
        complete(check)


@pytest.mark.parametrize(
    ("dump", "archiver", "most", "ok"),
    [
        (DUMP, None, 3 * HOUR, True),
        (DUMP, None, 1 * HOUR, False),
        (None, ARCHIVER, 3 * HOUR, True),
        (None, {**ARCHIVER, "age_seconds": 4 * HOUR}, 3 * HOUR, False),
        (None, {**ARCHIVER, "age_seconds": None}, 3 * HOUR, False),
        (None, {**ARCHIVER, "failing": True}, 3 * HOUR, False),
        (None, {**ARCHIVER, "enabled": False}, 3 * HOUR, False),
        (DUMP, {**ARCHIVER, "failing": True}, 3 * HOUR, True),
        (None, None, 3 * HOUR, False),
        (None, None, 0, True),
    ],
)
def test_the_backup(dump: Any, archiver: Any, most: float, ok: bool) -> None:
    check = checks.backup_check(dump, archiver, most)
    assert check.ok is ok
    if not ok:
        complete(check)


@pytest.mark.parametrize(
    ("path", "free", "ok"), [("/d", 100, True), ("/d", 99, False), ("/d", None, None), (None, None, None)]
)
def test_the_disk(path: str | None, free: int | None, ok: bool | None) -> None:
    assert checks.disk_check({"path": path, "free_bytes": free, "needed_bytes": 100}).ok is ok


def test_a_default_that_a_stop_would_leave_on() -> None:
    assert complete(checks.default_check("on", False)).severity == "should"
    for default, switched in (("on", True), ("off", False), ("absent", False)):
        assert checks.default_check(default, switched).ok is True


def test_the_forecast() -> None:
    assert checks.forecast_check(FORECAST, 20).ok is True
    assert complete(checks.forecast_check({**FORECAST, "seconds": 20.1}, 20)).ok is False
    old = {**FORECAST, "open_transactions": {"count": 1, "oldest_seconds": 301.0}}
    assert complete(checks.forecast_check(old, 20)).ok is False


def test_ending_sessions_is_asked_of_those_only_who_want_it() -> None:
    assert checks.terminate_check(False, False).ok is True
    assert "pg_signal_backend" in checks.terminate_check(False, False).what
    assert "pg_signal_backend" not in checks.terminate_check(False, True).what
    assert complete(checks.terminate_check(True, False)).severity == "must"
    assert checks.terminate_check(True, True).ok is True


def test_the_kill_names_the_triggers_that_nobody_tried() -> None:
    assert checks.kill_check(None, []).ok is True
    seen = checks.kill_check(None, ["audit", "touch"])
    assert (seen.ok, "(audit, touch) fire on the day" in seen.what) == (True, True)
    assert complete(checks.kill_check(REFUSED, ["audit"])).ok is False


def test_the_latch_and_what_gets_around_the_fence() -> None:
    assert checks.latch_check(None).ok is True
    assert complete(checks.latch_check("No trigger of it fires.")).severity == "should"
    assert checks.fence_triggers_check([]).ok is True
    seen = complete(checks.fence_triggers_check(["Tickets has triggers.", "Tags has triggers."]))
    assert (seen.ok, seen.severity, seen.what) == (False, "should", "Tickets has triggers. Tags has triggers.")


def test_what_another_version_installed_is_named() -> None:
    assert others.installed_check([]).ok is True
    seen = complete(others.installed_check(["the fence's functions", "the latch of companies.settings"]))
    assert (seen.ok, seen.severity) == (False, "should")
    assert "the fence's functions, the latch of companies.settings" in seen.what


def test_latches_that_everybody_may_call_are_named_with_the_lines_that_shut_them() -> None:
    assert others.latch_shut_check([]).ok is True
    seen = complete(others.latch_shut_check([(f"latch_{n}", "postgres", f"REVOKE {n};") for n in range(7)]))
    assert (seen.ok, seen.severity) == (False, "should")
    assert seen.what.startswith("Everybody may call 7 of the latches' functions (latch_0 of postgres, latch_1 of ")
    assert seen.what.endswith(", latch_4 of postgres).")
    assert seen.todo.endswith("REVOKE 0; REVOKE 1; REVOKE 2; REVOKE 3; REVOKE 4;")


def test_a_path_in_which_others_can_make_functions_is_one_line() -> None:
    path = "ALTER ROLE me SET search_path = public;"
    public = ("public", "postgres", False, False, "REVOKE public;", path)
    assert others.search_path_check([]).ok is True
    assert others.search_path_check([public]).ok is True
    opened, crm = ("public", "postgres", True, False, "REVOKE public;", path), ("crm", "app", False, True, "no", path)
    seen = complete(others.search_path_check([opened]))
    assert (seen.ok, seen.severity, seen.todo) == (False, "should", "REVOKE public;")
    assert seen.what.endswith("look for them: everybody in public.")
    both = complete(others.search_path_check([crm, opened]))
    assert both.what.endswith("look for them: everybody in public; app in crm, which it owns.")
    assert (both.todo.startswith("REVOKE public; Let"), both.todo.endswith(path)) == (True, True)


def test_saves_of_whole_rows() -> None:
    found = [{"table": "public.Tickets", "calls": 7, "query": "UPDATE"}]
    assert checks.orm_check({"available": True, "statements": [], "hidden": 0}).ok is True
    assert checks.orm_check({"available": True, "statements": [], "hidden": 3}).ok is None
    assert (
        complete(checks.orm_check({"available": False, "reason": "it is not installed.", "statements": []})).ok is None
    )
    seen = complete(checks.orm_check({"available": True, "statements": found, "hidden": 3}))
    assert (seen.ok, seen.severity) == (False, "should")
    assert "7 saves of whole rows of public.Tickets" in seen.what


def test_tables_that_a_dump_cannot_read() -> None:
    assert checks.unreadable_check([]).ok is True
    check = complete(checks.unreadable_check([f"public.t{i}" for i in range(1000)]))
    assert "at least 1,000 tables" in check.what
    assert check.what.count("public.t") == 5


def test_a_connection_with_a_flaw_is_no_reason_not_to_be_ready() -> None:
    assert checks.server_check("me", "17", []).ok is True
    assert complete(checks.server_check("me", "17", ["Through a pooler."])).severity == "should"
