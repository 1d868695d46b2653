# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a write block in one step, if it is still what was seen: by a script, or by WATCH if EVAL is denied."""

from __future__ import annotations

import time
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import (
    NONE,
    OTHER,
    SHOWN,
    STRING,
    Seen,
    Wish,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockplan import Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Session, checked

# GET instead of TYPE, so that few privileges suffice.
READ = """
local function read(key)
  local found = redis.pcall('GET', key)
  if type(found) == 'string' then return 'string', found end
  if not found then return 'none', '' end
  if string.find(found.err, 'WRONGTYPE', 1, true) then return 'other', '' end
  return 'none', redis.call('GET', key)
end
local kind, value = read(KEYS[1])
local owner_kind, owner = read(KEYS[2])
"""

# Holds (ARGV[7] = 'hold') or releases. KEYS: the block, its owner and, if something is to be kept, their new names.
# ARGV: kind and value, kind and owner, and both PTTL that were seen; then what to do, value, owner, time to live (0:
# none), and the length above which a text is kept. Returns 0 if somebody changed something since. A shorter time to
# live only means that time has passed. SET instead of PEXPIRE, so that few privileges suffice; everything is read
# before anything is written, and after the first write no later one is refused for lack of memory.
SWAP = f"""{READ}
local function moved(key, seen)
  local left = redis.call('PTTL', key)
  return left > seen or (left < 0 and left ~= seen)
end
if kind ~= ARGV[1] or value ~= ARGV[2] or owner_kind ~= ARGV[3] or owner ~= ARGV[4] then return 0 end
if moved(KEYS[1], tonumber(ARGV[5])) or moved(KEYS[2], tonumber(ARGV[6])) then return 0 end
local function keep(from, to, its_kind, text)
  if not to or (its_kind ~= 'other' and #text <= tonumber(ARGV[11])) then return end
  if redis.call('RENAMENX', from, to) == 0 then error('the key ' .. to .. ' exists already') end
end
keep(KEYS[1], KEYS[3], kind, value)
keep(KEYS[2], KEYS[4], owner_kind, owner)
if ARGV[7] == 'release' then
  redis.call('DEL', KEYS[1], KEYS[2])
elseif ARGV[10] == '0' then
  redis.call('SET', KEYS[1], ARGV[8])
  redis.call('SET', KEYS[2], ARGV[9])
else
  redis.call('SET', KEYS[1], ARGV[8], 'PX', ARGV[10])
  redis.call('SET', KEYS[2], ARGV[9], 'PX', ARGV[10])
end
return 1
"""


def looks(wish: Wish) -> list[Sequence[Any]]:
    """Return the commands that read a block; ``seen_from`` takes their replies."""
    key, owner = wish.keys
    return [("GET", key), ("GET", owner), ("PTTL", key), ("PTTL", owner)]


def seen_from(replies: Sequence[Any]) -> Seen:
    """Return the block that the replies describe; raises ServerError."""
    value, owner, left_ms, owner_left_ms = replies
    (kind, text), (owner_kind, owner_text) = _kind(value), _kind(owner)
    return Seen(kind, text, owner_kind, owner_text, checked(left_ms), checked(owner_left_ms))


def _kind(reply: Any) -> tuple[str, bytes]:
    if isinstance(reply, ServerError) and reply.code == "wrong_type":
        return OTHER, b""
    text = checked(reply)
    return (NONE, b"") if text is None else (STRING, text)


def aside_names(wish: Wish) -> list[bytes]:
    """Return new names for what would be lost, in the same hash slot."""
    owner = wish.keys[1]
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()).encode()
    first = owner[: -len(b"owner")] + b"set-aside:" + stamp
    return [first, first + b":owner"]


def swap(session: Session, seen: Seen, step: Step, wish: Wish, aside: Sequence[bytes]) -> bool:
    """Do a step if the block is still what was seen, and tell whether it was; raises ServerError.

    :param aside: new names for what would be lost, or none.
    """
    keys = [*wish.keys, *aside]
    expected = [seen.kind, seen.value, seen.owner_kind, seen.owner, seen.left_ms, seen.owner_left_ms]
    to_do = [step.write, wish.value, step.owner, step.left_ms, SHOWN]
    try:
        return bool(session.one("EVAL", SWAP, len(keys), *keys, *expected, *to_do))
    except ServerError as error:
        if error.details.get("command") != "eval" or aside:
            raise
        try:
            return _watched(session, seen, step, wish)
        except ServerError as second:
            if second.details.get("command") not in ("watch", "multi", "exec"):
                raise
            raise error from second


def _watched(session: Session, seen: Seen, step: Step, wish: Wish) -> bool:
    key, owner = wish.keys
    watching, *replies = session.ask(("WATCH", key, owner), *looks(wish))
    checked(watching)
    if not seen_from(replies).is_still(seen):
        session.one("UNWATCH")
        return False
    if step.write == "release":
        writes: list[Sequence[Any]] = [("DEL", key, owner)]
    else:
        expiry = ("PX", step.left_ms) if step.left_ms else ()
        writes = [("SET", key, wish.value, *expiry), ("SET", owner, step.owner, *expiry)]
    replies = session.ask(("MULTI",), *writes, ("EXEC",))
    # A refused command is refused when it is queued; EXEC then only says that one was.
    return [checked(reply) for reply in replies][-1] is not None
