# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a scenario that says whether the application runs, and what it logs.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, VALIDATE, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsprobe import NO_GROUP

# Each figure that may have a limit, and what it counts.
COUNTED = {
    "error_lines_in_last": "error lines among the last {lines} of the logs",
    "error_lines_since": "error lines since {since}",
    "error_lines_recent": "error lines since {since} among the last {lines} of the logs",
}


def processes_part(
    names: Sequence[str],
    answers: Sequence[Answer],
    limits: Mapping[str, Any],
    group: str = "app",
    plan: bool = False,
) -> dict[str, Any]:
    """Judge the application's processes on every host.

    :param answers: what pm2_info gave, in the order of the names.
    :param limits: for a figure of COUNTED, the number that a host has to stay below; without one it is not judged.
    :param group: pattern of the hosts; ``none`` if there are none.
    :param plan: whether nothing was stopped yet, so that they are as the incident has them.
    """
    part = Part(VALIDATE, "the application's processes run")
    if group == NO_GROUP:
        part.kind, part.good = NOTHING, "processes not looked at (there are no application hosts)"
        return part.as_result()
    wrong = sorted(name for name, limit in limits.items() if name not in COUNTED or not _is_count(limit))
    if wrong:
        part.bad.append(f"no limit of error lines: {', '.join(map(one_line, wrong))}")
        limits = {name: limit for name, limit in limits.items() if name not in wrong}
    if not names:
        part.bad.append("no host of the application is known, so no process was looked at")
    without = 0
    for name, answer in together(names, answers):
        if answer.get("skipped") and not answer.get("skip_reason") and not answer.get("failed"):
            without += 1
            part.lines.append(f"{name}: runs without pm2, its processes were not looked at")
        elif answer.get("failed") or answer.get("unreachable") or "processes" not in answer:
            part.bad.append(f"the processes on {name} are not known")
            part.lines.append(why_line(f"{name}: processes NOT ACCOUNTED FOR", answer))
        else:
            known = len(part.bad)
            _judge(part, name, answer, limits)
            if plan:
                part.lines += [f"as it is now, and to be judged after the stop: {text}" for text in part.bad[known:]]
                del part.bad[known:]
    if names and without == len(names):
        part.kind, part.good = NOTHING, "processes not looked at (there is no pm2)"
    return part.as_result()


def _is_count(limit: object) -> bool:
    """Return whether it is a whole number, or the text of one, as variables from a command line are."""
    return str(limit).isdecimal()


def _judge(part: Part, name: str, answer: Answer, limits: Mapping[str, Any]) -> None:
    problems = answer.get("problems", [])
    # Whatever else it says, a host without a process that is right does not hold.
    if problems or not answer.get("ok"):
        part.bad.append(f"processes on {name} do not run as they should")
    if limits:
        part.bad += _too_many(name, answer, limits)
    part.lines.append(_line(name, answer))
    part.lines += [f"{name}: {one_line(problem)}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        part.lines.append(f"{name}: and {len(problems) - SHOWN} more")
    part.lines += list(_messages(name, answer))
    part.lines += [f"{name}: {text}" for text in warnings_of(answer)[:SHOWN]]


def _too_many(name: str, answer: Answer, limits: Mapping[str, Any]) -> Iterator[str]:
    if not answer.get("logs_read"):
        yield f"the errors on {name} are not all known, for not every log was read"
    elif not all(answer.get("recent_known" if figure == "error_lines_recent" else "complete") for figure in limits):
        yield f"the errors on {name} are not all known, for a log could not be read as far back as they count"
    for figure, what in COUNTED.items():
        count = answer.get(figure)
        if figure in limits and count is not None and count >= int(limits[figure]):
            shown = what.format(lines=answer.get("last_lines_read"), since=one_line(answer.get("since")))
            most = "up to " if figure != "error_lines_in_last" and not _dated(answer) else ""
            yield f"{most}{count} {shown} on {name}, they have to be fewer than {limits[figure]}"


def _dated(answer: Answer) -> bool:
    """Return whether every log with new errors says when they were: if not, as many as possible count as new."""
    logs = [log for process in answer["processes"] for log in process.get("log_files") or []]
    return all(log.get("since_by") == "timestamps" for log in logs if log.get("error_lines_since"))


def _line(name: str, answer: Answer) -> str:
    processes = answer["processes"]
    good = sum(bool(one.get("ok")) for one in processes)
    memory = sum(one.get("memory_bytes") or 0 for one in processes)
    slopes = [one["memory_slope_bytes_per_minute"] for one in processes if one.get("memory_slope_bytes_per_minute")]
    trend = f" ({sum(slopes) / 1e6:+.1f} MB/min)" if slopes else ""
    window = answer.get("since_seconds")
    new = "of them new" + (f" in {window:,.0f} s" if isinstance(window, (int, float)) else "")
    errors = [
        f"{answer.get(figure)} {text}"
        for figure, text in (("error_lines_in_last", "in the last lines"), ("error_lines_recent", new))
        if answer.get(figure) is not None
    ]
    return (
        f"{name}: {good} of {len(processes)} processes run, {answer.get('restarts', 0)} restarts, "
        f"{memory / 1e6:,.0f} MB{trend}; error lines: {', '.join(errors) or 'not known'}"
    )


def _messages(name: str, answer: Answer) -> Iterator[str]:
    for one in answer.get("messages", [])[:SHOWN]:
        yield f"{name}: {one.get('count')} x {one_line(one.get('message', ''))}"
