# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis says about itself, once or twice, turned into figures and rates. Pure: neither Ansible nor a driver.

None means that it did not say, or may not be asked. Keys and arguments are never shown: they are customers' data.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

# Fields of INFO are longer than most others: a replica has ten facts in one.
LETTERS = 400
COMMANDS = 10
REPLICAS = 50

Info = Mapping[str, str]


class Readings:
    """Two replies to INFO and the seconds between them; with one reply there are no rates."""

    def __init__(self, first: Info, second: Info | None = None, seconds: float | None = None) -> None:
        self.first = first
        self.last = first if second is None else second
        self.seconds = seconds if second is not None and seconds and seconds > 0 else None

    @property
    def was_reset(self) -> bool:
        """Whether CONFIG RESETSTAT, or a restart, came in between: then what happened meanwhile is not known."""
        before = whole(self.first.get("total_commands_processed"))
        after = whole(self.last.get("total_commands_processed"))
        return before is not None and after is not None and after < before

    def passed(self, name: str) -> float | None:
        """Return by how much a counter grew between the readings."""
        before, after = decimal(self.first.get(name)), decimal(self.last.get(name))
        if self.seconds is None or self.was_reset or before is None or after is None:
            return None
        return max(0.0, after - before)

    def rate(self, name: str) -> float | None:
        """Return by how much a counter grew per second."""
        grown = self.passed(name)
        return None if grown is None or self.seconds is None else round(grown / self.seconds, 2)


def figures(readings: Readings, database: int) -> dict[str, Any]:
    """Return the module's figures that come from INFO, by part.

    :param database: number of the application's database, for the number of keys.
    """
    return {
        "operations": _operations(readings),
        "memory": _memory(readings.last),
        "keyspace": _keys(readings, database),
        "clients": _clients(readings),
        "commands": _commands(readings),
        "replication": _replication(readings.last),
        "persistence": _persistence(readings.last),
    }


def _operations(readings: Readings) -> dict[str, Any]:
    last = readings.last
    busy = [readings.passed(name) for name in ("used_cpu_user", "used_cpu_sys")]
    cpu = None if readings.seconds is None or None in busy else sum(part or 0.0 for part in busy) / readings.seconds
    return {
        "per_second": readings.rate("total_commands_processed"),
        "instantaneous_per_second": whole(last.get("instantaneous_ops_per_sec")),
        "total": whole(last.get("total_commands_processed")),
        "cpu_share": None if cpu is None else round(cpu, 3),
        "input_bytes_per_second": readings.rate("total_net_input_bytes"),
        "output_bytes_per_second": readings.rate("total_net_output_bytes"),
    }


def _memory(last: Info) -> dict[str, Any]:
    used, most = whole(last.get("used_memory")), whole(last.get("maxmemory"))
    return {
        "used_bytes": used,
        "rss_bytes": whole(last.get("used_memory_rss")),
        "peak_bytes": whole(last.get("used_memory_peak")),
        # 0 means no limit.
        "max_bytes": most or None,
        "used_share": round(used / most, 4) if used is not None and most else None,
        "policy": last.get("maxmemory_policy"),
        "fragmentation_ratio": decimal(last.get("mem_fragmentation_ratio")),
        "system_bytes": whole(last.get("total_system_memory")),
    }


def _keys(readings: Readings, database: int) -> dict[str, Any]:
    last = readings.last
    space = pairs(last.get(f"db{database}", ""))
    # A database without keys has no line of its own.
    count = whole(space.get("keys")) if space else (0 if "total_commands_processed" in last else None)
    return {
        "count": count,
        "expiring_count": whole(space.get("expires")) if space else count,
        "evicted_total": whole(last.get("evicted_keys")),
        "evicted_per_second": readings.rate("evicted_keys"),
        "expired_total": whole(last.get("expired_keys")),
        "expired_per_second": readings.rate("expired_keys"),
        "hit_rate": _hit_rate(readings.passed("keyspace_hits"), readings.passed("keyspace_misses")),
        "hit_rate_total": _hit_rate(decimal(last.get("keyspace_hits")), decimal(last.get("keyspace_misses"))),
    }


def _hit_rate(hits: float | None, misses: float | None) -> float | None:
    if hits is None or misses is None or hits + misses <= 0:
        return None
    return round(hits / (hits + misses), 4)


def _clients(readings: Readings) -> dict[str, Any]:
    last = readings.last
    return {
        "connected": whole(last.get("connected_clients")),
        "blocked": whole(last.get("blocked_clients")),
        "max": whole(last.get("maxclients")),
        "rejected_total": whole(last.get("rejected_connections")),
        "rejected_per_second": readings.rate("rejected_connections"),
        "accepted_per_second": readings.rate("total_connections_received"),
    }


def _commands(readings: Readings) -> list[dict[str, Any]]:
    """Return the commands that took most of the time: between the readings, or since the counters began."""
    found: list[dict[str, Any]] = []
    for field, text in readings.last.items():
        name = field[len("cmdstat_") :] if field.startswith("cmdstat_") else ""
        now, before = pairs(text), pairs(readings.first.get(field, ""))
        calls, microseconds = whole(now.get("calls")), whole(now.get("usec"))
        if not name or calls is None or microseconds is None:
            continue
        if readings.seconds is not None and not readings.was_reset:
            calls -= whole(before.get("calls")) or 0
            microseconds -= whole(before.get("usec")) or 0
        if calls > 0:
            total = max(0, microseconds) / 1000
            mean = round(total / calls, 4)
            found.append({"command": name, "calls": calls, "total_ms": round(total, 3), "mean_ms": mean})
    return sorted(found, key=lambda row: (-row["total_ms"], row["command"]))[:COMMANDS]


def _replication(last: Info) -> dict[str, Any]:
    role = {"master": "master", "slave": "replica"}.get(last.get("role", ""))
    offset = whole(last.get("master_repl_offset"))
    replicas = []
    for number in range(REPLICAS):
        each = pairs(last.get(f"slave{number}", ""))
        if not each:
            break
        theirs = whole(each.get("offset"))
        behind = None if offset is None or theirs is None else max(0, offset - theirs)
        replicas.append(
            {
                "address": f"{each.get('ip')}:{each.get('port')}",
                "state": each.get("state"),
                "lag_seconds": whole(each.get("lag")),
                "lag_bytes": behind,
            }
        )
    return {
        "role": role,
        "replicas_count": whole(last.get("connected_slaves")),
        "replicas": replicas,
        "link": last.get("master_link_status"),
        "last_io_seconds": whole(last.get("master_last_io_seconds_ago")),
        "syncing": _flag(last.get("master_sync_in_progress")),
    }


def _persistence(last: Info) -> dict[str, Any]:
    fork = whole(last.get("latest_fork_usec"))
    return {
        "loading": _flag(last.get("loading")),
        "rdb_saving": _flag(last.get("rdb_bgsave_in_progress")),
        "rdb_last_ok": _ok(last.get("rdb_last_bgsave_status")),
        "rdb_last_at": moment(whole(last.get("rdb_last_save_time"))),
        "rdb_changes": whole(last.get("rdb_changes_since_last_save")),
        "aof": _flag(last.get("aof_enabled")),
        "aof_last_ok": _ok(last.get("aof_last_write_status")),
        "aof_rewriting": _flag(last.get("aof_rewrite_in_progress")),
        "last_fork_ms": None if fork is None else round(fork / 1000, 3),
    }


def slow_command(entry: Sequence[Any]) -> dict[str, Any]:
    """Return an entry of SLOWLOG GET: the command's name, and only the number of its arguments, which are data."""
    number, started, microseconds, arguments, *client = entry
    return {
        "id": number,
        "time": started,
        "microseconds": microseconds,
        "command": text_of(arguments[0]) if arguments else None,
        "arguments": max(0, len(arguments) - 1),
        "client": text_of(client[0]) if client else None,
        "client_name": text_of(client[1]) if len(client) > 1 else None,
    }


def slow_commands(reply: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the newest entries of the slow log as the module shows them."""
    shown = []
    for entry in reply:
        found = slow_command(entry)
        shown.append(
            {
                "at": moment(found["time"]),
                "duration_ms": round(found["microseconds"] / 1000, 3),
                "command": found["command"],
                "arguments": found["arguments"],
            }
        )
    return shown


def latency_events(reply: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what LATENCY LATEST says; its events are the server's own words."""
    return [
        {"event": text_of(name), "at": moment(at), "latest_ms": latest, "max_ms": most}
        for name, at, latest, most, *_more in reply
    ]


def dangers(readings: Readings, found: Mapping[str, Any], where: str) -> list[str]:
    """Return, in words, what is wrong at any load."""
    keys, clients, replication = found["keyspace"], found["clients"], found["replication"]
    persistence = found["persistence"]
    told = []
    if readings.was_reset:
        told.append(f"{where}: the counters were set to zero between the two readings, so there are no rates.")
    if keys["evicted_per_second"]:
        told.append(
            f"{where} evicts {keys['evicted_per_second']:g} keys per second ({found['memory']['policy']}): memory is "
            "full, and what the application keeps there gets lost."
        )
    if clients["rejected_per_second"]:
        told.append(
            f"{where} rejects {clients['rejected_per_second']:g} connections per second: maxclients is reached."
        )
    if replication["link"] == "down":
        told.append(f"{where} is a replica that has lost its master: what it shows is old.")
    if persistence["loading"]:
        told.append(f"{where} is loading its data and answers nothing else meanwhile.")
    if persistence["rdb_last_ok"] is False or persistence["aof_last_ok"] is False:
        told.append(f"{where} could not save to its disk the last time; it may refuse writes (MISCONF).")
    return told


def pairs(text: str) -> dict[str, str]:
    """Return the members of ``a=1,b=2``."""
    members = (part.partition("=") for part in text.split(","))
    return {name: value for name, equals, value in members if equals}


def whole(text: str | None) -> int | None:
    """Return a whole number, or None if the text is not a number."""
    number = decimal(text)
    return None if number is None else int(number)


def decimal(text: str | None) -> float | None:
    """Return a number, or None if the text is not one (Redis writes nan and inf here and there)."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if abs(number) < 1e300 else None


def moment(seconds: Any) -> str | None:
    """Return a moment, given in seconds since the epoch, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def text_of(value: Any) -> str:
    """Return a reply's text, cut."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text[:100]


def _flag(text: str | None) -> bool | None:
    return {"0": False, "1": True}.get(text or "")


def _ok(text: str | None) -> bool | None:
    return {"ok": True, "err": False}.get(text or "")
