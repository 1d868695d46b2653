# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``backup_info`` answered in words, in one place for all who report it. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import moment_of, utc
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverysource import earliest

_HOUR = 3600


def is_recent(answer: Answer) -> bool:
    """Tell whether there is a backup that is young enough, with its log or without."""
    return bool(answer.get("recent") or answer.get("recent_with_log"))


def of_each_database(rows: Iterable[tuple[str, str, Answer]]) -> list[tuple[str, Answer]]:
    """Return one host and its answer for each database: one host that has its backup will do.

    :param rows: the database that a host leads to (empty if nobody knows), the host, and its answer.
    """
    chosen: dict[str, tuple[str, Answer]] = {}
    for cluster, name, answer in rows:
        place = cluster or f" {name}"
        if place not in chosen or (is_recent(answer) and not is_recent(chosen[place][1])):
            chosen[place] = (name, answer)
    return list(chosen.values())


def newest_text(answer: Answer, most: float) -> str:
    """Return which backup brings back the latest data and how old that is, or why there is none.

    :param most: how old it may be, in seconds; 0 if that is not judged.
    """
    newest = answer["furthest"] or answer["newest"]
    if not newest:
        return str(answer["newest_why"])
    age = newest["reach"]["age_seconds"]
    old = "of which nobody can tell how old its data is" if age is None else f"whose data is {age / _HOUR:,.1f} h old"
    limit = f"; at most {most / _HOUR:,.1f} h are allowed." if most else "."
    return f"The newest usable backup is {newest['label']} ({newest['kind']}), {old}{limit}"


def silent_sources(answer: Answer) -> list[tuple[str, Mapping[str, str]]]:
    """Return each source that gave no answer, in words, and with its error."""
    return [
        (f"Backups: {source['name']} gave no answer: {source['error']['what']}", source["error"])
        for source in answer["sources"]
        if source["error"]
    ]


def log_text(answer: Answer) -> str:
    """Return whether the server archives its log."""
    archiver = answer["archiver"]
    if archiver["healthy"]:
        return "The log is archived as it should be."
    if archiver["healthy"] is None:
        return f"Whether the log is archived is not known: {archiver['why'].rstrip('.')}."
    return f"The log is not archived as it should be: {archiver['why']}."


def comes_back_text(answer: Answer) -> str:
    """Return which backup brings back the data from before the moment that was asked about, or why none does.

    The text follows "the data from before ... ".
    """
    to_moment, before = answer["point_in_time"] or {}, answer["before"]
    if to_moment.get("possible"):
        return f"comes back from {to_moment['label']} ({to_moment['kind']}) and its log, up to that moment."
    if not before:
        return f"DOES NOT COME BACK: {answer['before_why']}"
    lost = answer["lost_seconds"]
    less = f", less the last {_span(lost)}" if lost else ""
    doubt = f" How far its log goes is not known: {before['reach_unknown']}." if before.get("reach_unknown") else ""
    return f"comes back from {before['label']} ({before['kind']}){less}.{doubt}"


def when_it_began(integrity: Answer) -> dict[str, Any]:
    """Return since when data is corrupt according to ``integrity_info``: ``at`` and ``check``, None if unknown.

    It is the earliest moment that a check of hours tells; if none does, that of the rows that other checks found.
    """
    at, name, _by_hours = earliest(integrity)
    return {"at": at, "check": name}


def backup_lines(
    names: Sequence[str], answers: Sequence[Answer], integrity: Sequence[Answer], most: float
) -> list[str]:
    """Return what triage says about each database's backups; they have no part in what is decided.

    :param names: the database hosts; ``answers`` are those of ``backup_info`` there, empty if nothing was to be
        asked, and ``integrity`` are those of ``integrity_info``.
    :param most: see ``newest_text``.
    """
    asked = [(name, answer, when_it_began(found)) for name, answer, found in together(names, answers, integrity)]
    began = {name: moment for name, _answer, moment in asked}
    # A replica does not archive, so its primary's answer is reported if there is one.
    rows = sorted((row for row in asked if row[1]), key=lambda row: not _database(row[1]).get("writable"))
    lines = []
    for name, answer in of_each_database((_cluster(answer), name, answer) for name, answer, _moment in rows):
        lines += [f"{name}: {one_line(text)}" for text in _of_database(answer, most)]
        if "sources" in answer:
            lines.append(f"{name}: {one_line(_before(answer, began[name]))}")
    return lines


def incident_backup_lines(names: Sequence[str], asked: Sequence[Answer], most: float) -> list[str]:
    """Return what the report says: each database's backups, and what precedes each of its incidents.

    :param names: the database hosts; ``asked`` has for each, as ``results`` of a loop over its ledger's incidents,
        what ``backup_info`` answered for the moment at which the incident was opened; empty if there was none.
    :param most: see ``newest_text``.
    """
    results = {name: loop["results"] for name, loop in together(names, asked) if loop.get("results")}
    lines = []
    # What there is now is the same for all incidents.
    for name, first in of_each_database((_cluster(some[0]), name, some[0]) for name, some in results.items()):
        lines += [f"{name}: {one_line(text)}" for text in _of_database(first, most)]
        for answer in results[name]:
            incident = answer.get("item") or {}
            if "sources" in answer:
                until = f" and closed {incident['closed_at']}" if incident.get("closed_at") else ""
                since = f"{one_line(incident['incident_id'])}, opened {incident['opened_at']}{until}"
                lines.append(f"{name}: {since}: {one_line(f'the data from before it {comes_back_text(answer)}')}")
    return lines


def _of_database(answer: Answer, most: float) -> list[str]:
    """Return what there is now, in sentences."""
    if "sources" not in answer:
        return [f"It is not known what backups there are: {why_not(answer)}"]
    mark = "" if not most or is_recent(answer) else "NO BACKUP THAT IS YOUNG ENOUGH. "
    return [mark + newest_text(answer, most), *(text for text, _error in silent_sources(answer)), log_text(answer)]


def _before(answer: Answer, began: Mapping[str, Any]) -> str:
    if answer["point_in_time"] is not None:
        at, text = utc(moment_of(str(began["at"]))), comes_back_text(answer)
        return f"The data from before {at}, when it began as {began['check']} tells, {text}"
    last = answer["furthest"]
    if not last:
        return "No check tells when it began, and nothing comes back."
    return f"No check tells when it began. The latest that comes back is the data of {last['reach']['latest']}."


def _span(seconds: float) -> str:
    return f"{seconds / _HOUR:,.1f} h" if seconds >= _HOUR else f"{max(1, round(seconds / 60))} min"


def _database(answer: Answer) -> Mapping[str, Any]:
    return answer.get("database") or {}


def _cluster(answer: Answer) -> str:
    return str(_database(answer).get("cluster", ""))
