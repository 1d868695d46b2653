# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last screen of release.yml: what worked, what failed, what to type. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import merged
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import RELEASE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

_AGAIN = "Next: mend what is named above and type the same command again; it goes on where this one stopped."
_COMPANY = "'<id of a company>'"
_OPEN = "Kanban's writes are let through again, so people work on V1; Kanban V2 stays off."


def release_screen(
    decision: Mapping[str, Any],
    outcome: Mapping[str, Any],
    given: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
    *,
    seconds: float,
    operator: str = "",
    reason: str = "",
    environment: str = "",
    unrecorded: Sequence[str] = (),
    lease_left: Mapping[str, str] | None = None,
    lease_seconds: float = 0,
    check_mode: bool = False,
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """Return ``verdict`` (released, degraded, raised_again, refused), ``failed``, ``headline`` and ``lines``.

    :param given: the parts fence, block and tests, as the filters of ``_parts`` judge what was given back.
    :param unrecorded: databases whose ledger could not take what happened, each with why.
    :param lease_left: databases that had nothing to take and gave no answer to the lease, with why; it ends by itself
        within ``lease_seconds``.
    :param again: the parts fence and block as they are refused again; only read if they had to be.
    :param arguments: what a line to type needs, the incident included.
    """
    # What was given back and refused again is shown as it is now.
    parts = [*(part for part in given if part["kind"] != RELEASE), *again] if outcome["raise"] else list(given)
    bad = [*_bad(decision, outcome, given, again), *(f"it is not on record: {one_line(text)}" for text in unrecorded)]
    word, start = _headline(decision, outcome, bad, again, check_mode)
    wrong = bad if decision["goes"] else decision["refused"]
    first = start if decision["goes"] else with_page(start, "release_refused")
    lines = [first, *(f"NOT WELL: {one_line(text).rstrip('.')}." for text in wrong), *outcome["kept"]]
    good = [part["good"] for part in parts if part["holds"]]
    if word == "released" and not check_mode:
        lines.append(f"Also: {', '.join(good)}.")
    incident = one_line(decision["incident_id"] or "not known")
    lines.append(f"Incident {incident}" + (f", environment {one_line(environment)}" if environment else ""))
    if not check_mode:
        lines.append(f"Time: {seconds:.1f} s.")
    if decision["overridden"]:
        lines.append(f"OVERRIDDEN by {one_line(operator)}, and recorded: {one_line(reason)}")
        lines += [f"In spite of that: {one_line(text)}" for text in decision["unvalidated"]]
    lines += [
        f"The lease on {host} is not known to be given back: {one_line(why).rstrip('.')}. Where it was not, it ends by "
        f"itself within {lease_seconds:.0f} s; until then this command, and a return, are refused."
        for host, why in (lease_left or {}).items()
    ]
    lines += decision["lines"]
    if decision["goes"]:
        # What does not hold comes before what does.
        ordered = sorted(parts, key=lambda part: bool(part["holds"]))
        lines += merged([line for part in ordered for line in part["lines"]])
    lines += _next(decision, outcome, bool(bad), check_mode, arguments)
    headline = start + (f" NOT WELL: {one_line('; '.join(bad[:SHOWN]))}." if bad and decision["goes"] else "")
    return {"verdict": word, "failed": word != "released", "headline": headline, "lines": lines}


def _bad(
    decision: Mapping[str, Any],
    outcome: Mapping[str, Any],
    given: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
) -> list[str]:
    told = [text for part in (again if outcome["raise"] else given) for text in part["bad"]]
    # A host that nobody could ask may have a fence that is still up.
    return [*told, *outcome["unknown"], *(text for text in decision["unvalidated"] if "not known" in text)]


def _headline(
    decision: Mapping[str, Any],
    outcome: Mapping[str, Any],
    bad: Sequence[str],
    again: Sequence[Mapping[str, Any]],
    check_mode: bool,
) -> tuple[str, str]:
    why = one_line("; ".join(text.rstrip(".") for text in (decision["refused"] or outcome["why"])[:SHOWN]))
    if not decision["goes"]:
        return "refused", f"{'PLAN: ' if check_mode else ''}NOT RELEASED, nothing was changed: {why}."
    if outcome["raise"]:
        known = "" if all(part["holds"] for part in again) else "NOT KNOWN to be "
        start, before, now = (
            ("NOT RELEASED", "nothing had been lowered, ", "as before")
            if outcome["never"]
            else ("RAISED AGAIN", "", "again")
        )
        # If nothing was lowered, nothing has changed that people should be told about.
        word = "refused" if outcome["never"] and not known else "raised_again"
        return word, f"{start}: {why}; {before}its writes are {known}refused {now}."
    if check_mode:
        would = "fence and write block would be lifted and the application be tested, if that fails both raised again."
        return "degraded" if bad else "released", f"PLAN, nothing was changed: {would}"
    if bad:
        return "degraded", f"RELEASED IN PART: {_OPEN}"
    if not outcome["tested"]:
        return "degraded", f"RELEASED, NOT TESTED: {_OPEN} Whether the application works, nobody has seen."
    return "released", f"RELEASED: {_OPEN}"


def _next(
    decision: Mapping[str, Any],
    outcome: Mapping[str, Any],
    bad: bool,
    check_mode: bool,
    arguments: Sequence[str],
) -> list[str]:
    if not decision["goes"]:
        mend = ["Next: mend what is named above and type the same command again."]
        silent = any("is not known" in text for text in decision["unvalidated"])
        return mend if silent or not decision["unvalidated"] or not decision["incident_id"] else _validate(arguments)
    if check_mode:
        return ["Next: the same command without --check."]
    if outcome["stopped"]:
        return ["Next: ask who stopped it again, and why. Before this is typed again the data is validated anew."]
    if outcome["raise"] or bad:
        return [_AGAIN]
    seen = [] if outcome["tested"] else ["See for yourselves that people can work on V1: log in, move a card."]
    return [
        *seen,
        "Next: V2 back on for one company, which is watched:",
        command_of("reenable", [*arguments, "-e", "kanban_reenable=test"]) + f" -e kanban_test_tenant={_COMPANY}",
        "and then, in stages, for those that had it:",
        command_of("reenable", [*arguments, "-e", "kanban_reenable=staged"]),
        "It is safe to close this terminal.",
    ]


def _validate(arguments: Sequence[str]) -> list[str]:
    return [
        "Next: have the data assessed again, and validated where nothing is to be repaired; its last screen says how a "
        "repair is approved:",
        command_of("scenario3", arguments),
        "Without that, -e '{kanban_break_glass: {what: [validation], reason: ...}}' overrides it, recorded with who "
        "and why.",
    ]
