# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was purged, what stays and why, in a few lines. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

# The most paths that are named one by one per host.
SHOWN = 10
_NAMES = 3


def retention_screen(
    hosts: Sequence[str],
    answers: Sequence[Mapping[str, Any]],
    known: Mapping[str, Any],
    days: int,
    check_mode: bool = False,
    journals: Mapping[str, Sequence[str]] | None = None,
    reports: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return ``failed``, ``headline`` and ``lines`` of the last screen.

    :param answers: in the order of the hosts, each with ``choice`` (of ``what_is_over``), ``removed``, results of the
        removals, ``quarantine`` and ``files``, what the ledger purged, and ``error``: why there is no choice, or what
        was not done beside it. Empty for a host that gave none.
    :param known: the result of ``open_incidents``.
    :param days: the result of ``days_of``: 0 if it is not known what is over.
    :param journals: the result of ``journal_screen``, what to say about the controller's journals; ``reports``: that of
        ``report_screen``.
    """
    written = reports or {"amiss": [], "lines": []}
    told = journals or {"amiss": [], "lines": []}
    if known["silent"] or days < 1:
        found = _unknown(known["silent"]) if known["silent"] else _no_retention()
        more = [*told["amiss"], *written["amiss"], *written["lines"], *told["lines"]]
        return {**found, "lines": [*found["lines"], *more]}
    lines: list[str] = []
    amiss: list[str] = []
    count = rows = 0
    for host, answer in zip(hosts, answers):
        choice = answer.get("choice")
        if not choice:
            amiss.append(f"{host}: NOT LOOKED INTO: {one_line(answer.get('error') or 'no answer')}")
            continue
        results = {one["item"]["path"]: one for one in answer.get("removed") or [] if "item" in one}
        done, said = [], len(amiss)
        for one in choice["over"]:
            result = results.get(one["path"], {"failed": True, "msg": "it was not tried"})
            if result.get("failed") or result.get("unreachable"):
                amiss.append(f"{host}: NOT REMOVED: {one['path']}: {one_line(result.get('msg', ''))}")
            elif result.get("changed"):
                done.append(one)
        if answer.get("error") and len(amiss) == said:
            amiss.append(f"{host}: NOT PURGED TO THE END: {one_line(answer['error'])}")
        count += len(done)
        rows += sum(one["rows"] for one in answer.get("quarantine") or [])
        lines += _removed(host, done, check_mode) + _quarantine(host, answer.get("quarantine") or [], check_mode)
        lines += _files(host, answer.get("files") or [], check_mode)
        lines += _kept(host, choice["kept"])
    if not hosts:
        amiss.append("No host is in the inventory's groups, so nothing was looked into.")
    headline = _headline(count, rows, days, bool(amiss), check_mode)
    if told["amiss"]:
        headline += " NOT EVERY JOURNAL IS WHOLE."
    if written["amiss"]:
        headline += " NOT EVERY REPORT IS AS IT SHOULD BE."
    amiss += [*told["amiss"], *written["amiss"]]
    return {
        "failed": bool(amiss),
        "headline": headline,
        "lines": [headline, *amiss, *written["lines"], *lines, *told["lines"]],
    }


def _headline(count: int, rows: int, days: int, is_amiss: bool, check_mode: bool) -> str:
    kept = f"{count} {'dump or directory' if count == 1 else 'dumps and directories'} of evidence"
    quarantined = f"{rows} {'row' if rows == 1 else 'rows'} in quarantine"
    named = [text for number, text in ((count, kept), (rows, quarantined)) if number]
    one, count = count + rows == 1, count + rows
    over = f"{' and '.join(named)} {'was' if one else 'were'}"
    over += f" older than {days} days and {'would be' if check_mode else 'is' if one else 'are'} removed."
    none = f"othing that may go is older than {days} days."
    if check_mode:
        return f"PLAN, nothing was changed: {over if count else 'n' + none}"
    if count:
        return f"PURGED{' IN PART' if is_amiss else ''}: {over}"
    return "NOTHING WAS PURGED, and not all of it went well." if is_amiss else "N" + none


def _unknown(silent: Sequence[str]) -> dict[str, Any]:
    headline = "NOTHING WAS PURGED, on any host: it is not known which incidents are open."
    why = "The dump of an open incident may be the only copy of what is to be repaired."
    todo = "Mend what the lines say, and type the same command again."
    lines = [with_page(headline, "nothing_purged"), *map(one_line, silent), f"{why} {todo}"]
    return {"failed": True, "headline": headline, "lines": lines}


def _no_retention() -> dict[str, Any]:
    headline = "NOTHING WAS PURGED, on any host: kanban_retention_days is no whole number of days from 1 on."
    todo = "What is removed does not come back. Mend it, and type the same command again."
    return {"failed": True, "headline": headline, "lines": [with_page(headline, "nothing_purged"), todo]}


def _removed(host: str, done: Sequence[Mapping[str, str]], check_mode: bool) -> list[str]:
    word = "would remove" if check_mode else "removed"
    lines = [f"{host}: {word} {one['what']} {one['path']} ({one['why']})" for one in done[:SHOWN]]
    return lines + ([f"{host}: {word} {len(done) - SHOWN} more"] if len(done) > SHOWN else [])


def _quarantine(host: str, purged: Sequence[Mapping[str, Any]], check_mode: bool) -> list[str]:
    """Return a line for each incident, because its repairs cannot be undone afterwards."""
    word = "would remove" if check_mode else "removed"
    lines = [
        f"{host}: {word} {one['rows']} rows in quarantine of {one_line(one['incident_id'])}, closed {one['days']} days "
        "ago: its repairs cannot be undone any more"
        for one in purged[:SHOWN]
    ]
    return lines + ([f"{host}: {word} those of {len(purged) - SHOWN} more incidents"] if len(purged) > SHOWN else [])


def _files(host: str, purged: Sequence[Mapping[str, Any]], check_mode: bool) -> list[str]:
    """Return one line for all incidents together, because their reports are written by then."""
    if not purged:
        return []
    number, word = sum(one["files"] for one in purged), "would remove" if check_mode else "removed"
    ids = ", ".join(one_line(one["incident_id"]) for one in purged[:SHOWN])
    more = f" and {len(purged) - SHOWN} more incidents" if len(purged) > SHOWN else ""
    return [f"{host}: {word} {number} journals and plans out of the ledger, of {ids}{more}"]


def _kept(host: str, kept: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a line for each reason, with everything that is kept for it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in kept:
        groups.setdefault((one["what"], one["why"]), []).append(one["path"])
    lines = []
    for (what, why), paths in groups.items():
        named = [PurePosixPath(path).parent.name if what == "evidence" else path for path in paths[:_NAMES]]
        more = f" and {len(paths) - _NAMES} more" if len(paths) > _NAMES else ""
        lines.append(f"{host}: kept {what} {', '.join(named)}{more}: {why}")
    more_lines = [f"{host}: kept more, for {len(lines) - SHOWN} more reasons"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more_lines
