# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the last screen: what is to be done next, and the line to type. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of, id_to_type

# Where nobody else could keep who had the flag.
KEEP_OPEN = "Do NOT close this terminal before the lines after SAVE are saved."
# Addresses that lead to the database only on its own host.
_LOCAL = re.compile(r" -h (?:127\.|localhost\b|::1\b|'?/)")
_MEND = "Next: mend what is named above and type the same command again; it goes on where this one stopped."


def closing_lines(incidents: Sequence[Mapping[str, Any]], arguments: Sequence[str]) -> list[str]:
    """Return for each incident that the undo reported on whether it is still open, and how to close it."""
    still_open = {one_line(row["incident_id"]) for row in incidents if not row["closed"]}
    closed = {one_line(row["incident_id"]) for row in incidents} - still_open
    lines = [f"Incident {name} is closed." for name in sorted(closed)]
    for name in sorted(still_open):
        lines.append(f"Incident {name} is still open; when it is over, close it:")
        lines.append(undo_of(name, [*arguments, "-e", "kanban_close=true"]))
    return lines


def undo_of(incident_id: str, arguments: Sequence[str]) -> str:
    """Return the line that undoes a misfire."""
    command = command_of("reenable", [*arguments, "-e", "kanban_reenable=all"])
    return f"{command} -e kanban_incident_id={id_to_type(incident_id)}"


def stay_lines(unsaved: bool) -> list[str]:
    """Return what a scenario says last inside of a rehearsal: typing what it else proposes would act on top of it."""
    stay = "This was rehearsed. Leave this terminal open and type nothing: it is verified and put back as before now."
    return [stay, *([KEEP_OPEN] if unsaved else [])]


def break_glass_lines(names: Sequence[str], commands: Mapping[str, str], fences: bool) -> list[str]:
    """Return what switches off, without Ansible, the databases on which this run could not.

    :param commands: by host, what ``psql`` is to be called with, as preflight.yml wrote it down.
    :param fences: whether writes are to be refused as well.
    """
    lines = []
    for name in names:
        command = commands.get(name)
        if not command:
            lines.append(f"{name}: no break-glass script on this controller; preflight.yml writes it.")
            continue
        here = _LOCAL.search(command) or " -h " not in command
        where = f"on {name} itself, with the file copied there" if here else "where its database can be reached"
        lines += [
            f"Break-glass for {name}, with psql alone, {where}:",
            f"{command}{'' if fences else ' -v no_fence=1'}",
        ]
    return lines


def next_lines(
    word: str,
    what: str,
    undo: str,
    check_mode: bool,
    still_open: bool,
    refused: bool,
    began: bool,
    decided: bool,
    corrupt: bool,
    joined: bool,
    unsaved: bool = False,
) -> list[str]:
    """Return what is to be done next.

    :param refused: whether writes are to be refused as well.
    :param began: whether anything was switched off or refused in this incident, so that it can be undone.
    :param joined: whether the incident existed before this run, which may know little of what was found in it.
    :param unsaved: whether this screen alone says who had the flag.
    """
    ends = KEEP_OPEN if unsaved else "It is safe to close this terminal."
    # Undoing a misfire would give back writes, and the feature, over data that is corrupt.
    misfire = what == "contain" and not corrupt
    this = (
        "all that was stopped in this incident, by earlier runs as well, was a misfire"
        if joined
        else "this was a misfire"
    )
    if check_mode and word in ("degraded", "failed"):
        return ["Next: mend what is named above, and ask for the plan again: as it stands the run would not be whole."]
    if check_mode:
        return ["Next: the same command without --check."]
    if word in ("degraded", "failed"):
        return [
            *([] if decided else [_MEND]),
            *([f"If {this}:", undo] if misfire and began else []),
        ]
    if still_open:
        return [
            "Next: when those transactions have ended, type the same command again; it sweeps what they wrote back."
        ]
    if what == "contain":
        return [
            *(
                ["Kanban's writes stay refused until release.yml gives them back; inbound messages go on."]
                if refused
                else []
            ),
            *([f"Next, if {this}:", undo] if misfire else []),
            ends,
        ]
    return [f"Next: look at one of these tenants in the application. {ends}"]
