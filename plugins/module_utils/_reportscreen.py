# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last screen of report.yml says about reports: which were written, what is open, what was closed. Pure."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

# The most open boxes that are named per incident, and breaks of its chains in one ledger.
_NAMED = 3
# The most incidents that are named if the requested one is not known.
_OTHERS = 5


def report_screen(
    written: Sequence[Mapping[str, Any]],
    choice: Mapping[str, Any],
    *,
    silent: Sequence[str] = (),
    closing: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    check_mode: bool = False,
) -> dict[str, list[str]]:
    """Return ``amiss`` and ``lines``.

    :param written: results of ``incident_report``, each with ``item``.
    :param choice: the result of ``incidents_to_report``.
    :param silent: from ``open_incidents``; if any, reports come from the journals alone.
    :param closing: the result of ``incident_to_close``, with ``wanted``, and ``hosts`` and ``answers``, what the
        databases said; None if nothing was to be closed.
    :param history: the result of ``incident_history``.
    """
    amiss: list[str] = []
    lines: list[str] = []
    for result in written:
        name = one_line(result.get("item") or "")
        if result.get("failed") or "files" not in result:
            amiss.append(f"REPORT NOT WRITTEN: {name}: {one_line(result.get('msg') or 'no answer')}")
            continue
        amiss += [_changed(name, one) for one in result.get("chain_broken_at") or []]
        if not result.get("found") and "others" in choice:
            # Somebody typed it, perhaps wrongly, and would go on believing that there is a report.
            others = ", ".join(one_line(other) for other in choice["others"][:_OTHERS])
            amiss.append(f"NO REPORT: {_line(name, result, check_mode)}; known lately: {others or 'none'}")
            continue
        lines.append(_line(name, result, check_mode))
        lines += [
            f"{name}: when it was detected could not be read in words.md: write date, time, zone, like {one_line(how)}"
            for how in result.get("unread") or []
        ]
        untold = [one_line(label) for label in result.get("missing_labels") or []]
        if untold:
            # A language that nobody has translated, or a text in it: the reports are in English there.
            lines.append(
                f"{name}: not translated, so in English: {', '.join(untold[:_OTHERS])}{_more(untold, _OTHERS)}"
            )
        amiss += [f"{name}: {one_line(text)}" for text in result.get("warnings") or []]
    if choice.get("left_out"):
        lines.append(f"{choice['left_out']} more incidents were not reported on: name one by kanban_incident_id")
    if silent and written:
        lines.append("These reports come from the journals alone: not every ledger answered")
    if closing and closing.get("wanted"):
        told = _closed(closing, check_mode)
        (lines if told["well"] else amiss).append(told["line"])
    if history and history.get("failed"):
        amiss.append(f"THE INDEX WAS NOT WRITTEN: {one_line(history.get('msg') or 'no answer')}")
    elif history and history.get("files"):
        lines.append(f"index of {history['incidents']} incidents and rehearsals: {', '.join(history['files'])}")
    return {"amiss": amiss, "lines": lines}


def _changed(name: str, broken: Mapping[str, Any]) -> str:
    where = [one_line(one) for one in broken["where"]]
    said = f"{', '.join(where[:_NAMED])}{_more(where, _NAMED)}"
    return f"LEDGER'S EVENTS CHANGED: {name} on {one_line(broken['host'])}: the chain of hashes breaks at {said}"


def _line(name: str, result: Mapping[str, Any], check_mode: bool) -> str:
    if not result.get("found"):
        return f"{name}: neither a journal of it nor what a ledger tells of it is here, so there is no report"
    changed = [one["name"] for one in result["files"] if one["changed"]]
    word = "would be written" if check_mode else "written"
    state = result["state"] + (", closed" if result.get("closed") else "")
    text = f"{name} ({state}): " + (f"{word}: {', '.join(changed)}" if changed else "nothing new to write")
    if result["files"]:
        text += f", in {result['files'][-1]['path'].rpartition('/')[0]}"
    undecided = result.get("undecided") or []
    if undecided:
        text += f"; open in its checklists: {', '.join(undecided[:_NAMED])}{_more(undecided, _NAMED)}"
    return text


def _more(found: Sequence[str], named: int) -> str:
    return f" and {len(found) - named} more" if len(found) > named else ""


def _closed(closing: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return whether the incident was closed everywhere it is known, and the line that says so."""
    name = one_line(closing.get("incident_id") or "")
    if not name:
        return {
            "well": False,
            "line": with_page(
                f"NOTHING WAS CLOSED: {one_line(closing.get('why_not') or 'it is not known why')}", "nothing_closed"
            ),
        }
    failed = [answer for answer in closing.get("answers") or [] if answer.get("failed") or answer.get("unreachable")]
    if failed:
        why = one_line(failed[0].get("msg") or "no reason given")
        return {"well": False, "line": f"{name} IS NOT CLOSED EVERYWHERE: {why}"}
    here = closing.get("here") or []
    hosts, answers = closing.get("hosts") or [], closing.get("answers") or []
    said = [one_line(answer["incident_id"]) for answer in answers if answer.get("incident_id")]
    missing = _not_closed(hosts, here, answers)
    if missing or not (said or here):
        names = ", ".join(dict.fromkeys(one_line(here[at]["incident_id"]) for at in missing)) or name
        where = f"it is open on {', '.join(one_line(hosts[at]) for at in missing)}, and " if missing else ""
        everywhere = " EVERYWHERE" if said else ""
        return {"well": False, "line": f"{names} IS NOT CLOSED{everywhere}: {where}no primary closed it"}
    names = ", ".join(dict.fromkeys(said)) or name
    many = len(set(said)) > 1
    be = "would be" if check_mode else "are" if many else "is"
    return {"well": True, "line": f"{names} {be} closed"}


def _not_closed(
    hosts: Sequence[str], here: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Return which hosts have it open in a ledger that no host closed it in; a replica gets that from its primary."""
    place = [one.get("place") or host for host, one in zip(hosts, here)]
    closed = {where for where, answer in zip(place, answers) if answer.get("incident_id")}
    return [at for at, where in enumerate(place) if here[at].get("open") and where not in closed]
