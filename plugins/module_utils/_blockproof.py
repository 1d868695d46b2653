# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether holding and releasing a write block would be allowed, tried without changing anything."""

from __future__ import annotations

from typing import Any, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import Wish, owner_key
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockscript import READ
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import (
    acl_line,
    explain,
    is_of_key,
    is_of_user,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import Server

# Tries the commands that hold and release a block in ways that cannot change anything: NX finds that the key exists,
# XX and DEL find that it does not, and nobody comes in between. Redis checks the user, a replica, memory, disk and
# min-replicas-to-write before it looks for the key. Returns whether DEL could be tried, and for each refusal the
# command, the number of its key and the message.
PROVE = f"""{READ}
local told, deleted = {{}}, 0
local function try(number, command, ...)
  local done = redis.pcall(command, KEYS[number], ...)
  if type(done) == 'table' and done.err then
    told[#told + 1] = {{command, tostring(number), done.err}}
  end
end
for number, its_kind in ipairs({{kind, owner_kind}}) do
  try(number, 'PTTL')
  try(number, 'SET', '', its_kind == 'none' and 'XX' or 'NX')
  if its_kind == 'none' then
    deleted = 1
    try(number, 'DEL')
  end
end
return {{deleted, told}}
"""

# Besides the keys, what holding and releasing need, and what the warnings need.
_COMMANDS = ("+get", "+pttl", "+eval", "+set", "+del", "+info", "+role", "+wait")

# A right as ACL SETUSER takes it, and the refusal.
_Refusal = Tuple[str, ServerError]


def grant(user: str | None, wish: Wish) -> str:
    """Return the line that gives a user everything that a write block needs."""
    return acl_line(user, [f"~{wish.key}", f"~{owner_key(wish.key)}", *_COMMANDS])


def prove(session: Session, wish: Wish, server: Server, user: str | None) -> dict[str, Any]:
    """Return ``can_write`` (None: not all could be tried), why not, and the rights that are missing or untried.

    It must be the last use of a session: if DISCARD is forbidden, a transaction is left open in it, which is dropped
    with the connection. Raises ServerError.
    """
    refused, untried = _by_script(session, wish)
    if any(right == "+eval" for right, _error in refused):
        refused, untried = _by_watch(session, wish, refused)
    elif untried:
        queued = queue_only(session, [("DEL", *wish.keys)])
        if not isinstance(queued, ServerError):
            refused, untried = refused + _refusals([("DEL", wish.keys[0])], queued), []
    missing = list(dict.fromkeys(right for right, error in refused if error.code == "missing_privilege"))
    told = []
    if missing:
        told.append(
            f"{server.address}: the user {user or 'default'} lacks {', '.join(missing)}. "
            f"The write block could not be held and released. Grant it: {grant(user, wish)}"
        )
    if server.writable is False:
        told.append(f"{server.address} is a replica: the block has to be held on its master.")
    else:
        told += [str(error) for _right, error in refused if error.code != "missing_privilege"][:1]
    if untried:
        told.append(
            f"{server.address}: {', '.join(untried)} could not be tried without changing something, "
            "for MULTI is refused."
        )
    return {
        "can_write": False if refused or server.writable is False else None if untried else True,
        "can_write_why": " ".join(told) or None,
        "missing": missing,
        "untried": untried,
    }


def _by_script(session: Session, wish: Wish) -> tuple[list[_Refusal], list[str]]:
    try:
        deleted, told = session.one("EVAL", PROVE, 2, *wish.keys)
    except ServerError as error:
        if not is_of_user(error):
            raise
        return [(_right("EVAL", wish.keys[0], error), error)], []
    refused = []
    for command, number, words in told:
        refusal = explain("ResponseError", words.decode(errors="backslashreplace"), session.where)
        refused.append((_right(command.decode(), wish.keys[int(number) - 1], refusal), refusal))
    return refused, [] if deleted else ["+del"]


def _by_watch(session: Session, wish: Wish, refused: list[_Refusal]) -> tuple[list[_Refusal], list[str]]:
    """Try the way that is taken if EVAL is denied; it is as good."""
    ways = [("WATCH", *wish.keys), ("UNWATCH",), ("EXEC",)]
    # Without MULTI, EXEC is an error even for a user that may run it.
    replies = [reply if is_of_user(reply) else None for reply in session.ask(*ways)]
    lacking = _refusals([(str(way[0]), wish.keys[0]) for way in ways], replies)
    tries = [(command, key) for command in ("SET", "DEL") for key in wish.keys]
    queued = queue_only(session, [(*each, b"", "XX") if each[0] == "SET" else each for each in tries])
    if isinstance(queued, ServerError):
        return refused + lacking + _refusals([("MULTI", wish.keys[0])], [queued]), ["+set", "+del"]
    return (refused + lacking if lacking else []) + _refusals(tries, queued), []


def queue_only(session: Session, commands: Sequence[Sequence[Any]]) -> list[Any] | ServerError:
    """Return what Redis says to commands that it should queue but not run, or why it queues nothing.

    They are never sent together with MULTI: if that were refused, they would be run.
    """
    try:
        session.one("MULTI")
    except ServerError as error:
        if is_of_user(error):
            return error
        raise
    return session.ask(*commands, ("DISCARD",))[: len(commands)]


def _refusals(tries: Sequence[tuple[str, bytes]], replies: Sequence[Any]) -> list[_Refusal]:
    return [
        (_right(command, key, reply), reply)
        for (command, key), reply in zip(tries, replies)
        if isinstance(reply, ServerError)
    ]


def _right(command: str, key: bytes, error: ServerError) -> str:
    """Return the right that is missing: the command's, unless access to a key was refused."""
    return f"~{key.decode(errors='backslashreplace')}" if is_of_key(error) else f"+{command.lower()}"
