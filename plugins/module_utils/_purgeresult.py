# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a purge, in figures and words. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import as_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import Prefixes, Sorter, Wish
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import acl_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import Server

OVERRIDE = "(-e '{kanban_break_glass: {what: [cache_flush], reason: ...}}')"
SAMPLES = 10


@dataclass
class Account:
    """What Redis answered to removals. By the number of the pattern: ``purged``, and ``gone`` (nothing was there).

    ``unanswered``: keys whose removal was sent and never answered. ``moved``: keys that went to another node of a
    cluster in the middle. ``places``: the servers that were acted on, in order.
    """

    purged: dict[int, int] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    flushed: int | None = None
    unanswered: int = 0
    moved: int = 0
    places: list[str] = field(default_factory=list)

    def note(self, number: int, keys: int, removed: int) -> None:
        """Note an answer: of ``keys`` keys, ``removed`` were there."""
        self.purged[number] = self.purged.get(number, 0) + removed
        self.gone[number] = self.gone.get(number, 0) + keys - removed

    @property
    def total(self) -> int:
        """How many keys Redis said that it removed."""
        return sum(self.purged.values()) + (self.flushed or 0)

    @property
    def changed(self) -> bool:
        """Whether anything was, or may have been, removed."""
        return bool(self.total or self.unanswered)


def counts(wish: Wish, sorter: Sorter, account: Account, planned: bool) -> dict[str, Any]:
    """Return the figures of a result.

    :param planned: report what would go as gone, as check mode does.
    """
    flushing = wish.flush and wish.force
    rows: list[dict[str, Any]] = []
    samples: list[str] = []
    before, after, all_purged = {}, {}, 0
    for number, pattern in enumerate(wish.wanted.patterns):
        going, kept = sorter.going[number].count, sorter.kept[number].count
        if flushing:
            going, kept = going + kept, 0
        gone = account.gone.get(number, 0)
        purged = going if planned else account.purged.get(number, 0) + (account.flushed or 0)
        name, some = as_text(pattern), sorter.going[number].samples
        all_purged += purged
        samples += some
        rows.append(
            {
                "pattern": name,
                "matched": going + kept,
                "purged": purged,
                "protected": kept,
                "samples": some,
            }
        )
        before[name], after[name] = going + kept, kept + max(0, going - purged - gone)
    return {
        "changed": all_purged > 0 if planned else account.changed,
        "flushed": flushing and (all_purged > 0 if planned else account.flushed is not None),
        "scanned": sorter.scanned,
        "matched": sorter.matched,
        "purged": all_purged,
        "protected_kept": 0 if flushing else sorter.protected,
        "already_gone": sum(account.gone.values()),
        "unanswered": account.unanswered,
        "patterns": rows,
        "protected": [] if flushing else sorter.protectors(),
        "samples": samples[:SAMPLES],
        "diff": {"before": before, "after": after},
    }


def loss(sorter: Sorter, prefixes: Prefixes, types: Mapping[str, int] | None) -> dict[str, Any]:
    """Return what a flush would lose."""
    return {
        "count": sorter.matched,
        "protected": sorter.protected,
        "write_block": sorter.block_seen,
        "patterns": sorter.protectors(),
        "prefixes": prefixes.as_result(),
        "types": None if types is None else dict(types),
    }


def refusal(where: str, lost: Mapping[str, Any]) -> KanbanError:
    """Return the error for a flush while protected keys exist."""
    told = [f"{row['count']:,} of {row['pattern']} (as {row['samples'][0]})" for row in lost["patterns"][:5]]
    more = len(lost["patterns"]) - len(told)
    return KanbanError(
        "protected_keys",
        f"{where}: {lost['protected']:,} of {lost['count']:,} keys are protected: {', '.join(told)}"
        + (f", and those of {more} more patterns." if more > 0 else "."),
        "A flush would lose them: queues, sessions or the write block do not come back by themselves. "
        "Nothing was changed.",
        f"Leave flush out, and purge by patterns; or say force {OVERRIDE} and lose what would_lose names.",
    )


def not_complete(where: str, seconds: float, account: Account, share: float | None, planned: bool) -> KanbanError:
    """Return the error for a purge that its deadline ended.

    :param share: what part of the keys was gone over; None if that is unknown.
    """
    looked = "" if share is None else f"about {share:.0%} of the keys were looked at"
    done = "" if planned else f"{account.total:,} were purged"
    what = ", ".join(part for part in (looked, done) if part)
    return KanbanError(
        "not_complete",
        f"{where}: after {seconds:g} s, its deadline, the purge was not through: {what}.",
        "What is left in the cache may be older than the database. What was purged stays purged.",
        "Run the same command again: what is gone costs nothing. Give it more time in deadline if there is much.",
    )


def warnings_of(
    wish: Wish, server: Server, account: Account, clustered: bool, lost: Mapping[str, Any] | None, appeared: int
) -> list[str]:
    """Return, in words, what a reader must know beside the figures.

    :param lost: what a flush would lose; None if none was asked for.
    :param appeared: protected keys that appeared during a flush that had found none.
    """
    told = []
    if lost and lost["write_block"] and account.flushed is not None:
        told.append("The write block was among the keys that were lost: hold it again, or the application writes.")
    if appeared:
        told.append(f"{appeared:,} protected keys came into being meanwhile, and were kept.")
    if not wish.block_patterns and wish.wanted.patterns:
        told.append(
            "write_block_key was not given: a write block was kept only if protected names it. "
            "Give kanban_write_block_key."
        )
    if server.role == "unknown":
        told.append(
            f"Whether {server.address} is a master is unknown, for this user may say neither ROLE nor INFO. "
            "It was taken for one. Grant +role to have it checked."
        )
    if clustered:
        told.append(
            f"{server.address} is a node of a Redis Cluster: only its own keys were gone over. "
            "Act on every master: each has to be in the redis group."
        )
    if len(account.places) > 1:
        told.append(
            f"The master changed in the middle: {' -> '.join(account.places)}. The keys were gone over anew there, "
            "so some are counted twice."
        )
    if account.moved:
        told.append(f"{account.moved:,} keys moved to another node in the middle: run the same command again.")
    if account.unanswered:
        told.append(
            f"The connection was lost with {account.unanswered:,} removals unanswered: each may have been done beside "
            "those that are counted."
        )
    return told


def acknowledged(replies: Sequence[Any], replicas: int | None) -> tuple[int | None, list[str]]:
    """Return how many replicas have the change (None: not known), and a warning if none has."""
    number = replies[0] if replies and isinstance(replies[0], int) else None
    if number != 0:
        return number, []
    return 0, [f"None of {replicas} replicas acknowledged: after a failover now, what was purged could be there again."]


def grant(user: str | None, wish: Wish) -> str:
    """Return the line that gives a user what a purge needs."""
    keys = [f"~{pattern.decode(errors='backslashreplace')}" for pattern in wish.wanted.patterns]
    flush = ["+flushdb"] if wish.flush and wish.force else []
    return acl_line(user, [*keys, "+scan", "+unlink", *flush, "+time", "+role", "+info", "+dbsize", "+type", "+wait"])


def told_of(problem: ServerError, account: Account, line: str, again: bool) -> ServerError:
    """Return a server's error with what only this purge knows.

    :param line: what to type if rights are missing.
    :param again: whether the same could succeed later.
    """
    why, todo = problem.why, problem.todo
    if problem.code == "missing_privilege":
        todo = f"Grant it: {line}"
    if problem.code == "unreachable":
        why = "Without an answer nothing can be purged here: what is in its cache may be older than the database."
    if account.changed:
        why = (
            f"{account.total:,} keys had been purged before, and stay so. What is left in the cache may be older than "
            "the database."
        )
        if again:
            todo = "Run the same command again when Redis answers: what is gone costs nothing."
    return type(problem)(problem.code, problem.what, why, todo, **problem.details)
