# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of ``status.yml``, from the data that ``_status.judge`` returns. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
from typing import Any, Iterator, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

_HEAD = {
    "nothing_stopped": "NOTHING IS STOPPED",
    "stopped": "STOPPED",
    "unknown": "UNKNOWN",
}
_WHAT = {
    "incident": "incident {id} is open",
    "fence": "the fence is up",
    "guard": "the guard is up",
    "write_block": "the write block is set",
    "unrecorded": "a stop is in no ledger",
}
_UNITS = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))


def shown(status: Mapping[str, Any], output: str) -> str:
    """Return what is printed: one line of JSON if ``output`` is ``json``, otherwise a screen."""
    if output == "json":
        return json.dumps(status, sort_keys=True)
    # Names and reasons are other people's text, and may hold what a terminal takes for a command.
    lines = [line if line.startswith(" ") else one_line(line) for line in _lines(status)]
    return "\n".join("".join(one if one.isprintable() else "\ufffd" for one in line) for line in lines)


def headline(status: Mapping[str, Any]) -> str:
    """Return the first line of the screen."""
    reasons = [_WHAT[one["what"]].format(id=one["incident_id"]) for one in status["stopped"]]
    said = f": {', '.join(dict.fromkeys(reasons))}" if reasons else ""
    more = f" Not known: {len(status['unknown'])} (below)." if status["unknown"] else ""
    return f"{_HEAD[status['state']]}{said}.{more}"


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    yield headline(status)
    for database in status["databases"]:
        role = "" if database["writable"] else ", replica"
        yield f"{', '.join(database['hosts'])}: {database['name']} at {database['address']}{role}"
        for feature in database["features"]:
            yield _row("Feature", f"{feature['name']}: {_counted(feature)}")
            yield _row("Guard", _holder(feature["guard"]))
            for left in feature["unrecorded"]:
                yield _row("Not in ledger", f"{left['incident_id']}, {age(left['age_seconds'])} ago, in {left['path']}")
        fence = database["fence"]
        tables = f", {fence['tables_raised']} of {fence['tables']} tables" if fence and fence["tables_raised"] else ""
        yield _row("Fence", _holder(fence) + tables)
        yield _row("Incidents", f"{len(database['incidents'])} open")
        for one in database["incidents"]:
            off = "" if one["switched_off"] is None else f", {one['switched_off']:,} tenants switched off"
            opened = f"{age(one['age_seconds'])} old, by {one['operator'] or 'unknown'}"
            yield _row("", f"{one['incident_id']}, {opened}{off}: {one['reason'] or 'no reason given'}")
        for lease in database["leases"]:
            seen = f"last sign of life {age(lease['heartbeat_seconds_ago'])} ago"
            left = f"{seen}, ends in {age(lease['expires_in_seconds'])}"
            yield _row("Lease", f"{lease['name']}, {lease['holder']} for {lease['incident_id']}, {left}")
    for server in status["redis"]:
        block = server["write_block"]
        until = "no expiry" if block["ttl_seconds"] is None else f"ends in {age(block['ttl_seconds'])}"
        yield f"{', '.join(server['hosts'])}: Redis at {server['address']}"
        yield _row("Write block", f"set by {block['owner'] or 'unknown'}, {until}" if block["held"] else "not set")
    last = status["last_rehearsal"]
    done = (
        f"{age(last['age_seconds'])} ago, {last['scenario']}, version {last['version']}" if last else "none on record"
    )
    yield f"Last green rehearsal of this version: {done}"
    for one in status["unknown"]:
        yield f"Not known: {one['host'] and one['host'] + ', '}{one['part']}: {one['why']}"


def _row(label: str, text: str) -> str:
    return f"  {label:14}{one_line(text)}"


def _counted(feature: Mapping[str, Any]) -> str:
    if feature["total"] is None:
        return "not counted"
    default = feature["global_default"]
    more = f"; the default for tenants without a row is {default}" if default else ""
    return f"{feature['enabled']:,} of {feature['total']:,} tenants on{more}"


def _holder(found: Mapping[str, Any] | None) -> str:
    """Return the state of a fence or a guard, and whose it is."""
    if found is None:
        return "not known"
    return f"{found['status']}, for {found['incident_id']}" if found["incident_id"] else str(found["status"])


def age(seconds: float | None) -> str:
    """Return a time in the largest unit of which it has two; below two minutes in seconds."""
    if seconds is None:
        return "unknown time"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), _UNITS[-1])
    return f"{int(seconds // size):,} {unit}"
