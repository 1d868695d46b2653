# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this version was rehearsed lately, and whether the plan's review is due. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import Item

# The plan is reviewed after each incident or quarterly.
REVIEW_DAYS = 92
_DAY = 86400


def history_items(answer: Mapping[str, Any], *, version: str, days: float, reviewed_on: str, now: float) -> list[Item]:
    """Return what is amiss with rehearsals and the review; nothing if both are recent.

    :param answer: of ``incident_history``, asked for this version.
    :param days: how old the last green rehearsal may be.
    :param reviewed_on: a date, as a person wrote it; empty means not known.
    :param now: seconds since 1970.
    """
    return [*_rehearsal(answer, version, days, now), *_review(reviewed_on, now)]


def _rehearsal(answer: Mapping[str, Any], version: str, days: float, now: float) -> list[Item]:
    what = f"of version {version}" if version else "of this version"
    todo = "Run rehearse.yml on staging, and report.yml after it."
    why = "What was not tried lately takes longer than it should on the day, or does not work."
    if "last_green" not in answer:
        told = str(answer.get("msg") or "no answer")
        return [Item("rehearsal", "", None, False, f"The last rehearsal {what} is not known: {told}", why, todo)]
    green = answer["last_green"]
    at = _moment(str((green or {}).get("began") or ""))
    if at is None:
        return [Item("rehearsal", "", False, False, f"No green rehearsal {what} is on record here.", why, todo)]
    age = (now - at) / _DAY
    if age <= days:
        return []
    told = f"The last green rehearsal {what} was {age:.0f} days ago, more than {days:g}."
    return [Item("rehearsal", "", False, False, told, why, todo)]


def _moment(text: str) -> float | None:
    try:
        return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def _review(reviewed_on: str, now: float) -> list[Item]:
    why = "The plan is reviewed after each incident or quarterly; contacts, hosts and thresholds change."
    todo = "Review it, and set kanban_reviewed_on to the date."
    try:
        last = date.fromisoformat(reviewed_on.strip()[:10])
    except ValueError:
        told = "is not known" if not reviewed_on.strip() else f"is no date: {reviewed_on}"
        return [Item("review", "", False, False, f"When the plan was reviewed last {told}.", why, todo)]
    due = last + timedelta(days=REVIEW_DAYS)
    if datetime.fromtimestamp(now, timezone.utc).date() <= due:
        return []
    return [Item("review", "", False, False, f"The review of the plan was due on {due.isoformat()}.", why, todo)]
