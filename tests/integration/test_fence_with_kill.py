# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence that the kill's own process raises: as good as one by ``write_fence``, and never at the kill's cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _fencewithkill as with_kill
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledger import Who
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login
from tests.integration import playbook
from tests.integration.fences import INBOUND, MOVES, TABLES, board, refused
from tests.integration.module import Modules, failed
from tests.integration.place import Database
from tests.support.processes import free_port
from tests.support.servers import Postgres, workspace

FLAG: dict[str, Any] = {"table": "Companies", "column": "settings", "path": ["kanbanV2Enabled"]}
FENCE = {"tables": TABLES}
SETTINGS = (
    'ALTER TABLE "Companies" ADD COLUMN settings jsonb',
    """UPDATE "Companies" SET settings = '{"kanbanV2Enabled": true}'""",
)
ON = """SELECT count(*) FROM "Companies" WHERE (settings ->> 'kanbanV2Enabled')::boolean"""


def installed(db: Database) -> Modules:
    """Make a board with a flag, a ledger and the dormant fence; return what runs the flag's module as their role."""
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
    # It is the same as if write_fence had raised it, for whoever asks later and in the record.
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


def test_check_mode_raises_nothing(db: Database) -> None:
    planned = installed(db).disable(check=True, fence=FENCE)
    assert (planned["fence"]["status"], planned["fence"]["changed"]) == ("dormant", True)
    assert planned["fence"]["diff"]["after"]["fence"]["Tags"] == "raised from the dormant fence"
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
    "fence",
    [{"tables": ["NoSuchTable"]}, {"tables": [5]}, {"tables": [{"name": "Tags", "when_changed": "perhaps"}]}],
    ids=["missing", "no name", "not a word"],
)
def test_what_is_wrong_with_the_fence_is_not_the_kills(db: Database, fence: dict[str, Any]) -> None:
    done = installed(db).disable(fence=fence)
    assert (done["enabled_after"], done["fence"]) == (0, None)


def test_a_fence_that_does_not_hold_is_left_to_its_own_task(db: Database) -> None:
    board(db, *SETTINGS)
    role = db.role("ops", 'SELECT, UPDATE ON TABLE "Companies"')
    done = db.modules(role, **FLAG).disable(fence=FENCE)
    assert (done["enabled_after"], done["fence"]) == (0, None)
    assert refused(db, MOVES) == []


def test_a_flag_that_stays_on_has_its_fence_all_the_same_unless_it_took_long(db: Database) -> None:
    flag = installed(db)
    with db.transaction('UPDATE "Companies" SET id = id WHERE id = 1'):
        soon = failed(flag.run("feature_flag", incident_id="INC-1", deadline=2, fence=FENCE), "still_on")
        assert (soon["enabled_after"], soon["fence"]["status"]) == (1, "proven")
        late = failed(flag.run("feature_flag", incident_id="INC-1", deadline=6, fence=FENCE), "still_on")
        assert (late["enabled_after"], late["fence"]) == (1, None)


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
    assert (seen["skipped"], seen["fence"]["skipped"], seen["fence"]["status"]) == (True, True, "dormant")


def test_a_fault_of_ours_in_the_fence_does_not_lose_the_kills_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_given: Any) -> None:
        raise ValueError("nobody thought of it")

    monkeypatch.setattr(with_kill, "set_fence", fault)
    request = Request(
        flag=Flag(store="jsonb", table="t", tenant_column="id", column="c", path=("on",)),
        state="disabled",
        who=Who(incident_id="INC-1", run_id="RUN-1"),
        fence={"tables": ["Tags"], "drain": 1.0},
    )
    assert with_kill.raise_with_kill(Login(), request, "INC-1", False, 0.2) is None


PLAY = """
- name: Tell, or raise
  hosts: db
  gather_facts: false
  ignore_unreachable: true
  tasks:
    - name: Raise the fence
      chatia.kanban_rollback.write_fence:
        state: "{{ wanted }}"
        tables: [Tags]
        incident_id: INC-1
        answer: "{{ answer | default(omit, true) }}"
      register: done

- name: Keep what came of it
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Write it
      ansible.builtin.copy:
        content: "{{ hostvars['db1'].done }}"
        dest: result.json
        mode: "0600"
"""
ANSWER = {"status": "proven", "changed": True, "tables": [{"name": "{{ 7 * 6 }}"}], "warnings": ["A wider fence."]}


@pytest.mark.parametrize(
    ("answer", "wanted", "asked"),
    [(ANSWER, "present", False), (None, "present", True), ({}, "present", True), (ANSWER, "absent", True)],
    ids=["told", "none", "empty", "another state"],
)
def test_the_task_goes_to_the_host_only_without_an_answer(
    tmp_path: Path, answer: dict[str, Any] | None, wanted: str, asked: bool
) -> None:
    # Nobody listens there: to be unreachable is to have been asked.
    host = {"ansible_host": "127.0.0.1", "ansible_port": free_port(), "ansible_python_interpreter": sys.executable}
    options = playbook.inventory(tmp_path, {"wanted": wanted}, db={"db1": host})
    options += playbook.given(tmp_path, {"answer": answer})
    run = playbook.run(tmp_path, playbook.written(tmp_path, PLAY), *options)
    done = playbook.kept(tmp_path)
    assert done.get("unreachable", False) is asked, run.output
    if not asked:
        assert {name: done[name] for name in ("status", "changed", "tables")} == {
            name: ANSWER[name] for name in ("status", "changed", "tables")
        }
        assert "A wider fence." in run.output
