# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which journals have expired, and what the last screen says about all of them. Pure: nothing is removed here."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportledger import moment_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retention import DAY
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionledgers import Known, folders, known_from

# At most so many incidents, or journals that do not hold, are named one by one.
SHOWN = 10
# Removals are announced so many days ahead.
WARNED_DAYS = 7
# People write in these files. What they wrote is put into the ledgers before it goes here, of so many incidents a run.
OWN = ("incident.md", "postmortem.md", "checklists.md", "words.md")
MOST_WORDS = 20


def journals_over(
    answer: Mapping[str, Any],
    known: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]],
    days: int,
    now: float,
    kept: Sequence[str] | None = None,
) -> list[str]:
    """Return the paths of journals whose incident was closed that long ago in every ledger.

    Those of one incident go together, and with its records: reports from a part of them would tell only a part.

    :param answer: of ``journal_info``; empty if it gave none.
    :param known: of ``open_incidents``. While a host is silent, nothing has expired.
    :param answers: of ``incident_info``, which say when incidents were closed.
    :param days: less than one means no retention: nothing expires.
    :param now: seconds since 1970.
    :param kept: those incidents of ``words_over`` whose words are in a ledger; the others stay. Null for all.
    """
    over = _over(answer, known, answers, days, now, kept)
    return [one["path"] for one in answer.get("journals", []) if one["folder"] in over]


def records_over(
    answer: Mapping[str, Any],
    known: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]],
    days: int,
    now: float,
    kept: Sequence[str] | None = None,
) -> list[str]:
    """Return the paths of records with people's names whose incident was closed that long ago in every ledger.

    Timings stay, because they contain no names. The parameters are those of ``journals_over``.
    """
    over = _over(answer, known, answers, days, now, kept)
    return [path for one in answer.get("records", []) if one["folder"] in over for path in one["paths"]]


def words_over(
    answer: Mapping[str, Any], known: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], days: int, now: float
) -> list[str]:
    """Return the incidents that have expired and in whose records people may have written, the first ``MOST_WORDS``.

    What they wrote has to be in a ledger before it goes here. The parameters are those of ``journals_over``.
    """
    over = _written(answer) & _over(answer, known, answers, days, now, None)
    names = [name for row in _rows(answers) for name in (row["incident_id"], *row.get("aliases", []))]
    return [name for name in dict.fromkeys(names) if incident_folder(name) in over][:MOST_WORDS]


def _over(
    answer: Mapping[str, Any],
    known: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]],
    days: int,
    now: float,
    kept: Sequence[str] | None,
) -> set[str]:
    if days < 1:
        return set()
    over = {name for name, since in _closed_for(known, answers, now).items() if since > days}
    return over if kept is None else over - (_written(answer) - set(map(incident_folder, kept)))


def _written(answer: Mapping[str, Any]) -> set[str]:
    """Return the directories with files that people write in."""
    return {
        one["folder"]
        for one in answer.get("records", [])
        if any(path.rpartition("/")[2] in OWN for path in one["paths"])
    }


def _rows(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for one in answers for row in one.get("incidents") or []]


def _closed_for(known: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], now: float) -> dict[str, float]:
    """Return the days for which an incident has been closed in every ledger, by directory; none if a host is silent."""
    if known["silent"]:
        return {}
    said = known_from(known)
    closed: dict[str, float] = {}
    for row in _rows(answers):
        at = moment_of(row.get("closed_at"))
        for name in (folder for one in [row["incident_id"], *row.get("aliases", [])] for folder in folders(one)):
            # If the time is unknown, it counts as closed just now.
            closed[name] = max(closed.get(name, 0.0), now if at is None else at)
    return {
        name: (now - at) / DAY
        for name, at in closed.items()
        if said.is_closed_folder(name) and not said.is_open_folder(name)
    }


def _soon(
    answer: Mapping[str, Any], known: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], days: int, now: float
) -> list[str]:
    """Return a line for each incident whose records go in the next few days, the earliest first."""
    closed = _closed_for(known, answers, now) if days >= 1 else {}
    left = {one["folder"]: days - closed.get(one["folder"], 0.0) for one in answer.get("records", [])}
    soon = sorted((rest, name) for name, rest in left.items() if name in closed and 0 <= rest <= WARNED_DAYS)
    lines = [
        f"{one_line(name)}: its records and journals go {'within a day' if rest < 1 else f'in {rest:.0f} days'} out of "
        f"{one_line(path)}; what people wrote in them stays in the ledger (incident_documents)"
        for rest, name in soon[:SHOWN]
        for path in [_folder_of(answer, name)]
    ]
    return lines + ([f"the records of {len(soon) - SHOWN} more incidents go soon"] if len(soon) > SHOWN else [])


def _folder_of(answer: Mapping[str, Any], name: str) -> str:
    return next((one["paths"][0].rpartition("/")[0] for one in answer["records"] if one["folder"] == name), name)


def journal_screen(
    answer: Mapping[str, Any],
    known: Mapping[str, Any],
    removed: Sequence[Mapping[str, Any]],
    check_mode: bool,
    answers: Sequence[Mapping[str, Any]] = (),
    days: int = 0,
    now: float = 0.0,
    kept: Sequence[str] | None = None,
) -> dict[str, list[str]]:
    """Return ``amiss`` and ``lines``: for each incident whether its journals hold, what was removed, what goes soon.

    :param removed: results of the removals. The last four parameters are those of ``journals_over``.
    """
    if "journals" not in answer:
        return {"amiss": [f"JOURNALS NOT VERIFIED: {one_line(str(answer.get('msg') or 'no answer'))}"], "lines": []}
    said = known_from(known)
    amiss = [f"JOURNAL NOT WHOLE: {one['path']}: {_why(one)}" for one in answer["journals"] if not one["holds"]]
    more = [f"{len(amiss) - SHOWN} more journals are not whole"] if len(amiss) > SHOWN else []
    amiss = amiss[:SHOWN] + more
    amiss += [
        f"NOT REMOVED: {one['item']}: {one_line(str(one.get('msg', '')))}" for one in removed if one.get("failed")
    ]
    amiss += [
        f"NOT REMOVED: {one_line(name)}: what people wrote in its records is in no ledger yet; it stays until it is"
        for name in words_over(answer, known, answers, days, now)
        if kept is not None and name not in kept
    ]
    gone = [one["item"] for one in removed if one.get("changed") and not one.get("failed")]
    word = "would remove" if check_mode else "removed"
    lines = [f"{word} journals and records of closed incidents: {len(gone)}"] if gone else []
    if answer.get("left_out"):
        lines.append(f"journals: {answer['left_out']} older ones were not read")
    lines += _soon(answer, known, answers, days, now)
    return {"amiss": amiss, "lines": lines + _of_incidents(answer["journals"], said)}


def _why(one: Mapping[str, Any]) -> str:
    if one.get("unread"):
        return f"it was not read: {one_line(str(one['unread']))}"
    return f"its chain of hashes breaks at {one_line(str(one['broken_at']))}"


def _of_incidents(journals: Sequence[Mapping[str, Any]], known: Known) -> list[str]:
    """Return a line for each incident: open ones first, then by the newest journal."""
    folders: dict[str, list[Mapping[str, Any]]] = {}
    for one in journals:
        folders.setdefault(one["folder"], []).append(one)
    order = sorted(folders, key=lambda name: not known.is_open_folder(name))
    lines = [_of_incident(name, folders[name], known) for name in order[:SHOWN]]
    return lines + ([f"journals of {len(order) - SHOWN} more incidents"] if len(order) > SHOWN else [])


def _of_incident(name: str, journals: Sequence[Mapping[str, Any]], known: Known) -> str:
    unknown = "not listed" if known.cut else "in no ledger"
    state = "open" if known.is_open_folder(name) else "closed" if known.is_closed_folder(name) else unknown
    whole = [one for one in journals if one["holds"]]
    parts = [f"{len(whole)} of {len(journals)} {'holds' if len(whole) == 1 else 'hold'}"]
    cut = sum(1 for one in whole if one["cut"])
    unended = sum(1 for one in whole if not one["cut"] and not one["ended"])
    if cut:
        parts.append(f"{cut} cut in the last line, nothing before it was changed")
    if unended:
        parts.append(
            f"{unended} without its run's end (under way, killed, from the ledger, or the last lines are gone)"
        )
    return f"journals of {one_line(name)} ({state}): {'; '.join(parts)}"
