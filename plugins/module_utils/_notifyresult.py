# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of messages, as a result and in words for the last screen. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    DRY,
    FAILED,
    MAIL,
    PENDING,
    SENT,
    UNKNOWN,
    Message,
    Route,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifywords import without

SHOWN = 5


def result_of(
    before: Sequence[Message],
    after: Sequence[Message],
    planned: Sequence[Message],
    unreached: Sequence[str],
    bad_routes: Sequence[str],
    broken: Sequence[str],
    directory: Path,
    changed: bool,
) -> dict[str, Any]:
    """Return the module's result. ``planned``: what would be kept and sent, if nothing was done."""
    was = {(message.key, route.route): route.status for message in before for route in message.routes}
    every = [(message, route) for message in after for route in message.routes]
    sent = [(message, route) for message, route in every if route.status == SENT]
    would = {
        (message.key, route.route, route.status == DRY)
        for message in planned
        for route in message.routes
        if was.get((message.key, route.route)) != SENT
    }
    return {
        "changed": changed,
        "directory": str(directory),
        "messages": len(after),
        "sent": [_told(*one) for one in sent if was.get((one[0].key, one[1].route)) != SENT],
        "already": len([one for one in sent if was.get((one[0].key, one[1].route)) == SENT]),
        "not_sent": [_told(*one) for one in every if one[1].due(False)],
        "unknown": [_told(*one) for one in every if one[1].status == UNKNOWN and not one[1].due(False)],
        "dry_run": [_told(*one) for one in every if one[1].status == DRY],
        "needless": [_told(*one) for one in every if one[1].status == FAILED and one[1].final],
        "would_send": [{"message": key, "route": route} for key, route, dry in sorted(would) if not dry],
        "would_write": [{"message": key, "route": route} for key, route, dry in sorted(would) if dry],
        "partly": [_told(*one) for one in sent if one[1].service == MAIL and one[1].error],
        "kept": [
            {"message": message.key, "at": message.at, "routes": [route.route for route in message.routes]}
            for message in after
        ],
        "without": without(after),
        "unreached": list(unreached),
        "bad_routes": list(bad_routes),
        "unreadable": list(broken),
    }


def _told(message: Message, route: Route) -> dict[str, Any]:
    why = route.error or ("it was not its turn in time" if route.status == PENDING else "")
    return {"message": message.key, "route": route.route, "tries": route.tries, "why": why}


def messages_lines(
    result: Mapping[str, Any], check_mode: bool = False, again: str = "report.yml", unkept: str = ""
) -> list[str]:
    """Return the lines of the last screen about messages, for a result of the module ``notify``.

    :param again: the command that sends what was not sent.
    :param unkept: why no ledger knows of it; empty if one does.
    """
    lines = [*_lines(result, check_mode, again), *_no_ways(result.get("bad_routes") or [])]
    if unkept:
        lines.append(f"Messages: only this controller knows what was told; another may repeat it: {clean(unkept, 240)}")
    return lines


def _no_ways(bad_routes: Sequence[str]) -> list[str]:
    """Return the line about what was given as a route and is none; it counts as nothing that is still to be sent."""
    if not bad_routes:
        return []
    return [with_page(f"Messages: nobody is told by {_keys(bad_routes)}: no such route", "bad_route")]


def _lines(result: Mapping[str, Any], check_mode: bool, again: str) -> list[str]:
    if not result or result.get("skipped"):
        return ["Messages: nobody was told: no route is configured"]
    if "sent" not in result:
        return [f"Messages: nobody was told: {clean(result.get('msg') or 'no reason given', 300)}"]
    if check_mode:
        return [_planned(result["would_send"], result["would_write"])]
    if result["dry_run"]:
        return [f"Messages: {result['messages']:,} written and none sent (dry run), in {result['directory']}"]
    open_ones = [*result["not_sent"], *result["unknown"], *result["needless"]]
    count = len(result["sent"]) + result["already"]
    if not count and not open_ones:
        where = f"; what would have been told is in {result['directory']}" if result["messages"] else ""
        return [f"Messages: nobody was told: no route is configured{where}"]
    lines = [f"Messages: {count:,} sent" + _not_sent(result["not_sent"], again)]
    if result["unknown"]:
        lines.append(
            f"Messages: of {len(result['unknown']):,} it is not known whether they arrived "
            f"({_some(result['unknown'])}); look there, -e kanban_notify_again=true sends them again"
        )
    lines += _without(result["without"])
    lines += [f"Messages: {_one(one)}" for one in [*result["partly"][:SHOWN], *result["needless"][:SHOWN]]]
    if result["unreadable"]:
        lines.append(f"Messages: not readable in the outbox: {clean(', '.join(result['unreadable']), 200)}")
    return lines


def _without(found: Mapping[str, Sequence[str]]) -> list[str]:
    told = {
        "words": "without what people may have written, which could not be read in time; report.yml tells it: ",
        "figures": "without figures, which could not be read in time; the report has them: ",
    }
    return [f"Messages: {text}{_keys(found[name])}" for name, text in told.items() if found[name]]


def _keys(found: Sequence[str]) -> str:
    return clean(", ".join(found[:SHOWN]), 300) + (f", and {len(found) - SHOWN:,} more" if len(found) > SHOWN else "")


def messages_again(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each incident of which a message was sent again, or is still not sent.

    :param results: of the module ``notify`` for one incident each, with the loop's ``__communicate_incident``.
    """
    lines = []
    for result in results:
        incident = clean(result.get("__communicate_incident") or "", 80)
        if "sent" not in result:
            lines.append(f"Messages of {incident}: not sent: {clean(result.get('msg') or 'no reason given', 300)}")
            continue
        parts = [f"{len(result['sent']):,} sent now"] if result["sent"] else []
        parts += [f"{len(result['not_sent']):,} not sent ({_some(result['not_sent'])})"] if result["not_sent"] else []
        if result["unknown"]:
            parts.append(
                f"{len(result['unknown']):,} of which it is not known whether they arrived "
                f"({_some(result['unknown'])}), which -e kanban_notify_again=true sends again"
            )
        sent = {(one["message"], one["route"]) for one in result["sent"]}
        parts += [_one(one) for one in result.get("partly", [])[:SHOWN] if (one["message"], one["route"]) in sent]
        lines += [f"Messages of {incident}: {'; '.join(parts)}"] if parts else []
    return lines


def _planned(send: Sequence[Mapping[str, str]], write: Sequence[Mapping[str, str]]) -> str:
    would = [*send, *write]
    if not would:
        return "Messages: would send none"
    shown = ", ".join(f"{one['message']} to {_name(one['route'])}" for one in would[: 4 * SHOWN])
    more = f" and {len(would) - 4 * SHOWN:,} more" if len(would) > 4 * SHOWN else ""
    what = f"write {len(write):,} and send none (dry run)" if write else f"send {len(send):,}"
    return f"Messages: would {what}: {shown}{more}"


def _not_sent(failed: Sequence[Mapping[str, Any]], again: str) -> str:
    return f", {len(failed):,} not ({_some(failed)}); {again} sends what is missing again" if failed else ""


def _some(given: Sequence[Mapping[str, Any]]) -> str:
    more = f", and {len(given) - SHOWN:,} more" if len(given) > SHOWN else ""
    return ", ".join(dict.fromkeys(map(_one, given[:SHOWN]))) + more


def _one(one: Mapping[str, Any]) -> str:
    return f"{_name(one['route'])}: {clean(one['why'], 240)}"


def _name(route: str) -> str:
    """Return a route as people would say it."""
    return clean(route.replace(":", " ", 1).replace("_", " "), 80)
