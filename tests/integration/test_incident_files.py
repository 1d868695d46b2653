# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals and plans that a ledger keeps: bounded, never overwritten, and removed when retention says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.module import Modules, Result
from tests.integration.place import Database

ID = "INC-20261125-042"
JOURNAL, PLAN = "journal-run-1.jsonl", f"plan-{'a' * 16}.json"


@pytest.fixture
def ledger(db: Database) -> Modules:
    """Modules that run on a ledger that knows the incident, also by an alias."""
    made = db.modules()
    made.ok("incident", incident_id=ID, aliases=["INC-ALIAS"])
    return made


def kept(ledger: Modules, *files: tuple[str, str], check: bool = False, **options: Any) -> Result:
    given = [{"name": name, "text": text} for name, text in files]
    return ledger.ok("incident_files", check, **{"incident_id": ID, "files": given, "texts": True, **options})


def texts(done: Result) -> dict[str, Any]:
    return {one["name"]: one.get("text") for one in done["files"]}


def test_a_journal_grows_a_plan_is_the_newest_and_nothing_is_written_over(db: Database, ledger: Modules) -> None:
    planned = kept(ledger, (JOURNAL, "a\n"), check=True)
    assert (planned["changed"], planned["kept"], texts(kept(ledger))) == (True, [JOURNAL], {})
    done = kept(ledger, (JOURNAL, "a\n"), (PLAN, '{"é": 1}'), incident_id="INC-ALIAS", run_id="run-1")
    assert (done["changed"], sorted(done["kept"]), done["known_as"]) == (True, [JOURNAL, PLAN], ID)
    there = kept(ledger)
    assert (there["changed"], texts(there)) == (False, {JOURNAL: "a\n", PLAN: '{"é": 1}'})
    assert {one["run_id"] for one in there["files"]} == {"run-1"}
    for other in ("a\n", "", "x\nb\nc\n"):
        assert kept(ledger, (JOURNAL, other))["changed"] is False
    assert kept(ledger, (JOURNAL, "a\nb\n"), (PLAN, "{}"))["changed"] is True
    assert texts(kept(ledger)) == {JOURNAL: "a\nb\n", PLAN: "{}"}
    # What is there already is not sent again.
    assert texts(kept(ledger, but={JOURNAL: 4})) == {JOURNAL: None, PLAN: "{}"}
    assert texts(kept(ledger, but={JOURNAL: 2})) == {JOURNAL: "a\nb\n", PLAN: "{}"}
    # No event: what retention removes is in no chain.
    assert ledger.ok("incident_info", incident_id=ID)["events"] == []
    role = db.role("ops")
    ledger.ok("ledger", grant_to=[role])
    assert kept(db.modules(role), (JOURNAL, "a\nb\nc\n"))["kept"] == [JOURNAL]


def test_what_cannot_be_kept_is_an_error_and_what_is_not_there_is_nothing(db: Database) -> None:
    modules = db.modules()
    assert (kept(modules)["files"], db.has_ledger()) == ([], False)
    given: dict[str, Any] = {"incident_id": ID, "files": [{"name": JOURNAL, "text": "x\n"}]}
    modules.fails("unknown_incident", "incident_files", **given)
    modules.ok("incident", incident_id=ID)
    for code, file in (
        ("bad_name", {"name": "words.md", "text": "x"}),
        ("bad_name", {"name": "journal-../x.jsonl", "text": "x"}),
        ("too_long", {"name": PLAN, "text": "x" * 4194305}),
    ):
        modules.fails(code, "incident_files", **{**given, "files": [file]})
    db.rows(
        """INSERT INTO kanban_rollback.files (incident_id, name, run_id, text)
           SELECT %s, 'journal-' || n || '.jsonl', 'r', 'x' FROM generate_series(1, 400) AS n""",
        (ID,),
    )
    modules.fails("too_many", "incident_files", **given)
    # There is room for a plan that awaits its approval, whatever has run before.
    both = modules.ok("incident_files", **{**given, "files": [{"name": PLAN, "text": "{}"}, *given["files"]]})
    assert (both["kept"], both["no_room"]) == ([PLAN], [one["name"] for one in given["files"]])
    # Somebody holds the table: the wait is bounded.
    with db.transaction("LOCK TABLE kanban_rollback.files IN ACCESS EXCLUSIVE MODE"):
        assert modules.run("incident_files", **given, deadline=1).get("failed")


def test_a_ledger_of_before_gets_its_place_by_who_may_make_it(db: Database, ledger: Modules) -> None:
    role = db.role("ops")
    ledger.ok("ledger", grant_to=[role])
    db.rows("DROP TABLE kanban_rollback.files")
    assert texts(kept(db.modules(role))) == {}
    db.modules(role).fails("no_place", "incident_files", incident_id=ID, files=[{"name": JOURNAL, "text": "a\n"}])
    assert ledger.ok("ledger", state="purged", retention_days=1)["purged_files"] == []
    assert ledger.ok("ledger", grant_to=[role])["changed"] is True
    assert ledger.ok("ledger", grant_to=[role])["changed"] is False
    assert kept(db.modules(role), (JOURNAL, "a\n"))["kept"] == [JOURNAL]
    db.rows("DROP TABLE kanban_rollback.files")
    assert kept(ledger, (JOURNAL, "a\n"))["kept"] == [JOURNAL]


def test_retention_takes_files_of_incidents_that_were_closed_long_ago(db: Database, ledger: Modules) -> None:
    kept(ledger, (JOURNAL, "a\n"), (PLAN, "{}"))
    purge: dict[str, Any] = {"state": "purged", "retention_days": 90}
    assert not ledger.ok("ledger", **purge)["changed"]
    ledger.ok("incident", incident_id=ID, state="closed")
    db.rows("UPDATE kanban_rollback.incidents SET closed_at = clock_timestamp() - interval '91 days'")
    # Another ledger has it open, under its own name for it.
    assert not ledger.ok("ledger", keep=["INC-ALIAS"], **purge)["changed"]
    expected = [{"incident_id": ID, "days": 91, "files": 2}]
    planned = ledger.ok("ledger", True, **purge)
    assert (planned["changed"], planned["purged_files"], len(kept(ledger)["files"])) == (True, expected, 2)
    done = ledger.ok("ledger", **purge)
    assert (done["purged"], done["purged_files"], kept(ledger)["files"]) == ([], expected, [])
    assert not ledger.ok("ledger", **purge)["changed"]
    noted = db.rows("SELECT phase, data FROM kanban_rollback.events WHERE event = 'files purged'")
    assert noted == [("report", {"files": 2, "days": 91})]


def test_timings_of_all_incidents_are_read_without_a_disk(db: Database, ledger: Modules) -> None:
    assert ledger.ok("incident_timings_info")["timings"] == []
    times: dict[str, Any] = {
        "schema": 1, "incident_id": ID, "rehearsal": True, "began": "2026-11-25T03:00:00.000000Z",
        "scenario": "scenario3", "severity": "P0 critical", "environment": "staging", "version": "0.1.0",
        "state": "contained", "green": True,
        "objective": {"seconds": 120, "took": 3, "met": True}, "seconds": {"disable": 3, "verify": None, "total": None},
        "steps": {"kill": 1}, "hosts": 1, "runs": 1, "companies": 50,
    }  # fmt: skip
    ledger.ok("incident", incident_id="INC-2")
    for incident, text in ((ID, "{}"), (ID, json.dumps(times)), ("INC-2", "no JSON")):
        document = {"name": "timings.json", "text": text}
        ledger.ok("incident_documents", incident_id=incident, documents=[document])
    found = ledger.ok("incident_timings_info")["timings"]
    assert found == [times]
    told = Modules({}).ok("incident_history", True, path="/nonexistent", version="0.1.0", known=found)
    assert told["last_green"]["incident_id"] == ID
    assert (
        Modules({}).ok("incident_history", True, path="/nonexistent", version="0.2.0", known=found)["last_green"]
        is None
    )
