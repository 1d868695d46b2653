# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose write block it is, and what is asked for. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

# Texts in results are cut to this; a longer one that would be overwritten is set aside on the server instead.
SHOWN = 200

# Seconds. No incident lasts a year, and Redis refuses an expiry that its 64 bits of milliseconds cannot hold.
MOST_TTL = 366 * 24 * 3600

# One step gives both keys the same expiry; if they differ by more, somebody changed one by hand.
APART_MS = 1000

NONE, STRING, OTHER = "none", "string", "other"


def owner_key(key: str) -> str:
    """Return the key of the owner: in a cluster it has to be in the same hash slot as ``key``."""
    return f"{key}:owner" if "{" in key or "}" in key else f"{{{key}}}:owner"


def as_bytes(name: str, text: str) -> bytes:
    """Return a text as it is sent; raises BadInput for one that is not Unicode."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadInput(
            "bad_text",
            f"{name} is no text that can be sent: {error.reason}.",
            "What is not sent as it was meant would name another key. Nothing was changed.",
            f"Give {name} as plain text.",
        ) from error


def as_text(raw: bytes) -> str:
    """Return bytes from the server as text, cut; anything that is not UTF-8 stays readable as an escape."""
    text = raw.decode("utf-8", "backslashreplace")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


@dataclass(frozen=True)
class Seen:
    """A block as it was found. ``kind`` and ``owner_kind`` are none, string or other (a list, a hash …).

    ``left_ms``, ``owner_left_ms``: the answers of PTTL, -2 for no key, -1 for no expiry. The block ends with its value.
    """

    kind: str = NONE
    value: bytes = b""
    owner_kind: str = NONE
    owner: bytes = b""
    left_ms: int = -2
    owner_left_ms: int = -2

    @property
    def expires(self) -> bool:
        """Whether it ends by itself."""
        return self.left_ms >= 0

    @property
    def ttl_seconds(self) -> int | None:
        """Seconds that are left, rounded up; None without expiry."""
        return _seconds(self.left_ms)

    @property
    def owner_ttl_seconds(self) -> int | None:
        """Seconds until the owner of a block is no longer known, rounded up; None without expiry."""
        return _seconds(self.owner_left_ms) if self.kind != NONE else None

    @property
    def one_ends_alone(self) -> bool:
        """Whether both keys exist and only one of them ends by itself."""
        return NONE not in (self.kind, self.owner_kind) and self.expires != (self.owner_left_ms >= 0)

    @property
    def uneven(self) -> bool:
        """Whether both keys exist and they do not end together."""
        far = NONE not in (self.kind, self.owner_kind) and abs(self.left_ms - self.owner_left_ms) > APART_MS
        return far or self.one_ends_alone

    @property
    def owner_text(self) -> str | None:
        """The owner of the block, if there is a block and it has one."""
        return as_text(self.owner) if self.kind != NONE and self.owner_kind == STRING else None

    def is_held(self, value: bytes) -> bool:
        """Whether the key has the value that the application honours."""
        return self.kind == STRING and self.value == value

    def is_of(self, owner: bytes) -> bool:
        """Whether there is a block and it belongs to this owner."""
        return self.kind != NONE and self.owner_kind == STRING and self.owner == owner

    def is_still(self, before: Seen) -> bool:
        """Whether it is what was seen before. A shorter time to live only means that time has passed."""
        return replace(self, left_ms=before.left_ms, owner_left_ms=before.owner_left_ms) == before and all(
            now <= then and (now >= 0 or now == then)
            for now, then in ((self.left_ms, before.left_ms), (self.owner_left_ms, before.owner_left_ms))
        )

    def is_like(self, other: Seen) -> bool:
        """Whether value and owner are the same, and both end by themselves, or neither does."""
        return (
            replace(self, left_ms=other.left_ms, owner_left_ms=other.owner_left_ms) == other
            and self.expires == other.expires
        )

    def as_result(self) -> dict[str, Any]:
        """Return value, owner, type and remaining time for results."""
        return {
            "type": self.kind,
            "value": as_text(self.value) if self.kind == STRING else None,
            "owner": self.owner_text,
            "ttl_seconds": self.ttl_seconds,
        }


@dataclass(frozen=True)
class Wish:
    """What is asked for; the fields are the options of ``write_block``."""

    key: str
    value: bytes
    owner: bytes
    present: bool = True
    ttl_ms: int = 0
    force: bool = False

    @property
    def keys(self) -> tuple[bytes, bytes]:
        """The key and the key of its owner, as they are sent."""
        return as_bytes("key", self.key), as_bytes("key", owner_key(self.key))


def wish_from(params: Mapping[str, Any], present: bool) -> Wish:
    """Return the wish that a module's parameters describe; raises BadInput."""
    key, owner, ttl = params["key"], (params["owner"] or "").strip(), params.get("ttl", 0)
    if not key or ttl < 0 or ("force" in params and not owner):
        raise BadInput(
            "bad_option",
            "A write block needs a key, an owner and a ttl of 0 or more seconds.",
            "Without an owner nobody could tell whose block it is, or release it. Nothing was changed.",
            "Give kanban_write_block_key, kanban_incident_id and kanban_write_block_ttl (key, owner, ttl).",
        )
    if ttl > MOST_TTL:
        raise BadInput(
            "bad_option",
            f"ttl is {ttl} s, the most is {MOST_TTL} s (366 days).",
            "Redis refuses or garbles an expiry that is too far away, and the block would not be held. "
            "Nothing was sent to Redis.",
            "Give seconds, not milliseconds and no point in time, in kanban_write_block_ttl (ttl); "
            "0 holds the block until it is released.",
        )
    return Wish(
        key=key,
        value=as_bytes("value", _plain(params["value"])),
        owner=as_bytes("owner", owner),
        present=present,
        ttl_ms=ttl * 1000,
        force=params.get("force", False),
    )


def _seconds(left_ms: int) -> int | None:
    return -(-left_ms // 1000) if left_ms >= 0 else None


def _plain(value: Any) -> str:
    """Return a value as the application writes it: YAML's ``true`` must not become Python's ``True``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise BadInput(
        "bad_option",
        "value is neither text nor a number.",
        "The application compares it as text. Nothing was changed.",
        "Give it as text, in quotes.",
    )
