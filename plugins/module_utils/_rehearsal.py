# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rehearsal may begin: the right place, at rest, and no other run. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import (
    headless,
    together,
    why_and_todo,
    why_not,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import RAISED
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import refuse_production

SCENARIOS = ("scenario1", "scenario2", "scenario3")
PUT_BACK = "put_back"
# Marks a rehearsal's incident in a ledger; the scenario follows.
OPENED_FOR = "rehearsal of "
# A run that has written nothing for as long as it may be silent, and this much longer, is taken for dead.
SIGN_OF_LIFE_SECONDS = 120
NO_GROUP = "none"
# Codes of errors of ``rehearsal_data`` that mean: not here, whatever would be planted.
_NOT_HERE = ("production", "no_environment")


def rehearsal_place(environment: str, wanted: str, recovery: str = "none", typed: str = "") -> list[str]:
    """Return why nothing may be rehearsed here, checked before any host is asked; empty if nothing speaks against it.

    :param recovery: what the scenario would do about corrupt rows; a repair also mends those from before.
    :param typed: what is rehearsed by the command line alone, because Ansible chooses the scenario's playbook before it
        has read an inventory.
    """
    if wanted not in (*SCENARIOS, PUT_BACK):
        return [
            f"kanban_rehearse is {one_line(wanted)!r}: what would be rehearsed is not known. "
            f"It is one of {', '.join((*SCENARIOS, PUT_BACK))}."
        ]
    if typed and typed != wanted:
        return [
            f"kanban_rehearse is {wanted} in the inventory, but Ansible chooses what to run before it reads that: "
            f"{typed} would be run and recorded as {wanted}. Give it on the command line: -e kanban_rehearse={wanted}"
        ]
    if recovery != "none":
        return [
            f"kanban_recovery is {one_line(recovery)!r}: it would change rows that the rehearsal did not plant, and "
            "they would not come back by it. Leave it out; the scenario ends with the plan."
        ]
    try:
        refuse_production(environment, None)
    except BadInput as error:
        return [one_line(error)]
    return []


def left_over(info: Answer) -> Mapping[str, Any]:
    """Return the newest rehearsal that a ledger has open; an empty map if there is none, and on a replica.

    A replica shows what its primary has, only later, and nothing can be put back there.
    """
    if not (info.get("database") or {}).get("writable"):
        return {}
    return next((row for row in info.get("open") or [] if is_rehearsal(row)), {})


def is_rehearsal(incident: Mapping[str, Any]) -> bool:
    """Tell whether an incident was opened by a rehearsal."""
    return str(incident.get("scenario") or "").startswith(OPENED_FOR)


def rehearsal_decision(
    names: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[Answer]],
    *,
    wanted: str,
    patterns: Mapping[str, str],
    environments: Mapping[str, str],
    silent_seconds: float,
    fence: bool = True,
) -> dict[str, Any]:
    """Return what this run does: ``goes`` (rehearses), ``puts_back`` what an earlier run left, or ``refused``, and why.

    ``left`` has the open incidents by host, ``unknown`` the ledgers of which nobody knows whether they have one.

    :param names: hosts by tier, ``db``, ``redis``, ``app``.
    :param answers: of those hosts, in their order: ``info`` (incident_info), ``events`` (the same for what is left),
        ``flag``, ``fence``, ``checks``, ``data`` of databases, ``block`` of Redis, ``health`` of the application.
    :param patterns: how each tier was named; ``none`` if there is none on purpose.
    :param environments: what each host that was asked is called, by its own variables; ``localhost`` has the run's.
    :param silent_seconds: how long a rehearsal may be at work without a line in the ledger.
    """
    limit = silent_seconds + SIGN_OF_LIFE_SECONDS
    rows = list(together(names["db"], *(answers[one] for one in ("info", "events", "flag", "fence", "checks", "data"))))
    left = {str(name): left_over(info)["incident_id"] for name, info, *_rest in rows if left_over(info)}
    lines = [line for name, info, *_rest in rows for line in _about(str(name), info)]
    found: dict[str, Any] = {"goes": False, "puts_back": False, "refused": [], "left": left, "lines": lines}
    found["unknown"] = _unknown(names["db"], answers["info"], patterns["db"])
    if left or wanted == PUT_BACK:
        asked = [] if wanted == PUT_BACK else rows
        last = [(name, events) for name, _info, events, *_rest in asked if name in left]
        at_work = [line for name, events in last for line in _alive(name, events, limit)]
        return {**found, "puts_back": bool(left) and not at_work, "refused": at_work}
    refused = _elsewhere(environments)
    refused += [
        f"{name} has no hosts, so nothing could be rehearsed there. Mend the name, or say that there is none: "
        f"kanban_{tier}_hosts={NO_GROUP}."
        for tier, name in patterns.items()
        if tier != "db" and not names[tier] and name != NO_GROUP
    ]
    refused += (
        [] if names["db"] else [f"{patterns['db']} has no hosts, and a rehearsal needs a database. Mend the name."]
    )
    lost = headless(names["db"], answers["info"])
    for name, info, _events, flag, fenced, checks, data in rows:
        if name in lost:
            refused.append(f"{name}: a replica whose primary {lost[name]}: its tenants are not accounted for.")
        elif info.get("database", {}).get("writable", True):
            whys = _database(info, flag, fenced if fence else {}, checks, data, wanted)
            refused += [f"{name}: {why}" for why in whys]
    refused += _twins(names["db"], answers["info"])
    refused += [f"{name}: {why}" for name, block in together(names["redis"], answers["block"]) for why in _block(block)]
    refused += [
        f"{name}: not healthy before anything was broken: {why_not(health)}"
        for name, health in together(names["app"], answers["health"])
        if health.get("failed") or not health.get("passed")
    ]
    return {**found, "goes": not refused, "refused": refused}


def _elsewhere(environments: Mapping[str, str]) -> list[str]:
    """Return which hosts are called production, or otherwise than the run: one variable of a host is enough for that.

    A database without a ledger has nothing that would contradict, and Redis and the application never have.
    """
    found = []
    for name, environment in environments.items():
        try:
            refuse_production(environment, None)
        except BadInput as error:
            found.append(f"{name}: {one_line(error)}")
            continue
        if environment != environments["localhost"]:
            found.append(
                f"{name}: its kanban_environment is {one_line(environment)!r}, but the run's is "
                f"{one_line(environments['localhost'])!r}: it is somebody else's. Name other hosts, or mend "
                "the variable."
            )
    return found


def _unknown(names: Sequence[str], infos: Sequence[Answer], pattern: str) -> list[str]:
    """Return which ledgers may have a rehearsal open that nobody can see; the same command can find it later."""
    if not names:
        return [f"{pattern} has no hosts, so no ledger was asked. Mend the name."]
    lost = headless(names, infos)
    found = []
    for name, info in together(names, infos):
        ledger = info.get("ledger") or {}
        if "database" not in info or "open" not in info:
            found.append(f"{name}: {why_not(info)}. A rehearsal may have left something there.")
        elif name in lost:
            found.append(f"{name}: a replica whose primary {lost[name]}. A rehearsal may have left something there.")
        elif ledger.get("present") and not ledger.get("usable"):
            found.append(
                f"{name}: its ledger cannot be used by this role, so what is open is not known. See bootstrap.yml."
            )
    return found


def _twins(names: Sequence[str], infos: Sequence[Answer]) -> list[str]:
    """Return which hosts lead to the same database: both would plant, and neither would find what it planted."""
    led: dict[str, str] = {}
    found = []
    for name, info in together(names, infos):
        database = info.get("database") or {}
        if database.get("writable"):
            first = led.setdefault(str(database["cluster"]), str(name))
            if first != name:
                found.append(f"{first} and {name} lead to one database. Name one of them: -e kanban_db_hosts={first}.")
    return found


def _about(name: str, info: Answer) -> list[str]:
    database = info.get("database")
    if not database:
        return []
    marked = info["database"].get("ledger_environment") or "no environment"
    kind = "" if database["writable"] else ", a replica"
    return [f"{name}: {one_line(database['name'])} at {one_line(database['address'])}{kind}, marked {one_line(marked)}"]


def _alive(name: Any, events: Answer, limit: float) -> list[str]:
    """Return why the rehearsal may still be running, by its last entry and the same server's clock.

    If these are not known, it is not known to be dead, and could still be using what would be put back.
    """
    told = events.get("events") or []
    now = str((events.get("database") or {}).get("now") or "")
    try:
        ago = (_moment(now) - _moment(told[-1]["at"])).total_seconds()
    except (IndexError, ValueError):
        why = "its ledger tells of no moment" if "events" in events else why_not(events).rstrip(".")
        return [
            f"{name}: a rehearsal is open, and whether it is at work still is NOT KNOWN: {why}. Two would undo each "
            f"other. Type it again; if you know that it is dead: -e kanban_rehearse={PUT_BACK}."
        ]
    if ago >= limit:
        return []
    return [
        f"{name}: a rehearsal is open, and wrote its last line {max(0, ago):.0f} s ago: it may be at work, and two "
        f"would undo each other. Wait until it ends or {limit:.0f} s are over; if you know that it is dead: "
        f"-e kanban_rehearse={PUT_BACK}."
    ]


def _moment(text: str) -> datetime:
    """Return a moment as the ledger writes it; raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def _database(info: Answer, flag: Answer, fence: Answer, checks: Answer, data: Answer, wanted: str) -> list[str]:
    if "database" not in info:
        return [f"{why_not(info)}. Nothing is broken before every host has said yes."]
    try:
        refuse_production(info["database"].get("ledger_environment") or "named", None)
    except BadInput as error:
        return [one_line(error)]
    found = [
        f"incident {one_line(row['incident_id'])} is open since {row['opened_at']}: somebody may be at work on it. "
        "End and close it first (reenable.yml -e kanban_reenable=all -e kanban_close=true)."
        for row in info.get("open") or []
    ]
    ledger = info.get("ledger") or {}
    if ledger.get("present") and not ledger.get("usable"):
        found.append("its ledger cannot be used by this role, so nothing could be put back. See bootstrap.yml.")
    found += _flag(flag)
    if fence.get("status") in RAISED or fence.get("failed") or fence.get("unreachable"):
        why = "a fence is up" if fence.get("status") in RAISED else f"its fence cannot be read: {why_not(fence)}"
        found.append(f"{why}. Whose it is says write_fence_info; nothing is rehearsed over what somebody refuses.")
    if not checks.get("complete"):
        unknown = ", ".join(checks.get("not_known") or []) or why_not(checks)
        found.append(f"its data could not be counted beforehand ({unknown}), so nobody could tell what was planted.")
    return found + _data(data, wanted)


def _flag(flag: Answer) -> list[str]:
    if "enabled" not in flag:
        return [f"its flag cannot be read: {why_not(flag)}."]
    if not flag["total"]:
        return ["there is no tenant here, so nobody could be switched on, or off. Load test data first."]
    if flag.get("unreadable_count"):
        return [
            f"the settings of {flag['unreadable_count']} tenants are text that is no JSON: no scenario could end well. "
            "Mend them first."
        ]
    if not flag["enabled"] and not any(tenant is not None for tenant in flag.get("tenants_lacking") or []):
        return ["nobody has the feature, and kanban_rehearse_share switches nobody on: nothing would be stopped."]
    return []


def _data(data: Answer, wanted: str) -> list[str]:
    """Return what keeps test data from being planted. Scenario 3 can stop without any; scenario 2 cannot.

    Scenario 1 plants none, but it also switches on, which is refused where nothing may be planted.
    """
    not_here = (data.get("error") or {}).get("code") in _NOT_HERE
    if "planted" not in data and (wanted != "scenario1" or not_here):
        return [why_and_todo(data)]
    if wanted == "scenario2" and not data.get("rows"):
        whys = "; ".join(one_line(row["why"]) for row in data["planted"])
        return [f"no error could be planted ({whys}), so scenario 2 would find nobody to switch off."]
    return []


def _block(block: Answer) -> list[str]:
    if "held" not in block:
        return [f"its write block cannot be read: {why_not(block)}."]
    if block.get("value") is None:
        return []
    return [
        f"a write block is there, of {one_line(block.get('owner') or 'nobody that it names')}. Release it first, "
        "for a scenario that ends would leave it to nobody."
    ]
