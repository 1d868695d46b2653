# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a rehearsal: verified, put back, how long each step took, and the last screen. Pure."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import said_no, together, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsal import PUT_BACK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import DUPLICATE, ORPHAN
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

# States of a fence that refuses nothing, as lowering it reports them.
_DOWN = ("absent", "dormant", "lowered")
# What these kinds find depends on the hour, not on what is planted.
_BY_TIME = ("timeline", "mass_delete", "missing_since", "sql")


def grown(before: Answer, after: Answer, checks: Sequence[Answer], kinds: Sequence[Answer], data: Answer) -> list[str]:
    """Return where the checks of the data now count more than was planted, or less; empty if it fits.

    :param checks: of the profile; ``kinds`` what was asked for, and ``data`` what ``rehearsal_data`` said about each.
    """
    if not after.get("complete"):
        return [f"its data could not be counted after the scenario: {why_not(after)}"]
    # An answer that never came does not say that nothing was planted.
    if len(data.get("planted") or []) != len(kinds):
        return [f"what was planted is not known: {why_not(data)}"]
    planted = [(kind, row["rows"]) for kind, row in zip(kinds, data.get("planted") or [])]
    found = []
    for check in checks:
        then, now = ((answer.get("counts") or {}).get(check["name"]) for answer in (before, after))
        if then is None or now is None:
            found += [
                f"{check['name']} has counted none of the {rows} that were planted"
                for kind, rows in planted
                if rows and _is_about(check, kind)
            ]
            continue
        if check["kind"] in _BY_TIME:
            continue
        due = sum(rows for kind, rows in planted if _is_about(check, kind))
        # A copy of a row that another check finds is found by it, too.
        along = 0 if due else sum(rows for kind, rows in planted if kind["table"] == check.get("table"))
        if now - then < due or now - then > due + along:
            found.append(f"{check['name']} counts {now - then} more than before, and {due} were planted")
    return found


def _is_about(check: Answer, kind: Answer) -> bool:
    if check.get("table") != kind["table"] or check["kind"] != kind["kind"]:
        return False
    if kind["kind"] == DUPLICATE:
        return set(check.get("columns") or []) == set(kind["columns"])
    return bool(kind["kind"] == ORPHAN and check.get("column") == kind["column"])


def rehearsal_verified(
    names: Sequence[str],
    answers: Mapping[str, Sequence[Answer]],
    *,
    checks: Sequence[Answer],
    applications: Sequence[str] = (),
    walks: bool = False,
    fence: bool = False,
    redis: Sequence[str] = (),
) -> list[str]:
    """Return what is not as it should be on the hosts after the scenario; empty if all is.

    :param names: databases that were acted on. ``answers`` of them, in their order: ``flag`` (of those who should be
        off), ``before`` and ``after`` (integrity_info), ``kinds`` (a list), ``data``, ``fence`` (write_fence_info); of
        applications ``health`` and ``walk``; of Redis ``block`` (write_block_info).
    :param fence: whether a fence should be up; ``redis`` names the hosts on which a write block should be held.
    """
    bad = []
    rows = together(names, *(answers[one] for one in ("flag", "before", "after", "kinds", "data", "fence")))
    for name, flag, before, after, kinds, data, fenced in rows:
        if flag.get("enabled") != 0:
            left = f"{flag['enabled']} tenants still have it" if "enabled" in flag else why_not(flag)
            bad.append(f"{name}: the flag is not off: {left}")
        if fence and fenced.get("status") != "proven":
            bad.append(f"{name}: the fence is not proven: {one_line(fenced.get('status') or why_not(fenced))}")
        bad += [f"{name}: {line}" for line in grown(before, after, checks, kinds or [], data)]
    for name, block in together(redis, answers["block"] if redis else []):
        # A replica gets the block from its master, in its own time.
        if not block.get("held") and (block.get("server") or {}).get("writable") is not False:
            why = "it is not there" if "held" in block else why_not(block)
            bad.append(f"{name}: the write block is not held: {why}")
    for name, health, walk in together(applications, answers["health"], answers["walk"]):
        asked = {"not healthy": health, **({"V1 is not served": walk} if walks else {})}
        bad += [f"{name}: {what}: {why_not(answer)}" for what, answer in asked.items() if not answer.get("passed")]
    return bad


def rehearsal_back(
    names: Sequence[str],
    answers: Mapping[str, Sequence[Answer]],
    redis: Sequence[str],
    failures: Mapping[str, str],
    fence: bool = True,
    opened: Mapping[str, Answer] | None = None,
) -> list[str]:
    """Return what is not as before the rehearsal; empty if all is put back, and each host has said so.

    :param answers: of the databases, in their order: ``fence`` (write_fence), ``flag`` (feature_flag), ``data``
        (rehearsal_data), and after the closing ``closed`` (incident); ``block`` of Redis (write_block_info).
    :param failures: what went wrong while it was put back, by host. A host that is lost is not among them.
    :param fence: whether one was to be lowered.
    :param opened: answers to the opening of the incident, by host; if none came it may be open.
    """
    bad = [f"{name}: {one_line(why)}" for name, why in failures.items()]
    for name, fenced, flag, data in together(names, answers["fence"], answers["flag"], answers["data"]):
        if name in failures:
            continue
        if fence and (fenced.get("failed") or fenced.get("status") not in _DOWN):
            bad.append(
                f"{name}: the fence is not known to be down: {one_line(fenced.get('status') or why_not(fenced))}"
            )
        stays = fenced.get("left_behind") or [] if fence else []
        bad += [
            f"{name}: of the fence stays, letting everything pass: {one_line(what)}. Type it again when the tables are "
            "free, as the role that owns the fence and the tables."
            for what in stays
        ]
        if "enabled_after" not in flag or flag.get("failed"):
            bad.append(f"{name}: the flag was not put back: {why_not(flag)}")
        if "removed" not in data or data.get("failed"):
            bad.append(f"{name}: the planted rows were not taken away: {why_not(data)}")
        elif data["left"]:
            bad.append(f"{name}: {data['left']} planted rows stay, for rows of others lead to them")
    left = _blocks_left(redis, answers["block"])
    bad += [f"{name}: the write block is not released: {why}" for name, why in left.items() if name not in failures]
    unknown = [
        f"{name}: whether its incident was opened is not known: {why_not(answer)}"
        for name, answer in (opened or {}).items()
        if answer and "incident_id" not in answer and not said_no(answer)
    ]
    if bad:
        return bad + unknown
    # Closing also takes the latch away; its answer says what it left of that, even if that is nothing.
    for name, answer in together(names if "closed" in answers else [], answers.get("closed", [])):
        if "latch_left" not in answer:
            bad.append(f"{name}: the incident is not known to be closed: {why_not(answer)}")
        stays = answer.get("latch_left") or []
        bad += [
            f"{name}: of the latch stays, letting everything pass, until another incident is closed: {one_line(what)}"
            for what in stays
        ]
    return bad + unknown


def _blocks_left(names: Sequence[str], blocks: Sequence[Answer]) -> dict[str, str]:
    """Return where the write block is not known to be gone, and why; a replica follows its master, in its own time."""
    known = [(block, block.get("server") or {}) for block in blocks if "held" in block]
    led = {server.get("cluster") for block, server in known if server.get("writable") is not False and _is_gone(block)}
    found = {}
    for name, block in together(names, blocks):
        server = block.get("server") or {}
        if not _is_gone(block) and (server.get("writable") is not False or server.get("cluster") not in led):
            found[str(name)] = "it is there" if "held" in block else why_not(block)
    return found


def _is_gone(block: Answer) -> bool:
    return "held" in block and block.get("value") is None


def rehearsal_notes(
    names: Sequence[str], enabled: Sequence[Answer], data: Sequence[Answer], restored: Sequence[Answer] = ()
) -> list[str]:
    """Return what was, or would be, set up on each database: who was switched on, what was planted, what was not.

    :param restored: answers to the undo; tenants whose flag somebody has changed since are left alone, and named.
    """
    found = []
    for name, flag, planted, back in together(names, enabled, data, restored):
        told = [f"{flag['changed_count']} tenants switched on for it"] if "changed_count" in flag else []
        for row in planted.get("planted") or []:
            why = f" ({one_line(row['why'])})" if row["why"] else ""
            told.append(f"{row['rows']} of {row['kind']} in {row['table']}{why}")
        others = [*(back.get("changed_since") or []), *(back.get("missing") or [])]
        told += [f"left alone, for somebody changed them meanwhile: {', '.join(map(str, others))}"] if others else []
        found += [f"{name}: {'; '.join(told)}"] if told else []
    return found


def rehearsal_screen(
    decision: Mapping[str, Any],
    *,
    wanted: str,
    verdict: Mapping[str, Any],
    seconds: Mapping[str, float | None],
    not_set_up: Sequence[str] = (),
    verified: Sequence[str] = (),
    back: Sequence[str] = (),
    notes: Sequence[str] = (),
    check_mode: bool = False,
    arguments: Sequence[str] = (),
    then: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the last screen: ``verdict``, ``failed``, ``headline``, ``lines``.

    ``verdict``: rehearsed, failed (a step was not as it should be), put_back, refused or planned.

    :param verdict: of the scenario, as ``verdict`` returns it; empty if it did not come to its end.
    :param seconds: ``disable``, ``verify``, ``total``; null if that was not measured.
    :param arguments: of the same line again; ``then``: of the line that rehearses once everything is put back.
    :param not_set_up: what kept the scenario from being run; ``verified`` and ``back`` what is not as it should be.
    """
    again = command_of("rehearse", arguments)
    if decision["refused"]:
        return _screen("refused", "REFUSED: nothing was changed.", [*decision["refused"], *decision["lines"]], again)
    if wanted == PUT_BACK or decision["puts_back"]:
        screen = _put_back(decision, back, check_mode, again, command_of("rehearse", then))
        # A caller that asked for a scenario, perhaps a schedule, must not take this for a rehearsal.
        return {**screen, "failed": screen["failed"] or (screen["verdict"] == PUT_BACK and wanted != PUT_BACK)}
    if check_mode:
        said = f"PLAN, nothing was changed: {wanted} may be rehearsed here."
        return _screen("planned", said, [*notes, *decision["lines"]], again)
    bad = [*(f"NOT SET UP: {line}" for line in not_set_up), *(f"NOT VERIFIED: {line}" for line in verified)]
    bad += [] if not_set_up else _scenario(verdict)
    bad += [f"NOT AS BEFORE: {line}" for line in back]
    end = "and all is as before." if not back else "and NOT all is as before."
    headline = f"{'NOT GREEN' if bad else 'REHEARSED'}: {wanted}, {end}"
    return _screen("failed" if bad else "rehearsed", headline, [*bad, *_table(seconds, verdict), *notes], again)


def _put_back(
    decision: Mapping[str, Any], back: Sequence[str], check_mode: bool, again: str, rehearsal: str
) -> dict[str, Any]:
    named = ", ".join(sorted({one_line(one) for one in decision["left"].values()}))
    # A ledger that did not answer may have one.
    unknown = [f"NOT KNOWN: {line}" for line in decision.get("unknown") or []]
    if not named:
        if unknown:
            said = "NOTHING PUT BACK: not every ledger has said whether a rehearsal is open."
            return _screen("failed", said, unknown, again)
        return _screen("put_back", "NOTHING TO PUT BACK: no ledger has a rehearsal open.", [], "")
    if check_mode:
        said = f"PLAN, nothing was changed: what {named} left would be put back{' IN PART' if unknown else ''}."
        return _screen("failed" if unknown else "planned", said, unknown, again)
    bad = [*(f"NOT AS BEFORE: {line}" for line in back), *unknown]
    headline = f"PUT BACK: what the rehearsal {named} left is as before. Nothing was rehearsed now."
    if bad:
        headline = f"PUT BACK IN PART: what the rehearsal {named} left. Nothing was rehearsed now."
    return _screen("failed", headline, bad, again) if bad else _screen("put_back", headline, [], rehearsal)


def _scenario(verdict: Mapping[str, Any]) -> list[str]:
    if not verdict.get("final"):
        return ["THE SCENARIO did not come to the verdict of a stop; see above where it ended, or what it decided."]
    found = [f"THE SCENARIO: {one_line(verdict['headline'])}"] if verdict["failed"] else []
    # A verdict that never came is not one that took too long.
    if verdict["seconds"] > verdict["objective"]:
        found.append(f"OBJECTIVE: {verdict['seconds']:.1f} s, and it is {verdict['objective']:.0f} s.")
    return found


def _table(seconds: Mapping[str, float | None], verdict: Mapping[str, Any]) -> list[str]:
    """Return the plan's table of timings."""
    rows = (
        ("Time to disable feature flag", "disable"),
        ("Time to verify", "verify"),
        ("Total rollback time", "total"),
    )
    told = {name: seconds.get(name) for _what, name in rows}
    lines = [f"{what}: {_seconds(told[name])}" for what, name in rows]
    if verdict.get("final"):
        lines.append(f"Objective: {verdict['seconds']:.1f} of {verdict['objective']:.0f} s")
    return lines


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f} s"


def _screen(word: str, headline: str, lines: Sequence[str], again: str) -> dict[str, Any]:
    todo = {
        "refused": "Next: mend what the lines say, and type it again:",
        "failed": "Next: mend what is not as it should be, and type it again; it puts back first what is left:",
        "put_back": "Next, the rehearsal:",
        "planned": "Next, without --check:",
        "rehearsed": "Next: the report (report.yml), and within the week the same again:",
    }
    return {
        "verdict": word,
        "failed": word in ("refused", "failed"),
        "headline": headline,
        "lines": [
            with_page(headline, "rehearsal_refused") if word == "refused" else headline,
            *map(one_line, lines),
            *([todo[word], again] if again else []),
        ],
    }
