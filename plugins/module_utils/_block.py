# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a write block, and what holding or releasing it would do. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError

# Texts in results are cut to this; what is longer and would be overwritten is set aside on the server instead.
SHOWN = 200

OVERRIDE = "(kanban_break_glass={what: [block], reason: ...})"

NONE, STRING, OTHER = "none", "string", "other"


def owner_key(key: str) -> str:
    """Return the key of the owner: in a cluster it has to lie in the same hash slot as ``key``."""
    return f"{key}:owner" if "{" in key or "}" in key else f"{{{key}}}:owner"


def as_bytes(name: str, text: str) -> bytes:
    """Return a text as it is sent; raises BadInput for one that is no Unicode."""
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
    """Return bytes from the server as text, cut; what is no UTF-8 stays to be read as an escape."""
    text = raw.decode("utf-8", "backslashreplace")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


@dataclass(frozen=True)
class Seen:
    """A block as it lies there. ``kind`` and ``owner_kind`` are none, string or other (a list, a hash …).

    ``left_ms``: what PTTL says: -2 for no key, -1 for no expiry.
    """

    kind: str = NONE
    value: bytes = b""
    owner_kind: str = NONE
    owner: bytes = b""
    left_ms: int = -2

    @property
    def expires(self) -> bool:
        """Whether it ends by itself."""
        return self.left_ms >= 0

    @property
    def ttl_seconds(self) -> int | None:
        """Seconds that are left, rounded up; None without expiry."""
        return -(-self.left_ms // 1000) if self.expires else None

    @property
    def owner_text(self) -> str | None:
        """The owner of the block, where there is a block and it has one."""
        return as_text(self.owner) if self.kind != NONE and self.owner_kind == STRING else None

    def is_held(self, value: bytes) -> bool:
        """Whether the key holds what the application honours."""
        return self.kind == STRING and self.value == value

    def is_of(self, owner: bytes) -> bool:
        """Whether there is a block and it belongs to this owner."""
        return self.kind != NONE and self.owner_kind == STRING and self.owner == owner

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
    return Wish(
        key=key,
        value=as_bytes("value", _plain(params["value"])),
        owner=as_bytes("owner", owner),
        present=present,
        ttl_ms=ttl * 1000,
        force=params.get("force", False),
    )


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


@dataclass(frozen=True)
class Step:
    """What is to be done to the two keys. ``write`` is empty where nothing is; ``refusal`` says why it may not be."""

    write: str = ""
    left_ms: int = 0
    changed: bool = False
    renewed: bool = False
    taken_over: bool = False
    set_aside: bool = False
    warnings: tuple[str, ...] = ()
    refusal: KanbanError | None = None

    def after(self, seen: Seen, wish: Wish) -> Seen:
        """Return what will lie there, for check mode."""
        if not self.write:
            return seen
        if self.write == "release":
            return Seen()
        return Seen(STRING, wish.value, STRING, wish.owner, self.left_ms or -1)


def plan(seen: Seen, wish: Wish) -> Step:
    """Return what has to be done for a wish to come true."""
    if OTHER in (seen.kind, seen.owner_kind) and not wish.force:
        return Step(refusal=_wrong_type(seen, wish))
    return (_hold if wish.present else _release)(seen, wish)


def _hold(seen: Seen, wish: Wish) -> Step:
    ours = seen.is_of(wish.owner)
    others = seen.kind != NONE and not ours and seen.owner_kind != NONE
    if others and not wish.force:
        return _leave_to_its_owner(seen, wish)
    left_ms = wish.ttl_ms if wish.force else _never_shorter(seen, wish.ttl_ms)
    same = ours and seen.is_held(wish.value)
    if same and left_ms == max(seen.left_ms, 0):
        return Step()
    # Another time to live is no change; that it ends by itself, or no longer does, is one.
    changed = not same or bool(left_ms) != seen.expires
    told = []
    if seen.kind == STRING and not ours:
        told.append(f"The write block was there already, {_whose(seen)}; it belongs to this incident now.")
    if seen.kind == STRING and not seen.is_held(wish.value):
        told.append(f"The key held {as_text(seen.value)!r}, which is now {as_text(wish.value)!r}.")
    return Step(
        write="hold",
        left_ms=left_ms,
        changed=changed,
        renewed=not changed,
        taken_over=seen.kind != NONE and not ours,
        set_aside=_is_to_keep(seen, wish),
        warnings=tuple(told),
    )


def _never_shorter(seen: Seen, ttl_ms: int) -> int:
    """Return the time to live, 0 for no expiry: running again with a shorter one must not open a gap."""
    if seen.kind == NONE or ttl_ms == 0:
        return ttl_ms
    return 0 if not seen.expires else max(ttl_ms, seen.left_ms)


def _leave_to_its_owner(seen: Seen, wish: Wish) -> Step:
    ends = f"; it ends in {seen.ttl_seconds} s and is not ours to renew" if seen.expires else ""
    if seen.is_held(wish.value):
        return Step(warnings=(f"The write block is there already, {_whose(seen)}{ends}. It was left as it is.",))
    return Step(
        refusal=KanbanError(
            "other_value",
            f"The key holds {as_text(seen.value)!r}, not {as_text(wish.value)!r}, {_whose(seen)}.",
            "Whether the application refuses writes for that value is not known. Nothing was changed.",
            f"Agree with that owner, or say force {OVERRIDE} to take it over.",
        )
    )


def _release(seen: Seen, wish: Wish) -> Step:
    if seen.kind == NONE:
        # What is left of a block that was deleted or evicted; another's is not ours to clean up.
        left_over = seen.owner_kind != NONE and (seen.owner == wish.owner or wish.force)
        return Step(write="release" if left_over else "", changed=left_over, set_aside=seen.owner_kind == OTHER)
    ownerless = seen.owner_kind == NONE
    if not (seen.is_of(wish.owner) or ownerless or wish.force):
        return Step(
            refusal=KanbanError(
                "not_owner",
                f"The write block is {_whose(seen)}, not by {as_text(wish.owner)!r}.",
                "Released, the application would write again while somebody still counts on the block. "
                "Nothing was changed.",
                f"Ask that owner, release it under that incident, or say force {OVERRIDE}.",
            )
        )
    told = () if seen.is_of(wish.owner) else (f"The write block that was released was {_whose(seen)}.",)
    return Step(write="release", changed=True, set_aside=_is_to_keep(seen, wish), warnings=told)


def _is_to_keep(seen: Seen, wish: Wish) -> bool:
    """Whether the result cannot show what is about to go."""
    long = max(len(seen.value), len(seen.owner)) > SHOWN
    known = seen.is_held(wish.value) and (seen.is_of(wish.owner) or len(seen.owner) <= SHOWN)
    return OTHER in (seen.kind, seen.owner_kind) or (long and not known)


def _whose(seen: Seen) -> str:
    if seen.owner_kind == NONE:
        return "without an owner (set by hand)"
    return f"held by {as_text(seen.owner)!r}" if seen.owner_kind == STRING else "with an owner that is no text"


def _wrong_type(seen: Seen, wish: Wish) -> KanbanError:
    name = wish.key if seen.kind == OTHER else owner_key(wish.key)
    return KanbanError(
        "wrong_type",
        f"The key {as_text(name.encode('utf-8', 'replace'))!r} does not hold text but another type.",
        "It is not a write block, and overwriting it could lose data. Nothing was changed.",
        f"Look at it with TYPE, and correct kanban_write_block_key; or say force {OVERRIDE}: it is then renamed.",
    )


def not_as_asked(seen: Seen, wish: Wish) -> KanbanError | None:
    """Return the error to end with when what was read back is not what was asked for, or None."""
    if wish.present:
        # Another owner's block ends when it was meant to.
        long_enough = not seen.expires or wish.ttl_ms > 0 or not seen.is_of(wish.owner)
        if seen.is_held(wish.value) and long_enough:
            return None
        found = f"the key holds {seen.as_result()}"
    elif seen.kind == NONE or not (seen.is_of(wish.owner) or seen.owner_kind == NONE):
        return None  # Gone, or taken by another owner since.
    else:
        found = "the key is there again"
    return KanbanError(
        "not_as_asked",
        f"Redis accepted it, but read back {found}.",
        "Something else writes this key, so it is not certain what the application does now.",
        "Run the same command again, and find out who else sets the key.",
    )
