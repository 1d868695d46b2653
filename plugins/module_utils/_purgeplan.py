# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys go and which stay, counted. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import SHOWN, as_bytes, as_text, owner_key
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeglob import Globs, escape, globs_from

SAMPLES = 5
# Bytes of a key that are looked at to show it.
READ = 1000
# How many first parts of keys are counted before a flush, and how many of them a result shows.
MOST_PREFIXES, SHOWN_PREFIXES = 1000, 20
MOST_BATCH = 10_000
# However long a command took, the next is for at least this many keys: with fewer the purge would never end.
LEAST_KEYS = 50
# Used before it is known how large the keys are that one command removes.
FIRST_BATCH = 100

# A session's id in a key's name is as good as a password.
_TOKEN = re.compile(r"[A-Za-z0-9_+/=.~%-]{20,}")


def shown(key: bytes) -> str:
    """Return a key for results: one line, cut, and what may be a token cut to its first four characters."""
    text = _TOKEN.sub(lambda found: f"{found.group()[:4]}…", key[:READ].decode("utf-8", "backslashreplace"))
    plain = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return plain if len(plain) <= SHOWN else f"{plain[:SHOWN]}…"


@dataclass(frozen=True)
class Wish:
    """What is asked for; the fields are the options of ``cache_purge``."""

    wanted: Globs
    protected: Globs
    # How many of the protected patterns are for the write block's keys; they come first.
    block_patterns: int = 0
    flush: bool = False
    force: bool = False
    batch: int = 1000
    max_block_ms: float = 20


def wish_from(params: Mapping[str, Any]) -> Wish:
    """Return the wish that a module's parameters describe; raises BadInput."""
    if not 1 <= params["batch"] <= MOST_BATCH or not params["max_block_ms"] > 0:
        raise BadInput(
            "bad_option",
            f"batch is {params['batch']}, max_block_ms is {params['max_block_ms']:g}.",
            "Redis does nothing else while it runs one command. Nothing was changed.",
            f"Give a batch from 1 to {MOST_BATCH} keys and milliseconds above 0, or leave both out.",
        )
    block = _block_patterns(params["write_block_key"])
    protected = [as_bytes("protected", text) for text in params["protected"]]
    patterns = [b"*"] if params["flush"] else [as_bytes("patterns", text) for text in params["patterns"]]
    return Wish(
        wanted=globs_from("patterns", patterns),
        protected=globs_from("protected", [*block, *protected]),
        block_patterns=len(block),
        flush=params["flush"],
        force=params["force"],
        batch=params["batch"],
        max_block_ms=params["max_block_ms"],
    )


def _block_patterns(key: str | None) -> list[bytes]:
    """Return patterns for the write block, its owner, and the earlier keys that it set aside."""
    if not key:
        return []
    owner = escape(as_bytes("write_block_key", owner_key(key)))
    return [escape(as_bytes("write_block_key", key)), owner, owner[: -len(b"owner")] + b"set-aside:*"]


class Tally:
    """Counts keys, some of which SCAN names twice, by their 64-bit hashes, at eight bytes a key."""

    def __init__(self) -> None:
        # In parts, so that no set of all of them is ever needed.
        self._parts: tuple[array[int], ...] = tuple(array("q") for _part in range(16))
        self._samples: list[bytes] = []

    def add(self, key: bytes) -> None:
        """Count a key that may have been counted before."""
        hashed = hash(key)
        self._parts[hashed & 15].append(hashed)
        if len(self._samples) < SAMPLES and key not in self._samples:
            self._samples.append(key)

    @property
    def count(self) -> int:
        """How many different keys there were."""
        return sum(len(set(part)) for part in self._parts)

    @property
    def samples(self) -> list[str]:
        """The first of them, for results."""
        return [shown(key) for key in self._samples]


class Sorter:
    """Separates the keys that go from those that stay, and counts both by the pattern that decided."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self.scanned = 0
        self.going = [Tally() for _pattern in wish.wanted.patterns]
        self.kept = [Tally() for _pattern in wish.wanted.patterns]
        self.kept_by = [Tally() for _pattern in wish.protected.patterns]

    def sort(self, keys: Sequence[bytes]) -> dict[int, list[bytes]]:
        """Return the keys that go, by the number of the first pattern that wants them."""
        wants, protects = self._wish.wanted.which, self._wish.protected.which
        going: dict[int, list[bytes]] = {}
        self.scanned += len(keys)
        for key in keys:
            number = wants(key)
            if number is None:
                continue
            protector = protects(key)
            if protector is None:
                self.going[number].add(key)
                going.setdefault(number, []).append(key)
            else:
                self.kept[number].add(key)
                self.kept_by[protector].add(key)
        return going

    @property
    def protected(self) -> int:
        """How many protected keys there were."""
        return sum(tally.count for tally in self.kept_by)

    @property
    def matched(self) -> int:
        """How many keys the patterns wanted, protected ones included."""
        return sum(tally.count for tally in self.going) + self.protected

    def protectors(self) -> list[dict[str, Any]]:
        """Return each protected pattern that kept a key, with how many and some of them."""
        rows = zip(self._wish.protected.patterns, self.kept_by)
        return [
            {"pattern": as_text(pattern), "count": tally.count, "samples": tally.samples}
            for pattern, tally in rows
            if tally.count
        ]

    @property
    def block_seen(self) -> bool:
        """Whether a key of the write block was among them."""
        return any(tally.count for tally in self.kept_by[: self._wish.block_patterns])


class Prefixes:
    """Counts keys by their first part, up to a colon: what a person knows an application's keys by."""

    def __init__(self) -> None:
        self._tallies: dict[bytes, Tally] = {}
        self._others = Tally()

    def add(self, keys: Iterable[bytes]) -> None:
        """Count keys; beyond a thousand different first parts the rest are counted together."""
        for key in keys:
            first, colon, _rest = key.partition(b":")
            name = first + colon
            if name not in self._tallies and len(self._tallies) < MOST_PREFIXES:
                self._tallies[name] = Tally()
            self._tallies.get(name, self._others).add(key)

    def as_result(self) -> list[dict[str, Any]]:
        """Return the most frequent, and how many keys begin otherwise."""
        counted = sorted(((tally.count, name) for name, tally in self._tallies.items()), reverse=True)
        rows: list[dict[str, Any]] = [{"prefix": shown(name), "count": keys} for keys, name in counted[:SHOWN_PREFIXES]]
        others = sum(keys for keys, _name in counted[SHOWN_PREFIXES:]) + self._others.count
        return [*rows, {"prefix": None, "count": others}] if others else rows


class Pace:
    """How many keys the next command is for: fewer if the last one took long, more again if it did not."""

    def __init__(self, batch: int, max_block_ms: float) -> None:
        self._most = batch
        self._limit = max_block_ms
        self.keys = min(batch, FIRST_BATCH)
        self.longest_ms = 0.0

    def took(self, milliseconds: float) -> float:
        """Note how long an exchange took; return how many seconds to leave Redis to others before the next."""
        self.longest_ms = max(self.longest_ms, milliseconds)
        if milliseconds > self._limit:
            self.keys = min(self._most, max(LEAST_KEYS, self.keys // 2))
            return min(milliseconds, 100.0) / 1000
        if milliseconds < self._limit / 4:
            self.keys = min(self._most, self.keys * 2)
        return 0.0


def spent_ms(first: Any, last: Any) -> float | None:
    """Return the milliseconds between two replies to TIME; None if one of them is an error."""
    if not (isinstance(first, list) and isinstance(last, list)):
        return None
    (seconds, micros), (later, later_micros) = first, last
    return max(0.0, (int(later) - int(seconds)) * 1000 + (int(later_micros) - int(micros)) / 1000)


def share_of(cursor: int) -> float:
    """Return what part of the keys SCAN has gone over, from 0 to 1: it counts from the highest bit down."""
    return int(f"{cursor & (2**64 - 1):064b}"[::-1], 2) / 2**64
