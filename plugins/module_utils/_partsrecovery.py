# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of scenario 3 after the stop: what is corrupt and the plan, and the repair. Pure.

They are judged for the primaries that answered: a silent host, or a replica of a silent primary, was counted by then,
and there is nothing to repair on a replica.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import DECIDES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, PRESERVE, RECOVER, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrestore import conflict_lines, restored_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import OF_A_PLAN, differing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

APPROVER = "'<who has looked at it>'"
# Error codes after which its one transaction may nevertheless have been committed.
_MAY_BE_DONE = ("lost_connection", "job_lost", "no_job", "unreadable_job")
# What is done, by ``kanban_recovery``, and what the data is not if that failed.
_WORDS = {
    "surgical": ("repair", "repaired"),
    "restore": ("restore", "restored"),
    "undo": ("undo", "as before the repair"),
}


def assessment_part(
    names: Sequence[str],
    counted: Sequence[Answer],
    planned: Sequence[Answer],
    whole: Mapping[str, Any],
    arguments: Sequence[str],
    check_mode: bool = False,
    recovers: bool = True,
    file: str = "",
    undo: bool = False,
) -> dict[str, Any]:
    """Judge the assessment: what is corrupt, and what a repair would do.

    :param counted: as ``integrity_info`` gives them; ``planned`` as ``integrity_repair`` in check mode.
    :param whole: the plan of all, as ``plan_of_all`` gives it; ``arguments``: what a line to type needs.
    :param recovers: whether this run goes on to apply it. A stop is complete without: what is not assessed is
        reported, and how to apply the plan.
    :param undo: whether an undo follows, after which what was counted here no longer holds.
    :param file: where the whole plan is on the controller.
    """
    part, corrupt = Part(PRESERVE, "the data is assessed"), False
    for name, checks, plan in together(names, counted, planned):
        if "checks" not in checks:
            part.bad.append(f"the data on {name} is not assessed")
            part.lines.append(why_line(f"{name}: data NOT ASSESSED", checks))
        else:
            corrupt = corrupt or checks["corrupt"]
            part.lines += [f"{name}: {line}" for line in check_lines(checks)]
        if "plan" in plan:
            part.lines += [f"{name}: {line}" for line in (*_plan_lines(plan), *_not_in_plan(checks, plan))]
            # If nothing is to be repaired, nothing is in the way of it, except checks that did not count.
            hard = [
                reason
                for reason in plan["plan"]["refused"]
                if reason["code"] == "not_known"
                or (plan["plan"]["total_rows"] and (reason["code"] not in OF_A_PLAN or not check_mode))
            ]
            part.bad += [f"the plan on {name} could not be applied: {one_line(reason['what'])}" for reason in hard]
        elif "checks" in checks:
            part.bad.append(f"there is no plan for {name}")
            part.lines.append(why_line(f"{name}: plan NOT MADE", plan))
    part.bad += [f"the plan could not be applied: {one_line(text)}" for text in differing(planned)]
    if not names:
        part.bad.append("no data is assessed, for no primary answered")
    if corrupt or whole["rows"]:
        part.kind = RECOVER
    if whole["rows"]:
        part.good = f"the plan would repair {whole['rows']:,} rows"
        part.lines.append(f"Plan {whole['hash']}" + (f", in full in {file} on the controller" if file else ""))
        if not recovers and not part.bad and not check_mode:
            part.next += _to_apply(whole["hash"], arguments)
    elif not part.bad:
        part.good = "the checks found nothing that is repaired" if corrupt else "the checks found nothing corrupt"
    if undo:
        part.good = ""
    return part.as_result() if recovers else said(part)


def said(part: Part) -> dict[str, Any]:
    """Return a part whose failure does not fail the run: it says what is missing, and claims nothing."""
    if part.bad:
        part.lines = [*(one_line(f"Before anything is repaired or released: {text}") for text in part.bad), *part.lines]
        part.bad, part.good = [], ""
    return part.as_result()


def _to_apply(made: str, arguments: Sequence[str]) -> list[str]:
    command = command_of("scenario3", [*arguments, "-e", "kanban_recovery=surgical", "-e", f"kanban_plan_hash={made}"])
    return [
        "Next: let somebody else look at the plan. What it takes away is kept, and kanban_recovery=undo brings it "
        "back. To apply it:",
        f"{command} -e kanban_approved_by={APPROVER}",
    ]


def check_lines(checks: Answer) -> Iterator[str]:
    """Yield what the checks counted on one database."""
    lacking = checks.get("not_applicable") or []
    yield f"{len(checks['counts'])} checks counted in {checks['elapsed_ms'] / 1000:.1f} s" + (
        f"; {len(lacking)} do not apply here: {one_line(', '.join(lacking))}" if lacking else ""
    )
    for check in checks["checks"]:
        if check["status"] == "corrupt":
            yield _corrupt_line(check)
        elif check["status"] not in ("ok", "not_applicable"):
            yield f"{one_line(check['name'])} ({check['severity']}) NOT COUNTED: {one_line(check['why'])}"


def _corrupt_line(check: Answer) -> str:
    line = f"{one_line(check['name'])} ({check['severity']}): {check['count']:,} rows"
    if check.get("affected_tenants") is not None:
        line += f" of {check['affected_tenants']:,} tenants"
    if check.get("first_at"):
        line += f", {check['first_at']} to {check.get('last_at') or check['first_at']}"
    samples = [sample_line(sample) for sample in check.get("samples", [])[:SHOWN]]
    return line + (f"; for instance {'; '.join(samples)}" if samples else "")


def sample_line(sample: Mapping[str, Any]) -> str:
    return one_line(", ".join(f"{name} {value}" for name, value in sample.items()))


def _plan_lines(answer: Answer) -> Iterator[str]:
    plan = answer["plan"]
    # Several foreign keys may touch a table for one check; each of them has a figure of its own.
    for row in plan["parts"]:
        along = f", by {one_line(row['via'])} ({row['effect']})" if row["via"] else ""
        what = one_line(row["action"].replace("_", " "))
        yield f"plan for {one_line(row['check'])}: {what} {row['rows']:,} rows of {one_line(row['table'])}{along}"
    for table in plan["tables"]:
        touched = f"{table['touched']:,} of {table['rows']:,} rows"
        yield f"plan: {touched} of {one_line(table['table'])} ({table['fraction']:.2%})"
    if plan["total_rows"]:
        yield f"plan: about {plan['estimate_seconds']:.0f} s"
    yield from warnings_of(answer)


def _not_in_plan(checks: Answer, answer: Answer) -> Iterator[str]:
    """Yield the rows that stay corrupt whatever is applied, so that the data will not pass."""
    none = {check["name"] for check in answer["plan"]["checks"] if check["action"] == "none"}
    for check in checks.get("checks", []):
        if check["severity"] == DECIDES and check["status"] == "corrupt" and check["name"] in none:
            yield (
                f"NOT IN THE PLAN: {check['count']:,} rows of {one_line(check['name'])}, with which the data is not "
                "validated: give that check a repair in kanban_integrity_checks, or mend them by hand"
            )


def recovery_part(
    names: Sequence[str],
    answers: Sequence[Answer],
    why_nots: Sequence[str],
    what: str,
    rows: int,
    arguments: Sequence[str],
    plan: bool = False,
    again: Sequence[str] = (),
) -> dict[str, Any]:
    """Judge the repair, or its undo, or the restore.

    :param answers: as ``integrity_repair`` gives them, or ``pg_restore_tables``; ``why_nots``: reasons against doing it
        anywhere.
    :param what: surgical, restore, undo or none; ``rows``: how many the plan of all has.
    :param again: what a line to type needs that compares again.
    """
    part, done, undo = Part(RECOVER, ""), 0, what == "undo"
    if what == "none":
        part.kind = NOTHING
        return part.as_result()
    # A misspelt word is among the reasons against it.
    work, worked = _WORDS["restore" if what == "restore" else "surgical"]
    noun, state = _WORDS.get(what, (work, worked))
    if why_nots:
        part.bad.append(f"the {work} was not done: " + "; ".join(why_nots))
        part.lines += [with_page(f"Not {worked}: {one_line(text)}", "recovery_refused") for text in why_nots]
        return part.as_result()
    for name, answer in together(names, answers):
        if answer.get("failed") or ("undone" if undo else "plan") not in answer:
            part.bad.append(f"the data on {name} is not {state}")
            # It may still be at work on the host, and then the next run finds it done.
            code = (answer.get("error") or {}).get("code")
            lost = answer.get("unreachable") or "timedout" in answer or code in _MAY_BE_DONE
            how = "NOT KNOWN to be done, the same command tells" if lost else "NOT DONE"
            part.lines.append(why_line(f"{name}: {noun} {how}", answer))
            part.lines += [f"{name}: in the way: {_conflict(row)}" for row in answer.get("conflicts", [])[:SHOWN]]
            part.lines += [f"{name}: {line}" for line in conflict_lines(answer)]
        else:
            done += 1
            told = {"restore": restored_lines, "undo": _undone}.get(what, _repaired)
            part.lines += [f"{name}: {line}" for line in told(answer, plan)]
            # Looking at it does not fail, but what it would lead to does.
            if undo and answer.get("conflicts_count"):
                part.bad.append(f"{answer['conflicts_count']:,} rows on {name} cannot come back")
            if undo and plan:
                # Not those about a fence that only the stop itself would raise.
                hard = [reason for reason in answer.get("refused", []) if reason["code"] not in OF_A_PLAN]
                part.bad += [f"the undo on {name} could not be done: {one_line(reason['what'])}" for reason in hard]
    if again and any(answer and answer.get("in_conflict") for answer in answers):
        part.next += [
            "Next: look at the rows that are in the way. This leaves them out, and shows the plan for that:",
            command_of("scenario3", [*again, "-e", "kanban_restore_conflicts=skip"]),
        ]
    if not done and not part.bad:
        part.bad.append(f"nothing was {worked}, for no primary answered")
    changed = [answer for answer in answers if answer and answer.get("changed")]
    part.good = _good(changed, what, rows, plan)
    if changed and not plan:
        part.next += _after(changed, what, arguments)
    return part.as_result()


def _good(changed: Sequence[Answer], what: str, rows: int, plan: bool) -> str:
    if what == "undo":
        return "the repair is undone" if changed else "no repair was there to undo"
    if not changed:
        return "nothing to bring back" if what == "restore" else "nothing to repair"
    kept = sum(int(answer.get("quarantined") or 0) for answer in changed)
    if what == "restore":
        return f"{kept or rows:,} rows {'would come' if plan else 'came'} back"
    return f"{kept or rows:,} rows {'would be ' if plan else ''}repaired"


def _after(changed: Sequence[Answer], what: str, arguments: Sequence[str]) -> list[str]:
    """Return what is left to type when it is done."""
    if what == "undo":
        return [
            "Next: what the repair had mended is corrupt again. This assesses it anew, and shows the plan:",
            command_of("scenario3", arguments),
        ]
    undone = command_of("scenario3", [*arguments, "-e", "kanban_recovery=undo"])
    if what == "surgical":
        return ["To bring back what the repair took away:", f"{undone} -e kanban_approved_by={APPROVER}"]
    checks = [check for answer in changed for check in answer["plan"]["checks"]]
    left = [check for check in checks if (check["remaining"] or 0) > check["tolerate"]]
    names = ", ".join(dict.fromkeys(one_line(check["name"]) for check in left))
    more = [
        f"Next: what the checks still find ({names}) is no matter of the backup. This plans its repair:",
        command_of("scenario3", arguments),
    ]
    away = ["To take away again what came back:", f"{undone} -e kanban_approved_by={APPROVER}"]
    return [*(more if left else []), *away]


def _conflict(row: Mapping[str, Any]) -> str:
    # What the row holds is people's own, and others may keep this screen.
    return one_line(f"{row['table']}: {row['why']}")


def _repaired(answer: Answer, plan: bool) -> Iterator[str]:
    if not answer.get("changed"):
        yield "nothing to repair"
        return
    would = "would be" if plan else "are"
    yield (
        f"{answer['plan']['total_rows']:,} rows {would} repaired"
        + (f" and kept in quarantine as repair {answer['repair_id']}" if not plan else "")
        + f" in {answer['elapsed_ms'] / 1000:.1f} s"
    )
    for check in answer["plan"]["checks"]:
        if check["count"] and check["remaining"] is not None and check["action"] != "none":
            yield f"{one_line(check['name'])}: {check['count']:,} found, {check['remaining']:,} remaining"


def _undone(answer: Answer, plan: bool) -> Iterator[str]:
    if not answer["undone"]:
        yield "no repair of this incident is there to undo"
    for table in answer.get("tables", []):
        would = "would come back" if plan else "came back"
        again = f", and {table['inserted']:,} that a restore put there {'would go' if plan else 'went'}"
        yield (
            f"repair {table['repair_id']}: {table['deleted']:,} deleted and {table['changed']:,} changed rows of "
            f"{one_line(table['table'])} {would}" + (again if table.get("inserted") else "")
        )
    for row in answer.get("conflicts", [])[:SHOWN]:
        yield f"in the way: {_conflict(row)}"
    yield from warnings_of(answer)
