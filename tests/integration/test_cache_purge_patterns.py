# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pattern is judged here as a real Redis judges it, whatever bytes are in it and in the keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeglob import escape, globs_from
from tests.integration.redisplace import RedisPlace
from tests.unit.globs import FITS, FITS_NOT

# Few, so that patterns and keys match; with a NUL, a line break and a byte above 127, which C may read as negative.
BYTES = [b"a", b"b", b"c", b"-", b"]", b"[", b"^", b"\\", b"*", b"?", b"\x00", b"\n", b"\xff"]
keys = st.lists(st.sampled_from(BYTES), max_size=6).map(b"".join)
classes = st.lists(st.sampled_from(BYTES), max_size=5).map(lambda parts: b"[%s]" % b"".join(parts))
patterns = st.lists(st.sampled_from([*BYTES, b"*"]) | classes, min_size=1, max_size=8).map(b"".join)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with RedisPlace.started() as made, made.client(decode_responses=False) as client:
        yield client


def fitting(client: Any, pattern: bytes, found: set[bytes]) -> set[bytes]:
    """Return the keys that a pattern fits according to Redis; SCAN and KEYS must agree."""
    client.flushall()
    client.mset(dict.fromkeys(found, b""))
    scanned = set(client.scan_iter(match=pattern, count=1000))
    assert scanned == set(client.keys(pattern))
    return scanned


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(pattern=patterns, found=st.sets(keys, min_size=1, max_size=20))
@example(pattern=b"**", found={b""})
@example(pattern=b"*", found={b""})
def test_the_server_says_the_same(client: Any, pattern: bytes, found: set[bytes]) -> None:
    # Some keys that it may well fit.
    found |= {pattern.replace(b"*", b"").replace(b"?", b"a"), pattern.replace(b"*", b"ab"), pattern}
    try:
        globs = globs_from("patterns", [pattern])
    except BadInput:
        return  # A range from ASCII to a byte above: what it means depends on the server's processor.
    assert {key for key in found if globs.which(key) is not None} == fitting(client, pattern, found)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(several=st.lists(patterns, min_size=2, max_size=4), found=st.sets(keys, min_size=5, max_size=20))
def test_what_is_left_to_the_server_loses_no_key(client: Any, several: list[bytes], found: set[bytes]) -> None:
    try:
        globs = globs_from("patterns", several)
    except BadInput:
        return
    wanted = {key for key in found if globs.which(key) is not None}
    assert wanted <= fitting(client, globs.server_side() or b"*", found)
    for key in found - {b""}:
        assert fitting(client, escape(key), found) == {key}


@pytest.mark.parametrize(("pattern", "key"), FITS)
def test_a_line_of_the_table_that_fits(client: Any, pattern: bytes, key: bytes) -> None:
    assert fitting(client, pattern, {key}) == {key}


@pytest.mark.parametrize(("pattern", "key"), FITS_NOT)
def test_a_line_of_the_table_that_does_not(client: Any, pattern: bytes, key: bytes) -> None:
    assert fitting(client, pattern, {key}) == set()
