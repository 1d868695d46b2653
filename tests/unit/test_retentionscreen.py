# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last screen of a purge: what went, what stays and why, and no success that was not one."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionscreen import SHOWN, retention_screen

KNOWN: dict[str, Any] = {"names": [], "closed": [], "prior_files": [], "silent": []}
OVER = {"path": "/d/old", "what": "dump", "why": "INC-1, 100 days old"}
KEPT = {"path": "/d/new", "what": "dump", "why": "it is the newest proven one of crm"}


def answer(*results: dict[str, Any], over: list[Any] | None = None, kept: list[Any] | None = None) -> dict[str, Any]:
    return {"choice": {"over": over or [], "kept": kept or []}, "removed": list(results)}


def done(one: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"item": one or OVER, "changed": True, **more}


def test_what_went_and_what_stays() -> None:
    said = retention_screen(["db1"], [answer(done(), over=[OVER], kept=[KEPT])], KNOWN, 90)
    assert said["lines"] == [
        "PURGED: 1 dump or directory of evidence was older than 90 days and is removed.",
        "db1: removed dump /d/old (INC-1, 100 days old)",
        "db1: kept dump /d/new: it is the newest proven one of crm",
    ]
    assert not said["failed"]


def test_a_plan() -> None:
    said = retention_screen(["db1"], [answer(done(), over=[OVER])], KNOWN, 90, check_mode=True)
    assert said["headline"].startswith("PLAN, nothing was changed: 1 ")
    assert "db1: would remove dump /d/old (INC-1, 100 days old)" in said["lines"]


def test_nothing_to_do() -> None:
    said = retention_screen(["db1"], [answer()], KNOWN, 90)
    assert (said["failed"], said["lines"]) == (False, ["Nothing that may go is older than 90 days."])
    plan = retention_screen(["db1"], [answer()], KNOWN, 90, check_mode=True)
    assert plan["headline"] == "PLAN, nothing was changed: nothing that may go is older than 90 days."


def test_part_of_it() -> None:
    said = retention_screen(
        ["db1", "db2"], [answer(done(), done(), over=[OVER, {**OVER, "path": "/x"}]), {}], KNOWN, 90
    )
    assert said["headline"].startswith("PURGED IN PART: 1 dump or directory ")


def test_what_could_not_be_removed_and_who_did_not_answer() -> None:
    failing = answer(done(changed=False, failed=True, msg="Permission denied"), over=[OVER])
    said = retention_screen(
        ["db1", "db2", "app1", "app2"], [failing, answer(over=[OVER]), {}, {"error": "gone"}], KNOWN, 90
    )
    assert said["failed"]
    assert said["lines"] == [
        "NOTHING WAS PURGED, and not all of it went well.",
        "db1: NOT REMOVED: /d/old: Permission denied",
        "db2: NOT REMOVED: /d/old: it was not tried",
        "app1: NOT LOOKED INTO: no answer",
        "app2: NOT LOOKED INTO: gone",
    ]
    assert retention_screen([], [], KNOWN, 90)["failed"]


def test_who_was_lost_on_the_way_is_never_nothing_to_do() -> None:
    lost = {"item": OVER, "unreachable": True, "msg": "no route"}
    said = retention_screen(["db1", "db2"], [answer(lost, over=[OVER]), {**answer(), "error": "lost"}], KNOWN, 90)
    assert said["failed"]
    assert said["lines"] == [
        "NOTHING WAS PURGED, and not all of it went well.",
        "db1: NOT REMOVED: /d/old: no route",
        "db2: NOT PURGED TO THE END: lost",
    ]
    # What is reported of each is not reported again of all.
    failing = answer(done(changed=False, failed=True, msg="denied"), over=[OVER])
    assert len(retention_screen(["db1"], [{**failing, "error": "items failed"}], KNOWN, 90)["lines"]) == 2


def test_what_another_host_of_the_same_machine_removed_counts_once() -> None:
    both = [answer(done(), over=[OVER]), answer(done(changed=False), over=[OVER])]
    said = retention_screen(["db1", "db2"], both, KNOWN, 90)
    assert said["headline"].startswith("PURGED: 1 ")
    assert not said["failed"]


def test_few_lines() -> None:
    many = [{**OVER, "path": f"/d/{number}"} for number in range(30)]
    kept = [
        {"path": f"/i/INC-{n}/evidence", "what": "evidence", "why": "it is not older than 90 days"} for n in range(40)
    ]
    said = retention_screen(["db1"], [answer(*map(done, many), over=many, kept=kept)], KNOWN, 90)
    assert said["headline"].startswith("PURGED: 30 ")
    assert len(said["lines"]) == 1 + SHOWN + 1 + 1
    assert "db1: removed 20 more" in said["lines"]
    assert said["lines"][-1] == "db1: kept evidence INC-0, INC-1, INC-2 and 37 more: it is not older than 90 days"


def test_few_reasons() -> None:
    kept = [{"path": f"/d/{n}", "what": "dump", "why": f"no ledger knows INC-{n} as closed"} for n in range(30)]
    said = retention_screen(["db1"], [answer(kept=kept)], KNOWN, 90)
    assert len(said["lines"]) == 1 + SHOWN + 1
    assert said["lines"][-1] == "db1: kept more, for 20 more reasons"


def test_unknown_incidents_stop_it_all() -> None:
    said = retention_screen(["db1"], [answer(done(), over=[OVER])], {**KNOWN, "silent": ["db2: no answer"]}, 90)
    assert said["failed"]
    assert said["headline"] == "NOTHING WAS PURGED, on any host: it is not known which incidents are open."
    assert said["lines"][0] == with_page(said["headline"], "nothing_purged")
    assert said["lines"][1] == "db2: no answer"


def test_a_retention_that_is_no_number_of_days_stops_it_all_and_hides_nothing_else() -> None:
    written = {"amiss": ["REPORT NOT WRITTEN: INC-1: busy"], "lines": ["INC-2: written"]}
    journals = {"amiss": ["JOURNAL NOT WHOLE: /j"], "lines": ["journals of INC-2"]}
    said = retention_screen(["db1"], [{"error": "not here"}], KNOWN, 0, journals=journals, reports=written)
    assert said["failed"]
    headline = "NOTHING WAS PURGED, on any host: kanban_retention_days is no whole number of days from 1 on."
    assert (said["headline"], said["lines"][0]) == (headline, with_page(headline, "nothing_purged"))
    assert said["lines"][2:] == [*journals["amiss"], *written["amiss"], *written["lines"], *journals["lines"]]


def test_rows_in_quarantine_are_counted_by_incident() -> None:
    purged = [{"incident_id": "INC-1", "days": 91, "rows": 103}]
    said = retention_screen(["db1"], [{**answer(), "quarantine": purged}], KNOWN, 90)
    assert said["lines"] == [
        "PURGED: 103 rows in quarantine were older than 90 days and are removed.",
        "db1: removed 103 rows in quarantine of INC-1, closed 91 days ago: its repairs cannot be undone any more",
    ]
    both = retention_screen(["db1"], [{**answer(done(), over=[OVER]), "quarantine": purged}], KNOWN, 90, True)
    assert both["headline"] == (
        "PLAN, nothing was changed: 1 dump or directory of evidence and 103 rows in quarantine were older than 90 days "
        "and would be removed."
    )
    assert "db1: would remove 103 rows in quarantine of INC-1" in "\n".join(both["lines"])
