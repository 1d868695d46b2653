# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that ask the application itself: proof of kill, walk, health. Pure: neither Ansible nor a driver.

A part ``holds`` only when every application host answered and none says otherwise; a host that could not be asked is
named, never skipped.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_line, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, VALIDATE, Part

NO_GROUP = "none"


def proof_part(
    names: Sequence[str],
    answers: Sequence[Answer],
    since_commit: Sequence[float] = (),
    group: str | Sequence[str] = "app",
    plan: bool = False,
    listed: Sequence[Answer] = (),
    named: bool = False,
) -> dict[str, Any]:
    """Judge whether every application process serves V1, and how long after the commit.

    :param answers: as ``kill_proof_info`` gives them.
    :param since_commit: for each host the seconds from the commit to its answer by the controller's clock, 0 if not
        known. They include the time on the way to the host, which the module's figures do not.
    :param listed: what ``pm2_info`` knows of the processes: whether there are more than were asked, and how to
        restart one. Empty if pm2 was not asked.
    :param named: whether it is about some tenants only, and the others may have V2.
    """
    part = Part(VALIDATE, "every application process serves V1" + (_whom(answers) if named else ""))
    if _nobody(part, names, group, "no application process was asked which board it serves"):
        return part.as_result()
    slowest, gone = [], []
    seconds = [{"seconds": one} for one in since_commit]
    for name, answer, since, known in together(names, answers, seconds, listed):
        if plan:
            part.lines.append(f"{name}: its application processes would be asked until each serves V1")
        elif "proven" not in answer or answer.get("failed"):
            gone += [name] if answer.get("unreachable") or answer.get("timedout") else []
            part.bad.append(f"{name} could not be asked which board it serves")
            part.lines.append(why_line(f"{name}: proof of kill NOT ACCOUNTED FOR", answer))
        else:
            late = _late(answer, since.get("seconds"))
            if answer["proven"] is not True:
                part.bad.append(f"V1 is not proven on {name}")
            else:
                part.bad += _not_asked(name, answer, known)
                slowest += [answer["max_seconds"] + late] if late is not None else []
            part.lines += _proof_lines(name, answer, late)
            part.lines += _beside(name, answer, known)
            part.next += _restarts(name, answer, known)
    if slowest and not part.bad:
        part.good += f", the last at most {max(slowest):.1f} s after the commit"
    if gone and len(gone) < len(names):
        # Where there is a comma, Ansible takes nothing else for a separator. A list is the same with commas.
        given = group if isinstance(group, str) else ",".join(group)
        left = ("," if "," in given else ":").join([given, *(f"!{name}" for name in gone)])
        part.next.append(f"To go on without {', '.join(gone)}, with the same command: -e 'kanban_app_hosts={left}'")
    return part.as_result()


def commit_moment(noted: Iterable[float], flags: Iterable[Answer], fences: Iterable[Answer]) -> float:
    """Return when the last of several databases committed its kill, by the controller's clock; 0 if none did.

    :param noted: when each one's part of containment was noted as done; the commit was before.
    :param flags: their answers to the kill, ``fences`` to the fence that was raised after it.
    """
    moments = [0.0]
    for moment, flag, fence in zip(noted, flags, fences):
        # A replica, a host without an answer, or one on which the kill said nothing.
        if not moment or "contained_ms" not in flag or not flag.get("database", {}).get("writable"):
            continue
        since = float(flag.get("elapsed_ms", 0)) - float(flag["contained_ms"]) + float(flag.get("fence_ms", 0))
        # A fence that the kill raised itself is in its own figure.
        if not (flag.get("fence") or {}).get("holds"):
            since += float(fence.get("elapsed_ms", 0))
        moments.append(float(moment) - max(0.0, since) / 1000)
    return max(moments)


def v1_moment(turned_at: float, noted: Iterable[float], flags: Iterable[Answer], turning: float) -> float:
    """Return since when everybody is on V1, by the controller's clock: errors logged later are new.

    The same command again finds nobody to switch, and processes that turned long before it asked. Then the moment is
    the incident's last kill that switched somebody, plus the time that processes have for turning.

    :param turned_at: when this run saw the last process of a host turn.
    :param noted: when each database's part of containment was noted as done; ``flags`` are its answers to the kill.
    :param turning: the seconds that processes have for turning; the run of that kill reported those that took longer.
    """
    before = []
    for moment, flag in zip(noted, flags):
        if flag.get("changed_count"):
            return turned_at
        ago = flag.get("incident", {}).get("switched_seconds_ago")
        if moment and ago is not None:
            before.append(float(moment) - float(ago))
    return min(turned_at, max(before) + turning) if before else turned_at


def _whom(answers: Sequence[Answer]) -> str:
    """Return whom the proof is about: of a long list, each process is asked for some only."""
    told = [(one.get("tenants_asked", 0), one.get("tenants_named", 0)) for one in answers if "proven" in one]
    if any(not isinstance(figure, int) for both in told for figure in both):
        return " to those of the list that were asked for"
    fewer = sorted(both for both in told if both[0] < both[1])
    if not fewer:
        return " to those of the list"
    return f" to {fewer[0][0]} of the {fewer[0][1]}, the others were not asked for"


def _late(answer: Answer, seconds: Any) -> float | None:
    """Return what to add to a host's figures; None if the moment of the commit is not known."""
    figures = [answer.get(name) for name in ("max_seconds", "p50_seconds", "elapsed_ms", "committed_seconds_ago")]
    # A figure that Ansible has masked is text by now.
    if not seconds or any(not isinstance(figure, (int, float)) for figure in figures):
        return None
    known = float(answer["committed_seconds_ago"]) + float(answer["elapsed_ms"]) / 1000
    return max(0.0, float(seconds) - known)


def _proof_lines(name: str, answer: Answer, late: float | None) -> Iterator[str]:
    processes, unproven = answer.get("processes", []), answer.get("unproven", [])
    line = f"{name}: {len(processes) - len(unproven)} of {len(processes)} processes serve V1"
    if late is not None:
        p50, slowest = answer["p50_seconds"] + late, answer["max_seconds"] + late
        line += f", at most {p50:.1f} s (median) and {slowest:.1f} s (slowest) after the commit"
    yield line
    for row in unproven[:SHOWN]:
        which = f"process {row['pid']}" if row.get("pid") else "a process"
        state = "SERVES V2" if row.get("serves") == "v2" else "NOT PROVEN"
        why = one_line(row.get("error") or "no reason given")
        yield f"{name}: {which} at {one_line(row.get('url'))} {state}: {why}"
    if len(unproven) > SHOWN:
        yield f"{name}: {len(unproven) - SHOWN} more processes are not proven"
    yield from (f"{name}: {text}" for text in warnings_of(answer))


def _not_asked(name: str, answer: Answer, known: Answer) -> Iterator[str]:
    """Yield that pm2 lists more living processes than are proven: their number or addresses given are out of date."""
    asked = [row.get("pid") for row in answer.get("processes", [])]
    proven = len({pid for pid in asked if pid}) + sum(not pid for pid in asked)
    living, _others = _listed(answer, known)
    if len(living) > proven:
        whose = ", ".join(sorted({one_line(one.get("name")) for one in living}))
        yield (
            f"V1 is not proven on {name}: pm2 lists {len(living)} living processes of {whose}, {proven} were asked "
            "(kanban_app_process_urls, kanban_app_processes, kanban_app_pm2_names)"
        )


def _beside(name: str, answer: Answer, known: Answer) -> Iterator[str]:
    """Yield what pm2 lists apart from the application's processes, or that it could not be asked."""
    if known and "processes" not in known:
        yield f"{name}: whether these are all of its processes is not known: {why_not(known)}"
    _living, others = _listed(answer, known)
    if others:
        yield f"{name}: pm2 also lists {', '.join(others[:SHOWN])}, not asked which board it serves"


def _listed(answer: Answer, known: Answer) -> tuple[list[Answer], list[str]]:
    """Return the living processes that pm2 lists under the name of one that was asked, and the names of the others.

    If none is found again by its id, all of them count as the application.
    """
    living = [one for one in known.get("processes", []) if one.get("alive")]
    pids = {row.get("pid") for row in answer.get("processes", []) if row.get("pid")}
    names = {one.get("name") for one in living if one.get("pid") in pids}
    others = sorted({one_line(one.get("name")) for one in living if names and one.get("name") not in names})
    return [one for one in living if not names or one.get("name") in names], others


def _restarts(name: str, answer: Answer, known: Answer) -> Iterator[str]:
    """Yield how to make a process that keeps serving V2 read the flag: nothing else does it."""
    numbers = {one.get("pid"): one.get("pm_id") for one in known.get("processes", []) if one.get("pid")}
    stuck = [row["pid"] for row in answer.get("unproven", []) if row.get("serves") == "v2" and row.get("pid")]
    for pid in stuck[:SHOWN]:
        number = numbers.get(pid)
        how = f": pm2 restart {number}" if isinstance(number, int) else ""
        yield f"Next, on {name}: process {pid} goes on serving V2 and has to be started again{how}"


def walk_part(
    names: Sequence[str],
    answers: Sequence[Answer],
    wanted: bool = True,
    group: str = "app",
    plan: bool = False,
    what: str = "V1 walk",
    variable: str = "kanban_app_v1_steps",
) -> dict[str, Any]:
    """Judge the walk through V1 on every application host, or another walk.

    :param answers: as ``smoke_test`` gives them.
    :param wanted: whether there are steps to walk.
    :param what: what the walk is called.
    :param variable: which variable has its steps.
    """
    part = Part(VALIDATE, f"the {what} passed")
    if not wanted:
        part.kind, part.good = NOTHING, f"no {what} (it has no steps)"
        part.lines.append(f"No {what} was made: {variable} is empty.")
        return part.as_result()
    if _nobody(part, names, group, f"no {what} was made"):
        return part.as_result()
    for name, answer in together(names, answers):
        steps = answer.get("steps", [])
        walked = ", ".join(one_line(row["name"]) for row in steps if plan or row.get("passed"))
        if plan and steps and not answer.get("failed"):
            part.lines.append(f"{name}: would be walked: {walked}")
        elif answer.get("passed") is True and not answer.get("failed"):
            part.lines.append(f"{name}: the {what} passed in {_seconds(answer)}: {walked}")
        elif not steps or answer.get("failed"):
            part.bad.append(f"the {what} on {name} could not be made")
            part.lines.append(why_line(f"{name}: {what} NOT ACCOUNTED FOR", answer))
        else:
            part.bad.append(f"the {what} failed on {name}")
            for row in steps:
                if row.get("passed") is False:
                    why = one_line(row.get("why") or "no reason given")
                    part.lines.append(f"{name}: the {what} FAILED at {one_line(row['name'])}: {why}")
            part.lines.append(f"{name}: what passed of the {what}: {walked or 'nothing'}")
    return part.as_result()


def health_part(
    names: Sequence[str], answers: Sequence[Answer], group: str = "app", plan: bool = False
) -> dict[str, Any]:
    """Judge the health of every application host, as ``smoke_test`` gives it with one step.

    :param names: the hosts, and ``localhost`` for the address of users, which the controller asks.
    """
    part = Part(VALIDATE, "every application host is healthy")
    if _nobody(part, names, group, "the health of no application host was asked for"):
        return part.as_result()
    named = ["the users' address" if name == "localhost" else name for name in names]
    for name, answer in together(named, answers):
        step = (answer.get("steps") or [{}])[0]
        if answer.get("passed") is True and not answer.get("failed"):
            part.lines.append(f"{name}: healthy, {step.get('status')} in {step.get('ms')} ms")
        elif plan and step and not answer.get("failed"):
            part.lines.append(f"{name}: its health would be asked for")
        elif step.get("passed") is False:
            part.bad.append(f"{name} is not healthy")
            part.lines.append(f"{name}: NOT HEALTHY: {one_line(step.get('why') or 'no reason given')}")
        else:
            part.bad.append(f"the health of {name} is not known")
            part.lines.append(why_line(f"{name}: health NOT ACCOUNTED FOR", answer))
    return part.as_result()


def _nobody(part: Part, names: Sequence[str], group: str | Sequence[str], bad: str) -> bool:
    """Return whether there are no hosts, and note in the part whether that is on purpose or must be fixed."""
    if names:
        return False
    if group == NO_GROUP:
        part.kind, part.good = NOTHING, "the application was not asked (there are no application hosts)"
    else:
        part.bad.append(f"{bad}, for the group {group!r} has no hosts")
    return True


def _seconds(answer: Answer) -> str:
    took = answer.get("elapsed_ms")
    return f"{took / 1000:.1f} s" if isinstance(took, (int, float)) else "an unknown time"
