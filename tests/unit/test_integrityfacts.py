# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several databases, replicas and silent hosts: what they know together is never more than what was seen."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, Finding, summary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityfacts import integrity_facts

Answer = dict[str, Any]


def answer(cluster: str = "7/1", writable: bool = True, **counts: int | str | None) -> Answer:
    """Return what a host answers: a count for each check, None for one that timed out, a word for not applicable.

    A check whose name begins with a severity has that one, and tolerates 1.
    """
    findings = []
    for name, count in counts.items():
        severity = name.partition("_")[0]
        mild = severity in ("high", "low")
        found = Finding(Check(name, "orphan", "Tags", severity=severity if mild else "critical", tolerate=int(mild)))
        if isinstance(count, int):
            found.count = count
            found.judge()
        else:
            found.status, found.why = ("timeout", "too slow") if count is None else ("not_applicable", count)
        findings.append(found)
    return {**summary(findings), "database": {"cluster": cluster, "writable": writable}}


def test_independent_databases_are_summed_up() -> None:
    facts = integrity_facts(["db1", "db2"], [answer("7/1", a=1, b=0), answer("8/1", a=2, b=0)])
    assert facts == {"status": "corrupt", "counts": {"a": 3, "b": 0}, "noted": {}, "not_applicable": [], "why": ""}
    assert integrity_facts(["db1"], [answer(a=0)])["status"] == "ok"


def test_why_a_host_gave_no_answer_is_said_shortly() -> None:
    refused: Answer = {"failed": True, "msg": "No entry. It matters. Do this.", "error": {"what": "No entry."}}
    assert integrity_facts(["db1"], [refused])["why"] == "db1: No entry."


def test_a_replica_counts_once_and_its_primary_goes_first() -> None:
    primary, replica = answer(a=3), answer(writable=False, a=2)
    for answers in ([primary, replica], [replica, primary]):
        assert integrity_facts(["db1", "db2"], answers)["counts"] == {"a": 3}
    assert integrity_facts(["db2"], [replica])["counts"] == {"a": 2}


def test_who_gave_no_answer_makes_it_unknown_and_is_named() -> None:
    down: Answer = {"unreachable": True, "msg": "Connection\ntimed out"}
    for silent in (down, {}, None):
        facts = integrity_facts(["db1", "db2"], [answer(a=0), silent])  # type: ignore[list-item]
        assert facts["status"] == "unknown"
        assert facts["why"].startswith("db2: ")
        assert "\n" not in facts["why"]
        assert integrity_facts(["db1", "db2"], [answer(a=1), silent])["status"] == "corrupt"  # type: ignore[list-item]
    assert integrity_facts(["db1", "db2"], [answer(a=0)])["status"] == "unknown"
    assert integrity_facts([], [])["status"] == "unknown"


def test_a_check_without_a_count_makes_it_unknown_and_one_that_does_not_apply_is_named() -> None:
    facts = integrity_facts(["db1"], [answer(a=0, b=None, c="no table")])
    assert (facts["status"], facts["counts"], facts["why"]) == ("unknown", {"a": 0}, "db1: b: too slow")
    assert facts["not_applicable"] == ["c"]
    assert integrity_facts(["db1"], [answer(a=0, c="no table")])["status"] == "ok"
    assert integrity_facts(["db1"], [answer(c="no table")])["status"] == "unknown"


def test_only_what_is_critical_decides_and_the_rest_is_noted() -> None:
    facts = integrity_facts(
        ["db1", "db2"], [answer(a=0, high_x=3, low_y=1), answer("8/1", a=0, high_x=4, low_z="none")]
    )
    assert facts == {"status": "ok", "counts": {"a": 0}, "noted": {"high_x": 7}, "not_applicable": ["low_z"], "why": ""}
    corrupt = integrity_facts(["db1"], [answer(a=1, high_x=3)])
    assert (corrupt["status"], corrupt["counts"], corrupt["noted"]) == ("corrupt", {"a": 1}, {"high_x": 3})
    # A check that ran out of time holds nobody up, but does not pass as good either.
    for answers in (
        [answer(a=0, high_x=None), answer("8/1", a=0, high_x=4)],
        [answer(a=0, high_x=4), answer("8/1", a=0, high_x=None)],
    ):
        slow = integrity_facts(["db1", "db2"], answers)
        assert (slow["status"], slow["noted"], slow["why"]) == ("ok", {"high_x": None}, "")
    # Nothing that decides was counted.
    assert integrity_facts(["db1"], [answer(high_x=0)])["status"] == "unknown"


def test_a_table_of_the_profile_that_is_not_there_is_a_doubt_and_one_that_it_leads_to_is_another_schema() -> None:
    for wanted, severity, status in (
        ("Tags", "critical", "unknown"),
        ("Lanes", "critical", "ok"),
        ("Tags", "low", "ok"),
    ):
        found = Finding(Check("a", "orphan", "Tags", severity=severity))
        found.fail(BadInput("missing_table", f"There is no table {wanted!r}.", "", "", wanted=wanted))
        given = answer(b=0)
        given["checks"].append(found.as_result())
        facts = integrity_facts(["db1"], [given])
        assert (facts["status"], "no table 'Tags'" in facts["why"]) == (status, status == "unknown")
        assert facts["not_applicable"] == ([] if status == "unknown" else ["a"])
