# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a purge would be allowed, tried without changing anything."""

from __future__ import annotations

import uuid
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import as_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockproof import queue_only
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeglob import example
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import Wish
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisfinder import Finder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import acl_line, is_of_key, is_of_user
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import Server, info_from, server_from

# Replaces a pattern's star, with a number that nobody guesses, so that no such key exists.
NOBODYS = b"kanban-rollback-proof-"


def look(login: Login, wish: Wish, seconds: float) -> dict[str, Any]:
    """Return what ``cache_purge_info`` shows; raises KanbanError if Redis does not answer."""
    deadline = Deadline(seconds)
    finder = Finder(login, deadline)
    result = finder.until_answered(lambda session: _ask(session, wish, login.user))
    return {"changed": False, **result, "elapsed_ms": deadline.elapsed_ms, "warnings": list(finder.doubts)}


def _ask(session: Session, wish: Wish, user: str | None) -> dict[str, Any]:
    role, said = session.ask(("ROLE",), ("INFO",))
    server = server_from(session.where, session.sentinel, info_from(said), role)
    return {**_prove(session, wish, server, user), "server": server.as_result()}


def _prove(session: Session, wish: Wish, server: Server, user: str | None) -> dict[str, Any]:
    """Return whether it can be purged (None: not all could be tried), why not, and the missing rights.

    SCAN only reads, so it is run. The session is useless afterwards: if DISCARD is refused, it has an open transaction.
    """
    (scanned,) = session.ask(("SCAN", 0, "COUNT", 1))
    replies, untried = _removals(session, wish)
    refused = [
        (right, reply)
        for right, reply in [("+scan", scanned), *replies]
        # Another node of a cluster has the key; the user's rights were checked before that.
        if isinstance(reply, ServerError) and reply.code != "cluster_redirect"
    ]
    missing = list(dict.fromkeys(right for right, error in refused if is_of_user(error)))
    told = []
    if missing:
        # Only those: Redis refuses a line that names keys for a user who already has all of them.
        told.append(
            f"{server.address}: the user {user or 'default'} lacks {', '.join(missing)}. "
            f"The cache could not be purged. Grant it: {acl_line(user, missing)}"
        )
    if server.writable is False:
        told.append(f"{server.address} is a replica: the cache is purged on its master.")
    else:
        told += [str(error) for _right, error in refused if not is_of_user(error)][:1]
    if untried:
        told.append(
            f"{server.address}: {', '.join(untried)} could not be tried without using it, for MULTI is refused."
        )
    return {
        "can_purge": False if refused or server.writable is False else None if untried else True,
        "can_purge_why": " ".join(told) or None,
        "missing": missing,
        "untried": untried,
    }


def _removals(session: Session, wish: Wish) -> tuple[list[tuple[str, Any]], list[str]]:
    """Return each reply to a removal with the right that a refusal is about, and the rights that could not be tried.

    Removals are queued and discarded: Redis checks the user's rights, by command and key, as it queues them. If MULTI
    is refused, removals of a key that does not exist are run, which changes nothing either.
    """
    name = NOBODYS + uuid.uuid4().hex.encode()
    keys = {as_text(pattern): example(pattern, name) for pattern in wish.wanted.patterns}
    tries: dict[str, Sequence[Any]] = {text: ("UNLINK", key) for text, key in keys.items() if key is not None}
    flush = wish.flush and wish.force
    if not tries and not flush:
        return [], []
    queued = queue_only(session, [*tries.values(), *([("FLUSHDB", "ASYNC")] if flush else [])])
    untried: list[str] = []
    if isinstance(queued, ServerError):
        untried = ["+flushdb"] if flush else []
        untried += [f"~{text}" for text, (_command, key) in tries.items() if name not in key]
        tries = {text: command for text, command in tries.items() if name in command[1]}
        queued = session.ask(*tries.values()) if tries else []
    found = [(f"~{text}" if is_of_key(reply) else "+unlink", reply) for text, reply in zip(tries, queued)]
    return found + [("+flushdb", reply) for reply in queued[len(tries) :]], untried
