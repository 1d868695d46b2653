# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an alert may set off, given what the ledgers and the systems say. Pure: neither Ansible nor a driver.

An alert is repeated for hours, by more than one sender. So the question is not whether it was seen before but whether
what it asks for is already done, and whether people have decided otherwise since it began. Missing information never
prevents a stop: stopping twice costs only a read.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import RAISED

Answer = Mapping[str, Any]

TRIAGE, STOPS = "triage", ("scenario1", "scenario3")
# The clocks of Prometheus and of a database differ: a decision this soon after an alert began does not count.
MARGIN, A_DAY = timedelta(seconds=120), timedelta(days=1)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_TIME = re.compile(r"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
# The events by which a person lets people work again, with V2 or with Kanban's writes.
_LETS_GO = (("re-enable", "restored"), ("re-enable", "enabled"), ("release", "released"))
# A release lowers the fence first, and records only after its tests that it released. If writes were refused again, or
# somebody has stopped V2 since, nobody has decided that work may go on.
_FENCED, _LOWERED = ("contain", "fence_raised"), ("contain", "fence_lowered")
_REFUSED = (_FENCED, ("release", "raised again"), ("contain", "disabled"))


def alert_decision(
    databases: Sequence[Answer],
    *,
    asked: str,
    name: str,
    began_at: Any,
    environment: str,
    own_environment: str,
    allowed: Sequence[str] = (),
    blocks: Sequence[Answer] = (),
    fenced: bool = True,
    now: float | None = None,
) -> dict[str, Any]:
    """Return ``acts`` (scenario1, scenario3, triage or empty), ``refused``, ``reason`` for the record, and ``lines``.

    :param databases: for each ``incidents`` (the answer of ``incident_info``, with what was done in the open ones),
        ``flag`` and ``fence``.
    :param asked: what the alert's rule asks for: triage, scenario1 or scenario3.
    :param environment: the alert's; ``own_environment`` is the inventory's.
    :param allowed: the scenarios that may run automatically.
    :param blocks: the answers of ``write_block_info``, one for each Redis.
    :param fenced: whether scenario 3 raises a fence here.
    :param now: seconds since 1970; the default is the present.
    """
    began = moment(began_at)
    wrong = _wrong(asked, name, began_at, began, environment, own_environment)
    if wrong or began is None:
        return {"acts": "", "refused": True, "reason": "", "lines": [with_page(wrong, "alert_refused")]}
    what = f"Alert {name}, firing since {began:%Y-%m-%dT%H:%M:%SZ}"
    acts, why = TRIAGE, ""
    if asked in STOPS and asked not in allowed:
        why = f"It asks for {asked}, which kanban_auto_contain does not name, so nothing is switched by itself."
    elif asked in STOPS and _holds(asked, databases, blocks, fenced):
        acts, why = "", f"{_open_ids(databases)} is open and all that {asked} stops is stopped: nothing to do."
    elif asked in STOPS:
        since, doubt = _known_since(began, now)
        why = _decided_since(databases, since)
        acts, why = (TRIAGE, f"{why}{doubt}") if why else (asked, f"{asked} follows, for kanban_auto_contain names it.")
    if acts == TRIAGE:
        looked = _looked_at_since(asked, databases, began)
        if looked:
            acts, why = "", f"{why} {looked}".strip()
        else:
            why = f"{why} Triage says what it is.".strip()
    return {"acts": acts, "refused": False, "reason": what, "lines": [f"{what}.", why]}


def _known_since(began: datetime, now: float | None) -> tuple[datetime, str]:
    """Return since when people's actions count as done with knowledge of the alert, and what to say about that.

    A moment in the future comes from a wrong clock: measured by it, nobody would ever have decided anything, and V2
    would be switched off again each time the alert is sent.
    """
    present = datetime.now(timezone.utc) if now is None else datetime.fromtimestamp(now, timezone.utc)
    if began <= present + MARGIN:
        return began, ""
    return present - A_DAY, " The alert's moment is still to come, so a clock is wrong, and the last day counts."


def moment(text: Any) -> datetime | None:
    """Return a moment that Alertmanager or the ledger wrote, to the second in UTC; None for anything else."""
    if isinstance(text, datetime):
        # Answers to an AWX survey come as YAML, which parses moments; one without a zone was in UTC there.
        aware = text if text.tzinfo else text.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc).replace(microsecond=0)
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    try:
        # The oldest supported Python does not read Z.
        read = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    except ValueError:
        return None
    return read.astimezone(timezone.utc)


def _wrong(asked: Any, name: Any, began_at: Any, began: datetime | None, environment: Any, own: Any) -> str:
    """Return why this is not an alert to act on; what it says is not repeated if it has no known form."""
    if asked not in (TRIAGE, *STOPS):
        return "REFUSED: kanban_alert_scenario has to be triage, scenario1 or scenario3."
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "REFUSED: kanban_alert_name is no name of an alert (a letter, then letters, digits and _, 64 at most)."
    if began is None:
        return "REFUSED: kanban_alert_began_at is no moment such as 2026-11-27T03:12:00Z."
    if not own or environment != own:
        return (
            f"REFUSED: the alert is of another environment than this inventory, whose kanban_environment is {own!r}. "
            "Give each environment a rulebook of its own, with its inventory."
        )
    return ""


def _part(answer: Answer, name: str) -> Answer:
    found = answer.get(name)
    return found if isinstance(found, Mapping) else {}


def _rows(answer: Answer, name: str) -> list[Answer]:
    found = answer.get(name)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def _open(database: Answer) -> list[Answer]:
    return _rows(_part(database, "incidents"), "open")


def _open_ids(databases: Sequence[Answer]) -> str:
    return ", ".join(sorted({str(row.get("incident_id")) for database in databases for row in _open(database)}))


def _events(databases: Sequence[Answer]) -> Iterator[tuple[datetime, Answer]]:
    for database in databases:
        for row in _rows(_part(database, "incidents"), "done"):
            at = moment(row.get("at"))
            if at is not None:
                yield at, row


def _decided_since(databases: Sequence[Answer], began: datetime) -> str:
    """Return what people did after the alert began, knowing of it; empty if they did nothing."""
    limit = began + MARGIN
    for database in databases:
        for row in _rows(_part(database, "incidents"), "incidents"):
            closed = moment(row.get("closed_at"))
            if closed and closed > limit:
                return f"{row.get('incident_id')} was closed at {closed:%H:%M:%SZ}, after it began: a person decides."
    back = [at for at in _let_go(databases) if at > limit]
    return f"People were let work again at {max(back):%H:%M:%SZ}, after it began: a person decides." if back else ""


def _let_go(databases: Sequence[Answer]) -> list[datetime]:
    found: list[datetime] = []
    for database in databases:
        lowered: list[datetime] = []
        for at, row in _events([database]):
            said = (row.get("phase"), row.get("event"))
            if said in _REFUSED:
                lowered = []
            elif said == _LOWERED:
                lowered.append(at)
            elif said in _LETS_GO:
                found.append(at)
        found += lowered
    return found


def _holds(asked: str, databases: Sequence[Answer], blocks: Sequence[Answer], fenced: bool) -> bool:
    """Tell whether every answer is there and says that all that the scenario stops is stopped, in an open incident."""
    if not databases or not all(_open(database) and _is_off(_part(database, "flag")) for database in databases):
        return False
    if asked != "scenario3":
        return True
    # It counts as raised even if nobody knows whether every writer has ended.
    raised = all(_part(database, "fence").get("status") in RAISED for database in databases)
    return (raised or not fenced) and all(block.get("held") is True for block in blocks)


def _is_off(flag: Answer) -> bool:
    return flag.get("enabled") == 0 and not flag.get("unreadable_count") and flag.get("global_default") != "on"


def _is_look(asked: str, row: Answer) -> bool:
    said = (row.get("phase"), row.get("event"))
    if asked == "scenario3":
        # That the service was stopped says nothing about the data; that writes were refused does.
        return said[1] == TRIAGE or said == _FENCED
    return said[1] == TRIAGE or (said[0] == "contain" and said != _LOWERED)


def _looked_at_since(asked: str, databases: Sequence[Answer], began: datetime) -> str:
    """Return in words that the open incident shows a triage or a stop after the alert began; empty if it does not."""
    seen = [at for at, row in _events(databases) if _is_look(asked, row)]
    # Anything that came back after that is looked at again.
    if not seen or max(seen) < max([began, *_let_go(databases)]):
        return ""
    return (
        f"{_open_ids(databases)} is open, and was worked on at {max(seen):%H:%M:%SZ}, since it began: no triage again."
    )
