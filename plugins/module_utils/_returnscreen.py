# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last screen of a return in stages: who has it back, stage by stage, what failed, what to type next.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import clock
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._return import TEST
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._returnjudge import stage_switched, who_lacks
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import WHOLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of, extra_vars

Result = Mapping[str, Any]


def return_screen(
    plan: Mapping[str, Any],
    results: Sequence[Result],
    counts: Mapping[str, Answer],
    *,
    mode: str,
    seconds: Mapping[str, float],
    check_mode: bool = False,
    ending: Sequence[str] = (),
    closed: bool = False,
    environment: str = "",
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """Return ``verdict`` (restored, degraded, failed), ``failed``, ``headline``, ``incident_id`` and ``lines``.

    :param plan: the result of return_plan(); ``results``: a map for each stage that was worked on, see the role.
    :param counts: for each host that acts, the plan of putting everybody back: who had it, and who of them is on.
    :param seconds: how long a ``test`` and a ``stage`` are watched.
    :param ending: what went wrong after everybody was back, when lowering the latch or closing the incident.
    :param closed: whether the incident was to be closed when everybody has it back.
    :param arguments: the arguments of a command to type, for instance ``["-i", "production"]``.
    """
    incident_id = one_line(plan.get("incident_id") or "")
    stop = [*arguments, "-e", f"kanban_incident_id={incident_id}"] if incident_id else list(arguments)
    tried = next((str(one["stage"]["tenant"]) for one in results if one["stage"].get("tenant")), "")
    named = [*stop, *extra_vars({"kanban_test_tenant": tried})]
    again = command_of("reenable", [*named, "-e", f"kanban_reenable={mode}"])
    about = f"Incident {incident_id or 'not known'}" + (f", environment {environment}" if environment else "")
    if plan["why"]:
        todo = list(_writes(plan, named)) or ["Next: mend what is named above and type the same command again."]
        start = "REFUSED: nobody was switched, and nothing was changed."
        lines = [with_page(start, "return_refused"), about, *plan["why"], *plan["notes"], *todo]
        return _made("failed", start, incident_id, lines)
    everybody = stage_switched(counts, {})
    known = counts and not everybody["bad"]
    back = f"{everybody['back']:,} of {everybody['had_it']:,}" if known else "an unknown number of"
    told = [line for result in results for line in _stage(result, seconds, check_mode)]
    told += _left_on(plan, results)
    before = [f"{one_line(row['name'])}: passed before, at {one_line(row['at'])}." for row in plan["passed"]]
    stopped = next((one for one in results if not one["passed"]), None)
    if check_mode:
        coming = [one["stage"]["name"] for one in results]
        wrong = [text for one in results for text in one["switched"]["bad"]]
        start = f"PLAN, nothing was changed: {', then '.join(coming)} would come; {back} tenants have Kanban V2."
        start = start if coming else f"PLAN, nothing was changed: nothing is left to do; {back} tenants have Kanban V2."
        next_lines = ["Next: the same command without --check."]
        lines = [start, *(f"NOT WELL: {text}." for text in wrong), about, *plan["notes"], *before, *told, *next_lines]
        return _made("failed" if wrong else "restored", start, incident_id, lines)
    start = f"RETURNED {back} tenants that had Kanban V2."
    # Until the last stage has passed, those of the next ones lack it, and of a test nothing is claimed about others.
    lacking = None if stopped or mode == TEST else who_lacks(counts)
    if stopped:
        start += f" STOPPED: {one_line(stopped['stage']['name'])} did not pass."
    elif lacking and lacking["number"]:
        start += f" NOT WHOLE: {lacking['number']:,} that had it {'is' if lacking['number'] == 1 else 'are'} off."
    bad = [*(_stopped(stopped) if stopped else []), *everybody["bad"], *map(one_line, ending)]
    bad += lacking["lines"] if lacking else []
    noted = [line for line in everybody["lines"] if line not in told]
    lines = [start, *(f"NOT WELL: {text}." for text in bad), about, *before, *told, *noted, *plan["notes"]]
    if lacking and lacking["number"]:
        lines += _next_for_lacking(lacking, again, stop)
    else:
        lines += _next(stopped, mode, again, named, stop, bad, closed)
    return _made("degraded" if bad or stopped else "restored", start, incident_id, lines)


def _still_on(stopped: Result) -> list[str]:
    """Return the names of the stages that are not known to be off again: this one, and any that was not ended."""
    tried = [stopped, *stopped.get("unended", [])]
    return [one_line(one["stage"]["name"]) for one in tried if one.get("withdrawn") and not one["withdrawn"]["holds"]]


def _stopped(stopped: Result) -> Iterator[str]:
    """Yield what is wrong with the stage that did not pass, first of all that its tenants may still be on."""
    if _still_on(stopped):
        yield f"the tenants of {' and '.join(_still_on(stopped))} are NOT KNOWN to be off again"
    yield from stopped["bad"]


def _left_on(plan: Mapping[str, Any], results: Sequence[Result]) -> Iterator[str]:
    """Yield what earlier runs have begun that this one has neither watched nor switched off again."""
    seen = {one["stage"]["name"] for result in results for one in (result, *result.get("unended", []))}
    for name in (str(stage["name"]) for stage in plan.get("unended", []) if stage["name"] not in seen):
        how = "the same command with kanban_reenable=staged" if name.startswith("stage") else "its own command"
        what = "was begun and not ended, so its tenants may be on without a watch"
        yield f"{one_line(name)}: {what}; {how} goes on with it."


def _made(word: str, headline: str, incident_id: str, lines: Sequence[str]) -> dict[str, Any]:
    failed = word in ("degraded", "failed")
    return {"verdict": word, "failed": failed, "headline": headline, "incident_id": incident_id, "lines": list(lines)}


def _writes(plan: Mapping[str, Any], named: Sequence[str]) -> Iterator[str]:
    """Yield what to type if Kanban's writes are refused."""
    if plan["writes"]:
        yield "Next: once the data is validated, this lowers fence and block and walks through the application:"
        yield command_of("release", named)


def _stage(result: Result, seconds: Mapping[str, float], check_mode: bool) -> Iterator[str]:
    """Yield the outcome of one stage."""
    stage, switched = result["stage"], result["switched"]
    name = one_line(stage["name"])
    tenants = f"{switched['tenants']:,} tenant{'' if switched['tenants'] == 1 else 's'}"
    of = f" of {switched['had_it']:,}" if switched["had_it"] else ""
    watched = clock(seconds[TEST if stage.get("tenant") else "stage"])
    if check_mode:
        yield f"{name}: {tenants}{of}, {switched['switched']:,} would be switched on, and watched for {watched}."
    else:
        again = f" (again, for {'it was off' if stage.get('tenant') else 'somebody lacked it'})"
        gone_on = " (gone on with)" if stage["begun"] else again if "again" in stage else ""
        word = "PASSED" if result["passed"] else "DID NOT PASS"
        yield f"{name}{gone_on}: {word}; {tenants}{of}, {switched['switched']:,} switched on by this run."
    yield from switched["lines"]
    yield from result["lines"]
    for one in (result, *result.get("unended", [])):
        withdrawn, own = one.get("withdrawn"), one is result
        if withdrawn and withdrawn["holds"]:
            which = name if own else f"{one_line(one['stage']['name'])}, which was begun and not ended"
            again = "off again" if own else "off again, too"
            yield f"{which}: its tenants are {again} ({withdrawn['off']:,} were switched off)."
        yield from withdrawn["lines"] if withdrawn else ()


def _next(
    stopped: Result | None,
    mode: str,
    again: str,
    named: Sequence[str],
    stop: Sequence[str],
    bad: Sequence[str],
    closed: bool,
) -> Iterator[str]:
    if stopped and _still_on(stopped):
        yield "Next: switch everybody off, unless another run that is at work has taken this stage over:"
        yield command_of("scenario1", stop)
    elif stopped:
        yield "Next: mend what is named above. This begins that stage anew; those before it stay as they are:"
        yield again
        yield "If V2 hurts those who have it as well, this switches everybody off:"
        yield command_of("scenario1", stop)
    elif bad:
        yield "Next: mend what is named above and type the same command again; what is done stays done."
    elif mode == TEST:
        yield "Next: everybody who had it, stage by stage:"
        yield command_of("reenable", [*named, "-e", "kanban_reenable=staged"])
    elif closed:
        yield "The incident is closed. It is safe to close this terminal."
    else:
        yield "Everybody has it back and the latch is down. When the incident is over, close it:"
        yield command_of("reenable", [*named, "-e", "kanban_reenable=staged", *extra_vars({"kanban_close": "true"})])


def _next_for_lacking(lacking: Mapping[str, Any], again: str, stop: Sequence[str]) -> Iterator[str]:
    """Yield what to type for tenants that had it and are off although the last stage has passed."""
    if lacking["unreturned"]:
        yield "Next: the same command again. It gives it back to those who were switched off here and watches them:"
        yield again
    if lacking["unreturned"] < lacking["number"]:
        yield "Next: ask who switched them off after they had it back. This gives it to one of them, who is watched:"
        one = (lacking["names"] or ["<id of a tenant>"])[0]
        yield command_of("reenable", [*stop, "-e", f"kanban_reenable={TEST}", *extra_vars({"kanban_test_tenant": one})])
        yield "If all of them are to stay off, this closes the incident, and ends its latch, when it is over:"
        yield command_of("report", [*stop, *extra_vars({"kanban_close": "true"})])


def is_whole(plan: Mapping[str, Any], results: Sequence[Result], counts: Mapping[str, Answer]) -> bool:
    """Return whether everybody has it back, so that nobody has to be held off any more.

    The last stage has passed, now or before, and nobody has lost it since for no reason that is known.
    """
    passed = [one["stage"] for one in results if one["passed"]] + list(plan["passed"])
    if plan["why"] or not all(one["passed"] for one in results) or stage_switched(counts, {})["bad"]:
        return False
    return any(stage.get("share") == WHOLE for stage in passed) and not who_lacks(counts)["number"]
