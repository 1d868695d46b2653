# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis tells about itself, and how a key can get lost on it. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

SENTINEL_PORT = 26379
_CUT = 100


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that ``host:port``, ``host`` or ``[v6]:port`` means; raises BadInput."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or text.strip().endswith("]"):
        host, port = text.strip(), str(SENTINEL_PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""  # An IPv6 address without brackets: its end cannot be told from a port.
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadInput(
            "bad_sentinel",
            f"{text!r} is no address of a Sentinel.",
            "Without a Sentinel the master cannot be found. Nothing was changed.",
            "Give host:port, for instance sentinel-1.internal:26379; an IPv6 address stands in brackets.",
        )
    return Address(host, int(port))


def parse_info(text: str) -> dict[str, str]:
    """Return the fields of an INFO reply."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip()[:_CUT] for name, colon, value in pairs if colon}


@dataclass(frozen=True)
class Server:
    """A Redis, as INFO shows it. None, or ``unknown``, is what it did not tell (INFO may be forbidden)."""

    address: str
    version: str | None = None
    role: str = "unknown"
    cluster: str | None = None
    run_id: str | None = None
    replicas: int | None = None
    maxmemory: int | None = None
    maxmemory_policy: str | None = None
    persistence: str = "unknown"
    sentinel: str | None = None

    @property
    def writable(self) -> bool | None:
        """Whether what is written here counts; a replica that takes writes loses them at its next resync."""
        return {"master": True, "replica": False}.get(self.role)

    def as_result(self) -> dict[str, Any]:
        """Return the module's ``server`` result."""
        return {**vars(self), "writable": self.writable}


def server_from(address: str, sentinel: str | None, info: Mapping[str, str]) -> Server:
    """Return the server that an INFO reply describes; an empty one describes nothing."""
    return Server(
        address=address,
        sentinel=sentinel,
        version=info.get("redis_version"),
        role={"master": "master", "slave": "replica"}.get(info.get("role", ""), "unknown"),
        cluster=info.get("master_replid"),
        run_id=info.get("run_id"),
        replicas=_number(info.get("connected_slaves")),
        maxmemory=_number(info.get("maxmemory")),
        maxmemory_policy=info.get("maxmemory_policy"),
        persistence="aof" if info.get("aof_enabled") == "1" else "unknown",
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def risks(server: Server, expires: bool) -> list[str]:
    """Return, in words, how a key on this server can get lost.

    :param expires: whether the key has an expiry: the volatile policies evict only such keys.
    """
    told = []
    policy = server.maxmemory_policy or ""
    if server.maxmemory and (policy.startswith("allkeys-") or (expires and policy.startswith("volatile-"))):
        told.append(
            f"maxmemory-policy of {server.address} is {policy}: under memory pressure Redis may evict the write block. "
            "The fence in PostgreSQL has to carry."
        )
    if server.persistence == "none":
        told.append(
            f"{server.address} keeps nothing on disk (no AOF, no save points): a restart loses the write block. "
            "The fence in PostgreSQL has to carry."
        )
    elif server.persistence == "unknown":
        told.append(
            f"Whether {server.address} keeps its data over a restart is unknown (AOF is off or not told, and CONFIG "
            "GET save was refused): a restart may lose the write block."
        )
    return told
