# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of several hosts say when they are read together. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line, paged, why_silent

# The id that a run gives its incident if nobody has named it.
_MADE_UP = re.compile(r"INC-\d{8}-\d{6}-\d{3}")
NOT_ASKED = "it was not asked, because an earlier step got no answer here"
# Codes of errors that mean that no server, or nobody behind it, was asked anything.
_NO_ANSWER = ("unreachable", "connection_failed", "lost_connection")
_UNKNOWN = f" NOT ACCOUNTED FOR: {NOT_ASKED}"


def incident_names(answers: Sequence[Answer], run: Answer) -> list[str]:
    """Return every id that the run knows the incident by: its own, its aliases, and the one it was opened under.

    :param answers: the answers to the kill or to a query.
    """
    found = {str(run["incident_id"])}
    asked: set[str] = set()
    for answer in answers:
        incident = (answer or {}).get("incident", {})
        found.update(str(incident[name]) for name in ("incident_id", "requested") if incident.get(name))
        rows = [*incident.get("open_before", []), *(answer or {}).get("incidents", [])]
        for row in rows:
            # A closed incident that had an id first is not the same as another one that was opened under that id.
            if set(ids_of(row)) & (found if row.get("closed_at") else found | asked):
                found.update((row["incident_id"], *row.get("aliases", [])))
                asked.update(ids_of(row))
    return sorted(found | asked)


def names_left(blocks: Sequence[Answer], flags: Sequence[Answer]) -> list[str]:
    """Return the ids on write blocks that look as if a run made them up and that no ledger knows.

    They come from stops that reached no ledger. Return nothing if a database gave no answer, or if there are several
    ledgers: another one may know them, perhaps as closed.

    :param blocks: the answers of the hosts that were to hold one.
    :param flags: the answers of all databases to the kill.
    """
    if any("database" not in flag for flag in flags):
        return []
    databases = [flag["database"] for flag in flags]
    if len({database.get("cluster") for database in databases if database.get("writable")}) != 1:
        return []
    known: set[str] = set()
    for incident in (flag["incident"] for flag in flags if flag.get("incident")):
        known.add(str(incident["incident_id"]))
        known.update(name for row in incident.get("open_before", []) for name in ids_of(row))
        # If noting this name was refused, nobody can find the incident by it.
        if incident.get("noted", True):
            known.add(str(incident.get("requested")))
    owners = {str(block["owner"]) for block in blocks if block.get("held") and block.get("owner")}
    return sorted(owner for owner in owners if _MADE_UP.fullmatch(owner) and owner not in known)


def latest(answers: Sequence[Sequence[Answer]]) -> list[Answer]:
    """Return for each host its last answer from several tasks; a host that was not asked has none."""
    found = []
    for several in zip_longest(*answers):
        asked = [answer for answer in several if answer and not answer.get("skip_reason")]
        found.append(asked[-1] if asked else {})
    return found


def last_known(first: Sequence[Answer], later: Sequence[Answer]) -> list[Answer]:
    """Return for each host the answer that tells the state of its database: the later one, if it names a database."""
    return [
        (later or {}) if "database" in (later or {}) else (first or {}) for first, later in zip_longest(first, later)
    ]


def led_now(names: Sequence[str], flags: Sequence[Answer]) -> list[Answer]:
    """Return the last answers about the flag, without those of primaries that another server has taken over from.

    Nothing is expected of these any more: what they said about themselves no longer holds.
    """
    gone = {str(flag["failover"]["host"]): str(name) for name, flag in together(names, flags) if flag.get("failover")}
    # Behind the name of a service, the new primary has the same name as the old one.
    return [{} if gone.get(str(name), name) != name else flag for name, flag in together(names, flags)]


def expected(flag: Answer) -> bool:
    """Tell whether a database must have its fence and dump, even if the flag could not be switched."""
    return bool(flag["database"].get("writable")) if "database" in flag else bool(flag) and not flag.get("unreachable")


def expected_hosts(names: Sequence[str], flags: Sequence[Answer]) -> list[str]:
    """Return the hosts that something is expected of, as ``expected`` says."""
    return [str(name) for name, flag in together(names, flags) if expected(flag)]


def acted(flag: Answer) -> bool:
    """Tell whether a database is a primary that was asked to change."""
    return "database" in flag and bool(flag["database"].get("writable"))


def headless(names: Sequence[str], answers: Sequence[Answer]) -> dict[str, str]:
    """Return the replicas whose primary is not among those that answered, each with what is known about the primary.

    Nobody has looked at their database.
    """
    known = [(name, answer["database"]) for name, answer in together(names, answers) if answer.get("database")]
    led = {database["cluster"] for _name, database in known if database["writable"]}
    lost = [name for name, database in known if not database["writable"] and database["cluster"] not in led]
    return dict.fromkeys(lost, whose_primary(names, answers))


def whose_primary(names: Sequence[str], answers: Sequence[Answer]) -> str:
    """Return what is known about a headless replica's primary; a host that answered with an error named no database."""
    wrong = [name for name, answer in together(names, answers) if "database" not in answer and said_no(answer)]
    return f"may be {', '.join(wrong)}, which answered with an error" if wrong else "did not answer"


def said_no(answer: Answer) -> bool:
    """Tell whether the host was reached: by the error's code or, if Ansible or a role refused, by the lack of one."""
    code = answer.get("error", {}).get("code")
    if code is not None:
        return code not in _NO_ANSWER
    return bool(answer.get("failed")) and not answer.get("unreachable") and not answer.get("timedout")


def why_not(answer: Answer) -> str:
    """Return why nothing good came back, in one line."""
    if not answer or answer.get("skip_reason"):
        return NOT_ASKED
    what = answer.get("error", {}).get("what")
    return one_line(what) if what and not answer.get("unreachable") else why_silent(answer)


def why_and_todo(answer: Answer) -> str:
    """Return why nothing good came back, and what to do about it where the module says so."""
    return f"{why_not(answer)} {one_line((answer.get('error') or {}).get('todo') or '')}".rstrip()


def why_line(start: str, answer: Answer) -> str:
    """Return a screen's line about an answer that is not as it should be: why, and where to read more."""
    return paged(f"{start}: {why_not(answer)}", answer)


def together(names: Sequence[str], *answers: Sequence[Answer]) -> Iterator[tuple[Any, ...]]:
    """Pair hosts with their answers: a host without one must be counted, so the names lead."""
    rows: Iterator[tuple[Any, ...]] = zip_longest(names, *answers)
    for name, *given in rows:
        yield (name, *(answer or {} for answer in given))


def merged(lines: Sequence[str]) -> list[str]:
    """Return the lines, those of a host that was not asked merged into one with all that is not known about it."""
    unknown: dict[str, list[str]] = {}
    found: list[str] = []
    for line in lines:
        if not line.endswith(_UNKNOWN):
            found.append(line)
            continue
        name, what = line[: -len(_UNKNOWN)].split(": ", 1)
        if name not in unknown:
            found.append(name + _UNKNOWN)
        unknown.setdefault(name, []).append(what)
    said = {name + _UNKNOWN: f"{name}: {', '.join(what)}{_UNKNOWN}" for name, what in unknown.items()}
    return [said.get(line, line) for line in found]
