# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' glob patterns, matched here exactly as the server does. Pure: neither Ansible nor a driver.

The server chooses keys by one pattern; whether another one protects a key has to be decided before it is removed, so
we decide it. This is `stringmatchlen` of Redis' util.c, oddities included, over bytes. It becomes one regular
expression that decides each `*` once and never goes back to it, so that no pattern and no key takes long.
"""

from __future__ import annotations

import re
from typing import Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

# Redis gives up on a pattern with more than a thousand stars; no key of an application needs a fraction of that.
MOST_BYTES = 1000
MOST_PATTERNS = 200

_ANY = bytes(range(256))
_STAR = None


def escape(key: bytes) -> bytes:
    """Return the pattern that matches this key and no other."""
    return re.sub(rb"([*?\[\]\\^])", rb"\\\1", key)


def _tokens(pattern: bytes) -> Iterator[bytes | None]:
    """Yield what each place of a pattern takes: the bytes that fit there, or _STAR for any number of any bytes."""
    at, end = 0, len(pattern)
    while at < end:
        sign = pattern[at : at + 1]
        if sign == b"*":
            while pattern[at : at + 1] == b"*":
                at += 1
            yield _STAR
            continue
        if sign == b"[":
            fits, at = _class(pattern, at + 1)
            yield fits
            continue
        if sign == b"\\" and at + 1 < end:
            at += 1
            sign = pattern[at : at + 1]
            yield sign
        else:
            yield _ANY if sign == b"?" else sign
        at += 1


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes that fit into the class that begins at ``at``, and where the pattern goes on.

    An unclosed class ends with the pattern; `]` closes it even as its first character; `a-]` is a range.
    """
    end = len(pattern)
    fits: set[int] = set()
    negated = pattern[at : at + 1] == b"^"
    at += negated
    while at < end:
        left = end - at
        if pattern[at] == ord("\\") and left >= 2:
            fits.add(pattern[at + 1])
            at += 2
        elif pattern[at] == ord("]"):
            break
        elif left >= 3 and pattern[at + 1] == ord("-"):
            first, last = sorted((pattern[at], pattern[at + 2]))
            if first < 128 <= last:
                # Whether such a byte is below or above the others depends on the server's processor.
                raise _refused(pattern, "a range in it goes from ASCII to a byte that is none")
            fits.update(range(first, last + 1))
            at += 3
        else:
            fits.add(pattern[at])
            at += 1
    return bytes(each for each in range(256) if (each in fits) != negated), at + 1


def example(pattern: bytes, rest: bytes) -> bytes | None:
    """Return a key that fits a pattern, with ``rest`` for each star; None if no key does."""
    found = b""
    for fits in _tokens(pattern):
        if fits is _STAR:
            found += rest
        elif not fits:
            return None
        else:
            # A letter if any byte will do, because the key is shown.
            found += b"x" if b"x" in fits else fits[:1]
    return found


def _as_regex(fits: bytes) -> bytes:
    if fits == _ANY:
        return b"."
    if len(fits) == 1:
        return re.escape(fits)
    return b"[%s]" % b"".join(b"\\x%02x" % each for each in fits) if fits else b"(?!)"


def _translate(pattern: bytes, name: bytes) -> bytes:
    """Return the regular expression of a pattern, for a full match; ``name`` is its own, for groups.

    What follows a star is matched where it first fits: a later place could only leave less for the rest. The lookahead
    with its backreference is an atomic group, for which Python has a syntax only since 3.11.
    """
    if not pattern.strip(b"*"):
        # The server takes a lone star for "all"; several are a pattern like any other, which "" does not fit.
        return b".*" if pattern == b"*" else b".+"
    segments: list[bytes] = [b""]
    for fits in _tokens(pattern):
        if fits is _STAR:
            segments.append(b"")
        else:
            segments[-1] += _as_regex(fits)
    first, *middle = segments
    if not middle:
        return first
    last = middle.pop()
    made = first
    for number, segment in enumerate(middle):
        group = b"%s_%d" % (name, number)
        made += b"(?=(?P<%s>.*?%s))(?P=%s)" % (group, segment, group)
    return made + b".*" + last


class Globs:
    """Several patterns, matched at once. The first in the list that fits is the one that counts."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        """Take patterns that ``globs_from`` has checked; raises BadInput for a class that cannot be judged."""
        self.patterns = tuple(patterns)
        each = [b"(?P<p%d>%s)" % (number, _translate(one, b"g%d" % number)) for number, one in enumerate(self.patterns)]
        self._groups = {f"p{number}": number for number in range(len(self.patterns))}
        # Without patterns nothing fits.
        self._match = re.compile(b"|".join(each) or b"(?!)", re.DOTALL).fullmatch

    def which(self, key: bytes) -> int | None:
        """Return the number of the first pattern that fits a key, or None."""
        found = self._match(key)
        # The group of a whole pattern is the last to be closed.
        return self._groups[found.lastgroup or ""] if found else None

    def server_side(self) -> bytes | None:
        """Return one pattern that fits at least what these fit, for the server to choose keys by; None for all keys."""
        if len(self.patterns) == 1:
            return None if self.patterns[0] == b"*" else self.patterns[0]
        common = _common([_beginning(pattern) for pattern in self.patterns])
        return escape(common) + b"*" if common else None


def _beginning(pattern: bytes) -> bytes:
    """Return what every key that fits a pattern begins with."""
    found = b""
    for fits in _tokens(pattern):
        if fits is _STAR or len(fits) != 1:
            break
        found += fits
    return found


def _common(texts: Sequence[bytes]) -> bytes:
    least, most = min(texts, default=b""), max(texts, default=b"")
    length = 0
    while length < len(least) and least[length : length + 1] == most[length : length + 1]:
        length += 1
    return least[:length]


def globs_from(name: str, patterns: Sequence[bytes]) -> Globs:
    """Return the patterns without duplicates; raises BadInput for one that would mislead.

    :param name: the option's name, for the reader.
    """
    if len(patterns) > MOST_PATTERNS:
        raise BadInput(
            "bad_pattern",
            f"{name} has {len(patterns)} patterns, the most is {MOST_PATTERNS}.",
            "Nothing was changed.",
            f"Say the same by fewer patterns in {name}: * stands for any text.",
        )
    for pattern in patterns:
        if not pattern:
            raise _refused(pattern, f"one in {name} is empty, as a variable is that was not set")
        if len(pattern) > MOST_BYTES:
            raise _refused(pattern[:40], f"it has more than {MOST_BYTES} bytes")
    return Globs(list(dict.fromkeys(patterns)))


def _refused(pattern: bytes, why: str) -> BadInput:
    shown = pattern.decode("utf-8", "backslashreplace")
    return BadInput(
        "bad_pattern",
        f"The pattern {shown!r} cannot be used: {why}.",
        "What a pattern means has to be beyond doubt before keys are removed by it, or kept. Nothing was changed.",
        "Correct kanban_cache_patterns or kanban_cache_protected (patterns, protected).",
    )
