# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anything is stopped, from what databases and Redis servers answered. Pure: neither Ansible nor a driver.

docs/status.md describes the result.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import (
    headless,
    together,
    why_and_todo,
    why_not,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line

SCHEMA = 1
# The playbook's exit status by what was found. What is stopped is certain, whatever else could not be read.
EXIT = {"nothing_stopped": 0, "unknown": 2, "stopped": 3}
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def judge(
    tiers: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[Answer]],
    *,
    rehearsed: Sequence[Any],
    version: str,
    now: float,
) -> dict[str, Any]:
    """Return the status of everything, as plain data.

    :param tiers: names of the hosts of ``db`` and ``redis``; a tier that is not used is left out.
    :param answers: of ``status_info`` and ``write_block_info``, in the order of the names.
    :param rehearsed: timings of incidents and rehearsals that were read elsewhere, as docs/report.md describes them.
    :param version: the collection's, whose rehearsals count.
    :param now: seconds since 1970.
    """
    answered = [answer.get("last_rehearsal") for answer in answers.get("db", []) if answer]
    databases, unknown = _databases(tiers.get("db", []), answers.get("db", []))
    servers, more = _redis(tiers.get("redis", []), answers.get("redis", []))
    empty = [_lacking("", tier, f"The inventory has no host in the group {tier}.") for tier in tiers if not tiers[tier]]
    unknown = [*empty, *unknown, *more]
    stopped = [reason for database in databases for reason in _stops(database)]
    stopped += [
        {"hosts": server["hosts"], "what": "write_block", "incident_id": server["write_block"]["owner"]}
        for server in servers
        if server["write_block"]["held"]
    ]
    state = "stopped" if stopped else "unknown" if unknown else "nothing_stopped"
    return {
        "schema": SCHEMA,
        "state": state,
        "exit_status": EXIT[state],
        "checked_at": datetime.fromtimestamp(now, timezone.utc).strftime(_MOMENT),
        "stopped": stopped,
        "unknown": unknown,
        "databases": databases,
        "redis": servers,
        "last_rehearsal": _last_rehearsal([*rehearsed, *answered], version, now),
    }


def _lacking(host: str, part: str, why: str) -> dict[str, str]:
    return {"host": host, "part": part, "why": one_line(why)}


def _why(answer: Answer) -> str:
    """Return why a host gave no answer; one without any was left out of the run."""
    if not answer:
        return "It was not asked."
    # Of what is missing there, the line that installs it is all that helps.
    missing = (answer.get("error") or {}).get("code") == "no_driver"
    return why_and_todo(answer) if missing else why_not(answer)


def _databases(names: Sequence[str], answers: Sequence[Answer]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return each database once, by its primary if that answered, and what is not known."""
    unknown: list[dict[str, str]] = []
    found: dict[str, Any] = {}
    rows = list(together(names, answers))
    for name, answer in rows:
        if "database" not in answer:
            unknown.append(_lacking(name, "database", _why(answer)))
            continue
        known = found.setdefault(answer["database"]["cluster"], answer)
        if answer["database"]["writable"] and not known["database"]["writable"]:
            found[answer["database"]["cluster"]] = answer
    for name, whose in headless(names, answers).items():
        unknown.append(_lacking(name, "database", f"It is a replica, and its primary {whose}."))
    databases = []
    for cluster, answer in found.items():
        server = answer["database"]
        same = [(name, other["database"]["writable"]) for name, other in rows if _cluster(other) == cluster]
        hosts = [name for name, writable in same if writable == server["writable"]]
        asked = [other for name, other in rows if name in hosts]
        unknown += [_lacking(hosts[0], str(part["part"]), str(part["what"])) for part in answer["unknown"]]
        databases.append(
            {
                "hosts": hosts,
                "replicas": [name for name, writable in same if name not in hosts],
                **{name: server[name] for name in ("name", "address", "server_version", "writable")},
                "features": _features(asked),
                **{name: answer[name] for name in ("fence", "incidents", "leases", "ledger")},
            }
        )
    return databases, unknown


def _features(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return each feature once, for hosts that lead to one database; stops without a ledger are files of each host."""
    found: dict[str, dict[str, Any]] = {}
    for feature in [feature for answer in answers for feature in answer["features"]]:
        known = found.setdefault(feature["name"], {**feature, "unrecorded": []})
        known["unrecorded"] += [left for left in feature["unrecorded"] if left not in known["unrecorded"]]
    return list(found.values())


def _cluster(answer: Answer) -> Any:
    return (answer.get("database") or {}).get("cluster")


def _stops(database: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return why a database counts as stopped: an open incident, a raised fence or guard, an unrecorded stop."""
    found = [("incident", row["incident_id"]) for row in database["incidents"]]
    fence = database["fence"] or {}
    if fence.get("incident_id"):
        found.append(("fence", fence["incident_id"]))
    for feature in database["features"]:
        guard = feature["guard"] or {}
        if guard.get("incident_id"):
            found.append(("guard", guard["incident_id"]))
        found += [("unrecorded", left["incident_id"]) for left in feature["unrecorded"]]
    return [{"hosts": database["hosts"], "what": what, "incident_id": incident} for what, incident in found]


def _redis(names: Sequence[str], answers: Sequence[Answer]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return each Redis server once, without replicas whose master answered, and what is not known."""
    unknown: list[dict[str, str]] = []
    found: dict[str, Any] = {}
    for name, answer in together(names, answers):
        if "held" not in answer:
            unknown.append(_lacking(name, "redis", _why(answer)))
            continue
        server = answer["server"]
        one = found.setdefault(
            server.get("run_id") or server["address"], {"hosts": [], "server": server, "answer": answer}
        )
        one["hosts"].append(name)
        # Two hosts may lead to different databases of one server.
        one["answer"] = answer if answer["held"] else one["answer"]
    masters = [one for one in found.values() if one["server"].get("role") != "replica"]
    if found and not masters:
        hosts = ", ".join(host for one in found.values() for host in one["hosts"])
        unknown.append(_lacking(hosts, "redis", "Only replicas answered; their master may hold another value."))
    return [
        {
            "hosts": one["hosts"],
            "address": one["server"]["address"],
            "role": one["server"].get("role"),
            "write_block": {name: one["answer"].get(name) for name in ("held", "owner", "value", "ttl_seconds")},
        }
        for one in masters or list(found.values())
    ], unknown


def incidents_in(index: str) -> list[Any]:
    """Return the incidents and rehearsals in the text of an ``index.json`` (docs/report.md); none of any other text."""
    try:
        found = json.loads(index)
    except (ValueError, RecursionError):
        return []
    rows = found.get("incidents") if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _last_rehearsal(found: Sequence[Any], version: str, now: float) -> dict[str, Any] | None:
    """Return the newest green rehearsal of a version with its age; None if there is none on record."""
    green = [
        one
        for one in found
        if one and one.get("green") is True and one.get("rehearsal", True) is True and one.get("began")
    ]
    last = max((one for one in green if one.get("version") == version), key=lambda one: str(one["began"]), default=None)
    if last is None:
        return None
    names = ("incident_id", "began", "scenario", "environment", "version")
    return {**{name: last.get(name) for name in names}, "age_seconds": _age(str(last["began"]), now)}


def _age(began: str, now: float) -> int | None:
    try:
        at = datetime.strptime(began[:19], _MOMENT[:-1]).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return max(0, round(now - at.timestamp()))
