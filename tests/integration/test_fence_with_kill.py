# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence that the kill's own process raises: as good as one by ``write_fence``, and never at the kill's cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import extensions

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _fenceentry
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _fencewithkill as with_kill
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import LostConnection, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledger import Who
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login, Session
from tests.integration.fences import INBOUND, MOVES, TABLES, board, refused
from tests.integration.module import Modules, failed
from tests.integration.place import Database
from tests.support.servers import Postgres, workspace

FLAG: dict[str, Any] = {"table": "Companies", "column": "settings", "path": ["kanbanV2Enabled"]}
FENCE = {"tables": TABLES}
SETTINGS = (
    'ALTER TABLE "Companies" ADD COLUMN settings jsonb',
    """UPDATE "Companies" SET settings = '{"kanbanV2Enabled": true}'""",
)
ON = """SELECT count(*) FROM "Companies" WHERE (settings ->> 'kanbanV2Enabled')::boolean"""


def installed(db: Database) -> Modules:
    """Make a board with a flag, a ledger and the dormant fence; return modules that switch the flag as their role."""
    fence = board(db, *SETTINGS)
    role = db.role("ops", 'SELECT, UPDATE ON TABLE "Companies"')
    db.modules().ok("ledger", grant_to=[role])
    fence.ok("write_fence", state="dormant", grant_to=[role])
    return db.modules(role, **FLAG)


def test_kill_and_fence_by_one_process(db: Database) -> None:
    done = installed(db).disable(fence=FENCE, run_id="RUN-1", operator="ana")
    assert (done["enabled_before"], done["enabled_after"], done["changed"]) == (3, 0, True)
    fence = done["fence"]
    assert (fence["status"], fence["kind"], fence["changed"], fence["incident_id"]) == (
        "proven",
        "dormant",
        True,
        "INC-1",
    )
    assert 0 < fence["raised_ms"] <= fence["elapsed_ms"] < 3000
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
    # For later questions, and in the record, it is the same as if write_fence had raised it.
    again = db.modules(tables=TABLES).ok("write_fence", incident_id="INC-1")
    assert (again["changed"], again["status"], again["lsn"]) == (False, "proven", fence["lsn"])
    events = db.rows("SELECT source, event, run_id FROM kanban_rollback.events ORDER BY seq")
    assert [row[:2] for row in events if row[1] in ("disabled", "fence_raised", "fence_drained")] == [
        ("feature_flag", "disabled"),
        ("write_fence", "fence_raised"),
        ("write_fence", "fence_drained"),
    ]
    assert {row[2] for row in events if row[0] in ("feature_flag", "write_fence")} == {"RUN-1"}


def test_the_same_command_again_changes_nothing(db: Database) -> None:
    flag = installed(db)
    first = flag.disable(fence=FENCE)
    again = flag.disable(fence=FENCE)
    assert (again["changed"], again["fence"]["changed"], again["fence"]["status"]) == (False, False, "proven")
    assert again["fence"]["drained_at"] == first["fence"]["drained_at"]
    # Only the fence was lost: the module says that it changed something.
    db.modules(tables=TABLES).ok("write_fence", state="absent", incident_id="INC-1")
    lost = flag.disable(fence=FENCE)
    assert (lost["changed_count"], lost["changed"], lost["fence"]["changed"]) == (0, True, True)


def test_it_bears_the_name_that_the_ledger_knows(db: Database) -> None:
    flag = installed(db)
    flag.disable("INC-1")
    done = flag.disable("INC-MADE-UP", incident_adopt=True, fence=FENCE)
    assert (done["incident"]["incident_id"], done["fence"]["incident_id"]) == ("INC-1", "INC-1")


def test_check_mode_leaves_it_to_the_task(db: Database) -> None:
    planned = installed(db).disable(check=True, fence=FENCE)
    assert planned["changed"] is True
    assert "fence" not in planned
    assert refused(db, MOVES) == []
    assert db.value(ON) == 3


def test_whoever_is_writing_is_named_and_the_fence_is_up(db: Database) -> None:
    flag = installed(db)
    with db.transaction('INSERT INTO "TicketTags" VALUES (1, 2)') as writer:
        done = flag.disable(fence={"tables": TABLES, "drain": 0.2})
        assert done["fence"]["status"] == "draining"
        assert [one["pid"] for one in done["fence"]["draining"]] == [writer.info.backend_pid]
    assert refused(db, MOVES) == list(MOVES)


@pytest.mark.parametrize(
    "tables",
    [None, {"Tags": {}}, "Tags", [5], [{"name": "Tags", "when_changed": "perhaps"}], ["NoSuchTable"]],
    ids=["none", "a map", "a name", "no name", "not a word", "missing"],
)
def test_what_is_wrong_with_the_tables_is_not_the_kills(db: Database, tables: Any) -> None:
    done = installed(db).disable(fence={"tables": tables})
    assert (done["enabled_after"], done["fence"]) == (0, None)


def test_a_fence_that_does_not_hold_says_so(db: Database, directory: Path) -> None:
    board(db, *SETTINGS)
    role = db.role("ops", 'SELECT, UPDATE ON TABLE "Companies"')
    done = db.modules(role, **FLAG).disable(fence=FENCE, state_dir=str(directory))
    assert (done["enabled_after"], done["fence"]["holds"], done["fence"]["status"]) == (0, False, "not_fenced")
    assert (done["fence"]["changed"], refused(db, MOVES)) == (False, [])


def test_what_was_raised_of_it_is_told(db: Database) -> None:
    flag = installed(db)
    done = flag.disable(fence={"tables": ["TicketTags", "Companies"]})
    assert (done["fence"]["holds"], done["fence"]["changed"], done["changed"]) == (False, True, True)
    assert done["fence"]["raised_ms"] > 0
    assert refused(db, MOVES[:1]) == list(MOVES[:1])


def test_whoever_has_the_turn_is_waited_for_in_short(db: Database) -> None:
    """Anybody can take it, so without it the fence is raised all the same."""
    flag = installed(db)
    with db.transaction("SELECT pg_advisory_xact_lock(118075163402607)"):
        done = flag.disable(fence=FENCE)
    assert (done["enabled_after"], done["fence"]["holds"]) == (0, True)
    assert done["fence_ms"] < with_kill.ANSWER_SECONDS * 1000 + 1000


@pytest.fixture
def own_way_to_wait() -> Iterator[None]:
    """Give the driver its own way to wait back: the whole process has one, and the other tests want the driver's."""
    yield
    extensions.set_wait_callback(None)


def test_nothing_is_waited_for_past_a_moment(db: Database, own_way_to_wait: None) -> None:
    login = Login(
        host=db.server.host, port=db.server.port, database=db.name, user=db.server.user, password=db.server.password
    )
    session = Session(replace(login, not_after=time.monotonic() + 0.5), "test")
    began = time.monotonic()
    with pytest.raises(LostConnection), session.transaction(30.0) as cursor:
        cursor.run("SELECT pg_sleep(20)", {})
    assert 0.3 < time.monotonic() - began < 5
    with pytest.raises(ServerError):
        Session(replace(login, not_after=time.monotonic()), "test")


def test_a_flag_that_stays_on_has_its_fence_all_the_same(db: Database) -> None:
    flag = installed(db)
    with db.transaction('UPDATE "Companies" SET id = id WHERE id = 1'):
        soon = failed(flag.run("feature_flag", incident_id="INC-1", deadline=2, fence=FENCE), "still_on")
        assert (soon["enabled_after"], soon["fence"]["status"]) == (1, "proven")


def test_other_states_raise_no_fence(db: Database) -> None:
    flag = installed(db)
    flag.disable()
    assert "fence" not in flag.restore(fence=FENCE)
    assert refused(db, MOVES) == []


def test_a_replica_that_is_skipped_says_so_of_both() -> None:
    with workspace() as directory, Postgres(directory / "one", fsync=False) as one:
        one.create_database("kanban")
        there = Database(one, "kanban")
        board(there, *SETTINGS).ok("write_fence", state="dormant")
        two = Postgres(directory / "two", fsync=False)
        try:
            two.standby_of(one, "two")
            two.wait_for_replay()
            seen = Database(two, "kanban").modules(**FLAG).disable(on_replica="skip", fence=FENCE)
        finally:
            two.stop()
    assert (seen["skipped"], seen["fence"]["skipped"], seen["fence"]["holds"]) == (True, True, True)
    assert seen["fence"]["status"] == "dormant"


REQUEST = Request(
    flag=Flag(store="jsonb", table="t", tenant_column="id", column="c", path=("on",)),
    state="disabled",
    who=Who(incident_id="INC-1", run_id="RUN-1"),
    fence={"tables": ["Tags"], "drain": 1.0},
)


def test_a_fault_of_ours_in_the_fence_does_not_lose_the_kills_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_given: Any, **_named: Any) -> None:
        raise ValueError("nobody thought of it")

    monkeypatch.setattr(_fenceentry, "set_fence", fault)
    told = with_kill.FenceWithKill(REQUEST).after(Login(), {"changed": True}, 0.2)
    assert (told["fence"], told["changed"]) == (None, True)


def test_no_session_of_it_waits_for_longer_than_the_answer_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Login] = []

    def noted(login: Login, *_given: Any, **_named: Any) -> tuple[dict[str, Any], None]:
        seen.append(login)
        return {"status": "proven", "changed": True}, None

    monkeypatch.setattr(_fenceentry, "set_fence", noted)
    until = time.monotonic() + with_kill.ANSWER_SECONDS
    assert with_kill.FenceWithKill(REQUEST).after(Login(), {"changed": False}, 0.2)["fence"]["holds"] is True
    assert [until <= login.not_after < until + 1 for login in seen] == [True]
    # After a long kill it is not begun.
    assert with_kill.FenceWithKill(REQUEST).after(Login(), {"changed": True}, 5.1)["fence"] is None
    assert len(seen) == 1
