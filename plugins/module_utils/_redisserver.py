# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis tells about itself, and how a key can get lost on it. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError

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


class Vote(NamedTuple):
    """Which master a Sentinel names. ``epoch`` is higher the newer its information is; -1 if it may not be read."""

    sentinel: Address
    master: Address
    epoch: int = -1


def vote_from(sentinel: Address, name: str, found: Any, known: Any) -> Vote:
    """Return the vote that the replies to GET-MASTER-ADDR-BY-NAME and MASTER make; raises ServerError."""
    if isinstance(found, ServerError):
        raise found
    if not found:
        raise ServerError(
            "unknown_master",
            f"{sentinel}: the Sentinel knows no master named {name}.",
            "Without one it is not known which Redis to act on.",
            "Give the name of sentinel.conf in sentinel_name.",
        )
    facts = [] if isinstance(known, ServerError) else [bytes(each) for each in known]
    epoch = dict(zip(facts[::2], facts[1::2])).get(b"config-epoch", b"")
    master = Address(found[0].decode(errors="replace"), int(found[1]))
    return Vote(sentinel, master, int(epoch) if epoch.isdigit() else -1)


def _ballots(votes: Sequence[Vote]) -> dict[Address, list[Vote]]:
    """Return the votes by the master that they name, the one to act on first."""
    by_master: dict[Address, list[Vote]] = {}
    for vote in votes:
        by_master.setdefault(vote.master, []).append(vote)

    def weight(master: Address) -> tuple[int, int]:
        return len(by_master[master]), max(vote.epoch for vote in by_master[master])

    return {master: by_master[master] for master in sorted(by_master, key=weight, reverse=True)}


def elect(votes: Sequence[Vote]) -> Vote:
    """Return a vote for the master that most name; in a tie, for the one with the highest epoch, then the first."""
    return next(iter(_ballots(votes).values()))[0]


def is_decided(votes: Sequence[Vote], listed: int) -> bool:
    """Tell whether more than half of the listed Sentinels name one master: the others cannot change that."""
    return any(2 * len(those) > listed for those in _ballots(votes).values())


def disagreement(votes: Sequence[Vote]) -> list[str]:
    """Return, in words, who names another master than the one to act on; nothing if all agree."""
    chosen, *others = _ballots(votes).items()
    if not others:
        return []
    told = [f"{', '.join(str(vote.sentinel) for vote in those)} says {master}" for master, those in others]
    return [
        f"The Sentinels do not agree: {len(chosen[1])} of {len(votes)} name {chosen[0]}, which was taken for the "
        f"master, but {'; '.join(told)}. An application that asks there may use another Redis: look at those Sentinels."
    ]


def info_from(reply: Any, letters: int = _CUT) -> dict[str, str]:
    """Return the fields of a reply to INFO, each value cut to ``letters`` characters; none if it is an error."""
    text = "" if isinstance(reply, ServerError) else reply.decode(errors="backslashreplace")
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip()[:letters] for name, colon, value in pairs if colon}


@dataclass(frozen=True)
class Server:
    """A Redis, as INFO shows it. None, or ``unknown``, means that it did not say (INFO may be forbidden)."""

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
        """Whether what is written here lasts; a replica that takes writes loses them at its next resync."""
        return {"master": True, "replica": False}.get(self.role)

    def as_result(self) -> dict[str, Any]:
        """Return the module's ``server`` result."""
        return {**vars(self), "writable": self.writable}


def server_from(address: str, sentinel: str | None, info: Mapping[str, str], role: Any = None) -> Server:
    """Return the server that an INFO reply describes; an empty one describes nothing.

    :param role: the reply to ROLE, or its error: a user may be allowed the one and not the other.
    """
    said = role if isinstance(role, list) and role and isinstance(role[0], bytes) else []
    name = said[0].decode(errors="replace") if said else info.get("role", "")
    followers = len(said[2]) if name == "master" and len(said) > 2 and isinstance(said[2], list) else None
    replicas = _number(info.get("connected_slaves"))
    return Server(
        address=address,
        sentinel=sentinel,
        version=info.get("redis_version"),
        role={"master": "master", "slave": "replica"}.get(name, "unknown"),
        cluster=info.get("master_replid"),
        run_id=info.get("run_id"),
        replicas=followers if replicas is None else replicas,
        maxmemory=_number(info.get("maxmemory")),
        maxmemory_policy=info.get("maxmemory_policy"),
        persistence="aof" if info.get("aof_enabled") == "1" else "unknown",
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def not_told(server: Server) -> list[str]:
    """Return, in words, what matters but this server did not say."""
    if server.role != "unknown":
        return []
    return [
        f"Whether {server.address} is a master is unknown, for this user may say neither ROLE nor INFO. It was taken "
        "for one; on a replica the block would hold nothing for the application. Grant +role to have it checked."
    ]


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
