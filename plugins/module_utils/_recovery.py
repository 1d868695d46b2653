# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair of all databases together: its plan, whether it may be done, and whether the data is sound afterwards.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._approver import override_of, why_not_approved
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import DECIDES, is_lacking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import lost_rows

# What ``kanban_recovery`` may say.
RECOVERIES = ("surgical", "restore", "undo", "none")
# What a plan lacks only because it is not the stop itself: a run in check mode raises no fence and opens no incident.
OF_A_PLAN = ("fence_draining", "no_open_incident", "no_passage", "not_fenced")


def plan_of_all(answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the plan of all databases: ``hash`` (empty if there is nothing to approve), ``rows`` and ``refused``.

    If one database has something to repair, or rows of a backup that stay away, it is that one's own hash; if several
    have, it is made of theirs, so an approval covers all of them or none. Two hosts that lead to one database count
    once; if their plans differ, that is refused.

    :param answers: as ``integrity_repair`` gives them in check mode; one without a plan has nothing to approve.
    """
    made = _made(answers)
    own = sorted(made)
    whole = own[0][1] if own else ""
    if len(own) > 1:
        whole = hashlib.sha256(json.dumps(own, separators=(",", ":")).encode()).hexdigest()
    refused = [reason["what"] for answer in answers for reason in (answer or {}).get("plan", {}).get("refused", [])]
    return {"hash": whole, "rows": sum(made.values()), "refused": [*differing(answers), *refused]}


def differing(answers: Sequence[Answer]) -> list[str]:
    """Return one reason for each database that hosts made different plans of: each would apply its own.

    :param answers: as ``plan_of_all`` takes them.
    """
    clusters = [cluster for cluster, _made_of in _made(answers)]
    names = {
        str(answer["database"]["cluster"]): answer["database"].get("name")
        for answer in answers
        if "plan" in (answer or {})
    }
    return [
        f"hosts of the inventory lead to one database ({names[cluster] or cluster}) and made different plans of it: "
        "keep one of them, or give them the same checks and tables, then plan again"
        for cluster in sorted(set(clusters))
        if clusters.count(cluster) > 1
    ]


def _made(answers: Sequence[Answer]) -> dict[tuple[str, str], int]:
    """Return how many rows there are to repair, by cluster and hash of each plan that there is to approve."""
    return {
        (str(answer["database"]["cluster"]), answer["plan_hash"]): answer["plan"]["total_rows"]
        for answer in answers
        if "plan" in (answer or {}) and (answer["plan"]["total_rows"] or lost_rows(answer["plan"]))
    }


def plan_document(answer: Answer) -> dict[str, Any]:
    """Return what is kept of one database's plan in a file: all of it, for a person and for a program."""
    if "plan" not in answer:
        return {"why_not": why_not(answer)}
    names = ("plan_hash", "plan", "fenced", "database", "incident_id")
    # A restore's plan has a source; a repair's comes from the data itself.
    compared = {"source": answer["source"]} if "source" in answer else {}
    return {**{name: answer.get(name) for name in names}, **compared}


def why_not_to_recover(
    plan: Mapping[str, Any],
    given: str,
    approved_by: str,
    operator: str,
    break_glass: Mapping[str, Any],
    dumped: bool,
    recovery: str = "surgical",
    silence: str = "",
) -> list[str]:
    """Return what speaks against applying a plan, or against undoing a repair; empty if nothing does.

    :param plan: as ``plan_of_all`` gives it; ``given``: the hash that was approved. An undo and a plan that repairs
        nothing have none.
    :param break_glass: ``kanban_break_glass``; ``approval`` lets the operator approve, ``dump`` does without a dump.
    :param dumped: whether the tables are in a proven dump, or were left out of one on purpose.
    :param recovery: ``kanban_recovery``. A word that is none of those is not a wish to repair, whatever else is right.
    :param silence: why nobody is known to have approved, if that is not for a person to type.
    """
    undo = recovery == "undo"
    if recovery not in RECOVERIES:
        return [f"kanban_recovery is {one_line(str(recovery))}, and may be {', '.join(RECOVERIES)}: correct the word"]
    override, found = override_of(break_glass)
    waived = override.get("what") or []
    if waived and not str(override.get("reason") or "").strip():
        found.append("kanban_break_glass has no reason, and an override without one is none")
    if undo:
        pass
    elif not given:
        # If there is nothing to repair there is no hash, and that is what was approved.
        found += ["kanban_plan_hash is not given: look at the plan first"] if plan["hash"] else []
    elif plan["hash"] and given != plan["hash"]:
        found.append(f"the plan is {plan['hash']} by now, and {one_line(given)} was approved: look at it again")
    found += why_not_approved(approved_by, operator, override, silence)
    if not undo:
        # All or nothing: a database that refused later would leave the others repaired.
        found += [f"the plan could not be applied: {one_line(text)}" for text in plan.get("refused") or []]
    if not undo and not dumped and "dump" not in waived:
        found.append(
            "no proven dump of the tables is there, so nothing would be left to compare with: mend it, or "
            "-e '{kanban_break_glass: {what: [dump], reason: ...}}'"
        )
    return found


def data_judgement(
    checks: Answer,
    point: Answer,
    plan: Answer,
    fenced: bool = True,
    dumped: bool = True,
    restored: Answer | None = None,
    dump: Answer | None = None,
    approved: bool = False,
) -> dict[str, Any]:
    """Return whether one database's data is sound: ``passed``, ``why`` (what is not), ``noted`` and the figures.

    Critical checks, and those that a plan mends, must count no more than they tolerate; what others find is left to a
    person, and is noted. Every row of the dump must be accounted for, and nobody may have written past the fence. What
    could not be measured does not pass either, but is not known to be bad: it is in ``unmeasured``, not in ``why``.

    :param checks: as ``integrity_info`` gives them; ``point`` as ``recovery_point_info``; ``plan`` as
        ``integrity_repair``, which says what is mended.
    :param fenced: whether there should be a fence; ``dumped``: whether there should be a dump.
    :param restored: as ``pg_restore_tables`` gives it, if rows were to come back: no check finds rows that are gone.
    :param dump: as ``pg_dump`` gives it; if none was made, nothing was asked about its rows, and ``point`` is empty.
    :param approved: whether a plan was approved, and with it which rows of the backup stay away.
    """
    why: list[str] = []
    if restored is not None and (restored.get("failed") or "plan" not in restored):
        why.append(f"what was to come back from the backup did not: {why_not(restored)}")
    unmeasured: list[str] = []
    noted: list[str] = []
    for table, rows in lost_rows((restored or {}).get("plan") or plan.get("plan", {})).items():
        text = f"{table}: {rows:,} rows of the backup are gone and nothing brings them back"
        (noted if approved else unmeasured).append(text if approved else f"{text}, which nobody has approved")
    looked = plan.get("plan", {}).get("checks", [])
    mended = {row["name"] for row in looked if row["action"] != "none"}
    counted = {row["name"] for row in looked if row["count"] is not None}
    if "plan" not in plan:
        unmeasured.append(f"there is no plan, so nobody knows what was to be mended: {why_not(plan)}")
    if "checks" not in checks:
        unmeasured.append(f"the checks did not count: {why_not(checks)}")
    for check in checks.get("checks", []):
        if check["status"] == "not_applicable" and check["name"] in counted:
            unmeasured.append(f"{one_line(check['name'])}: it does not apply any more: {one_line(check['why'])}")
        if check["status"] == "ok" or is_lacking(check):
            continue
        uncounted = check["count"] is None
        told = one_line(check["why"] if uncounted else f"counts {check['count']:,}")
        text = f"{one_line(check['name'])}: {told}"
        decides = check["severity"] == DECIDES or check["name"] in mended
        (noted if not decides else unmeasured if uncounted else why).append(text)
    nothing_ok = checks.get("checks") and not any(check["status"] == "ok" for check in checks["checks"])
    if nothing_ok and not why and not unmeasured:
        unmeasured.append("no check applies to this schema")
    of_point = _of_point(point, fenced, dumped, dump)
    why, unmeasured, noted = why + of_point[0], unmeasured + of_point[1], noted + of_point[2]
    counts = {name: count for name, count in checks.get("counts", {}).items() if count}
    return {
        "passed": not why and not unmeasured,
        "why": [one_line(text) for text in why],
        "unmeasured": [one_line(text) for text in unmeasured],
        "noted": [one_line(text) for text in noted],
        "counts": counts,
        "checked": len(checks.get("counts", {})),
        "tables": [_figures(table) for table in point.get("tables", [])],
        "writes": point.get("recovery_point", {}).get("writes"),
    }


def _of_point(point: Answer, fenced: bool, dumped: bool, dump: Answer | None) -> tuple[list[str], list[str], list[str]]:
    """Return what is not sound, what was not measured, and what is noted."""
    why: list[str] = []
    unmeasured: list[str] = []
    noted: list[str] = []
    if not fenced or not dumped:
        lacks = "dump" if fenced else "fence"
        return [], [], [f"rows and writes since the stop were not compared: there is no {lacks}"]
    if dump is not None and not dump.get("dest"):
        return [], [f"rows were not compared with the dump, for there is none: {why_not(dump)}"], []
    if "recovery_point" not in point:
        return [], [f"rows were not compared with the dump: {why_not(point)}"], []
    measured = point["recovery_point"]
    if not measured["measured"]:
        unmeasured.append(f"writes since the fence are not measured: {measured['why']}")
    elif measured["writes"]:
        why.append(f"{measured['writes']:,} writes were accepted since the fence")
    for table in point["tables"]:
        if not table["accounted"]:
            reason = f": {table['why']}" if table.get("why") else ""
            compared = table.get("compared_by") and None not in (table.get("rows_then"), table.get("rows_now"))
            if compared:
                why.append(f"not every row of {table['name']} is accounted for{reason}")
            else:
                unmeasured.append(f"the rows of {table['name']} were not compared with the dump{reason}")
        if table.get("reported_late"):
            noted.append(
                f"{table['name']}: {table['reported_late']:,} deletions stand in the server's counters alone: reported "
                "late from before the fence, rolled back, or by hand of a role that it lets pass (nobody has touched "
                "the fence since its drain)"
            )
    return why, unmeasured, noted


def _figures(table: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "rows_then", "rows_now", "quarantined", "restored", "new", "gone", "changed", "accounted")
    # What the rows contain is private; the key is enough to find them.
    keyed = table.get("compared_by") == "key"
    samples = [
        {"what": row["what"], "key": row.get("key") if keyed else None} for row in (table.get("samples") or [])[:SHOWN]
    ]
    return {**{name: table.get(name) for name in names}, "samples": samples}
