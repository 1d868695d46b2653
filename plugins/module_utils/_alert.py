# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an alert may set off, by what the ledgers and the systems say. Pure: neither Ansible nor a driver.

An alert is sent again for hours, by more than one sender. So it is not asked whether it was seen before but whether
what it asks for holds already, and whether people have decided otherwise since it began. What is not known keeps
nothing from being stopped: a stop twice costs a read.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page

Answer = Mapping[str, Any]

TRIAGE, STOPS = "triage", ("scenario1", "scenario3")
# Clocks of Prometheus and of a database differ. Within so much nobody counts as having decided after an alert began.
MARGIN, A_DAY = timedelta(seconds=120), timedelta(days=1)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_TIME = re.compile(r"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
# By which a person lets people work again, V2 or Kanban's writes.
_LETS_GO = (("re-enable", "restored"), ("re-enable", "enabled"), ("release", "released"))
# A release lowers the fence first, and has on record after its tests that it released. Where it was refused again, or
# somebody has stopped since, nobody has decided that it may go on.
_FENCED, _LOWERED = ("contain", "fence_raised"), ("contain", "fence_lowered")
_REFUSED = (_FENCED, ("release", "raised again"), ("contain", "disabled"))
# A fence of which nobody knows whether each writer has ended is raised all the same.
_RAISED = ("proven", "draining", "unproven")


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

    :param databases: for each ``incidents`` and ``incident`` (two answers of ``incident_info``: of all, and with the
        events of the one that is open), ``flag`` and ``fence``.
    :param asked: what the alert's rule asks for: triage, scenario1 or scenario3.
    :param environment: of the alert; ``own_environment`` of the inventory.
    :param allowed: the scenarios that may be run by themselves.
    :param blocks: answers of ``write_block_info``, of each Redis.
    :param fenced: whether scenario 3 raises a fence here.
    :param now: seconds since 1970; left out, the present.
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
    """Return since when what people did counts as done knowing of the alert, and what is to be said of that.

    A moment that is still to come is a wrong clock's: by it nobody would ever have decided anything, and V2 would be
    switched off again each time that the alert is sent.
    """
    present = datetime.now(timezone.utc) if now is None else datetime.fromtimestamp(now, timezone.utc)
    if began <= present + MARGIN:
        return began, ""
    return present - A_DAY, " The alert's moment is still to come, so a clock is wrong, and the last day counts."


def moment(text: Any) -> datetime | None:
    """Return a moment as Alertmanager and the ledger write it, to the second in UTC; none for anything else."""
    if isinstance(text, datetime):
        # What a survey of AWX was answered comes as YAML, which reads a moment; one without a zone was UTC there.
        aware = text if text.tzinfo else text.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc).replace(microsecond=0)
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    try:
        # The oldest Python that is supported reads no Z.
        read = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    except ValueError:
        return None
    return read.astimezone(timezone.utc)


def _wrong(asked: Any, name: Any, began_at: Any, began: datetime | None, environment: Any, own: Any) -> str:
    """Return why this is no alert to act on; nothing of what it says is repeated where that is of no known form."""
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
        for row in _rows(_part(database, "incident"), "events"):
            at = moment(row.get("at"))
            if at is not None:
                yield at, row


def _decided_since(databases: Sequence[Answer], began: datetime) -> str:
    """Return what people did after the alert began, knowing of it; empty where they did nothing."""
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
    """Tell whether each answer is there and says that all is stopped which the scenario stops, in an open incident."""
    if not databases or not all(_open(database) and _is_off(_part(database, "flag")) for database in databases):
        return False
    if asked != "scenario3":
        return True
    raised = all(_part(database, "fence").get("status") in _RAISED for database in databases)
    return (raised or not fenced) and all(block.get("held") is True for block in blocks)


def _is_off(flag: Answer) -> bool:
    return flag.get("enabled") == 0 and not flag.get("unreadable_count") and flag.get("global_default") != "on"


def _is_look(asked: str, row: Answer) -> bool:
    said = (row.get("phase"), row.get("event"))
    if asked == "scenario3":
        # That the service was stopped says nothing of the data; that writes were refused does.
        return said[1] == TRIAGE or said == _FENCED
    return said[1] == TRIAGE or (said[0] == "contain" and said != _LOWERED)


def _looked_at_since(asked: str, databases: Sequence[Answer], began: datetime) -> str:
    """Return where the open incident shows that somebody has looked or stopped after the alert began; else empty."""
    seen = [at for at, row in _events(databases) if _is_look(asked, row)]
    # What came back after that is looked at anew.
    if not seen or max(seen) < max([began, *_let_go(databases)]):
        return ""
    return (
        f"{_open_ids(databases)} is open, and was worked on at {max(seen):%H:%M:%SZ}, since it began: no triage again."
    )
