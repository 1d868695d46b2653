# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of an undo: whether people can write again, in databases and application, and whether it is over. Pure."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import acted, together, why_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import RELEASE, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

_NOT_VALIDATED = (
    "the data was NOT VALIDATED since the stop, and writes are let through all the same: right for a misfire alone"
)
_IF_NO_MISFIRE = "Next, if it was no misfire: stop it again, see what is corrupt, and let release.yml give writes back:"


def fence_lowered_part(
    names: Sequence[str],
    flags: Sequence[Answer],
    answers: Sequence[Answer],
    plan: bool = False,
    infos: Sequence[Answer] = (),
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """Judge whether people can write again, on every database that the undo acted on.

    :param flags: what each said of itself: its answer to the undo, or to ``incident_info`` if it knows the incident.
    :param infos: for an undo that asks for no validation, what ``incident_info`` said before it: whether there is one.
    :param arguments: what a line to type needs.
    """
    part = Part(RELEASE, "")
    for name, flag, answer, info in together(names, flags, answers, infos):
        if not acted(flag) or not ({"enabled_after", "known_as"} & set(flag) or flag.get("failed")):
            continue  # A replica, or a database that the incident never touched.
        part.good = "the fence is lowered"
        if answer.get("failed") or "status" not in answer:
            part.bad.append(f"the fence on {name} is not known to be lowered")
            part.lines.append(why_line(f"{name}: fence NOT ACCOUNTED FOR", answer))
        elif answer.get("changed"):
            part.lines.append(f"{name}: the fence {'would be' if plan else 'is'} lowered")
            if info and not (info.get("validation") or {}).get("passed"):
                part.lines.append(f"{name}: {_NOT_VALIDATED}")
                part.next = [_IF_NO_MISFIRE, command_of("scenario3", arguments)]
        part.lines += [f"{name}: left behind, without effect: {one_line(row)}" for row in answer.get("left_behind", [])]
    return part.as_result()


def closed_part(names: Sequence[str], answers: Sequence[Answer]) -> dict[str, Any]:
    """Judge whether the incident is closed, in every ledger in which it was to be closed; others do not count."""
    part = Part(RELEASE, "")
    for name, answer in together(names, answers):
        if answer.get("failed") or answer.get("unreachable"):
            part.bad.append(f"the incident is still open in the ledger of {name}")
            part.lines.append(why_line(f"{name}: incident NOT CLOSED", answer))
    return part.as_result()


def block_released_part(
    names: Sequence[str], answers: Sequence[Answer], group: str, plan: bool = False
) -> dict[str, Any]:
    """Judge whether the write block is gone, on every Redis."""
    part, asked, replicas = Part(RELEASE, "no write block is held"), set(), []
    if group != "none" and not names:
        empty = f"the group {group!r} has no hosts"
        part.bad.append(f"no write block is known to be released, for {empty}")
        part.lines.append(f"{empty}; where there are none on purpose, say kanban_redis_hosts=none")
    for name, answer in together([] if group == "none" else names, answers):
        server = answer.get("server") or {}
        # An answer that Ansible skipped has no server: nobody was asked, and the host may hold the block.
        if answer.get("skipped") and server:
            replicas.append((name, server.get("cluster")))
            continue
        asked.add(server.get("cluster"))
        if answer.get("failed") or "held" not in answer or (answer["held"] and not plan):
            part.bad.append(f"the write block on {name} is not known to be released")
            part.lines.append(why_line(f"{name}: write block NOT ACCOUNTED FOR", answer))
        elif answer.get("changed"):
            part.lines.append(f"{name}: the write block {'would be' if plan else 'is'} released")
    part.bad += [f"the master of {name} was not asked" for name, cluster in replicas if cluster not in asked]
    return part.as_result()
