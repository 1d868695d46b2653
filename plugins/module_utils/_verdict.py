# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result, from each host's answer: counting, and the last screen. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import merged, said_no, whose_primary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlines import failover_lines, standby_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import (
    SHOWN,
    Answer,
    Host,
    database_line,
    notes,
    one_line,
    paged,
    steps_line,
    unsaved_lines,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import (
    CONTAIN,
    DECIDE,
    RECOVER,
    SELECT,
    VALIDATE,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._standing import Standing, failover_part, stand
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdictnext import (
    break_glass_lines,
    closing_lines,
    next_lines,
    stay_lines,
    undo_of,
)

DAY_SECONDS = 86400
ON_BLOCKED = ("report", "terminate")
# What has to hold before a watch is worth its time. What is kept for later says nothing about V1.
_VALIDATED_BY = (CONTAIN, SELECT, VALIDATE)


def verdict(
    names: Sequence[str],
    first: Sequence[Answer],
    later: Sequence[Answer],
    *,
    what: str,
    run: Mapping[str, Any],
    seconds: float,
    objective: float,
    environment: str = "",
    group: str = "db",
    check_mode: bool = False,
    parts: Sequence[Mapping[str, Any]] = (),
    whole_seconds: float | None = None,
    final: bool = True,
    named: bool = False,
    contained_seconds: float | None = None,
    validates: bool = False,
    arguments: Sequence[str] = (),
    still: Sequence[Answer] = (),
    on_blocked: Sequence[str] = (),
    earlier: Sequence[Sequence[Answer]] = (),
    rehearsed: bool = False,
    break_glass: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the result: ``verdict`` (contained, restored, degraded, failed), ``failed``, ``headline``, ``lines``.

    Also ``contained``, whether all that contains succeeded, regardless of the rest; ``validated``, ``final``,
    ``seconds``, and the ``objective`` that they count against.

    :param names: the hosts that should have answered; ``first`` and ``later`` are their answers in the same order.
    :param what: ``contain`` or ``restore``.
    :param seconds: from the start of the run to the last step that counts against ``objective``.
    :param parts: what else was to be done, as the filters of ``_parts`` judge it.
    :param whole_seconds: how long the whole run took, if that is more.
    :param final: whether this is the run's last screen; before it nobody is told to type anything.
    :param contained_seconds: the time until containment, if the objective counts more than that.
    :param validates: whether the objective counts until the application is validated: all that contains and validates
        holds, regardless of evidence.
    :param arguments: what a line to type needs, for instance ``["-i", "production"]``.
    :param still: the answers of the last look at each host, in the same order, if there was one.
    :param named: whether certain tenants were named to be switched off, instead of all.
    :param on_blocked: ``kanban_on_blocked`` of the hosts. An unknown word does not prevent a stop.
    :param earlier: per host, answers of this run that those have replaced: only prior values are taken from them.
    :param break_glass: by host, the line that switches its database off by psql alone.
    :param rehearsed: whether a rehearsal goes on after the last screen, and puts everything back.
    """
    # A host without an answer must be counted, so the names lead.
    answers: Iterator[tuple[Any, ...]] = zip_longest(first, later, still, earlier, fillvalue={})
    standing = stand([Host(name, *next(answers, ({}, {}, {}, {}))) for name in names])
    parts = [*failover_part(standing), *parts]
    word = _word(standing, what, parts)
    incidents = [host.last["incident"] for host in standing.acted if "incident" in host.last]
    incident_id = max((row["incident_id"] for row in incidents), default=run["incident_id"])
    start, bad = _headline(standing, word, what, group, check_mode, parts, named), _bad(parts)
    told = _good(standing, parts, check_mode)
    headline = f"{start}{told and f' {told}'}" + _not_well(bad)
    lines = [start, *(f"NOT WELL: {one_line(text)}." for text in bad), *([told] if told else [])]
    lines += [_not_read(word) for word in dict.fromkeys(on_blocked) if word not in ON_BLOCKED]
    lines += [one_line(line) for line in _about(incidents, incident_id, environment)]
    validated = standing.whole and all(part["holds"] for part in parts if part["kind"] in _VALIDATED_BY)
    reached = validated or not validates
    if not check_mode:
        # If nobody contained anything, there is no moment of it either.
        contained = contained_seconds if standing.whole and (contained_seconds or -1) > 0 else None
        lines.append(_clock(seconds, objective, word, contained, whole_seconds, validates, reached))
    for host in standing.acted:
        lines += [line for line in (database_line(host, what, check_mode), steps_line(host)) if line]
    lines += [line for host in standing.acted for line in failover_lines(host.name, host.last)]
    lines += [*standing.taken_from, *(line for host in standing.replaced for line in unsaved_lines(host))]
    lines += [line for host in standing.acted for line in standby_lines(host.name, host.last)]
    whose = whose_primary([host.name for host in standing.silent], [host.first for host in standing.silent])
    lines += [f"{host.name}: a replica, nothing to do" for host in standing.replicas if host not in standing.headless]
    lines += [
        f"{host.name}: a replica whose primary {whose}: its tenants are NOT accounted for" for host in standing.headless
    ]
    lines += [line for host in standing.silent for line in (_silent_line(host), *unsaved_lines(host))]
    lines += [line for host in standing.acted for line in notes(host)]
    # What does not hold comes before what does.
    ordered = sorted(parts, key=lambda part: bool(part["holds"]))
    lines += merged([line for part in ordered for line in part["lines"]])
    unsaved = any(unsaved_lines(host) for host in (*standing.acted, *standing.replaced, *standing.silent))
    if final and rehearsed:
        lines += stay_lines(unsaved)
    elif final:
        still_open = any(host.sweep_open for host in standing.acted)
        refused = any(part["kind"] == "contain" for part in parts)
        stopped = any(host.last.get("error", {}).get("code") == "stopped_again" for host in standing.acted)
        if stopped:
            lines.append("Next: ask who stopped it again, and why, before this is typed again: it would undo that too.")
        else:
            # What was decided comes before what is mended, and that before anything that goes on from here.
            by_psql = what == "contain" and not (named or check_mode)
            to_mend = [
                *break_glass_lines(standing.uncounted if by_psql else [], break_glass or {}, refused),
                *(line for part in parts if not part["holds"] for line in part.get("next", [])),
            ]
            # While somebody has the feature, or may have it, nothing goes on yet: writes given back would be Kanban's.
            goes_on = standing.whole or what != "contain"
            to_do = [line for part in parts if part["holds"] and goes_on for line in part.get("next", [])]
            decided = any(part["kind"] == DECIDE and not part["holds"] for part in parts)
            ends = next_lines(
                word,
                what,
                undo_of(one_line(incident_id), arguments),
                check_mode,
                still_open,
                refused,
                standing.joined or standing.changed > 0 or any(part.get("began") for part in parts),
                decided,
                any(part["kind"] == RECOVER for part in parts),
                standing.joined,
                unsaved,
            )
            lines += [*to_mend, *ends, *to_do] if word in ("degraded", "failed") else [*to_do, *ends]
        if not reached and word == "degraded" and not check_mode:
            lines += [
                "If V1 itself stays unwell, this measures data, health and load, and names the scenario:",
                command_of("triage", arguments),
            ]
        if word == "restored" and not check_mode:
            lines += closing_lines([row for row in incidents if "closed" in row], arguments)
    return {
        "verdict": word,
        "failed": word in ("degraded", "failed"),
        "contained": _contained(standing, parts),
        "validated": validated,
        "headline": headline,
        "incident_id": incident_id,
        "lines": lines,
        "final": final,
        "seconds": round(seconds, 1),
        "objective": objective,
    }


def _not_read(on_blocked: str) -> str:
    return f"kanban_on_blocked is {one_line(str(on_blocked))}, and may be {' or '.join(ON_BLOCKED)}: nobody was ended."


def _word(standing: Standing, what: str, parts: Sequence[Mapping[str, Any]]) -> str:
    if what == "restore" and not any("enabled_after" in host.last for host in standing.acted):
        return "failed"  # No database that answered knows the incident.
    if standing.whole and all(part["holds"] for part in parts):
        return "contained" if what == "contain" else "restored"
    return "degraded" if any(not host.failed or host.in_part for host in standing.acted) else "failed"


def _not_well(bad: Sequence[str]) -> str:
    """Return what the headline says about what is not well; the lines below it say everything."""
    more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return f" NOT WELL: {one_line('; '.join(bad[:SHOWN]))}{more}." if bad else ""


def _bad(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    return [text for part in parts for text in part["bad"]]


def _good(standing: Standing, parts: Sequence[Mapping[str, Any]], check_mode: bool) -> str:
    """Return what succeeded apart from the flag, each once: several parts may say that there was nobody to ask."""
    good = dict.fromkeys(part["good"] for part in parts if part["holds"] and part["good"])
    return f"Also: {', '.join(good)}." if good and standing.whole and not check_mode else ""


def _headline(
    standing: Standing,
    word: str,
    what: str,
    group: str,
    check_mode: bool,
    parts: Sequence[Mapping[str, Any]],
    named: bool,
) -> str:
    total, on = standing.total("total"), standing.total("enabled_after")
    answered = _missing(standing)
    if not standing.acted and not answered:
        return f"FAILED: the group {group!r} has no hosts, so nothing was asked and nothing was done."
    if check_mode:
        change = f"{standing.total('changed_count'):,} of {total:,} tenants would change."
        return f"PLAN, nothing was changed: {answered}{change}"
    if what == "contain" and standing.whole:
        start = "CONTAINED" if _contained(standing, parts) else "CONTAINED IN PART"
        also = " and whoever has no row" if standing.default_off else ""
        whom = f"the {total:,} tenants named" if named else f"all {total:,} tenants{also}"
        off = f"Kanban V2 is off for {whom} ({standing.changed:,} were switched off now)."
        return f"{start}: " + ("nobody is on the list, so nobody was switched off." if named and not total else off)
    if word == "restored":
        put = f"{standing.changed:,} tenants were put back as before the incident"
        done = put if standing.changed else "nobody was left to put back"
        return f"RESTORED: {done}, {on:,} of {total:,} have Kanban V2."
    if what == "contain":
        start = "CONTAINED IN PART" if word == "degraded" else "NOT CONTAINED"
        counted = f"{on:,} of {total:,} tenants that could be counted still have Kanban V2."
        if standing.default_on and not named:
            counted = (
                f"{counted[:-1]}; whoever has no row of their own may still have it, for the default of all is on."
            )
        not_counted = sorted(standing.uncounted) if total else []
        counted += f" Not counted: {', '.join(not_counted)}." if not_counted else ""
        return f"{start}: {answered}{counted if total else 'No tenant could be counted.'}"
    start = "RESTORED IN PART" if word == "degraded" else "NOT RESTORED"
    return f"{start}: {answered}{standing.changed:,} tenants were put back by this run."


def _silent_line(host: Host) -> str:
    """Return the line of a host of which nothing is known, with a page that says what to do."""
    line = f"{host.name}: NOT ACCOUNTED FOR: {host.why_not}"
    unheard = host.first.get("unreachable") or host.first.get("timedout")
    return with_page(line, "host_silent") if unheard else paged(line, host.first)


def _missing(standing: Standing) -> str:
    """Return of how many hosts nothing is known. One that refused or is a replica was reached: not the network."""
    refused = sum(said_no(host.first) for host in standing.silent)
    headless = len(standing.headless)
    whole = len(standing.silent) + headless + len(standing.acted)
    told = (
        (len(standing.silent) - refused, "did not answer"),
        (headless, "are replicas whose primary is not accounted for"),
        (refused, "could not do it"),
    )
    return "".join(f"{count} of {whole} hosts {what}. " for count, what in told if count)


def _contained(standing: Standing, parts: Sequence[Mapping[str, Any]]) -> bool:
    return standing.whole and all(part["holds"] for part in parts if part["kind"] in ("contain", "select"))


def _about(incidents: Sequence[Mapping[str, Any]], incident_id: str, environment: str) -> list[str]:
    lines = [f"Incident {incident_id}" + (f", environment {environment}" if environment else "")]
    ids = sorted({row["incident_id"] for row in incidents})
    if len(ids) > 1:
        lines.append(
            f"The databases know this by different incidents ({', '.join(ids)}); containment used each one's own. "
            "Recovery and re-enabling need one named: -e kanban_incident_id=..."
        )
    seen = set()
    for row in incidents:
        for other in row.get("open_before", []):
            if other["age_seconds"] > DAY_SECONDS and other["incident_id"] not in seen:
                seen.add(other["incident_id"])
                lines.append(f"Incident {other['incident_id']} is open since {other['opened_at']}: is it still one?")
    return lines


def _clock(
    seconds: float,
    objective: float,
    word: str,
    contained: float | None,
    whole: float | None,
    validates: bool,
    reached: bool,
) -> str:
    met = "within" if seconds <= objective else "OVER"
    told = f"Time: {seconds:.1f} s, {met} the objective of {objective:.0f} s."
    if word == "failed":
        told = f"Time: {seconds:.1f} s, and the objective is {objective:.0f} s."
    elif validates:
        state = "validated" if reached else "NOT VALIDATED"
        told = f"Time: {state} after {seconds:.1f} s, {met} the objective of {objective:.0f} s."
        if not reached:
            told = f"Time: {state} after {seconds:.1f} s, and the objective is {objective:.0f} s."
    first = "" if contained is None else f" Contained after {contained:.1f} s."
    return told + first + (f" The run: {whole:.1f} s." if whole else "")
