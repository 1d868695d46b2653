# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holding or releasing a write block would do, whatever is there. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import (
    MOST_TTL,
    NONE,
    OTHER,
    SHOWN,
    STRING,
    Seen,
    Wish,
    as_text,
    owner_key,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

OVERRIDE = "(-e '{kanban_break_glass: {what: [block], reason: ...}}')"


@dataclass(frozen=True)
class Step:
    """What is to be done to the two keys. ``write`` is empty if nothing is; ``refusal`` says why nothing may be done.

    ``prolonged``: another owner's block gets more time and stays theirs; ``owner`` is whose block it is afterwards.
    """

    write: str = ""
    owner: bytes = b""
    left_ms: int = 0
    changed: bool = False
    renewed: bool = False
    prolonged: bool = False
    taken_over: bool = False
    set_aside: bool = False
    warnings: tuple[str, ...] = ()
    refusal: KanbanError | None = None

    def after(self, seen: Seen, wish: Wish) -> Seen:
        """Return what will be there, for check mode."""
        if not self.write:
            return seen
        if self.write == "release":
            return Seen()
        return Seen(STRING, wish.value, STRING, self.owner, self.left_ms or -1, self.left_ms or -1)


def plan(seen: Seen, wish: Wish) -> Step:
    """Return what has to be done to fulfil a wish."""
    if OTHER in (seen.kind, seen.owner_kind) and not wish.force:
        return Step(refusal=_wrong_type(seen, wish))
    return (_hold if wish.present else _release)(seen, wish)


def _hold(seen: Seen, wish: Wish) -> Step:
    ours = seen.is_of(wish.owner)
    others = seen.kind != NONE and not ours and seen.owner_kind != NONE
    if others and not wish.force:
        return _prolong(seen, wish)
    left_ms = wish.ttl_ms if wish.force else _never_shorter(seen, wish.ttl_ms)
    same = ours and seen.is_held(wish.value)
    if same and _ends_so(seen, left_ms) and not seen.uneven:
        return Step()
    # Another time to live is not a change; that a key now ends by itself, or no longer does, is one.
    changed = not same or bool(left_ms) != seen.expires or seen.one_ends_alone
    told = _mended(seen) if same else []
    if seen.kind == STRING and not ours:
        told.append(f"The write block was there already, {_whose(seen)}; it belongs to this incident now.")
    if seen.kind == STRING and not seen.is_held(wish.value):
        told.append(f"The key held {as_text(seen.value)!r}, which is now {as_text(wish.value)!r}.")
    return Step(
        write="hold",
        owner=wish.owner,
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
    # A time to live that is longer than any ttl may be could not be written again as it is.
    return 0 if not seen.expires or seen.left_ms > MOST_TTL * 1000 else max(ttl_ms, seen.left_ms)


def _ends_so(seen: Seen, left_ms: int) -> bool:
    return seen.left_ms == left_ms if left_ms else not seen.expires


def _prolong(seen: Seen, wish: Wish) -> Step:
    """Leave another owner's block theirs, and see that it does not end while this incident needs it."""
    if not seen.is_held(wish.value):
        return Step(refusal=_other_value(seen, wish))
    left_ms = _never_shorter(seen, wish.ttl_ms)
    longer = not _ends_so(seen, left_ms)
    there = f"The write block is there already, {_whose(seen)}"
    if not longer and not seen.uneven:
        ends = f"; it ends in {seen.ttl_seconds} s" if seen.expires else ""
        return Step(warnings=(f"{there}{ends}. It was left as it is.",))
    changed = bool(left_ms) != seen.expires or seen.one_ends_alone
    end = f"{-(-left_ms // 1000)} s" if left_ms else "no expiry: it is held until they release it"
    told = f"{there}. Its expiry is prolonged from {seen.ttl_seconds} s to {end}. It stays theirs."
    return Step(
        write="hold",
        owner=seen.owner,
        left_ms=left_ms,
        changed=changed,
        renewed=not changed,
        prolonged=longer,
        warnings=(told if longer else f"{there}.", *_mended(seen)),
    )


def _mended(seen: Seen) -> list[str]:
    return [f"{_apart(seen)} This step makes them end together."] if seen.uneven else []


def to_mend(seen: Seen) -> list[str]:
    """Return, in words, that the keys do not end together; nothing if they do."""
    if not seen.uneven:
        return []
    why = "Without its owner's key anybody could release the block; without its value nothing is refused."
    return [f"{_apart(seen)} {why} write_block with state present mends it."]


def _apart(seen: Seen) -> str:
    ends = [f"in {left} s" if left is not None else "never" for left in (seen.ttl_seconds, seen.owner_ttl_seconds)]
    return f"The two keys of the write block do not end together: the value {ends[0]}, the owner {ends[1]}."


def _other_value(seen: Seen, wish: Wish) -> KanbanError:
    return KanbanError(
        "other_value",
        f"The key holds {as_text(seen.value)!r}, not {as_text(wish.value)!r}, {_whose(seen)}.",
        "Whether the application refuses writes for that value is not known. Nothing was changed.",
        f"Agree with that owner, or say force {OVERRIDE} to take it over.",
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
    """Tell whether the result cannot show what is about to be lost."""
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
        if seen.is_held(wish.value) and (wish.ttl_ms > 0 or not seen.expires):
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
