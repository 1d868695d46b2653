# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incidents are reported on and which is closed, what of a ledger counts, and what the last screen says."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportledger import (
    MOST,
    incident_to_close,
    incidents_to_report,
    ledgers_of,
    ledgers_unread,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportscreen import report_screen
from tests.unit.chronicles import DAY, NOW, incident


def test_which_incidents_are_reported_on() -> None:
    rows = [incident("INC-OPEN", opened=40), incident("INC-LATE", 2), incident("INC-OLD", 9, 10, aliases=["INC-ALIAS"])]
    journals = {"journals": [{"incident_id": "INC-LOST", "mtime": NOW - DAY}, {"incident_id": "", "mtime": NOW}]}
    chosen = incidents_to_report([{"incidents": rows}, {}], journals, "", 7, NOW)
    assert chosen == {"incidents": ["INC-LATE", "INC-LOST", "INC-OPEN"], "left_out": 0}
    # If one is named, it is that one, however old, also by its alias.
    assert incidents_to_report([{"incidents": rows}], {}, " INC-ALIAS ", 7, NOW)["incidents"] == ["INC-OLD"]
    many = [incident(f"INC-{number}") for number in range(30)]
    assert incidents_to_report([{"incidents": many}], {}, "", 7, NOW)["left_out"] == 30 - MOST


def test_which_incident_is_closed() -> None:
    one, two = incident("INC-1", aliases=["A"]), incident("INC-2")
    answers = [{"incidents": [one, incident("INC-0", 3)]}]
    chosen = incident_to_close(answers, "", [])
    assert (chosen["incident_id"], chosen["why_not"]) == ("INC-1", "")
    assert incident_to_close(answers, "A", [])["incident_id"] == "INC-1"
    for given, silent, rows, why in (
        ("", ["db2: gone"], [one], "not every ledger answered"),
        ("", [], [one, two], "2 are open"),
        ("", [], [], "none is open"),
        ("INC-9", [], [one], "no ledger knows INC-9"),
    ):
        told = incident_to_close([{"incidents": rows}], given, silent)
        assert told["incident_id"] == ""
        assert why in told["why_not"]


def known(row: dict[str, Any], cluster: str, writable: bool = True, switched_off: int = 0) -> dict[str, Any]:
    """Return the answer of a ledger that has one incident."""
    still = [] if row["closed_at"] else [{**row, "switched_off": switched_off}]
    return {"incidents": [row], "open": still, "database": {"cluster": cluster, "writable": writable}}


def test_each_ledger_closes_its_own_incident_of_the_name_that_was_typed() -> None:
    one, two = incident("INC-1", aliases=["INC-2"]), incident("INC-2")
    replica = known(two, "7/2", writable=False)
    answers = [known(one, "7/1", switched_off=3), replica, known(two, "7/2"), known(incident("INC-0", 3), "7/3")]
    here = incident_to_close(answers, "INC-2", [])["here"]
    assert here[0] == {"incident_id": "INC-1", "place": "7/1", "open": True, "closes": True, "switched_off": 3}
    assert [told.get("incident_id") for told in here] == ["INC-1", "INC-2", "INC-2", None]
    assert [told.get("closes") for told in here] == [True, False, True, None]
    # Both are reported on.
    assert incidents_to_report(answers, {}, "INC-2", 7, NOW)["incidents"] == ["INC-1", "INC-2"]
    # If a closed incident's id was asked for again, it is the new incident's.
    again = incident("INC-7-2", opened_as="INC-7")
    rows = {"incidents": [incident("INC-7", 3), again], "open": [again]}
    assert incident_to_close([rows], "INC-7", [])["here"][0]["incident_id"] == "INC-7-2"


def test_a_ledger_whose_events_were_changed_is_amiss_whether_or_not_there_is_a_report() -> None:
    told = {"item": "INC-1", "files": [], "chain_broken_at": [{"host": "db1", "where": ["r\n1/2: changed"] * 4}]}
    line = "LEDGER'S EVENTS CHANGED: INC-1 on db1: the chain of hashes breaks at " + "r 1/2: changed, " * 2
    for more in ({"found": False}, {"found": True, "state": "contained"}):
        assert report_screen([{**told, **more}], {})["amiss"] == [f"{line}r 1/2: changed and 1 more"]
    assert report_screen([{**told, "found": False, "chain_broken_at": []}], {})["amiss"] == []


def closing_screen(
    answers: list[dict[str, Any]], *rows: dict[str, Any], check_mode: bool = False
) -> dict[str, list[str]]:
    chosen = incident_to_close(list(rows), "INC-2", [])
    hosts = [f"db{number}" for number in range(1, len(rows) + 1)]
    closing = {**chosen, "wanted": True, "hosts": hosts, "answers": answers}
    return report_screen([], {}, closing=closing, check_mode=check_mode)


def test_only_what_a_ledger_said_is_closed() -> None:
    one, two = incident("INC-1", aliases=["INC-2"]), incident("INC-2")
    rows = (known(one, "7/1"), known(two, "7/2", writable=False), known(two, "7/2"))
    skipped: dict[str, Any] = {"skipped": True}
    first, third = {"incident_id": "INC-1"}, {"incident_id": "INC-2"}
    assert closing_screen([first, skipped, third], *rows) == {"amiss": [], "lines": ["INC-1, INC-2 are closed"]}
    plan = closing_screen([first, skipped, third], *rows, check_mode=True)
    assert plan["lines"] == ["INC-1, INC-2 would be closed"]
    # The primary of db2 is not one of these hosts, or did not answer.
    told = closing_screen([first, skipped, {}], *rows)
    assert told == {
        "amiss": ["INC-2 IS NOT CLOSED EVERYWHERE: it is open on db2, db3, and no primary closed it"],
        "lines": [],
    }
    (line,) = closing_screen([skipped], known(two, "7/2", writable=False))["amiss"]
    assert line == "INC-2 IS NOT CLOSED: it is open on db1, and no primary closed it"
    # It was closed before, as the replica shows.
    assert closing_screen([skipped], known(incident("INC-2", 1), "7/2", writable=False))["lines"] == ["INC-2 is closed"]


def test_each_ledger_counts_once_and_only_what_a_report_needs_is_taken() -> None:
    path = [{"question": "corrupt?", "answer": "yes", "because": "x" * 900, "facts": {"secret": 1}}]
    events = [
        {"event": "triage", "data": {"path": path}},
        {
            "event": "override",
            "at": "2027-01-15T08:00:00.1Z",
            "data": {"what": ["lease"], "reason": "r", "operator": "o"},
        },
    ]
    answer = {
        "item": "INC-1", "known_as": "INC-1", "incidents": [incident("INC-1")], "events": events,
        "database": {"cluster": "7/1"},
    }  # fmt: skip
    (told,) = ledgers_of(["db1", "db2"], [{"results": [answer]}, {"results": [answer]}], "INC-1")
    assert told["host"] == "db1"
    assert set(told["triage"]["path"][0]) == {"question", "answer", "because"}
    assert len(told["triage"]["path"][0]["because"]) == 300
    assert told["overrides"] == ["2027-01-15T08:00:00 lease: r (o)"]
    assert ledgers_of(["db1"], [{"results": [{**answer, "failed": True, "known_as": None}]}], "INC-1") == []


def test_a_ledger_that_was_asked_again_and_did_not_answer_is_named() -> None:
    info = {"open": [], "database": {"cluster": "7/1"}}
    told: dict[str, Any] = {"results": [{"item": "INC-1", "known_as": None}]}
    took: dict[str, Any] = {"timings": []}
    lost = {"results": [{"item": "INC-1", "unreachable": True, "msg": "no\nroute"}], "unreachable": True}
    hosts = ["db1", "db2"]
    assert ledgers_unread(hosts, [info, info], [told, told], [took, took], "INC-1") == []
    # Another way to the same ledger.
    assert ledgers_unread(hosts, [info, info], [told, lost], [took, took], "INC-1") == []
    other = {**info, "database": {"cluster": "7/2"}}
    assert ledgers_unread(hosts, [info, other], [told, lost], [took, {}], "INC-1") == ["db2: no route"]
    assert ledgers_unread(hosts, [info, other], [told, {}], [took, {}], "INC-1") == ["db2: no answer"]
    # How long it took may be in the ledger, too.
    failed = {"failed": True, "msg": "gone"}
    assert ledgers_unread(hosts, [info, other], [told, told], [took, failed], "INC-1") == ["db2: gone"]
    assert ledgers_unread(hosts, [info, other], [told, told], [took, took], "INC-2") == [
        "db1: no answer",
        "db2: no answer",
    ]


def test_the_last_screen_says_what_was_written_and_what_was_not() -> None:
    good = {
        "item": "INC-1", "found": True, "state": "contained", "undecided": ["a", "b", "c", "d"],
        "files": [{"name": "incident.md", "path": "/x/INC-1/incident.md", "changed": True}],
        "warnings": ["a.md was left\nalone"],
    }  # fmt: skip
    bad = {"item": "INC-2", "failed": True, "msg": "busy"}
    none = {"item": "INC-3", "found": False, "files": []}
    told = report_screen(
        [good, bad, none], {"left_out": 2}, silent=["db1: gone"], history={"incidents": 3, "files": ["index.md"]}
    )
    assert told["amiss"] == ["INC-1: a.md was left alone", "REPORT NOT WRITTEN: INC-2: busy"]
    assert told["lines"] == [
        "INC-1 (contained): written: incident.md, in /x/INC-1; open in its checklists: a, b, c and 1 more",
        "INC-3: neither a journal of it nor what a ledger tells of it is here, so there is no report",
        "2 more incidents were not reported on: name one by kanban_incident_id",
        "These reports come from the journals alone: not every ledger answered",
        "index of 3 incidents and rehearsals: index.md",
    ]
    wrong = report_screen([none], {"left_out": 0, "others": ["INC-2", "INC-1"]})
    assert wrong["lines"] == []
    assert wrong["amiss"][0].endswith("is here, so there is no report; known lately: INC-2, INC-1")
    closing: dict[str, Any] = {"wanted": True, "incident_id": "INC-1", "answers": [{"incident_id": "INC-1"}]}
    assert report_screen([], {}, closing=closing)["lines"] == ["INC-1 is closed"]
    assert report_screen([], {}, closing=closing, check_mode=True)["lines"] == ["INC-1 would be closed"]
    failed = report_screen([], {}, closing={**closing, "answers": [{"failed": True, "msg": "no"}]})
    assert failed["amiss"] == ["INC-1 IS NOT CLOSED EVERYWHERE: no"]
    refused = report_screen([], {}, closing={"wanted": True, "incident_id": "", "why_not": "none is open"})
    assert refused["amiss"] == [with_page("NOTHING WAS CLOSED: none is open", "nothing_closed")]
    assert report_screen([], {}, closing={"wanted": False})["lines"] == []


def test_an_incident_that_is_closed_and_texts_that_a_language_lacks_are_said() -> None:
    result = {"item": "INC-1", "found": True, "files": [], "state": "reenabled", "closed": True}
    labels = [f"label{number}" for number in range(7)]
    told = report_screen([{**result, "missing_labels": labels}], {})
    assert told["amiss"] == []
    assert told["lines"] == [
        "INC-1 (reenabled, closed): nothing new to write",
        "INC-1: not translated, so in English: label0, label1, label2, label3, label4 and 2 more",
    ]


def test_a_moment_that_could_not_be_read_is_said_and_is_nothing_amiss() -> None:
    result = {"item": "INC-1", "found": True, "files": [], "state": "open", "unread": ["2026-12-01 03:04 -03:00"]}
    told = report_screen([result], {})
    assert told["amiss"] == []
    assert "INC-1: when it was detected could not be read in words.md" in told["lines"][1]
    assert told["lines"][1].endswith("like 2026-12-01 03:04 -03:00")
    assert len(report_screen([{**result, "unread": []}], {})["lines"]) == 1
