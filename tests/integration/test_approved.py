# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may approve on the command line: repair, restore and undo have the same rules, and approvals are on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration import journals, playbook
from tests.integration.integrity import load
from tests.integration.journals import lines, tasks
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.test_recovery import TABLES, Place, hash_of

HASH = "a" * 64
NO_GLASS: dict[str, Any] = {}
# Who approves, what is overridden, and what the run says about that: nothing if it continues. All the ways to write a
# name are in tests/unit/test_approval.py.
ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("", NO_GLASS, "kanban_approved_by is not given"),
    ("RU\N{CYRILLIC CAPITAL LETTER BYELORUSSIAN-UKRAINIAN I} ", NO_GLASS, "rui may not approve what rui does"),
    ("rui", {"what": ["approval"], "reason": " "}, "has no reason"),
    ("rui", {"what": ["approval"], "reason": "alone"}, ""),
    # A name like any other, and never a template.
    ("{{ kanban_operator }}", NO_GLASS, ""),
]
# This is decided on the controller, once for all databases.
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        __assess: {hash: "{{ kanban_plan_hash }}", rows: 3, refused: []}
    - ansible.builtin.include_tasks: one.yml
      loop: "{{ asked | product(['surgical', 'restore', 'undo']) }}"
    - ansible.builtin.copy:
        dest: "{{ playbook_dir }}/result.json"
        content: "{{ {'found': found} | to_json }}"
        mode: "0600"
"""
ONE = """
- ansible.builtin.set_fact:
    kanban_recovery: "{{ item[1] }}"
    kanban_approved_by: "{{ item[0][0] }}"
    kanban_break_glass: "{{ item[0][1] }}"
- ansible.builtin.include_role:
    name: chatia.kanban_rollback.recover
    tasks_from: decide.yml
- ansible.builtin.set_fact:
    found: "{{ found | default([]) + [__recover.why_not] }}"
"""


def test_repair_restore_and_undo_ask_alike(directory: Path) -> None:
    given = {"kanban_plan_hash": HASH, "kanban_operator": "rui", "kanban_dump_tables": []}
    (directory / "one.yml").write_text(ONE)
    hosts = playbook.inventory(directory, {}, db={})
    said = playbook.given(directory, {**given, "asked": [list(one[:2]) for one in ASKED]})
    run = playbook.run(directory, playbook.written(directory, PLAY), *hosts, *said)
    assert run.rc == 0, run.output
    found = playbook.kept(directory)["found"]
    assert len(found) == 3 * len(ASKED)
    for number, (approver, _glass, why) in enumerate(ASKED):
        told = found[number * 3 : number * 3 + 3]
        assert told == [told[0]] * 3, (approver, told)
        assert len(told[0]) == (1 if why else 0), (approver, told)
        assert not why or why in told[0][0], (approver, told)


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_what_was_approved_by_whom_is_in_ledger_journal_and_report(db: Database, directory: Path) -> None:
    place = Place(db, load(db), directory, {"kanban_dump_tables": [], "kanban_sweep_seconds": 1})
    before = whole(db, *TABLES)
    approved = {"kanban_recovery": "surgical", "kanban_plan_hash": hash_of(place.run())}
    nobody = place.run(**approved)
    assert nobody.rc != 0
    assert "Not repaired: kanban_approved_by is not given" in nobody.screen, nobody.output
    assert (whole(db, *TABLES), place.events) == (before, [])
    done = place.run(**approved, kanban_approved_by="Ana Souza")
    assert done.rc == 0, done.output
    assert whole(db, *TABLES) != before
    for why in ("kanban_approved_by is not given", "rui may not approve what rui does"):
        asked = {"kanban_approved_by": "RUI"} if "rui" in why else {}
        run = place.run(kanban_recovery="undo", **asked)
        assert run.rc != 0
        assert why in run.screen, run.output
    assert whole(db, *TABLES) != before
    alone = {"what": ["approval"], "reason": "só eu estou acordado"}
    back = place.run(kanban_recovery="undo", kanban_approved_by="rui", kanban_break_glass=alone)
    assert back.rc == 0, back.output
    assert whole(db, *TABLES) == before

    override = db.value("SELECT data FROM kanban_rollback.events WHERE event = 'override'")
    assert override == {**alone, "operator": "rui", "approved_by": "rui"}
    who = db.rows("""SELECT event, data ->> 'approved_by', data ->> 'operator' FROM kanban_rollback.events
                     WHERE event IN ('repaired', 'undone') ORDER BY at""")
    assert who == [("repaired", "Ana Souza", "rui"), ("undone", "rui", "rui")]
    assert db.rows("SELECT approved_by, operator, undone_by FROM kanban_rollback.repairs") == [
        ("Ana Souza", "rui", "rui")
    ]
    found = [lines(path) for path in journals.Place(db, directory).journals(done.incident)]
    told = [task.get("details", {}).get("approved_by") for run in found for task in tasks(run, "integrity_repair")]
    assert [name for name in told if name] == ["Ana Souza", "rui"]
    report = place.play("report")
    assert report.rc == 0, report.output
    record = (directory / "incidents" / done.incident / "incident.md").read_text()
    page = (directory / "incidents" / done.incident / "report.html").read_text()
    for text in (record, page):
        assert "aprovado por Ana Souza, executado por rui" in text
        assert "aprovado por rui, executado por rui" in text
    assert "approval: só eu estou acordado (rui, approved by rui)" in record
