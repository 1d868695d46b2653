# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' patterns mean the same here as in Redis: each line of the tables was checked with a Redis."""

from __future__ import annotations

import time

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeglob import (
    Globs,
    escape,
    example,
    globs_from,
)
from tests.unit.globs import FITS, FITS_NOT


@pytest.mark.parametrize(("pattern", "key"), FITS)
def test_what_fits(pattern: bytes, key: bytes) -> None:
    assert Globs([pattern]).which(key) == 0


@pytest.mark.parametrize(("pattern", "key"), FITS_NOT)
def test_what_does_not_fit(pattern: bytes, key: bytes) -> None:
    assert Globs([pattern]).which(key) is None


def test_the_first_that_fits_counts() -> None:
    globs = Globs([b"a*b*c*", b"bull:*", b"*b*l*", b"*"])
    assert [globs.which(key) for key in (b"abc", b"bull:x", b"xbxlx", b"q")] == [0, 1, 2, 3]
    assert Globs([]).which(b"") is None


def test_an_escaped_key_fits_itself_alone() -> None:
    for key in (b"*?[a-z]^\\{}", b"\\", b"[", b"\xff\x00\n", b"kanban:emergency:write-block"):
        assert Globs([escape(key)]).which(key) == 0
        assert Globs([escape(key)]).which(key + b"x") is None
        assert Globs([escape(key)]).which(key[:-1] + b"z") is None


@pytest.mark.parametrize("pattern", sorted({pattern for pattern, _key in FITS}))
def test_an_example_fits_its_pattern(pattern: bytes) -> None:
    for rest in (b"", b"proof-7"):
        key = example(pattern, rest)
        assert key is not None
        # A lone star fits an empty key, several do not.
        assert Globs([pattern]).which(key) == 0 or key == b""
    assert example(b"a[]b", b"x") is None


@pytest.mark.parametrize("stars", [40, 450])
def test_no_pattern_takes_long(stars: int) -> None:
    """Tried again at each star, these would take longer than the universe is old."""
    hostile = [b"a*" * stars + b"b", b"*a" * stars + b"b", b"*[^b]" * (stars // 3) + b"b", b"*?" * stars + b"b"]
    globs = globs_from("patterns", hostile)
    started = time.monotonic()
    assert globs.which(b"a" * 5000) is None
    assert globs.which(b"a" * 5000 + b"b") == 0
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([b"*"], None),
        ([b"cache:*"], b"cache:*"),
        ([b"a[bc]*", b"ax*"], b"a*"),
        ([b"cache:board:*", b"cache:[ab]"], b"cache:*"),
        ([b"\\*x*", b"\\*y"], b"\\**"),
        ([b"a*", b"b*"], None),
        ([b"cache:x", b"cache:"], b"cache:*"),
        ([b"cache:x*", b"*"], None),
    ],
)
def test_what_is_left_to_the_server(patterns: list[bytes], expected: bytes | None) -> None:
    assert Globs(patterns).server_side() == expected


@pytest.mark.parametrize("pattern", [b"", b"x" * 1001, b"[a-\xc3\xa9]", b"[\xc3\xa9-z]"])
def test_a_pattern_that_would_mislead_is_refused(pattern: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        globs_from("protected", [b"fine", pattern])
    assert refused.value.code == "bad_pattern"


def test_too_many_are_refused_and_the_same_twice_is_once() -> None:
    with pytest.raises(BadInput):
        globs_from("patterns", [b"%d" % number for number in range(201)])
    assert globs_from("patterns", [b"a", b"b", b"a"]).patterns == (b"a", b"b")
