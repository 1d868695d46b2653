# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written since the fence is counted, whoever wrote it and however, and what our repairs did is not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.points import LANES, ORPHANS, begin, dump, look, of_both, past, table, writes
from tests.integration.repairs import plan, repair, undo
from tests.support.processes import wait_until


def test_nothing_happened(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    for check in (True, False):
        result = look(measuring, check=check)
        assert (writes(result), result["accounted"], result["recovery_point"]["why"]) == (0, True, "")
    shown = {one["name"]: (one["fenced"], one["compared_by"], one["rows_then"], one["rows_now"], one["writes"])
             for one in result["tables"]}  # fmt: skip
    assert shown == {
        "public.Tags": ("whole", "key", 5, 5, 0),
        "public.Tickets": ("part", "key", 20, 20, 0),
        "public.TicketTags": ("whole", "row", 30, 30, 0),
    }
    assert result["dump"]["sha256"]
    assert not db.rows("SELECT FROM pg_class WHERE relname = 'kanban_then'")


def test_our_own_repair_is_no_write_and_its_rows_are_in_quarantine(db: Database, directory: Path) -> None:
    modules, measuring = begin(db, directory)
    repair(modules, [ORPHANS, LANES])
    result = look(measuring)
    assert (writes(result), result["accounted"]) == (0, True), result["tables"]
    assert of_both(result, "quarantined") == [2, 7]
    assert of_both(result, "rows_now") == [3, 23]
    assert table(result, "Tickets")["changed"] == 0
    undo(modules)
    result = look(measuring)
    assert (writes(result), result["accounted"]) == (0, True), result["tables"]
    assert of_both(result, "quarantined") == [0, 0]
    assert of_both(result, "restored") == [2, 7]


def test_a_repair_from_before_the_dump_that_is_undone_after_it(db: Database, directory: Path) -> None:
    modules, _measuring = begin(db, directory)
    repair(modules, [ORPHANS, LANES])
    measuring = dump(db, directory / "later")
    assert (writes(look(measuring)), look(measuring)["accounted"]) == (0, True)
    undo(modules)
    result = look(measuring)
    assert (writes(result), result["accounted"]) == (0, True), result["tables"]
    assert (table(result, "Tags")["new"], table(result, "Tags")["restored"]) == (0, 2)


@pytest.mark.parametrize(
    ("statements", "name", "expected"),
    [
        (["""UPDATE "Tags" SET name = 'x' WHERE id = 2"""], "Tags", {"writes": 1, "changed": 1}),
        (['INSERT INTO "TicketTags" VALUES (2, 2), (2, 2)'], "TicketTags", {"writes": 2, "new": 2}),
        (['DELETE FROM "TicketTags" WHERE "ticketId" = 9'], "TicketTags", {"writes": 1, "gone": 1, "accounted": False}),
        (['TRUNCATE "TicketTags"'], "TicketTags", {"writes": 30, "gone": 30, "accounted": False}),
        # There and back again: only transactions and counters show it.
        (["""UPDATE "Tags" SET name = 'x' WHERE id = 2""", """UPDATE "Tags" SET name = 'Novo' WHERE id = 2"""], "Tags",
         {"writes": 1, "changed": 0}),
        (['UPDATE "Tickets" SET "kanbanLane" = 2 WHERE id = 5'], "Tickets", {"writes": 1, "changed": 1}),
        (['DELETE FROM "TicketTags" WHERE "ticketId" = 20', 'DELETE FROM "Tickets" WHERE id = 20'], "Tickets",
         {"writes": 1, "gone": 1, "accounted": False}),
    ],
)  # fmt: skip
def test_a_write_past_the_fence(
    db: Database, directory: Path, statements: list[str], name: str, expected: dict[str, Any]
) -> None:
    _modules, measuring = begin(db, directory)
    past(db, *statements)
    found = table(look(measuring), name)
    assert {key: found[key] for key in expected} == expected, found


def test_what_differs_is_listed(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    past(db, 'UPDATE "Tickets" SET "kanbanLane" = 2 WHERE id IN (5, 6)', 'DELETE FROM "TicketTags" WHERE "tagId" = 4')
    result = look(measuring, limit_samples=1)
    assert writes(result) == 9
    assert table(result, "Tickets")["samples"] == [
        {"what": "changed", "key": {"id": "5"}, "then": {"kanbanLane": "1"}, "now": {"kanbanLane": "2"}}
    ]
    assert [one["what"] for one in table(result, "TicketTags")["samples"]] == ["gone"]


def test_a_write_before_the_repair_is_not_covered_by_it(db: Database, directory: Path) -> None:
    modules, measuring = begin(db, directory)
    past(db, 'UPDATE "Tickets" SET "kanbanLane" = 9 WHERE id = 3', """UPDATE "Tags" SET name = 'x' WHERE id = 4""")
    repair(modules, [ORPHANS, LANES])
    result = look(measuring)
    assert [table(result, name)["changed"] for name in ("Tickets", "Tags")] == [1, 1], result["tables"]
    assert writes(result) == 2


def test_inbound_work_is_no_write(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    db.rows("""INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (1, 'Bom dia'), (1, 'Oi')""")
    db.rows("""UPDATE "Tickets" SET "lastMessage" = 'x'""")
    result = look(measuring)
    found = table(result, "Tickets")
    assert (writes(result), found["new"], found["rows_now"], result["accounted"]) == (0, 2, 22, True)
    assert found["samples"] == []


def test_people_at_work_do_not_keep_it_waiting(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    server = db.server
    typed = [str(server.programs / "psql"), "-X", "-h", server.host, "-p", str(server.port), "-U", server.user, db.name]
    login = {"PATH": os.defpath, "PGPASSWORD": server.password, "HOME": "/nonexistent"}
    often = """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (1, 'Bom dia') \\watch 0.2\n"""
    people = subprocess.Popen(typed, env=login, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert people.stdin is not None
        people.stdin.write(often.encode())
        people.stdin.flush()
        assert wait_until(lambda: db.value('SELECT count(*) FROM "Tickets"') > 20, 10)
        result = look(measuring)
        assert people.poll() is None
    finally:
        people.kill()
        people.wait(10)
    assert (writes(result), table(result, "Tickets")["new"] > 0) == (0, True)
    # It waits for the counters to settle, for five seconds at most; those that no comparison uses never settle.
    assert result["elapsed_ms"] < 4000


def test_a_repair_that_was_rolled_back_deleted_nothing(db: Database, directory: Path) -> None:
    modules, measuring = begin(db, directory)
    # A check that decides must not find what a repair leaves without a lane: it is rolled back after all deletions.
    empty = {"name": "empty", "kind": "null_reference", "table": "Tickets", "column": "kanbanLane"}
    checks = [ORPHANS, LANES, {**empty, "severity": "critical"}]
    found = plan(modules, checks, max_fraction=1)
    failed = modules.run(
        "integrity_repair", checks=checks, max_fraction=1, plan_hash=found["plan_hash"], approved_by="ana"
    )
    assert failed["error"]["code"] == "post_condition", failed
    assert db.value(
        "SELECT data -> 'deleted' ->> 'public.Tags' FROM kanban_rollback.events WHERE event = 'rolled back'"
    )
    assert look(measuring)["recovery_point"]["writes"] == 0
    # If it does not decide, it does not matter that the plan itself makes more of them.
    cardless = {**empty, "name": "cardless", "kind": "cardless_ticket", "tenant": "companyId", "severity": "low"}
    repair(modules, [ORPHANS, LANES, {**empty, "severity": "low"}, cardless], max_fraction=1)
    result = look(measuring)
    assert result["recovery_point"]["writes"] == 0, result
    assert table(result, "Tags")["quarantined"] == 2
